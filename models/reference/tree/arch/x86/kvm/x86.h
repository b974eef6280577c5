#ifndef ARCH_X86_KVM_X86_H
#define ARCH_X86_KVM_X86_H

#include <linux/kvm_host.h>

extern bool enable_vmware_backdoor;

bool kvm_can_set_cpuid_and_feature_msrs(struct kvm_vcpu *vcpu);
int vcpu_enter_guest(struct kvm_vcpu *vcpu);

/* A write of an MSR by the guest, also by its lists of MSRs; not 0 where it faults. */
int __kvm_emulate_msr_write(struct kvm_vcpu *vcpu, u32 index, u64 data);

#endif
