/*
 * SVM's surroundings of the PMU code; read after kvm.h. The MSR bitmap and the intercept of RDPMC
 * are those of models/hardware/svm.py.
 */
bool __model_intercepted(u32 msr, bool write);
void __model_intercept(u32 msr, int type, bool set);
#define svm_test_msr_bitmap_read(bitmap, msr) __model_intercepted(msr, false)
#define svm_test_msr_bitmap_write(bitmap, msr) __model_intercepted(msr, true)
#define svm_set_intercept_for_msr(vcpu, msr, type, set) __model_intercept(msr, type, set)
#define svm_disable_intercept_for_msr(vcpu, msr, type) __model_intercept(msr, type, false)
#define svm_enable_intercept_for_msr(vcpu, msr, type) __model_intercept(msr, type, true)
#define msr_write_intercepted(svm, msr) __model_intercepted(msr, true)

void svm_set_intercept(struct vcpu_svm *svm, int bit);
void svm_clr_intercept(struct vcpu_svm *svm, int bit);

/* What KVM can offer to guests (cpuid.c). */
void kvm_initialize_cpu_caps(void);
void kvm_cpu_cap_set(unsigned int x86_feature);
void kvm_cpu_cap_clear(unsigned int x86_feature);
void kvm_cpu_cap_check_and_set(unsigned int x86_feature);
bool kvm_cpu_cap_has(unsigned int x86_feature);

/* Around VMRUN; none of it is about the PMU. */
#define this_cpu_ptr(var) (var)
#define trace_kvm_entry(vcpu, exits_at_once) ((void)0)
#define trace_kvm_exit(vcpu, isa) ((void)0)
u32 kvm_read_and_reset_apf_flags(void);
bool is_guest_mode(struct kvm_vcpu *vcpu);
bool is_sev_es_guest(struct kvm_vcpu *vcpu);
bool svm_is_vmrun_failure(u64 exit_code);
void svm_vcpu_enter_exit(struct kvm_vcpu *vcpu, unsigned int enter_flags);
