#ifndef ARCH_X86_KVM_CPUID_H
#define ARCH_X86_KVM_CPUID_H

#include <linux/kvm_host.h>
#include <uapi/asm/kvm.h>
#include <asm/cpufeatures.h>

struct kvm_cpuid_entry2 *kvm_find_cpuid_entry(struct kvm_vcpu *vcpu, u32 function);
struct kvm_cpuid_entry2 *kvm_find_cpuid_entry_index(struct kvm_vcpu *vcpu, u32 function, u32 index);

/* What KVM can offer to any guest. */
void kvm_initialize_cpu_caps(void);
void kvm_cpu_cap_set(unsigned int x86_feature);
void kvm_cpu_cap_clear(unsigned int x86_feature);
void kvm_cpu_cap_check_and_set(unsigned int x86_feature);
bool kvm_cpu_cap_has(unsigned int x86_feature);

/* Both the guest's CPUID and KVM have the feature. */
bool guest_cpu_cap_has(struct kvm_vcpu *vcpu, unsigned int x86_feature);

#endif
