/*
 * VMX's surroundings of the PMU code; read after kvm.h. The VMCS and the MSR bitmap are those of
 * models/hardware/vmx.py.
 */
void vmcs_write64(unsigned long field, u64 value);
void vmcs_write32(unsigned long field, u32 value);
void vmcs_write16(unsigned long field, u16 value);
void vmcs_writel(unsigned long field, unsigned long value);
u64 vmcs_read64(unsigned long field);
u32 vmcs_read32(unsigned long field);

u32 exec_controls_get(struct vcpu_vmx *vmx);
void exec_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set);
void vm_entry_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set);
void vm_exit_controls_changebit(struct vcpu_vmx *vmx, u32 val, bool set);

/* Both halves of each MSR have a flag of their own in the bitmap. */
bool __model_intercepted(u32 msr, bool write);
void __model_intercept(u32 msr, int type, bool set);
#define vmx_test_msr_bitmap_read(bitmap, msr) __model_intercepted(msr, false)
#define vmx_test_msr_bitmap_write(bitmap, msr) __model_intercepted(msr, true)
#define vmx_set_intercept_for_msr(vcpu, msr, type, set) __model_intercept(msr, type, set)
#define vmx_disable_intercept_for_msr(vcpu, msr, type) __model_intercept(msr, type, false)
#define vmx_enable_intercept_for_msr(vcpu, msr, type) __model_intercept(msr, type, true)
