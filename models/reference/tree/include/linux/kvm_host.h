#ifndef __KVM_HOST_H
#define __KVM_HOST_H

#include <linux/bits.h>
#include <linux/types.h>
#include <asm/kvm_host.h>

#define KVM_REQ_PMU	11
#define KVM_REQ_PMI	12

struct kvm {
	bool vm_bugged;
	struct kvm_arch arch;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int cpu;
	struct kvm_vcpu_arch arch;
};

void kvm_make_request(int req, struct kvm_vcpu *vcpu);
bool kvm_vcpu_exit_request(struct kvm_vcpu *vcpu);

#endif
