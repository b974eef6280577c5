/*
 * The Intel part of the PMU. Written for msrproof: the interfaces are those of Linux 7.3, the text
 * is not.
 */
#include <asm/msr-index.h>
#include "../cpuid.h"
#include "../pmu.h"
#include "capabilities.h"
#include "pmu_intel.h"

/* Set in the numbers of the full-width names only. */
#define MSR_PMC_FULL_WIDTH_BIT	(MSR_IA32_PMC0 - MSR_IA32_PERFCTR0)

static u64 fixed_ctrl_field(u64 ctrl, u32 idx)
{
	return (ctrl >> (idx * INTEL_FIXED_BITS_STRIDE)) & INTEL_FIXED_BITS_MASK;
}

static void reprogram_fixed_counters(struct kvm_pmu *pmu, u64 data)
{
	u64 in_hardware = pmu->fixed_ctr_ctrl_hw;
	u32 i;

	pmu->fixed_ctr_ctrl = data;
	pmu->fixed_ctr_ctrl_hw = data;

	/* The event filter has seen what is in hardware, which may be less than the guest wanted. */
	for (i = 0; i < pmu->nr_arch_fixed_counters; i++)
		if (fixed_ctrl_field(data ^ in_hardware, i))
			kvm_pmu_request_counter_reprogram(&pmu->fixed_counters[i]);
}

/* The counter of a general-purpose counter's MSR by either name, or NULL. */
static struct kvm_pmc *get_counter_pmc(struct kvm_pmu *pmu, u32 msr)
{
	struct kvm_pmc *pmc = get_gp_pmc(pmu, msr, MSR_IA32_PERFCTR0);

	return pmc ? pmc : get_gp_pmc(pmu, msr, MSR_IA32_PMC0);
}

static struct kvm_pmc *intel_msr_idx_to_pmc(struct kvm_vcpu *vcpu, u32 msr)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	struct kvm_pmc *pmc = get_gp_pmc(pmu, msr, MSR_IA32_PERFCTR0);

	if (!pmc)
		pmc = get_gp_pmc(pmu, msr, MSR_P6_EVNTSEL0);
	if (!pmc)
		pmc = get_fixed_pmc(pmu, msr);

	return pmc;
}

/* Bit 30 of ECX asks for a fixed counter. */
static struct kvm_pmc *intel_rdpmc_ecx_to_pmc(struct kvm_vcpu *vcpu, unsigned int idx, u64 *mask)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	if (idx & INTEL_PMC_FIXED_RDPMC_BASE) {
		idx &= ~INTEL_PMC_FIXED_RDPMC_BASE;
		return idx < pmu->nr_arch_fixed_counters ? &pmu->fixed_counters[idx] : NULL;
	}

	return idx < pmu->nr_arch_gp_counters ? &pmu->gp_counters[idx] : NULL;
}

static bool intel_is_selected(struct kvm_pmc *pmc)
{
	return pmc->eventsel & ARCH_PERFMON_EVENTSEL_ENABLE;
}

static bool intel_is_valid_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	switch (msr) {
	case MSR_CORE_PERF_FIXED_CTR_CTRL:
	case MSR_CORE_PERF_GLOBAL_STATUS ... MSR_CORE_PERF_GLOBAL_OVF_CTRL:
		return kvm_pmu_has_perf_global_ctrl(pmu);
	}

	if (get_gp_pmc(pmu, msr, MSR_IA32_PMC0))
		return fw_writes_is_enabled(vcpu);

	return intel_msr_idx_to_pmc(vcpu, msr) != NULL;
}

static int intel_pmu_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u32 msr = msr_info->index;
	struct kvm_pmc *pmc;

	switch (msr) {
	case MSR_CORE_PERF_FIXED_CTR_CTRL:
		msr_info->data = pmu->fixed_ctr_ctrl;
		return 0;
	}

	pmc = get_gp_pmc(pmu, msr, MSR_P6_EVNTSEL0);
	if (pmc) {
		msr_info->data = pmc->eventsel;
		return 0;
	}

	pmc = get_counter_pmc(pmu, msr);
	if (!pmc)
		pmc = get_fixed_pmc(pmu, msr);
	if (!pmc)
		return 1;

	msr_info->data = pmc_read_counter(pmc);
	return 0;
}

static int set_eventsel(struct kvm_pmc *pmc, u64 data)
{
	if (data & pmc_to_pmu(pmc)->reserved_bits)
		return 1;

	if (pmc->eventsel != data) {
		pmc->eventsel = data;
		pmc->eventsel_hw = data;
		kvm_pmu_request_counter_reprogram(pmc);
	}
	return 0;
}

static int intel_pmu_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u32 msr = msr_info->index;
	u64 data = msr_info->data;
	struct kvm_pmc *pmc;

	switch (msr) {
	case MSR_CORE_PERF_FIXED_CTR_CTRL:
		if (data & pmu->fixed_ctr_ctrl_rsvd)
			return 1;
		if (data != pmu->fixed_ctr_ctrl)
			reprogram_fixed_counters(pmu, data);
		return 0;
	}

	pmc = get_gp_pmc(pmu, msr, MSR_P6_EVNTSEL0);
	if (pmc)
		return set_eventsel(pmc, data);

	pmc = get_fixed_pmc(pmu, msr);
	if (pmc) {
		pmc_write_counter(pmc, data);
		return 0;
	}

	pmc = get_counter_pmc(pmu, msr);
	if (!pmc)
		return 1;

	if (msr & MSR_PMC_FULL_WIDTH_BIT) {
		if (data & ~pmc_bitmask(pmc))
			return 1;
	} else if (!msr_info->host_initiated) {
		/* As the CPU does it; userspace restores whole values by the same name. */
		data = (u64)(s64)(s32)data;
	}
	pmc_write_counter(pmc, data);
	return 0;
}

/* From CPUID leaf 0xa and KVM's own limits. */
static void intel_pmu_refresh(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *entry = kvm_find_cpuid_entry(vcpu, 0xa);
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	union cpuid10_eax eax;
	union cpuid10_edx edx;
	u64 each, counters;
	u32 i;

	eax.full = entry ? entry->eax : 0;
	if (!eax.split.version_id)
		return;

	/* So leaf 0xa is there, and says how much of a PMU the guest has. */
	pmu->version = eax.split.version_id;
	edx.full = entry->edx;

	pmu->nr_arch_gp_counters = min_t(int, kvm_pmu_cap.num_counters_gp, eax.split.num_counters);
	pmu->counter_bitmask[KVM_PMC_GP] =
		BIT_ULL(min_t(int, kvm_pmu_cap.bit_width_gp, eax.split.bit_width)) - 1;

	/* Version 1 has neither fixed counters nor global registers. */
	if (pmu->version == 1)
		return;

	pmu->nr_arch_fixed_counters =
		min_t(int, kvm_pmu_cap.num_counters_fixed, edx.split.num_counters_fixed);
	pmu->counter_bitmask[KVM_PMC_FIXED] =
		BIT_ULL(min_t(int, kvm_pmu_cap.bit_width_fixed, edx.split.bit_width_fixed)) - 1;

	each = INTEL_FIXED_0_KERNEL | INTEL_FIXED_0_USER | INTEL_FIXED_0_ENABLE_PMI;
	for (i = 0; i < pmu->nr_arch_fixed_counters; i++)
		pmu->fixed_ctr_ctrl_rsvd &= ~intel_fixed_bits_by_idx(i, each);

	counters = BIT_ULL(pmu->nr_arch_fixed_counters) - 1;
	counters <<= KVM_FIXED_PMC_BASE_IDX;
	counters |= BIT_ULL(pmu->nr_arch_gp_counters) - 1;

	pmu->global_ctrl_rsvd = ~counters;
	/* All that hardware may have set when the guest's status is saved. */
	pmu->global_status_rsvd = ~(counters | MSR_CORE_PERF_GLOBAL_OVF_CTRL_TRACE_TOPA_PMI |
				    MSR_CORE_PERF_GLOBAL_OVF_CTRL_OVF_BUF |
				    MSR_CORE_PERF_GLOBAL_OVF_CTRL_COND_CHGD);
}

static void intel_pmu_init(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u32 i;

	for (i = 0; i < KVM_MAX_NR_INTEL_GP_COUNTERS; i++)
		name_counter(&pmu->gp_counters[i], vcpu, KVM_PMC_GP, i);

	for (i = 0; i < KVM_MAX_NR_INTEL_FIXED_COUNTERS; i++)
		name_counter(&pmu->fixed_counters[i], vcpu, KVM_PMC_FIXED,
			     KVM_FIXED_PMC_BASE_IDX + i);
}

/* Nothing here is Intel's alone, yet. */
static void intel_pmu_reset(struct kvm_vcpu *vcpu)
{
}

static bool intel_pmu_is_mediated_pmu_supported(struct x86_pmu_capability *host_pmu)
{
	u64 caps = 0;

	/* Status bits can be set from version 4 on. */
	if (host_pmu->version < 4)
		return false;

	/* The short names of the counters cannot restore all their bits. */
	if (boot_cpu_has(X86_FEATURE_PDCM))
		rdmsrq(MSR_IA32_PERF_CAPABILITIES, caps);
	if (!(caps & PERF_CAP_FW_WRITES))
		return false;

	return !WARN_ON_ONCE(!cpu_has_load_perf_global_ctrl());
}

static void intel_pmu_write_global_ctrl(u64 global_ctrl)
{
	vmcs_write64(GUEST_IA32_PERF_GLOBAL_CTRL, global_ctrl);
}

/* Nothing counts yet, and all counters have the guest's values. */
static void intel_mediated_pmu_load(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 wanted = pmu->global_status;
	u64 present;

	/* Two registers, one to take the host's bits away and one to add the guest's. */
	rdmsrq(MSR_CORE_PERF_GLOBAL_STATUS, present);
	if (present & ~wanted)
		wrmsrq(MSR_CORE_PERF_GLOBAL_OVF_CTRL, present & ~wanted);
	if (wanted & ~present)
		wrmsrq(MSR_CORE_PERF_GLOBAL_STATUS_SET, wanted & ~present);

	wrmsrq(MSR_CORE_PERF_FIXED_CTR_CTRL, pmu->fixed_ctr_ctrl_hw);
}

/* Nothing counts any more, and all counters have the guest's values. */
static void intel_mediated_pmu_put(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 status;

	rdmsrq(MSR_CORE_PERF_GLOBAL_STATUS, status);
	pmu->global_status = status;
	if (status)
		wrmsrq(MSR_CORE_PERF_GLOBAL_OVF_CTRL, status);

	/* perf takes it for 0 and would turn the guest's counters on with its own. */
	if (pmu->fixed_ctr_ctrl_hw)
		wrmsrq(MSR_CORE_PERF_FIXED_CTR_CTRL, 0);
}

struct kvm_pmu_ops intel_pmu_ops = {
	.is_mediated_pmu_supported = intel_pmu_is_mediated_pmu_supported,
	.mediated_put = intel_mediated_pmu_put,
	.mediated_load = intel_mediated_pmu_load,
	.write_global_ctrl = intel_pmu_write_global_ctrl,

	.init = intel_pmu_init,
	.reset = intel_pmu_reset,
	.refresh = intel_pmu_refresh,

	.msr_idx_to_pmc = intel_msr_idx_to_pmc,
	.rdpmc_ecx_to_pmc = intel_rdpmc_ecx_to_pmc,
	.set_msr = intel_pmu_set_msr,
	.get_msr = intel_pmu_get_msr,
	.is_valid_msr = intel_is_valid_msr,
	.is_selected = intel_is_selected,

	.MSR_STRIDE = 1,
	.PERF_GLOBAL_CTRL = MSR_CORE_PERF_GLOBAL_CTRL,
	.FIXED_COUNTER_BASE = MSR_CORE_PERF_FIXED_CTR0,
	.GP_COUNTER_BASE = MSR_IA32_PMC0,
	.GP_EVENTSEL_BASE = MSR_P6_EVNTSEL0,
	.EVENTSEL_EVENT = ARCH_PERFMON_EVENTSEL_EVENT,
	.MIN_NR_GP_COUNTERS = 1,
	.MAX_NR_GP_COUNTERS = KVM_MAX_NR_INTEL_GP_COUNTERS,
};
