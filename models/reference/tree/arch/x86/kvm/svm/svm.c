/*
 * What SVM adds to the PMU: which accesses exit, and GLOBAL_CTL after an exit. Written for
 * msrproof: the interfaces are those of Linux 7.3, the text is not.
 */
#include <asm/msr-index.h>
#include "../cpuid.h"
#include "../pmu.h"
#include "../x86.h"
#include "svm.h"

/* Guests may run guests. */
static bool nested = true;

static bool msr_write_intercepted(struct vcpu_svm *svm, u32 msr)
{
	return svm_test_msr_bitmap_write(svm->msrpm, msr);
}

static void svm_recalc_pmu_msr_intercepts(struct kvm_vcpu *vcpu)
{
	bool has_mediated_pmu = kvm_vcpu_has_mediated_pmu(vcpu);
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	bool intercept;
	u32 i;

	/* Then everything exits, as it has from the start. */
	if (!enable_mediated_pmu)
		return;

	/* Selectors always exit: hardware has another value than the guest. */
	for (i = 0; i < kvm_pmu_cap.num_counters_gp; i++) {
		intercept = !has_mediated_pmu || i >= pmu->nr_arch_gp_counters;
		if (i < AMD64_NUM_COUNTERS)
			svm_set_intercept_for_msr(vcpu, MSR_K7_PERFCTR0 + i, MSR_TYPE_RW, intercept);

		/* The guest has the newer names only with the extension. */
		if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PERFCTR_CORE))
			intercept = true;
		svm_set_intercept_for_msr(vcpu, MSR_F15H_PERF_CTR + 2 * i, MSR_TYPE_RW, intercept);
	}

	intercept = kvm_need_perf_global_ctrl_intercept(vcpu);
	for (i = MSR_AMD64_PERF_CNTR_GLOBAL_STATUS; i <= MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_SET; i++)
		svm_set_intercept_for_msr(vcpu, i, MSR_TYPE_RW, intercept);
}

/* RDPMC reads what the cores share, too, and no guest owns that. */
static bool rdpmc_reads_shared_counters(void)
{
	return boot_cpu_has(X86_FEATURE_PERFCTR_NB) || boot_cpu_has(X86_FEATURE_PERFCTR_LLC);
}

static void svm_recalc_instruction_intercepts(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (kvm_need_rdpmc_intercept(vcpu) || rdpmc_reads_shared_counters())
		svm_set_intercept(svm, INTERCEPT_RDPMC);
	else
		svm_clr_intercept(svm, INTERCEPT_RDPMC);
}

void svm_recalc_intercepts(struct kvm_vcpu *vcpu)
{
	svm_recalc_pmu_msr_intercepts(vcpu);
	svm_recalc_instruction_intercepts(vcpu);
}

int svm_vcpu_run(struct kvm_vcpu *vcpu, u64 run_flags)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_vcpu_enter_exit(vcpu, 0);

	/* Before anyone looks: the guest may have changed it by itself. */
	if (!svm_is_vmrun_failure(svm->vmcb->control.exit_code) &&
	    !msr_write_intercepted(svm, MSR_AMD64_PERF_CNTR_GLOBAL_CTL))
		rdmsrq(MSR_AMD64_PERF_CNTR_GLOBAL_CTL, vcpu_to_pmu(vcpu)->global_ctrl);

	return svm_exit_handlers_fastpath(vcpu);
}

static void svm_set_cpu_caps(void)
{
	kvm_initialize_cpu_caps();

	if (nested)
		kvm_cpu_cap_set(X86_FEATURE_SVM);

	if (!enable_pmu)
		return;

	/* A guest that has the extension expects all of its counters. */
	if (kvm_pmu_cap.num_counters_gp >= AMD64_NUM_COUNTERS_CORE)
		kvm_cpu_cap_check_and_set(X86_FEATURE_PERFCTR_CORE);
	else if (kvm_pmu_cap.num_counters_gp > AMD64_NUM_COUNTERS)
		kvm_pmu_cap.num_counters_gp = AMD64_NUM_COUNTERS;

	if (kvm_pmu_cap.version < 2 || !kvm_cpu_cap_has(X86_FEATURE_PERFCTR_CORE))
		kvm_cpu_cap_clear(X86_FEATURE_PERFMON_V2);
}

void svm_hardware_setup(void)
{
	kvm_pmu_ops_update(&amd_pmu_ops);
	kvm_init_pmu_capability(&amd_pmu_ops);
	svm_set_cpu_caps();
}
