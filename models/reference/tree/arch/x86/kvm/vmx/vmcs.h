#ifndef __KVM_X86_VMX_VMCS_H
#define __KVM_X86_VMX_VMCS_H

/* A VMCS and what goes with it. A guest hypervisor has two, one for itself and one for its guest. */
struct loaded_vmcs {
	unsigned long *msr_bitmap;
};

#endif
