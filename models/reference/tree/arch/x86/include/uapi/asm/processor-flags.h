#ifndef _UAPI_ASM_X86_PROCESSOR_FLAGS_H
#define _UAPI_ASM_X86_PROCESSOR_FLAGS_H

/* CR4: RDPMC is for everyone. */
#define X86_CR4_PCE	(1UL << 8)

#endif
