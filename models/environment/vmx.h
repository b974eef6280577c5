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

unsigned long vmcs_readl(unsigned long field);

/* Both halves of each MSR have a flag of their own in each bitmap. */
bool __model_intercepted(unsigned long *bitmap, u32 msr, bool write);
void __model_set_flag(unsigned long *bitmap, u32 msr, bool write, bool set);
#define vmx_test_msr_bitmap_read(bitmap, msr) __model_intercepted(bitmap, msr, false)
#define vmx_test_msr_bitmap_write(bitmap, msr) __model_intercepted(bitmap, msr, true)
#define vmx_set_msr_bitmap_read(bitmap, msr) __model_set_flag(bitmap, msr, false, true)
#define vmx_set_msr_bitmap_write(bitmap, msr) __model_set_flag(bitmap, msr, true, true)
#define vmx_clear_msr_bitmap_read(bitmap, msr) __model_set_flag(bitmap, msr, false, false)
#define vmx_clear_msr_bitmap_write(bitmap, msr) __model_set_flag(bitmap, msr, true, false)

/* What KVM wants of accesses by the guest itself, which is in vmcs01's bitmap */
void __model_intercept(u32 msr, int type, bool set);
#define vmx_set_intercept_for_msr(vcpu, msr, type, set) __model_intercept(msr, type, set)
#define vmx_disable_intercept_for_msr(vcpu, msr, type) __model_intercept(msr, type, false)
#define vmx_enable_intercept_for_msr(vcpu, msr, type) __model_intercept(msr, type, true)
