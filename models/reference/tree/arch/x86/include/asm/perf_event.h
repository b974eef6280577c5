#ifndef _ASM_X86_PERF_EVENT_H
#define _ASM_X86_PERF_EVENT_H

#include <linux/bits.h>
#include <linux/types.h>

#define X86_PMC_IDX_MAX				64
#define INTEL_PMC_IDX_FIXED			32

#define ARCH_PERFMON_EVENTSEL_EVENT		0x000000ffULL
#define ARCH_PERFMON_EVENTSEL_UMASK		0x0000ff00ULL
#define ARCH_PERFMON_EVENTSEL_USR		BIT_ULL(16)
#define ARCH_PERFMON_EVENTSEL_OS		BIT_ULL(17)
#define ARCH_PERFMON_EVENTSEL_INT		BIT_ULL(20)
#define ARCH_PERFMON_EVENTSEL_ENABLE		BIT_ULL(22)

/* FIXED_CTR_CTRL has four bits for each fixed counter. */
#define INTEL_FIXED_BITS_STRIDE			4
#define INTEL_FIXED_BITS_MASK			0xfULL
#define INTEL_FIXED_0_KERNEL			BIT_ULL(0)
#define INTEL_FIXED_0_USER			BIT_ULL(1)
#define INTEL_FIXED_0_ENABLE_PMI		BIT_ULL(3)

#define intel_fixed_bits_by_idx(idx, bits)	((bits) << ((idx) * INTEL_FIXED_BITS_STRIDE))

/* Types of counter in ECX of RDPMC. */
#define INTEL_PMC_FIXED_RDPMC_BASE		(1 << 30)
#define INTEL_PMC_FIXED_RDPMC_METRICS		(1 << 29)

#define GLOBAL_CTRL_EN_PERF_METRICS		BIT_ULL(48)

/* CPUID leaf 0xa. */
union cpuid10_eax {
	struct {
		unsigned int version_id:8;
		unsigned int num_counters:8;
		unsigned int bit_width:8;
		unsigned int mask_length:8;
	} split;
	unsigned int full;
};

union cpuid10_edx {
	struct {
		unsigned int num_counters_fixed:5;
		unsigned int bit_width_fixed:8;
		unsigned int reserved:19;
	} split;
	unsigned int full;
};

/* AMD's selectors: the event has four bits more, and VMRUN may stop or start a counter. */
#define AMD64_EVENTSEL_EVENT			(0xffULL | (0xfULL << 32))
#define AMD64_EVENTSEL_GUESTONLY		BIT_ULL(40)
#define AMD64_EVENTSEL_HOSTONLY			BIT_ULL(41)
#define AMD64_EVENTSEL_HOST_GUEST_MASK		(AMD64_EVENTSEL_GUESTONLY | AMD64_EVENTSEL_HOSTONLY)

/* AMD's GLOBAL_STATUS: an overflow has frozen the branch records, or the counters. */
#define GLOBAL_STATUS_LBRS_FROZEN		BIT_ULL(58)
#define GLOBAL_STATUS_COUNTERS_FROZEN		BIT_ULL(59)

/* Counters of a pocket CPU, without and with the core counter extension. */
#define AMD64_NUM_COUNTERS			1
#define AMD64_NUM_COUNTERS_CORE			2

/* CPUID leaf 0x80000022. */
union cpuid_0x80000022_ebx {
	struct {
		unsigned int num_core_pmc:4;
		unsigned int others:28;
	} split;
	unsigned int full;
};

struct x86_pmu_capability {
	unsigned int mediated:1;
	unsigned int pebs_ept:1;
	int version;
	int bit_width_fixed;
	int num_counters_fixed;
	int bit_width_gp;
	int num_counters_gp;
	int events_mask_len;
	unsigned int events_mask;
};

void perf_get_x86_pmu_capability(struct x86_pmu_capability *cap);

void perf_load_guest_lvtpc(u32 guest_lvtpc);
void perf_put_guest_lvtpc(void);

#endif
