#include "pmu.h"
#include "x86.h"
#include "vmx/vmx.h"

struct kvm_caps kvm_caps;

bool enable_vmware_backdoor;

/* One stay in the guest, as far as the PMU goes. Exits that need nothing re-enter at once. */
int vcpu_enter_guest(struct kvm_vcpu *vcpu)
{
	bool again;

	if (kvm_check_request(KVM_REQ_PMU, vcpu))
		kvm_pmu_handle_event(vcpu);

	local_irq_disable();
	if (kvm_vcpu_exit_request(vcpu))
		goto out;

	kvm_mediated_pmu_load(vcpu);
	do {
		again = kvm_x86_call(vcpu_run)(vcpu);
	} while (again && !kvm_vcpu_exit_request(vcpu));
	kvm_mediated_pmu_put(vcpu);

out:
	local_irq_enable();
	return 1;
}
