/*
 * The AMD part of the PMU. Written for msrproof: the interfaces are those of Linux 7.3, the text
 * is not.
 */
#include <asm/msr-index.h>
#include "../cpuid.h"
#include "../pmu.h"
#include "svm.h"

/* A guest may write these bits of a selector; the first two only when it can run guests. */
#define EVENTSEL_GUEST_BITS	(AMD64_EVENTSEL_HOST_GUEST_MASK | 0xfffd7ffffULL)

/* Which register of a counter an MSR is. */
enum amd_pmu_msr {
	AMD_PMU_NONE,
	AMD_PMU_SELECTOR,
	AMD_PMU_COUNTER,
};

/* The kind of an MSR and the counter that it belongs to, of those that the guest has. */
static enum amd_pmu_msr classify(struct kvm_vcpu *vcpu, u32 msr, struct kvm_pmc **pmc)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	enum amd_pmu_msr kind;
	u32 index;

	*pmc = NULL;

	if (msr >= MSR_F15H_PERF_CTL && msr < MSR_F15H_PERF_CTL + 2 * AMD64_NUM_COUNTERS_CORE) {
		if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PERFCTR_CORE))
			return AMD_PMU_NONE;
		kind = msr & 1 ? AMD_PMU_COUNTER : AMD_PMU_SELECTOR;
		index = (msr - MSR_F15H_PERF_CTL) / 2;
	} else if (msr >= MSR_K7_EVNTSEL0 && msr < MSR_K7_EVNTSEL0 + AMD64_NUM_COUNTERS) {
		kind = AMD_PMU_SELECTOR;
		index = msr - MSR_K7_EVNTSEL0;
	} else if (msr >= MSR_K7_PERFCTR0 && msr < MSR_K7_PERFCTR0 + AMD64_NUM_COUNTERS) {
		kind = AMD_PMU_COUNTER;
		index = msr - MSR_K7_PERFCTR0;
	} else {
		return AMD_PMU_NONE;
	}

	if (index >= pmu->nr_arch_gp_counters)
		return AMD_PMU_NONE;

	*pmc = &pmu->gp_counters[index];
	return kind;
}

static struct kvm_pmc *amd_msr_idx_to_pmc(struct kvm_vcpu *vcpu, u32 msr)
{
	struct kvm_pmc *pmc;

	classify(vcpu, msr, &pmc);
	return pmc;
}

static struct kvm_pmc *amd_rdpmc_ecx_to_pmc(struct kvm_vcpu *vcpu, unsigned int idx, u64 *mask)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	return idx < pmu->nr_arch_gp_counters ? &pmu->gp_counters[idx] : NULL;
}

static bool amd_is_valid_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	switch (msr) {
	case MSR_AMD64_PERF_CNTR_GLOBAL_STATUS ... MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_SET:
		return kvm_pmu_has_perf_global_ctrl(vcpu_to_pmu(vcpu));
	}

	return amd_msr_idx_to_pmc(vcpu, msr) != NULL;
}

static int amd_pmu_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	struct kvm_pmc *pmc;

	switch (classify(vcpu, msr_info->index, &pmc)) {
	case AMD_PMU_SELECTOR:
		msr_info->data = pmc->eventsel;
		return 0;
	case AMD_PMU_COUNTER:
		msr_info->data = pmc_read_counter(pmc);
		return 0;
	default:
		return 1;
	}
}

static void set_eventsel(struct kvm_pmc *pmc, u64 data)
{
	if (pmc->eventsel == data)
		return;

	pmc->eventsel = data;
	/* Who the guest wants to count is KVM's affair; the CPU counts the guest and no one else. */
	pmc->eventsel_hw = (data & ~AMD64_EVENTSEL_HOSTONLY) | AMD64_EVENTSEL_GUESTONLY;
	kvm_pmu_request_counter_reprogram(pmc);
}

static int amd_pmu_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	struct kvm_pmc *pmc;

	switch (classify(vcpu, msr_info->index, &pmc)) {
	case AMD_PMU_SELECTOR:
		set_eventsel(pmc, msr_info->data & ~pmu->reserved_bits);
		return 0;
	case AMD_PMU_COUNTER:
		pmc_write_counter(pmc, msr_info->data);
		return 0;
	default:
		return 1;
	}
}

/* A guest that runs guests can tell them from itself; here it is itself that runs. */
static bool amd_is_selected(struct kvm_pmc *pmc)
{
	bool runs_guests = pmc->vcpu->arch.efer & EFER_SVME;

	if (!(pmc->eventsel & ARCH_PERFMON_EVENTSEL_ENABLE))
		return false;

	switch (pmc->eventsel & AMD64_EVENTSEL_HOST_GUEST_MASK) {
	case 0:
		return true;
	case AMD64_EVENTSEL_GUESTONLY:
		return false;
	default:
		return runs_guests;
	}
}

static u32 nr_counters(struct kvm_vcpu *vcpu)
{
	union cpuid_0x80000022_ebx ebx;

	if (guest_cpu_cap_has(vcpu, X86_FEATURE_PERFMON_V2)) {
		ebx.full = kvm_find_cpuid_entry_index(vcpu, 0x80000022, 0)->ebx;
		return ebx.split.num_core_pmc;
	}

	if (guest_cpu_cap_has(vcpu, X86_FEATURE_PERFCTR_CORE))
		return AMD64_NUM_COUNTERS_CORE;

	return AMD64_NUM_COUNTERS;
}

static void amd_pmu_refresh(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	pmu->version = guest_cpu_cap_has(vcpu, X86_FEATURE_PERFMON_V2) ? 2 : 1;
	pmu->nr_arch_gp_counters = min_t(u32, nr_counters(vcpu), kvm_pmu_cap.num_counters_gp);
	pmu->counter_bitmask[KVM_PMC_GP] = BIT_ULL(48) - 1;

	pmu->reserved_bits = ~EVENTSEL_GUEST_BITS;
	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_SVM) || !kvm_vcpu_has_mediated_pmu(vcpu))
		pmu->reserved_bits |= AMD64_EVENTSEL_HOST_GUEST_MASK;

	if (!kvm_pmu_has_perf_global_ctrl(pmu))
		return;

	pmu->global_ctrl_rsvd = ~(BIT_ULL(pmu->nr_arch_gp_counters) - 1);
	pmu->global_status_rsvd = pmu->global_ctrl_rsvd;
	/* A guest may set these by itself, and userspace restores them after a migration. */
	if (boot_cpu_has(X86_FEATURE_AMD_LBR_PMC_FREEZE))
		pmu->global_status_rsvd &= ~(GLOBAL_STATUS_COUNTERS_FROZEN |
					     GLOBAL_STATUS_LBRS_FROZEN);
}

static void amd_pmu_init(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u32 i;

	for (i = 0; i < KVM_MAX_NR_AMD_GP_COUNTERS; i++)
		name_counter(&pmu->gp_counters[i], vcpu, KVM_PMC_GP, i);
}

/* Status bits can be set from version 2 on. */
static bool amd_pmu_is_mediated_pmu_supported(struct x86_pmu_capability *host_pmu)
{
	return host_pmu->version > 1;
}

/* All counters have the guest's values, and their selectors count nothing but the guest. */
static void amd_mediated_pmu_load(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 present;

	rdmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_STATUS, present);
	if (present & ~pmu->global_status)
		wrmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_CLR, present & ~pmu->global_status);
	if (pmu->global_status & ~present)
		wrmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_SET, pmu->global_status & ~present);

	/* VMRUN does not do it. */
	wrmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_CTL, pmu->global_ctrl);
}

/* GLOBAL_CTL is still the guest's, and has been saved. */
static void amd_mediated_pmu_put(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 status;

	wrmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_CTL, 0);

	rdmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_STATUS, status);
	pmu->global_status = status;
	if (status)
		wrmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_CLR, status);
}

struct kvm_pmu_ops amd_pmu_ops = {
	.is_mediated_pmu_supported = amd_pmu_is_mediated_pmu_supported,
	.mediated_put = amd_mediated_pmu_put,
	.mediated_load = amd_mediated_pmu_load,

	.init = amd_pmu_init,
	.refresh = amd_pmu_refresh,

	.msr_idx_to_pmc = amd_msr_idx_to_pmc,
	.rdpmc_ecx_to_pmc = amd_rdpmc_ecx_to_pmc,
	.set_msr = amd_pmu_set_msr,
	.get_msr = amd_pmu_get_msr,
	.is_valid_msr = amd_is_valid_msr,
	.is_selected = amd_is_selected,

	.MSR_STRIDE = 2,
	.PERF_GLOBAL_CTRL = MSR_AMD64_PERF_CNTR_GLOBAL_CTL,
	.GP_COUNTER_BASE = MSR_F15H_PERF_CTR0,
	.GP_EVENTSEL_BASE = MSR_F15H_PERF_CTL0,
	.EVENTSEL_EVENT = AMD64_EVENTSEL_EVENT,
	.MIN_NR_GP_COUNTERS = AMD64_NUM_COUNTERS,
	.MAX_NR_GP_COUNTERS = KVM_MAX_NR_AMD_GP_COUNTERS,
};
