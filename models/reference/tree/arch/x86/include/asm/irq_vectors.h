#ifndef _ASM_X86_IRQ_VECTORS_H
#define _ASM_X86_IRQ_VECTORS_H

/* Where counter overflows go while a guest owns the PMU. */
#define PERF_GUEST_MEDIATED_PMI_VECTOR	0xf5

#endif
