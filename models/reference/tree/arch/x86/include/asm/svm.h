#ifndef _ASM_X86_SVM_H
#define _ASM_X86_SVM_H

#include <linux/types.h>

#define MAX_INTERCEPT		6
#define SVM_EXIT_ERR		(~0ULL)

/* Bits of the intercept vectors, counted through. */
enum {
	INTERCEPT_RDPMC = 3 * 32 + 15,
};

struct vmcb_control_area {
	u32 intercepts[MAX_INTERCEPT];
	u64 msrpm_base_pa;
	u64 exit_code;
};

/* What VMRUN takes and #VMEXIT leaves. */
struct vmcb {
	struct vmcb_control_area control;
};

#endif
