#ifndef _ASM_X86_APICDEF_H
#define _ASM_X86_APICDEF_H

#define APIC_LVTPC	0x340
#define APIC_DM_FIXED	0x00000
#define APIC_DM_NMI	0x00400
#define APIC_LVT_MASKED	(1 << 16)

#endif
