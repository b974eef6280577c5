#ifndef _ASM_X86_CPUFEATURES_H
#define _ASM_X86_CPUFEATURES_H

/* Word of the feature array times 32, plus the bit. PDCM: there is IA32_PERF_CAPABILITIES. */
#define X86_FEATURE_PDCM	(4 * 32 + 15)

#endif
