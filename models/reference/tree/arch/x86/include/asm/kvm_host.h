#ifndef _ASM_X86_KVM_HOST_H
#define _ASM_X86_KVM_HOST_H

#include <linux/types.h>
#include <asm/perf_event.h>

struct kvm_vcpu;
struct kvm_lapic;

enum pmc_type {
	KVM_PMC_GP = 0,
	KVM_PMC_FIXED,
};

/* One counter. While the guest is not in hardware, `counter` is its value. */
struct kvm_pmc {
	enum pmc_type type;
	u8 idx;
	u64 counter;
	/* As the guest wrote it, and as hardware gets it. */
	u64 eventsel;
	u64 eventsel_hw;
	struct kvm_vcpu *vcpu;
};

/* Few, so that everything about them is quick to prove. */
#define KVM_MAX_NR_INTEL_GP_COUNTERS	2
#define KVM_MAX_NR_AMD_GP_COUNTERS	2
#define KVM_MAX_NR_GP_COUNTERS		KVM_MAX_NR_INTEL_GP_COUNTERS

#define KVM_MAX_NR_INTEL_FIXED_COUNTERS	4
#define KVM_MAX_NR_FIXED_COUNTERS	KVM_MAX_NR_INTEL_FIXED_COUNTERS

struct kvm_pmu {
	u8 version;
	unsigned nr_arch_gp_counters;
	unsigned nr_arch_fixed_counters;
	/* As the guest wrote it, and as hardware gets it. */
	u64 fixed_ctr_ctrl;
	u64 fixed_ctr_ctrl_hw;
	u64 fixed_ctr_ctrl_rsvd;
	u64 global_ctrl;
	u64 global_ctrl_rsvd;
	u64 global_status;
	u64 global_status_rsvd;
	/* By pmc_type. */
	u64 counter_bitmask[2];
	/* Of event selectors. */
	u64 reserved_bits;
	struct kvm_pmc gp_counters[KVM_MAX_NR_GP_COUNTERS];
	struct kvm_pmc fixed_counters[KVM_MAX_NR_FIXED_COUNTERS];
	DECLARE_BITMAP(reprogram_pmi, X86_PMC_IDX_MAX);
	DECLARE_BITMAP(all_valid_pmc_idx, X86_PMC_IDX_MAX);
	/* Would have counted what KVM emulates, if GLOBAL_CTRL, event filter and CPL let them. */
	DECLARE_BITMAP(pmc_counting_instructions, X86_PMC_IDX_MAX);
	DECLARE_BITMAP(pmc_counting_branches, X86_PMC_IDX_MAX);
};

struct kvm_vcpu_arch {
	u64 efer;
	u64 perf_capabilities;
	/* The guest hypervisor's VMLAUNCH or VMRESUME is under way. */
	bool nested_run_pending;
	struct kvm_lapic *apic;
	struct kvm_pmu pmu;
};

struct kvm_arch {
	bool enable_pmu;
};

struct msr_data {
	u32 index;
	u64 data;
	bool host_initiated;
};

/* What KVM can offer on this host. */
struct kvm_caps {
	u64 supported_perf_cap;
};

extern struct kvm_caps kvm_caps;

#endif
