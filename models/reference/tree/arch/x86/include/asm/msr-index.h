#ifndef _ASM_X86_MSR_INDEX_H
#define _ASM_X86_MSR_INDEX_H

#include <linux/bits.h>

/* In EFER. AMD: a guest may run guests. */
#define EFER_SVME			BIT_ULL(12)

/* AMD: a selector and its counter are neighbours; the first few have older names too. */
#define MSR_F15H_PERF_CTL			0xc0010200
#define MSR_F15H_PERF_CTL0			MSR_F15H_PERF_CTL
#define MSR_F15H_PERF_CTR			0xc0010201
#define MSR_F15H_PERF_CTR0			MSR_F15H_PERF_CTR
#define MSR_K7_EVNTSEL0				0xc0010000
#define MSR_K7_PERFCTR0				0xc0010004

/* AMD's whole unit, from version 2 on. Writing CLR and SET clears and sets bits of STATUS. */
#define MSR_AMD64_PERF_CNTR_GLOBAL_STATUS	0xc0000300
#define MSR_AMD64_PERF_CNTR_GLOBAL_CTL		0xc0000301
#define MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_CLR	0xc0000302
#define MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_SET	0xc0000303

/* General-purpose counters: the 32-bit names, the full-width names, the event selectors. */
#define MSR_IA32_PERFCTR0			0x000000c1
#define MSR_IA32_PMC0				0x000004c1
#define MSR_P6_EVNTSEL0				0x00000186
#define MSR_ARCH_PERFMON_PERFCTR0		0x000000c1
#define MSR_ARCH_PERFMON_EVENTSEL0		0x00000186

/* Fixed counters and what controls them. */
#define MSR_CORE_PERF_FIXED_CTR0		0x00000309
#define MSR_ARCH_PERFMON_FIXED_CTR0		0x00000309
#define MSR_PERF_METRICS			0x00000329
#define MSR_CORE_PERF_FIXED_CTR_CTRL		0x0000038d

/* The whole unit. Writing OVF_CTRL clears bits of GLOBAL_STATUS, writing STATUS_SET sets them. */
#define MSR_CORE_PERF_GLOBAL_STATUS		0x0000038e
#define MSR_CORE_PERF_GLOBAL_CTRL		0x0000038f
#define MSR_CORE_PERF_GLOBAL_OVF_CTRL		0x00000390
#define MSR_CORE_PERF_GLOBAL_STATUS_SET		0x00000391

#define MSR_CORE_PERF_GLOBAL_OVF_CTRL_TRACE_TOPA_PMI	BIT_ULL(55)
#define MSR_CORE_PERF_GLOBAL_OVF_CTRL_OVF_BUF	BIT_ULL(62)
#define MSR_CORE_PERF_GLOBAL_OVF_CTRL_COND_CHGD	BIT_ULL(63)

#define MSR_IA32_PERF_CAPABILITIES		0x00000345
#define PERF_CAP_FW_WRITES			BIT_ULL(13)

#endif
