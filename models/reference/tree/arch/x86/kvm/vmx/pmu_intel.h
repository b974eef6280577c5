#ifndef __KVM_X86_VMX_PMU_INTEL_H
#define __KVM_X86_VMX_PMU_INTEL_H

#include <linux/kvm_host.h>
#include <asm/msr-index.h>
#include "../cpuid.h"

/* IA32_PERF_CAPABILITIES as the guest sees it; all zeros when it has no such MSR. */
static inline u64 vcpu_get_perf_capabilities(struct kvm_vcpu *vcpu)
{
	return guest_cpu_cap_has(vcpu, X86_FEATURE_PDCM) ? vcpu->arch.perf_capabilities : 0;
}

static inline bool fw_writes_is_enabled(struct kvm_vcpu *vcpu)
{
	return vcpu_get_perf_capabilities(vcpu) & PERF_CAP_FW_WRITES;
}

#endif
