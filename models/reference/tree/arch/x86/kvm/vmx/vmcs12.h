#ifndef __KVM_X86_VMX_VMCS12_H
#define __KVM_X86_VMX_VMCS12_H

/* The VMCS that a guest hypervisor has made for its guest, as KVM has copied it. */
struct vmcs12 {
	u32 cpu_based_vm_exec_control;
	u32 vm_entry_controls;
	u32 vm_exit_controls;
	u64 guest_ia32_perf_global_ctrl;
	u64 host_ia32_perf_global_ctrl;
};

#endif
