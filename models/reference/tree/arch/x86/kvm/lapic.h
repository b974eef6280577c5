#ifndef __KVM_X86_LAPIC_H
#define __KVM_X86_LAPIC_H

#include <linux/kvm_host.h>
#include <asm/apicdef.h>

bool lapic_in_kernel(struct kvm_vcpu *vcpu);
u32 kvm_lapic_get_reg(struct kvm_lapic *apic, int reg_off);

#endif
