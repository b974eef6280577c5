/*
 * Which MSRs a guest's guest reaches directly. Written for msrproof: the interfaces are those of
 * Linux 7.3, the text is not.
 */
#include <asm/msr-index.h>
#include "../pmu.h"
#include "vmx.h"

/* L2 goes direct where both L0 (for L1) and L1 (for L2) let it. */
static void nested_vmx_set_intercept_for_msr(struct vcpu_vmx *vmx, unsigned long *msr_bitmap_l1,
					     unsigned long *msr_bitmap_l0, u32 msr, int types)
{
	unsigned long *own = vmx->vmcs01.msr_bitmap;

	if (types & MSR_TYPE_R) {
		if (vmx_test_msr_bitmap_read(own, msr) ||
		    vmx_test_msr_bitmap_read(msr_bitmap_l1, msr))
			vmx_set_msr_bitmap_read(msr_bitmap_l0, msr);
		else
			vmx_clear_msr_bitmap_read(msr_bitmap_l0, msr);
	}

	if (types & MSR_TYPE_W) {
		if (vmx_test_msr_bitmap_write(own, msr) ||
		    vmx_test_msr_bitmap_write(msr_bitmap_l1, msr))
			vmx_set_msr_bitmap_write(msr_bitmap_l0, msr);
		else
			vmx_clear_msr_bitmap_write(msr_bitmap_l0, msr);
	}
}

#define merge(msr, types) \
	nested_vmx_set_intercept_for_msr(vmx, msr_bitmap_l1, msr_bitmap_l0, msr, types)

static void nested_vmx_merge_pmu_msr_bitmaps(struct kvm_vcpu *vcpu, unsigned long *msr_bitmap_l1,
					     unsigned long *msr_bitmap_l0)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 i;

	/* The bitmap of L2 starts with every access exiting. */
	if (!kvm_vcpu_has_mediated_pmu(vcpu))
		return;

	merge(MSR_CORE_PERF_GLOBAL_CTRL, MSR_TYPE_RW);
	merge(MSR_CORE_PERF_GLOBAL_STATUS, MSR_TYPE_R);
	merge(MSR_CORE_PERF_GLOBAL_OVF_CTRL, MSR_TYPE_W);

	for (i = 0; i < pmu->nr_arch_fixed_counters; i++)
		merge(MSR_CORE_PERF_FIXED_CTR0 + i, MSR_TYPE_RW);

	for (i = 0; i < pmu->nr_arch_gp_counters; i++) {
		merge(MSR_IA32_PMC0 + i, MSR_TYPE_RW);
		merge(MSR_IA32_PERFCTR0 + i, MSR_TYPE_RW);
	}
}
