#ifndef _ASM_X86_VMX_H
#define _ASM_X86_VMX_H

#include <linux/types.h>

#define CPU_BASED_RDPMC_EXITING			(1u << 11)
#define CPU_BASED_USE_MSR_BITMAPS		(1u << 28)

#define VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL	(1u << 12)
#define VM_EXIT_SAVE_IA32_PERF_GLOBAL_CTRL	(1u << 30)
#define VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL	(1u << 13)

enum vmcs_field {
	GUEST_IA32_PERF_GLOBAL_CTRL	= 0x2808,
	HOST_IA32_PERF_GLOBAL_CTRL	= 0x2c04,
	CPU_BASED_VM_EXEC_CONTROL	= 0x4002,
	VM_EXIT_CONTROLS		= 0x400c,
	VM_EXIT_MSR_STORE_COUNT		= 0x400e,
	VM_ENTRY_CONTROLS		= 0x4012,
};

/* Why a VM-entry fails, for the exit qualification. */
enum vm_entry_failure_code {
	ENTRY_FAIL_DEFAULT = 0,
};

/* One slot of the lists of MSRs that VMX saves or loads by itself. */
struct vmx_msr_entry {
	u32 index;
	u32 reserved;
	u64 value;
};

#endif
