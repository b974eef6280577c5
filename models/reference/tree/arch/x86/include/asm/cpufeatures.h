#ifndef _ASM_X86_CPUFEATURES_H
#define _ASM_X86_CPUFEATURES_H

/* Word of the feature array times 32, plus the bit. PDCM: there is IA32_PERF_CAPABILITIES. */
#define X86_FEATURE_PDCM		(4 * 32 + 15)

/* AMD: virtualization, and which counters there are - the core's, the data fabric's, the cache's. */
#define X86_FEATURE_SVM			(6 * 32 + 2)
#define X86_FEATURE_PERFCTR_CORE	(6 * 32 + 23)
#define X86_FEATURE_PERFCTR_NB		(6 * 32 + 24)
#define X86_FEATURE_PERFCTR_LLC		(6 * 32 + 28)
#define X86_FEATURE_PERFMON_V2		(7 * 32 + 20)
#define X86_FEATURE_AMD_LBR_PMC_FREEZE	(21 * 32 + 0)

#endif
