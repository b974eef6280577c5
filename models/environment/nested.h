/*
 * What surrounds the PMU in KVM's code for guests of guests; read after vmx.h. What is replaced here
 * is about other state than the PMU's: it may say anything, and changes nothing that is modelled.
 */

/* MSR bitmaps and their flags are those of models/environment/nested.py. */
unsigned long __model_bitmap01;
unsigned long __model_bitmap12;
unsigned long __model_bitmap02;
/* Where KVM leaves the reason for a VM-entry that fails */
unsigned int __model_entry_failure;

bool __model_other(void);
bool is_guest_mode(struct kvm_vcpu *vcpu);
int __kvm_emulate_msr_write(struct kvm_vcpu *vcpu, u32 index, u64 data);

#define INVALID_GPA (~0ULL)
#define PAGE_MASK (~4095UL)
#define trace_kvm_nested_vmenter_failed(...) ((void)0)

/* prepare_vmcs02_early, prepare_vmcs02 */
#define nested_vmx_calc_efer(...) __model_other()
#define prepare_vmcs02_early_rare(...) ((void)0)
#define prepare_vmcs02_rare(...) ((void)0)
#define cpu_has_secondary_exec_ctrls() false
#define cpu_has_load_ia32_efer() __model_other()
#define is_pae_paging(...) __model_other()
#define kvm_calc_nested_tsc_multiplier(...) __model_other()
#define kvm_calc_nested_tsc_offset(...) __model_other()
#define kvm_mpx_supported() __model_other()
#define kvm_rip_write(...) ((void)0)
#define kvm_rsp_write(...) ((void)0)
#define kvm_set_dr(...) 0
#define nested_ept_init_mmu_context(...) ((void)0)
#define nested_vmx_load_cr3(...) __model_other()
#define nested_vmx_transition_tlb_flush(...) ((void)0)
#define vmcs_write_cet_state(...) ((void)0)
#define vmx_get_supported_debugctl(...) 0
#define vmx_guest_debugctl_write(...) ((void)0)
#define vmx_guest_state_valid(...) __model_other()
#define vmx_set_cr0(...) ((void)0)
#define vmx_set_cr4(...) ((void)0)
#define vmx_set_efer(...) ((void)0)
#define vmx_set_rflags(...) ((void)0)
#define vmx_update_exception_bitmap(...) ((void)0)

/* load_vmcs12_host_state; what L1's lists of MSRs do is an access of its own for each MSR */
#define __vmx_set_segment(...) ((void)0)
#define nested_ept_uninit_mmu_context(...) ((void)0)
#define nested_vmx_abort(...) ((void)0)
#define nested_vmx_load_msr(...) __model_other()
#define vmx_emulation_required(...) __model_other()
#define vmx_l1_guest_owned_cr0_bits() __model_other()
#define vmx_set_interrupt_shadow(...) ((void)0)

/* nested_vmx_check_host_state, nested_vmx_check_guest_state */
#define __is_canonical_address(...) __model_other()
#define is_l1_noncanonical_address_on_vmexit(...) __model_other()
#define is_noncanonical_base_address(...) __model_other()
#define kvm_check_has_quirk(...) __model_other()
#define kvm_dr7_valid(...) __model_other()
#define kvm_pat_valid(...) __model_other()
#define kvm_valid_efer(...) __model_other()
#define kvm_vcpu_is_legal_cr3(...) __model_other()
#define max_host_virt_addr_bits() 64
#define nested_check_guest_non_reg_state(...) __model_other()
#define nested_guest_cr0_valid(...) __model_other()
#define nested_guest_cr4_valid(...) __model_other()
#define nested_host_cr0_valid(...) __model_other()
#define nested_host_cr4_valid(...) __model_other()
#define nested_vmx_check_cet_state_common(...) __model_other()
#define nested_vmx_check_vmcs_link_ptr(...) __model_other()
#define vmx_is_valid_debugctl(...) __model_other()
