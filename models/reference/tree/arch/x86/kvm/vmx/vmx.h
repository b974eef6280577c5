#ifndef __KVM_X86_VMX_H
#define __KVM_X86_VMX_H

#include <linux/kvm_host.h>
#include <asm/vmx.h>
#include "vmcs.h"
#include "vmcs12.h"

#define MSR_TYPE_R	1
#define MSR_TYPE_W	2
#define MSR_TYPE_RW	3

#define MAX_NR_LOADSTORE_MSRS	8

struct vmx_msrs {
	unsigned int nr;
	struct vmx_msr_entry val[MAX_NR_LOADSTORE_MSRS];
};

/* Of a vCPU that runs a guest hypervisor. */
struct nested_vmx {
	struct loaded_vmcs vmcs02;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	struct loaded_vmcs vmcs01;
	/* vmcs01, or vmcs02 while the guest's guest runs. */
	struct loaded_vmcs *loaded_vmcs;
	struct nested_vmx nested;
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

void vmcs_write64(unsigned long field, u64 value);
void vmcs_write32(unsigned long field, u32 value);
u64 vmcs_read64(unsigned long field);

/* Words of controls: of any VMCS, and those of the one in use. */
#define CONTROLS(name, field)							\
static inline u32 __##name##_controls_get(struct loaded_vmcs *vmcs)		\
{										\
	return vmcs->controls_shadow.name;					\
}										\
static inline u32 name##_controls_get(struct vcpu_vmx *vmx)			\
{										\
	return __##name##_controls_get(vmx->loaded_vmcs);			\
}										\
static inline void name##_controls_set(struct vcpu_vmx *vmx, u32 val)		\
{										\
	vmx->loaded_vmcs->controls_shadow.name = val;				\
	vmcs_write32(field, val);						\
}										\
static inline void name##_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set) \
{										\
	u32 others = name##_controls_get(vmx) & ~val;				\
										\
	name##_controls_set(vmx, set ? others | val : others);			\
}

CONTROLS(vm_entry, VM_ENTRY_CONTROLS)
CONTROLS(vm_exit, VM_EXIT_CONTROLS)
CONTROLS(exec, CPU_BASED_VM_EXEC_CONTROL)

void vmx_recalc_intercepts(struct kvm_vcpu *vcpu);
int vmx_vcpu_run(struct kvm_vcpu *vcpu);

/* VM-entry, guest, VM-exit. True: the exit needs nothing, go in again. */
bool __vmx_vcpu_run(struct vcpu_vmx *vmx, unsigned int flags);

#endif
