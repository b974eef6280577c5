#ifndef __SVM_SVM_H
#define __SVM_SVM_H

#include <linux/kvm_host.h>
#include <asm/svm.h>

#define MSR_TYPE_R	1
#define MSR_TYPE_W	2
#define MSR_TYPE_RW	3

struct kvm_vmcb_info {
	struct vmcb *ptr;
};

struct vcpu_svm {
	struct kvm_vcpu vcpu;
	/* The one in use. */
	struct vmcb *vmcb;
	struct kvm_vmcb_info vmcb01;
	unsigned long *msrpm;
};

static inline struct vcpu_svm *to_svm(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_svm, vcpu);
}

/* The map's bits: set means that the access exits. */
bool svm_test_msr_bitmap_write(unsigned long *msrpm, u32 msr);
void svm_set_intercept_for_msr(struct kvm_vcpu *vcpu, u32 msr, int type, bool set);

void svm_set_intercept(struct vcpu_svm *svm, int bit);
void svm_clr_intercept(struct vcpu_svm *svm, int bit);

/* VMRUN, guest, #VMEXIT. */
void svm_vcpu_enter_exit(struct kvm_vcpu *vcpu, unsigned int enter_flags);

/* VMRUN refused the VMCB. */
bool svm_is_vmrun_failure(u64 exit_code);

/* True: the exit needs nothing, go in again. */
bool svm_exit_handlers_fastpath(struct kvm_vcpu *vcpu);
void svm_recalc_intercepts(struct kvm_vcpu *vcpu);
int svm_vcpu_run(struct kvm_vcpu *vcpu, u64 run_flags);

#endif
