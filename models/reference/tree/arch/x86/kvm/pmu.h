#ifndef __KVM_X86_PMU_H
#define __KVM_X86_PMU_H

#include <linux/kvm_host.h>
#include <asm/kvm_host.h>
#include <asm/msr-index.h>

#define vcpu_to_pmu(vcpu)	(&(vcpu)->arch.pmu)
#define pmc_to_pmu(pmc)		vcpu_to_pmu((pmc)->vcpu)

/* Bit number of fixed counter 0 in GLOBAL_CTRL, GLOBAL_STATUS and KVM's bitmaps. */
#define KVM_FIXED_PMC_BASE_IDX	INTEL_PMC_IDX_FIXED

/* What a vendor does in its own way. */
struct kvm_pmu_ops {
	bool (*is_mediated_pmu_supported)(struct x86_pmu_capability *host_pmu);
	void (*mediated_put)(struct kvm_vcpu *vcpu);
	void (*mediated_load)(struct kvm_vcpu *vcpu);
	void (*write_global_ctrl)(u64 global_ctrl);

	void (*init)(struct kvm_vcpu *vcpu);
	void (*reset)(struct kvm_vcpu *vcpu);
	void (*refresh)(struct kvm_vcpu *vcpu);

	struct kvm_pmc *(*msr_idx_to_pmc)(struct kvm_vcpu *vcpu, u32 msr);
	struct kvm_pmc *(*rdpmc_ecx_to_pmc)(struct kvm_vcpu *vcpu, unsigned int idx, u64 *mask);
	int (*set_msr)(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
	int (*get_msr)(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
	bool (*is_valid_msr)(struct kvm_vcpu *vcpu, u32 msr);
	/* By its selector, a counter is on. */
	bool (*is_selected)(struct kvm_pmc *pmc);

	/* The MSR that starts and stops all, those of the first counters, and what lies between two. */
	u32 PERF_GLOBAL_CTRL, FIXED_COUNTER_BASE, GP_COUNTER_BASE, GP_EVENTSEL_BASE, MSR_STRIDE;
	u64 EVENTSEL_EVENT;
	/* KVM gives no guest a PMU of a CPU with fewer, and none more. */
	int MIN_NR_GP_COUNTERS, MAX_NR_GP_COUNTERS;
};

#define kvm_pmu_call(func)	kvm_pmu_ops.func

extern bool enable_pmu;
extern bool enable_mediated_pmu;
extern struct x86_pmu_capability kvm_pmu_cap;
extern struct kvm_pmu_ops intel_pmu_ops;
extern struct kvm_pmu_ops amd_pmu_ops;

/* KVM shows the global registers from version 2 of the architecture on. */
static inline bool kvm_pmu_has_perf_global_ctrl(struct kvm_pmu *pmu)
{
	return pmu->version >= 2;
}

/* The guest has a PMU and, while it runs, owns the real one. */
static inline bool kvm_vcpu_has_mediated_pmu(struct kvm_vcpu *vcpu)
{
	if (!enable_mediated_pmu)
		return false;

	return vcpu_to_pmu(vcpu)->version != 0;
}

static inline bool kvm_valid_perf_global_ctrl(struct kvm_pmu *pmu, u64 data)
{
	return (data & pmu->global_ctrl_rsvd) == 0;
}

/* Once for each counter that a guest can have, before the first refresh. */
static inline void name_counter(struct kvm_pmc *pmc, struct kvm_vcpu *owner, enum pmc_type type,
				u32 idx)
{
	pmc->vcpu = owner;
	pmc->type = type;
	pmc->idx = idx;
}

static inline u64 pmc_bitmask(struct kvm_pmc *pmc)
{
	return pmc_to_pmu(pmc)->counter_bitmask[pmc->type];
}

static inline u64 pmc_read_counter(struct kvm_pmc *pmc)
{
	return pmc->counter & pmc_bitmask(pmc);
}

/* The counter, or selector, at base + index; NULL when the guest has none of that index. */
static inline struct kvm_pmc *get_gp_pmc(struct kvm_pmu *pmu, u32 msr, u32 base)
{
	u32 index = msr - base;

	if (index >= pmu->nr_arch_gp_counters)
		return NULL;

	return &pmu->gp_counters[index];
}

static inline struct kvm_pmc *get_fixed_pmc(struct kvm_pmu *pmu, u32 msr)
{
	u32 index = msr - MSR_CORE_PERF_FIXED_CTR0;

	if (index >= pmu->nr_arch_fixed_counters)
		return NULL;

	return &pmu->fixed_counters[index];
}

void kvm_pmu_look_at_controls(struct kvm_pmc *pmc);

/*
 * The counter's controls have changed: from now on it may count other emulated events, and the
 * event filter is to look at it before the guest runs on.
 */
static inline void kvm_pmu_request_counter_reprogram(struct kvm_pmc *pmc)
{
	kvm_pmu_look_at_controls(pmc);
	set_bit(pmc->idx, pmc_to_pmu(pmc)->reprogram_pmi);
	kvm_make_request(KVM_REQ_PMU, pmc->vcpu);
}

/* While hardware has the counters KVM cannot count for the guest, so that it must go and put. */
static inline bool kvm_pmu_is_fastpath_emulation_allowed(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	if (!kvm_vcpu_has_mediated_pmu(vcpu))
		return true;

	return !(pmu->pmc_counting_instructions[0] & pmu->global_ctrl);
}

void pmc_write_counter(struct kvm_pmc *pmc, u64 val);

void kvm_pmu_ops_update(const struct kvm_pmu_ops *pmu_ops);
void kvm_init_pmu_capability(struct kvm_pmu_ops *pmu_ops);

void kvm_pmu_init(struct kvm_vcpu *vcpu);
void kvm_pmu_refresh(struct kvm_vcpu *vcpu);

bool kvm_pmu_is_valid_msr(struct kvm_vcpu *vcpu, u32 msr);
int kvm_pmu_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info);
int kvm_pmu_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info);

int kvm_pmu_rdpmc(struct kvm_vcpu *vcpu, unsigned int idx, u64 *data);

/* What the filter that userspace has set says of a counter's event. */
bool pmc_is_event_allowed(struct kvm_pmc *pmc);
void kvm_pmu_handle_event(struct kvm_vcpu *vcpu);
void kvm_pmu_instruction_retired(struct kvm_vcpu *vcpu);
void kvm_pmu_branch_retired(struct kvm_vcpu *vcpu);

bool kvm_need_perf_global_ctrl_intercept(struct kvm_vcpu *vcpu);
bool kvm_need_rdpmc_intercept(struct kvm_vcpu *vcpu);

void kvm_mediated_pmu_load(struct kvm_vcpu *vcpu);
void kvm_mediated_pmu_put(struct kvm_vcpu *vcpu);

#endif
