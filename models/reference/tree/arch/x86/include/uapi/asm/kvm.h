#ifndef _UAPI_ASM_X86_KVM_H
#define _UAPI_ASM_X86_KVM_H

#include <linux/types.h>

/* One row of the guest's CPUID table, as set by userspace. */
struct kvm_cpuid_entry2 {
	u32 function;
	u32 index;
	u32 flags;
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
	u32 padding[3];
};

#endif
