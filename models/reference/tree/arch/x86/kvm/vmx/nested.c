/*
 * A guest's guest, L2: which MSRs it reaches directly, and its GLOBAL_CTRL. Written for msrproof:
 * the interfaces are those of Linux 7.3, the text is not.
 */
#include <uapi/asm-generic/errno-base.h>
#include "../x86.h"
#include "vmx.h"

/* L2 goes direct where both L0 (for L1) and L1 (for L2) let it. */
static void nested_vmx_set_intercept_for_msr(struct vcpu_vmx *vmx, unsigned long *msr_bitmap_l1,
					     unsigned long *msr_bitmap_l0, u32 msr, int types)
{
	unsigned long *own = vmx->vmcs01.msr_bitmap;
	bool read_exits = vmx_test_msr_bitmap_read(own, msr) ||
			  vmx_test_msr_bitmap_read(msr_bitmap_l1, msr);
	bool write_exits = vmx_test_msr_bitmap_write(own, msr) ||
			   vmx_test_msr_bitmap_write(msr_bitmap_l1, msr);

	if ((types & MSR_TYPE_R) && read_exits)
		vmx_set_msr_bitmap_read(msr_bitmap_l0, msr);
	else if (types & MSR_TYPE_R)
		vmx_clear_msr_bitmap_read(msr_bitmap_l0, msr);

	if ((types & MSR_TYPE_W) && write_exits)
		vmx_set_msr_bitmap_write(msr_bitmap_l0, msr);
	else if (types & MSR_TYPE_W)
		vmx_clear_msr_bitmap_write(msr_bitmap_l0, msr);
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

/* The words of controls of vmcs02, which is in use already. */
static void prepare_vmcs02_early(struct vcpu_vmx *vmx, struct loaded_vmcs *vmcs01,
				 struct vmcs12 *vmcs12)
{
	u32 exec = __exec_controls_get(vmcs01) | vmcs12->cpu_based_vm_exec_control;

	/* Whether the bitmap can be used is known once L1's is. */
	exec &= ~CPU_BASED_USE_MSR_BITMAPS;
	exec_controls_set(vmx, exec | (exec_controls_get(vmx) & CPU_BASED_USE_MSR_BITMAPS));

	/* L1's loads are done by KVM; what hardware does, it does for KVM. */
	vm_entry_controls_set(vmx, __vm_entry_controls_get(vmcs01));
	vm_exit_controls_set(vmx, __vm_exit_controls_get(vmcs01));
}

/* GLOBAL_CTRL goes on from one to the other unless L1 has a value for it. */
static void nested_vmx_keep_global_ctrl(struct kvm_vcpu *vcpu)
{
	if (kvm_vcpu_has_mediated_pmu(vcpu))
		vmcs_write64(GUEST_IA32_PERF_GLOBAL_CTRL, vcpu_to_pmu(vcpu)->global_ctrl);
}

static int prepare_vmcs02(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12, bool from_vmentry,
			  enum vm_entry_failure_code *entry_failure_code)
{
	u64 global_ctrl = vmcs12->guest_ia32_perf_global_ctrl;

	if (!(vmcs12->vm_entry_controls & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) ||
	    !kvm_pmu_has_perf_global_ctrl(vcpu_to_pmu(vcpu))) {
		nested_vmx_keep_global_ctrl(vcpu);
		return 0;
	}

	if (WARN_ON_ONCE(__kvm_emulate_msr_write(vcpu, MSR_CORE_PERF_GLOBAL_CTRL, global_ctrl))) {
		*entry_failure_code = ENTRY_FAIL_DEFAULT;
		return -EINVAL;
	}

	return 0;
}

static int nested_vmx_check_guest_state(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12,
					enum vm_entry_failure_code *entry_failure_code)
{
	*entry_failure_code = ENTRY_FAIL_DEFAULT;

	if ((vmcs12->vm_entry_controls & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) &&
	    !kvm_valid_perf_global_ctrl(vcpu_to_pmu(vcpu), vmcs12->guest_ia32_perf_global_ctrl))
		return -EINVAL;

	return 0;
}

static int nested_vmx_check_host_state(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12)
{
	if ((vmcs12->vm_exit_controls & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) &&
	    !kvm_valid_perf_global_ctrl(vcpu_to_pmu(vcpu), vmcs12->host_ia32_perf_global_ctrl))
		return -EINVAL;

	return 0;
}

/* Back in L1, with vmcs01. */
static void load_vmcs12_host_state(struct kvm_vcpu *vcpu, struct vmcs12 *vmcs12)
{
	bool loads = vmcs12->vm_exit_controls & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
	u64 global_ctrl = vmcs12->host_ia32_perf_global_ctrl;

	/* L1 loads what it could write. */
	if (!loads || !kvm_pmu_has_perf_global_ctrl(vcpu_to_pmu(vcpu))) {
		nested_vmx_keep_global_ctrl(vcpu);
		return;
	}

	WARN_ON_ONCE(__kvm_emulate_msr_write(vcpu, MSR_CORE_PERF_GLOBAL_CTRL, global_ctrl));
}
