/*
 * KVM's surroundings of the PMU code, common to the vendors; read after kernel.h. A name that
 * starts with __model is answered by a contract in models/environment/kvm.py.
 */

#define vcpu_err(vcpu, ...) __model_say(__VA_ARGS__)
#define vcpu_debug(vcpu, ...) __model_say(__VA_ARGS__)
#define vcpu_err_ratelimited(vcpu, ...) __model_say(__VA_ARGS__)
#define vcpu_debug_ratelimited(vcpu, ...) __model_say(__VA_ARGS__)
#define vcpu_unimpl(vcpu, ...) __model_say(__VA_ARGS__)

/* The vendor's table is constant once KVM is loaded (pmu.c: kvm_pmu_ops_update). */
#define kvm_pmu_call(func) __static_call(kvm_pmu_ops.func)
#define kvm_pmu_ops_update(ops) ((void)0)

/* An operation of the vendor; one without a contract is not understood. */
#define kvm_x86_call(func) __model_op_##func
int __model_op_get_cpl(struct kvm_vcpu *vcpu);
bool kvm_is_cr0_bit_set(struct kvm_vcpu *vcpu, unsigned long cr0_bit);
bool kvm_is_cr4_bit_set(struct kvm_vcpu *vcpu, unsigned long cr4_bit);

#define srcu_read_lock(srcu) 0
#define srcu_read_unlock(srcu, idx) ((void)(idx))

#define boot_cpu_has(feature) __model_cpu_has(feature)
#define cpu_feature_enabled(feature) __model_cpu_has(feature)
#define static_cpu_has(feature) __model_cpu_has(feature)
#define this_cpu_has(feature) __model_cpu_has(feature)

bool __model_cpu_has(unsigned int feature);
bool kvm_cpu_cap_has(unsigned int x86_feature);
bool guest_cpuid_is_intel_compatible(struct kvm_vcpu *vcpu);
bool guest_cpuid_is_amd_compatible(struct kvm_vcpu *vcpu);
bool guest_cpu_cap_has(struct kvm_vcpu *vcpu, unsigned int x86_feature);
bool cpuid_model_is_consistent(struct kvm_vcpu *vcpu);
bool kvm_can_set_cpuid_and_feature_msrs(struct kvm_vcpu *vcpu);
bool lapic_in_kernel(struct kvm_vcpu *vcpu);
bool is_td_vcpu(struct kvm_vcpu *vcpu);
u32 kvm_lapic_get_reg(struct kvm_lapic *apic, int reg_off);
void kvm_make_request(int req, struct kvm_vcpu *vcpu);
void perf_load_guest_context(void);
void perf_put_guest_context(void);
u64 perf_get_hw_event_config(int hw_event);
bool pmc_is_event_allowed(struct kvm_pmc *pmc);
void x86_perf_get_lbr(struct x86_pmu_lbr *lbr);
bool is_noncanonical_msr_address(u64 address, struct kvm_vcpu *vcpu);

unsigned long read_cr0(void);
unsigned long __read_cr3(void);
unsigned long cr4_read_shadow(void);
unsigned long __model_address(void);
#define vmx_vmexit __model_address()

/* What perf tells of the CPU (events/core.c: perf_get_x86_pmu_capability). */
u8 __model_host_version(void);
u8 __model_host_gp(void);
u8 __model_host_fixed(void);
u8 __model_host_gp_width(void);
u8 __model_host_fixed_width(void);
u32 __model_host_events_mask(void);
u8 __model_host_events_mask_len(void);
bool __model_host_pebs_ept(void);
bool __model_host_mediated(void);

static inline void perf_get_x86_pmu_capability(struct x86_pmu_capability *cap)
{
	cap->version = __model_host_version();
	cap->num_counters_gp = __model_host_gp();
	cap->num_counters_fixed = __model_host_fixed();
	cap->bit_width_gp = __model_host_gp_width();
	cap->bit_width_fixed = __model_host_fixed_width();
	cap->events_mask = __model_host_events_mask();
	cap->events_mask_len = __model_host_events_mask_len();
	cap->pebs_ept = __model_host_pebs_ept();
	cap->mediated = __model_host_mediated();
}

/* The guest's CPUID, as userspace has set it: any content, and each entry may be missing. */
struct kvm_cpuid_entry2 __guest_cpuid_pmu;
struct kvm_cpuid_entry2 __guest_cpuid_other;
bool __model_has_cpuid(u32 function);
bool __model_is_pmu_leaf(u32 function);

static inline struct kvm_cpuid_entry2 *kvm_find_cpuid_entry(struct kvm_vcpu *vcpu, u32 function)
{
	if (!__model_has_cpuid(function))
		return NULL;
	if (__model_is_pmu_leaf(function))
		return &__guest_cpuid_pmu;
	return &__guest_cpuid_other;
}

static inline struct kvm_cpuid_entry2 *kvm_find_cpuid_entry_index(struct kvm_vcpu *vcpu,
								  u32 function, u32 index)
{
	return kvm_find_cpuid_entry(vcpu, function);
}
