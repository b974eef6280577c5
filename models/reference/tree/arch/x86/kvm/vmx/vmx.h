#ifndef __KVM_X86_VMX_H
#define __KVM_X86_VMX_H

#include <linux/kvm_host.h>
#include <asm/vmx.h>
#include "vmcs.h"

#define MSR_TYPE_R	1
#define MSR_TYPE_W	2
#define MSR_TYPE_RW	3

#define MAX_NR_LOADSTORE_MSRS	8

struct vmx_msrs {
	unsigned int nr;
	struct vmx_msr_entry val[MAX_NR_LOADSTORE_MSRS];
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	struct loaded_vmcs vmcs01;
	struct loaded_vmcs *loaded_vmcs;
	/* Saved by VM-exit when it cannot save GLOBAL_CTRL into the VMCS. */
	struct vmx_msrs msr_autostore;
};

static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

/* The bitmaps' bits: set means that the access exits. */
bool vmx_test_msr_bitmap_read(unsigned long *bitmap, u32 msr);
bool vmx_test_msr_bitmap_write(unsigned long *bitmap, u32 msr);
void vmx_set_msr_bitmap_read(unsigned long *bitmap, u32 msr);
void vmx_set_msr_bitmap_write(unsigned long *bitmap, u32 msr);
void vmx_clear_msr_bitmap_read(unsigned long *bitmap, u32 msr);
void vmx_clear_msr_bitmap_write(unsigned long *bitmap, u32 msr);
void vmx_set_intercept_for_msr(struct kvm_vcpu *vcpu, u32 msr, int type, bool set);

u32 exec_controls_get(struct vcpu_vmx *vmx);
void exec_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set);
void vm_entry_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set);
void vm_exit_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set);

void vmx_recalc_intercepts(struct kvm_vcpu *vcpu);
int vmx_vcpu_run(struct kvm_vcpu *vcpu);

/* VM-entry, guest, VM-exit. True: the exit needs nothing, go in again. */
bool __vmx_vcpu_run(struct vcpu_vmx *vmx, unsigned int flags);

#endif
