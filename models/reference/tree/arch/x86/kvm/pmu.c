/*
 * The part of the PMU that does not depend on the vendor. Written for msrproof: the interfaces are
 * those of Linux 7.3, the text is not.
 */
#include <linux/perf_event.h>
#include <uapi/asm/processor-flags.h>
#include "cpuid.h"
#include "lapic.h"
#include "pmu.h"
#include "x86.h"

/* All that the CPU has, which may be more than KVM can handle. */
static struct x86_pmu_capability kvm_host_pmu;

/* All that a guest can have. */
struct x86_pmu_capability kvm_pmu_cap;

bool enable_pmu = true;
bool enable_mediated_pmu;

static struct kvm_pmu_ops kvm_pmu_ops;

void kvm_pmu_ops_update(const struct kvm_pmu_ops *pmu_ops)
{
	memcpy(&kvm_pmu_ops, pmu_ops, sizeof(kvm_pmu_ops));
}

static void limit(int *what, int most)
{
	if (*what > most)
		*what = most;
}

void kvm_init_pmu_capability(struct kvm_pmu_ops *pmu_ops)
{
	perf_get_x86_pmu_capability(&kvm_host_pmu);

	if (!kvm_host_pmu.version || kvm_host_pmu.num_counters_gp < pmu_ops->MIN_NR_GP_COUNTERS)
		enable_pmu = false;

	/* The real PMU is lent out only if perf can lend it and the vendor's part can switch it. */
	enable_mediated_pmu = enable_mediated_pmu && enable_pmu && kvm_host_pmu.mediated &&
			      pmu_ops->is_mediated_pmu_supported(&kvm_host_pmu);

	if (!enable_pmu) {
		/* No guest has anything. */
		memset(&kvm_pmu_cap, 0, sizeof(struct x86_pmu_capability));
		return;
	}

	memcpy(&kvm_pmu_cap, &kvm_host_pmu, sizeof(struct x86_pmu_capability));
	limit(&kvm_pmu_cap.version, 2);
	limit(&kvm_pmu_cap.num_counters_gp, pmu_ops->MAX_NR_GP_COUNTERS);
	limit(&kvm_pmu_cap.num_counters_fixed, KVM_MAX_NR_FIXED_COUNTERS);
}

void pmc_write_counter(struct kvm_pmc *pmc, u64 val)
{
	pmc->counter = val & pmc_bitmask(pmc);
}

static void reset_counter(struct kvm_pmc *pmc)
{
	pmc->counter = 0;
	pmc->eventsel = 0;
	pmc->eventsel_hw = 0;
}

static void kvm_pmu_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u32 i;

	for (i = 0; i < KVM_MAX_NR_GP_COUNTERS; i++)
		reset_counter(&pmu->gp_counters[i]);
	for (i = 0; i < KVM_MAX_NR_FIXED_COUNTERS; i++)
		reset_counter(&pmu->fixed_counters[i]);

	pmu->fixed_ctr_ctrl = 0;
	pmu->fixed_ctr_ctrl_hw = 0;
	pmu->global_ctrl = 0;
	pmu->global_status = 0;
	/* Nothing to ask the event filter about, and nothing that emulated events count in. */
	pmu->reprogram_pmi[0] = 0;
	pmu->pmc_counting_instructions[0] = 0;
	pmu->pmc_counting_branches[0] = 0;

	kvm_pmu_call(reset)(vcpu);
}

/* A guest without a PMU: no counters, and all bits of all registers reserved. */
static void take_all_away(struct kvm_pmu *pmu)
{
	pmu->version = 0;
	pmu->nr_arch_gp_counters = pmu->nr_arch_fixed_counters = 0;
	pmu->counter_bitmask[KVM_PMC_GP] = pmu->counter_bitmask[KVM_PMC_FIXED] = 0;
	pmu->all_valid_pmc_idx[0] = 0;

	pmu->global_ctrl_rsvd = ~0ULL;
	pmu->global_status_rsvd = ~0ULL;
	pmu->fixed_ctr_ctrl_rsvd = ~0ULL;
	/* Of a selector bits 63:32 and AnyThread. */
	pmu->reserved_bits = ~0xffffffffULL | BIT_ULL(21);
}

/* Userspace has described the guest's PMU (CPUID, capabilities): build it, in its reset state. */
void kvm_pmu_refresh(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 gp_mask, fixed_mask;

	if (KVM_BUG_ON(!kvm_can_set_cpuid_and_feature_msrs(vcpu), vcpu->kvm))
		return;

	kvm_pmu_reset(vcpu);

	/* Until the vendor says what is there. */
	take_all_away(pmu);
	if (!vcpu->kvm->arch.enable_pmu)
		return;
	kvm_pmu_call(refresh)(vcpu);

	gp_mask = BIT_ULL(pmu->nr_arch_gp_counters) - 1;
	fixed_mask = BIT_ULL(pmu->nr_arch_fixed_counters) - 1;
	pmu->all_valid_pmc_idx[0] = gp_mask | (fixed_mask << KVM_FIXED_PMC_BASE_IDX);

	/* CPUs come out of reset with the general-purpose counters on in GLOBAL_CTRL. */
	if (kvm_pmu_has_perf_global_ctrl(pmu) || kvm_vcpu_has_mediated_pmu(vcpu))
		pmu->global_ctrl = gp_mask;

	if (kvm_vcpu_has_mediated_pmu(vcpu))
		kvm_pmu_call(write_global_ctrl)(pmu->global_ctrl);
}

void kvm_pmu_init(struct kvm_vcpu *vcpu)
{
	memset(vcpu_to_pmu(vcpu), 0, sizeof(struct kvm_pmu));
	kvm_pmu_call(init)(vcpu);
}

bool kvm_pmu_is_valid_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	if (kvm_pmu_call(msr_idx_to_pmc)(vcpu, msr))
		return true;

	return kvm_pmu_call(is_valid_msr)(vcpu, msr);
}

/* An RDPMC that exits: `idx` is the guest's ECX. Returns 0, or 1 when it faults. */
int kvm_pmu_rdpmc(struct kvm_vcpu *vcpu, unsigned int idx, u64 *data)
{
	u64 mask = ~0ULL;
	struct kvm_pmc *pmc;

	if (!vcpu_to_pmu(vcpu)->version)
		return 1;

	if (kvm_x86_call(get_cpl)(vcpu) && !kvm_is_cr4_bit_set(vcpu, X86_CR4_PCE))
		return 1;

	pmc = kvm_pmu_call(rdpmc_ecx_to_pmc)(vcpu, idx, &mask);
	if (!pmc)
		return 1;

	*data = pmc->counter & pmc_bitmask(pmc) & mask;
	return 0;
}

/* The registers that stand for all counters; each vendor has its own numbers for them. */
enum global_register {
	NO_GLOBAL,
	GLOBAL_CONTROL,
	GLOBAL_STATUS,
	/* Write-only, so to speak: what is written here is taken from the status, or added to it. */
	GLOBAL_STATUS_LESS,
	GLOBAL_STATUS_MORE,
};

static enum global_register intel_global(u32 msr)
{
	if (msr == MSR_CORE_PERF_GLOBAL_CTRL)
		return GLOBAL_CONTROL;
	if (msr == MSR_CORE_PERF_GLOBAL_STATUS)
		return GLOBAL_STATUS;
	return msr == MSR_CORE_PERF_GLOBAL_OVF_CTRL ? GLOBAL_STATUS_LESS : NO_GLOBAL;
}

static enum global_register amd_global(u32 msr)
{
	if (msr == MSR_AMD64_PERF_CNTR_GLOBAL_CTL)
		return GLOBAL_CONTROL;
	if (msr == MSR_AMD64_PERF_CNTR_GLOBAL_STATUS)
		return GLOBAL_STATUS;
	if (msr == MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_CLR)
		return GLOBAL_STATUS_LESS;
	return msr == MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_SET ? GLOBAL_STATUS_MORE : NO_GLOBAL;
}

/* Returns 0, or 1 when the access faults. */
int kvm_pmu_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	enum global_register which = intel_global(msr_info->index);

	if (which == NO_GLOBAL)
		which = amd_global(msr_info->index);
	if (which == NO_GLOBAL)
		return kvm_pmu_call(get_msr)(vcpu, msr_info);

	msr_info->data = 0;
	if (which == GLOBAL_CONTROL)
		msr_info->data = vcpu_to_pmu(vcpu)->global_ctrl;
	else if (which == GLOBAL_STATUS)
		msr_info->data = vcpu_to_pmu(vcpu)->global_status;
	return 0;
}

static int set_global_ctrl(struct kvm_vcpu *vcpu, u64 wanted)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	if (!kvm_valid_perf_global_ctrl(pmu, wanted))
		return 1;

	pmu->global_ctrl = wanted;
	/* Always: there may be another VMCS by now, which has not seen this value yet. */
	if (kvm_vcpu_has_mediated_pmu(vcpu))
		kvm_pmu_call(write_global_ctrl)(wanted);

	return 0;
}

/* What userspace restores after a migration. */
static int set_global_status(struct kvm_pmu *pmu, u64 wanted)
{
	if (wanted & pmu->global_status_rsvd)
		return 1;

	pmu->global_status = wanted;
	return 0;
}

/* Intel's CPUs fault on bits that they do not know, and on a guest's write of the status. */
static int set_intel_global(struct kvm_vcpu *vcpu, enum global_register which, u64 wanted,
			    bool from_host)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	if (which == GLOBAL_CONTROL)
		return set_global_ctrl(vcpu, wanted);

	if (which == GLOBAL_STATUS)
		return from_host ? set_global_status(pmu, wanted) : 1;

	if (wanted & pmu->global_status_rsvd)
		return 1;

	/* Userspace writes back the 0 that it has read. */
	if (!from_host)
		pmu->global_status &= ~wanted;
	return 0;
}

/* AMD's take any value and drop the bits that they do not know. */
static int set_amd_global(struct kvm_vcpu *vcpu, enum global_register which, u64 wanted,
			  bool from_host)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 known = wanted & ~pmu->global_ctrl_rsvd;

	if (which == GLOBAL_CONTROL)
		return set_global_ctrl(vcpu, known);

	/* Nothing happens when a guest writes it. */
	if (which == GLOBAL_STATUS)
		return from_host ? set_global_status(pmu, wanted) : 0;

	/* Userspace writes back the 0 that it has read. */
	if (from_host)
		return 0;

	if (which == GLOBAL_STATUS_MORE)
		pmu->global_status |= known;
	else
		pmu->global_status &= ~wanted;
	return 0;
}

/* Returns 0, or 1 when the access faults. */
int kvm_pmu_set_msr(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	enum global_register intel = intel_global(msr_info->index);
	enum global_register amd = amd_global(msr_info->index);
	bool from_host = msr_info->host_initiated;

	if (intel != NO_GLOBAL)
		return set_intel_global(vcpu, intel, msr_info->data, from_host);
	if (amd != NO_GLOBAL)
		return set_amd_global(vcpu, amd, msr_info->data, from_host);

	return kvm_pmu_call(set_msr)(vcpu, msr_info);
}

/* What hardware gets of a counter's controls is what the event filter lets through. */
static void filter_counter(struct kvm_pmc *pmc)
{
	struct kvm_pmu *pmu = pmc_to_pmu(pmc);
	bool pass = pmc_is_event_allowed(pmc);
	u64 nibble;

	if (pmc->type == KVM_PMC_GP) {
		/* The vendor has decided on the other bits. */
		pmc->eventsel_hw &= ~ARCH_PERFMON_EVENTSEL_ENABLE;
		if (pass && kvm_pmu_call(is_selected)(pmc))
			pmc->eventsel_hw |= ARCH_PERFMON_EVENTSEL_ENABLE;
		return;
	}

	nibble = intel_fixed_bits_by_idx(pmc->idx - KVM_FIXED_PMC_BASE_IDX, INTEL_FIXED_BITS_MASK);
	pmu->fixed_ctr_ctrl_hw &= ~nibble;
	if (pass)
		pmu->fixed_ctr_ctrl_hw |= pmu->fixed_ctr_ctrl & nibble;
}

static u64 fixed_controls(struct kvm_pmc *pmc)
{
	u32 shift = (pmc->idx - KVM_FIXED_PMC_BASE_IDX) * INTEL_FIXED_BITS_STRIDE;

	return (pmc_to_pmu(pmc)->fixed_ctr_ctrl >> shift) & INTEL_FIXED_BITS_MASK;
}

/* The counter is on, as far as its own controls go, and for an event by perf's number. */
static bool counts_event(struct kvm_pmc *pmc, int event)
{
	if (pmc->type == KVM_PMC_FIXED) {
		if (pmc->idx != KVM_FIXED_PMC_BASE_IDX || event != PERF_COUNT_HW_INSTRUCTIONS)
			return false;
		return fixed_controls(pmc) & (INTEL_FIXED_0_KERNEL | INTEL_FIXED_0_USER);
	}

	if (!kvm_pmu_call(is_selected)(pmc))
		return false;

	return (pmc->eventsel & (AMD64_EVENTSEL_EVENT | ARCH_PERFMON_EVENTSEL_UMASK)) ==
	       perf_get_hw_event_config(event);
}

static void remember(struct kvm_pmc *pmc, unsigned long *counting, int event)
{
	if (counts_event(pmc, event))
		set_bit(pmc->idx, counting);
	else
		clear_bit(pmc->idx, counting);
}

void kvm_pmu_look_at_controls(struct kvm_pmc *pmc)
{
	struct kvm_pmu *pmu = pmc_to_pmu(pmc);

	remember(pmc, pmu->pmc_counting_instructions, PERF_COUNT_HW_INSTRUCTIONS);
	remember(pmc, pmu->pmc_counting_branches, PERF_COUNT_HW_BRANCH_INSTRUCTIONS);
}

/* Before the next stay in the guest, for the counters whose controls have changed. */
void kvm_pmu_handle_event(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 waiting = pmu->reprogram_pmi[0];
	u32 i;

	pmu->reprogram_pmi[0] = 0;

	for (i = 0; i < pmu->nr_arch_gp_counters; i++)
		if (waiting & BIT_ULL(i))
			filter_counter(&pmu->gp_counters[i]);

	for (i = 0; i < pmu->nr_arch_fixed_counters; i++)
		if (waiting & BIT_ULL(KVM_FIXED_PMC_BASE_IDX + i))
			filter_counter(&pmu->fixed_counters[i]);
}

static bool counts_at_cpl(struct kvm_pmc *pmc)
{
	u64 controls, kernel, user;

	if (pmc->type == KVM_PMC_FIXED) {
		controls = fixed_controls(pmc);
		kernel = INTEL_FIXED_0_KERNEL;
		user = INTEL_FIXED_0_USER;
	} else {
		controls = pmc->eventsel;
		kernel = ARCH_PERFMON_EVENTSEL_OS;
		user = ARCH_PERFMON_EVENTSEL_USR;
	}

	return controls & (kvm_x86_call(get_cpl)(pmc->vcpu) ? user : kernel);
}

static bool wants_interrupt(struct kvm_pmc *pmc)
{
	if (pmc->type == KVM_PMC_FIXED)
		return fixed_controls(pmc) & INTEL_FIXED_0_ENABLE_PMI;

	return pmc->eventsel & ARCH_PERFMON_EVENTSEL_INT;
}

static void count_one(struct kvm_pmc *pmc)
{
	if (!pmc_is_event_allowed(pmc) || !counts_at_cpl(pmc))
		return;

	pmc_write_counter(pmc, pmc->counter + 1);
	if (pmc->counter)
		return;

	pmc_to_pmu(pmc)->global_status |= BIT_ULL(pmc->idx);
	if (wants_interrupt(pmc))
		kvm_make_request(KVM_REQ_PMI, pmc->vcpu);
}

/* KVM has emulated what counts: it counts, as if the guest had executed it. */
static void count_event(struct kvm_vcpu *vcpu, u64 counting)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u32 i;

	if (kvm_pmu_has_perf_global_ctrl(pmu))
		counting &= pmu->global_ctrl;

	for (i = 0; i < pmu->nr_arch_gp_counters; i++)
		if (counting & BIT_ULL(i))
			count_one(&pmu->gp_counters[i]);

	for (i = 0; i < pmu->nr_arch_fixed_counters; i++)
		if (counting & BIT_ULL(KVM_FIXED_PMC_BASE_IDX + i))
			count_one(&pmu->fixed_counters[i]);
}

void kvm_pmu_instruction_retired(struct kvm_vcpu *vcpu)
{
	count_event(vcpu, vcpu_to_pmu(vcpu)->pmc_counting_instructions[0]);
}

void kvm_pmu_branch_retired(struct kvm_vcpu *vcpu)
{
	count_event(vcpu, vcpu_to_pmu(vcpu)->pmc_counting_branches[0]);
}

static bool kvm_need_any_pmc_intercept(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	/* A counter of the CPU that the guest has not got must stay out of reach. */
	bool has_all = pmu->nr_arch_gp_counters == kvm_host_pmu.num_counters_gp &&
		       pmu->nr_arch_fixed_counters == kvm_host_pmu.num_counters_fixed;

	return !has_all || !kvm_vcpu_has_mediated_pmu(vcpu);
}

bool kvm_need_perf_global_ctrl_intercept(struct kvm_vcpu *vcpu)
{
	if (kvm_need_any_pmc_intercept(vcpu))
		return true;

	return !kvm_pmu_has_perf_global_ctrl(vcpu_to_pmu(vcpu));
}

bool kvm_need_rdpmc_intercept(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);

	/* The backdoor's pseudo counters exist only in software. */
	if (enable_vmware_backdoor)
		return true;

	if (kvm_need_any_pmc_intercept(vcpu))
		return true;

	/* RDPMC of the CPU returns the CPU's widths. */
	if (pmu->counter_bitmask[KVM_PMC_GP] != BIT_ULL(kvm_host_pmu.bit_width_gp) - 1)
		return true;

	return pmu->counter_bitmask[KVM_PMC_FIXED] != BIT_ULL(kvm_host_pmu.bit_width_fixed) - 1;
}

static u32 gp_counter_msr(u32 idx)
{
	return kvm_pmu_ops.GP_COUNTER_BASE + kvm_pmu_ops.MSR_STRIDE * idx;
}

static u32 gp_eventsel_msr(u32 idx)
{
	return kvm_pmu_ops.GP_EVENTSEL_BASE + kvm_pmu_ops.MSR_STRIDE * idx;
}

static u32 fixed_counter_msr(u32 idx)
{
	return kvm_pmu_ops.FIXED_COUNTER_BASE + kvm_pmu_ops.MSR_STRIDE * idx;
}

static void kvm_pmu_load_guest_pmcs(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 value;
	u32 i;

	/* A WRMSR costs much more than an RDPMC, and many counters are 0 on both sides. */
	for (i = 0; i < pmu->nr_arch_gp_counters; i++) {
		wrmsrq(gp_eventsel_msr(i), pmu->gp_counters[i].eventsel_hw);

		value = pmu->gp_counters[i].counter;
		if (rdpmc(i) != value)
			wrmsrq(gp_counter_msr(i), value);
	}

	for (i = 0; i < pmu->nr_arch_fixed_counters; i++) {
		value = pmu->fixed_counters[i].counter;
		if (rdpmc(INTEL_PMC_FIXED_RDPMC_BASE | i) != value)
			wrmsrq(fixed_counter_msr(i), value);
	}
}

static void kvm_pmu_put_guest_pmcs(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	u64 value;
	u32 i;

	for (i = 0; i < pmu->nr_arch_gp_counters; i++) {
		if (pmu->gp_counters[i].eventsel_hw)
			wrmsrq(gp_eventsel_msr(i), 0);

		value = rdpmc(i);
		pmu->gp_counters[i].counter = value;
		if (value)
			wrmsrq(gp_counter_msr(i), 0);
	}

	for (i = 0; i < pmu->nr_arch_fixed_counters; i++) {
		value = rdpmc(INTEL_PMC_FIXED_RDPMC_BASE | i);
		pmu->fixed_counters[i].counter = value;
		if (value)
			wrmsrq(fixed_counter_msr(i), 0);
	}
}

/* The guest gets the PMU. Interrupts are off from here until it is put. */
void kvm_mediated_pmu_load(struct kvm_vcpu *vcpu)
{
	if (!kvm_vcpu_has_mediated_pmu(vcpu))
		return;
	if (KVM_BUG_ON(!lapic_in_kernel(vcpu), vcpu->kvm))
		return;

	lockdep_assert_irqs_disabled();
	perf_load_guest_context();

	perf_load_guest_lvtpc(kvm_lapic_get_reg(vcpu->arch.apic, APIC_LVTPC));

	/* perf has turned its counters off one by one, not the unit. VM-entry turns it on. */
	wrmsrq(kvm_pmu_ops.PERF_GLOBAL_CTRL, 0);

	kvm_pmu_load_guest_pmcs(vcpu);
	kvm_pmu_call(mediated_load)(vcpu);
}

/* The host gets the PMU back, with no trace of the guest in it. */
void kvm_mediated_pmu_put(struct kvm_vcpu *vcpu)
{
	if (!kvm_vcpu_has_mediated_pmu(vcpu))
		return;
	if (KVM_BUG_ON(!lapic_in_kernel(vcpu), vcpu->kvm))
		return;

	lockdep_assert_irqs_disabled();

	/* VM-exit has cleared GLOBAL_CTRL: nothing counts any more. */
	kvm_pmu_call(mediated_put)(vcpu);
	kvm_pmu_put_guest_pmcs(vcpu);

	perf_put_guest_lvtpc();
	perf_put_guest_context();
}
