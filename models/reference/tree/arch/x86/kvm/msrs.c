#include <asm/msr-index.h>
#include "pmu.h"
#include "x86.h"

/* Candidates for what userspace has to carry when it migrates a guest. */
static const u32 msrs_to_save_pmu[] = {
	MSR_CORE_PERF_FIXED_CTR_CTRL, MSR_CORE_PERF_GLOBAL_STATUS, MSR_CORE_PERF_GLOBAL_CTRL,
	MSR_ARCH_PERFMON_PERFCTR0, MSR_ARCH_PERFMON_PERFCTR0 + 1,
	MSR_ARCH_PERFMON_EVENTSEL0, MSR_ARCH_PERFMON_EVENTSEL0 + 1,
	MSR_ARCH_PERFMON_FIXED_CTR0, MSR_ARCH_PERFMON_FIXED_CTR0 + 1,
	MSR_ARCH_PERFMON_FIXED_CTR0 + 2, MSR_ARCH_PERFMON_FIXED_CTR0 + 3,
};

static u32 msrs_to_save[ARRAY_SIZE(msrs_to_save_pmu)];
static unsigned num_msrs_to_save;

static void kvm_probe_msr_to_save(u32 msr_index)
{
	u32 gp = kvm_pmu_cap.num_counters_gp;
	u32 fixed = kvm_pmu_cap.num_counters_fixed;

	switch (msr_index) {
	case MSR_ARCH_PERFMON_PERFCTR0 ... MSR_ARCH_PERFMON_PERFCTR0 + KVM_MAX_NR_GP_COUNTERS - 1:
		if (msr_index >= MSR_ARCH_PERFMON_PERFCTR0 + gp)
			return;
		break;
	case MSR_ARCH_PERFMON_EVENTSEL0 ... MSR_ARCH_PERFMON_EVENTSEL0 + KVM_MAX_NR_GP_COUNTERS - 1:
		if (msr_index >= MSR_ARCH_PERFMON_EVENTSEL0 + gp)
			return;
		break;
	case MSR_ARCH_PERFMON_FIXED_CTR0 ...
	     MSR_ARCH_PERFMON_FIXED_CTR0 + KVM_MAX_NR_FIXED_COUNTERS - 1:
		if (msr_index >= MSR_ARCH_PERFMON_FIXED_CTR0 + fixed)
			return;
		break;
	}

	msrs_to_save[num_msrs_to_save++] = msr_index;
}

void kvm_init_msr_lists(void)
{
	unsigned i;

	num_msrs_to_save = 0;
	for (i = 0; enable_pmu && i < ARRAY_SIZE(msrs_to_save_pmu); i++)
		kvm_probe_msr_to_save(msrs_to_save_pmu[i]);
}
