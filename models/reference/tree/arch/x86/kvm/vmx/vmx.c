/*
 * What VMX adds to the PMU: which accesses exit, and GLOBAL_CTRL at entry and exit. Written for
 * msrproof: the interfaces are those of Linux 7.3, the text is not.
 */
#include <asm/msr-index.h>
#include "../pmu.h"
#include "../x86.h"
#include "capabilities.h"
#include "pmu_intel.h"
#include "vmx.h"

struct vmcs_config vmcs_config;

static int vmx_find_loadstore_msr_slot(struct vmx_msrs *m, u32 msr)
{
	unsigned int i;

	for (i = 0; i < MAX_NR_LOADSTORE_MSRS; i++)
		if (i < m->nr && m->val[i].index == msr)
			return i;

	return -1;
}

static void vmx_add_autostore_msr(struct vcpu_vmx *vmx, u32 msr)
{
	struct vmx_msrs *m = &vmx->msr_autostore;

	if (vmx_find_loadstore_msr_slot(m, msr) >= 0)
		return;
	if (KVM_BUG_ON(m->nr == MAX_NR_LOADSTORE_MSRS, vmx->vcpu.kvm))
		return;

	m->val[m->nr].index = msr;
	m->val[m->nr].value = 0;
	m->nr++;
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, m->nr);
}

static void vmx_remove_autostore_msr(struct vcpu_vmx *vmx, u32 msr)
{
	struct vmx_msrs *m = &vmx->msr_autostore;
	int slot = vmx_find_loadstore_msr_slot(m, msr);

	if (slot < 0)
		return;

	/* The last one fills the gap. */
	m->nr--;
	m->val[slot] = m->val[m->nr];
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, m->nr);
}

static bool msr_write_intercepted(struct vcpu_vmx *vmx, u32 msr)
{
	if (exec_controls_get(vmx) & CPU_BASED_USE_MSR_BITMAPS)
		return vmx_test_msr_bitmap_write(vmx->loaded_vmcs->msr_bitmap, msr);

	return true;
}

static void vmx_recalc_pmu_msr_intercepts(struct kvm_vcpu *vcpu)
{
	bool has_mediated_pmu = kvm_vcpu_has_mediated_pmu(vcpu);
	u32 exit_controls = VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool intercept;
	u32 i;

	/* Then everything exits, as it has from the start. */
	if (!enable_mediated_pmu)
		return;

	if (cpu_has_save_perf_global_ctrl())
		exit_controls |= VM_EXIT_SAVE_IA32_PERF_GLOBAL_CTRL;
	else if (has_mediated_pmu)
		vmx_add_autostore_msr(vmx, MSR_CORE_PERF_GLOBAL_CTRL);
	else
		vmx_remove_autostore_msr(vmx, MSR_CORE_PERF_GLOBAL_CTRL);

	vm_entry_controls_changebit(vmx, VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, has_mediated_pmu);
	vm_exit_controls_changebit(vmx, exit_controls, has_mediated_pmu);

	for (i = 0; i < kvm_pmu_cap.num_counters_gp; i++) {
		intercept = !has_mediated_pmu || i >= pmu->nr_arch_gp_counters;
		vmx_set_intercept_for_msr(vcpu, MSR_IA32_PERFCTR0 + i, MSR_TYPE_RW, intercept);
		/* The guest has the full-width names only with that capability. */
		vmx_set_intercept_for_msr(vcpu, MSR_IA32_PMC0 + i, MSR_TYPE_RW,
					  intercept || !fw_writes_is_enabled(vcpu));
	}

	for (i = 0; i < kvm_pmu_cap.num_counters_fixed; i++) {
		intercept = !has_mediated_pmu || i >= pmu->nr_arch_fixed_counters;
		vmx_set_intercept_for_msr(vcpu, MSR_CORE_PERF_FIXED_CTR0 + i, MSR_TYPE_RW,
					  intercept);
	}

	intercept = kvm_need_perf_global_ctrl_intercept(vcpu);
	vmx_set_intercept_for_msr(vcpu, MSR_CORE_PERF_GLOBAL_CTRL, MSR_TYPE_RW, intercept);
	vmx_set_intercept_for_msr(vcpu, MSR_CORE_PERF_GLOBAL_STATUS, MSR_TYPE_RW, intercept);
	vmx_set_intercept_for_msr(vcpu, MSR_CORE_PERF_GLOBAL_OVF_CTRL, MSR_TYPE_RW, intercept);
}

static void vmx_recalc_instruction_intercepts(struct kvm_vcpu *vcpu)
{
	exec_controls_changebit(to_vmx(vcpu), CPU_BASED_RDPMC_EXITING,
				kvm_need_rdpmc_intercept(vcpu));
}

void vmx_recalc_intercepts(struct kvm_vcpu *vcpu)
{
	vmx_recalc_pmu_msr_intercepts(vcpu);
	vmx_recalc_instruction_intercepts(vcpu);
}

/* Once for each VMCS. The guest's state stays in hardware after an exit, but must not go on. */
void vmx_set_constant_host_state(struct vcpu_vmx *vmx)
{
	if (enable_mediated_pmu)
		vmcs_write64(HOST_IA32_PERF_GLOBAL_CTRL, 0);
}

/* After an exit, before anyone looks: the guest may have changed GLOBAL_CTRL by itself. */
static void vmx_refresh_guest_perf_global_control(struct kvm_vcpu *vcpu)
{
	struct kvm_pmu *pmu = vcpu_to_pmu(vcpu);
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int slot;

	if (msr_write_intercepted(vmx, MSR_CORE_PERF_GLOBAL_CTRL))
		return;

	if (cpu_has_save_perf_global_ctrl()) {
		pmu->global_ctrl = vmcs_read64(GUEST_IA32_PERF_GLOBAL_CTRL);
		return;
	}

	slot = vmx_find_loadstore_msr_slot(&vmx->msr_autostore, MSR_CORE_PERF_GLOBAL_CTRL);
	if (WARN_ON_ONCE(slot < 0))
		return;

	/* The next entry loads the VMCS field, which this exit has not written. */
	pmu->global_ctrl = vmx->msr_autostore.val[slot].value;
	vmcs_write64(GUEST_IA32_PERF_GLOBAL_CTRL, pmu->global_ctrl);
}

int vmx_vcpu_run(struct kvm_vcpu *vcpu)
{
	bool again = __vmx_vcpu_run(to_vmx(vcpu), 0);

	vmx_refresh_guest_perf_global_control(vcpu);
	return again;
}

/* The bits of IA32_PERF_CAPABILITIES that a guest may be given. */
static u64 vmx_get_perf_capabilities(void)
{
	u64 perf_cap = PERF_CAP_FW_WRITES;

	if (!enable_pmu)
		return 0;

	return perf_cap;
}

void vmx_hardware_setup(void)
{
	kvm_pmu_ops_update(&intel_pmu_ops);
	kvm_init_pmu_capability(&intel_pmu_ops);
	kvm_caps.supported_perf_cap = vmx_get_perf_capabilities();
}
