#ifndef __KVM_X86_VMX_VMCS_H
#define __KVM_X86_VMX_VMCS_H

/* What KVM has last written to the words of controls. */
struct vmcs_controls_shadow {
	u32 vm_entry;
	u32 vm_exit;
	u32 exec;
};

/* A VMCS and what goes with it. A guest hypervisor has two, one for itself and one for its guest. */
struct loaded_vmcs {
	unsigned long *msr_bitmap;
	struct vmcs_controls_shadow controls_shadow;
};

#endif
