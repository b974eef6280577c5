/*
 * What stands for the parts of the kernel that are not read: macros, the bit operations on bitmaps
 * of one word, and helpers that only fetch what the models know. Every target's tree is read with
 * these definitions in front. Names are the kernel's; a name that starts with __model is answered
 * by a contract in models/environment.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef _Bool bool;
typedef unsigned long ulong;
typedef unsigned long size_t;
/* Without its struct: it shares its storage with bitmaps. */
typedef s64 atomic64_t;

#define NULL ((void *)0)
#define true 1
#define false 0

/* Annotations and checks without effect at run time */
#define __init
#define __initdata
#define __exit
#define __user
#define __force
#define __read_mostly
#define __ro_after_init
#define __always_inline inline
#define noinline
#define __maybe_unused
#define __must_check
#define likely(x) (x)
#define unlikely(x) (x)
#define fallthrough do { } while (0)
#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, v) ((x) = (v))
#define BUILD_BUG_ON(c) ((void)0)
#define BUILD_BUG_ON_MSG(c, m) ((void)0)
#define lockdep_assert_irqs_disabled() ((void)0)
#define EXPORT_SYMBOL_GPL(s)
#define EXPORT_SYMBOL_FOR_KVM(s)
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(s)
#define EXPORT_STATIC_CALL_GPL(s)
#define module_param(n, t, p)
#define pr_debug_ratelimited(...) ((void)0)
#define pr_warn_ratelimited(...) ((void)0)
#define printk_once(...) ((void)0)
#define array_index_nospec(index, size) (index)
#define container_of_const(p, t, m) container_of(p, t, m)

void __model_warn(void);
#define WARN_ON(c) ({ bool __warned = !!(c); if (__warned) __model_warn(); __warned; })
#define WARN_ON_ONCE(c) WARN_ON(c)
#define WARN(c, ...) WARN_ON(c)
#define WARN_ONCE(c, ...) WARN_ON(c)
#define KVM_BUG_ON(c, kvm) WARN_ON(c)

#define _BITUL(n) (1UL << (n))
#define _BITULL(n) (1ULL << (n))
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define GENMASK(h, l) ((~0UL << (l)) & (~0UL >> (63 - (h))))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min(a, b) ({ typeof(a) __a = (a); typeof(b) __b = (b); __a < __b ? __a : __b; })
#define max(a, b) ({ typeof(a) __a = (a); typeof(b) __b = (b); __a > __b ? __a : __b; })
#define min_t(t, a, b) ({ t __a = (a); t __b = (b); __a < __b ? __a : __b; })
#define max_t(t, a, b) ({ t __a = (a); t __b = (b); __a > __b ? __a : __b; })

/* Only whole objects, by a size that names their type: __same_type_p compares two sizeofs' types */
#define memset(p, c, n) \
	((void)({ \
		if (!__same_type_p(sizeof(*(p)), n) || (c)) \
			__model_outside(); \
		typeof(*(p)) __zero = { }; \
		*(p) = __zero; \
	}))
#define memcpy(to, from, n) \
	((void)({ \
		if (!__same_type_p(sizeof(*(to)), n) || !__same_type_p(sizeof(*(from)), n)) \
			__model_outside(); \
		*(to) = *(from); \
	}))

/* Bitmaps of one word, which is all that the PMU has */
#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + 63) / 64]

static inline bool test_bit(long nr, const unsigned long *map)
{
	return (map[nr / 64] >> (nr % 64)) & 1;
}

static inline void set_bit(long nr, unsigned long *map)
{
	map[nr / 64] |= 1UL << (nr % 64);
}

static inline void clear_bit(long nr, unsigned long *map)
{
	map[nr / 64] &= ~(1UL << (nr % 64));
}

#define __set_bit set_bit
#define __clear_bit clear_bit
#define __test_and_set_bit test_and_set_bit

static inline bool test_and_set_bit(long nr, unsigned long *map)
{
	bool was = test_bit(nr, map);

	set_bit(nr, map);
	return was;
}

/* The lowest bits of a word; a bitmap of more than one word is outside of the subset. */
static inline unsigned long __model_low_bits(unsigned int bits)
{
	return bits >= 64 ? ~0UL : (1UL << bits) - 1;
}

static inline void bitmap_zero(unsigned long *map, unsigned int bits)
{
	map[0] = 0;
	if (bits > 64)
		__model_outside();
}

static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int bits)
{
	map[0] |= bits ? __model_low_bits(bits) << start : 0;
	if (start + bits > 64)
		__model_outside();
}

static inline void bitmap_clear(unsigned long *map, unsigned int start, unsigned int bits)
{
	map[0] &= bits ? ~(__model_low_bits(bits) << start) : ~0UL;
	if (start + bits > 64)
		__model_outside();
}

static inline void bitmap_copy(unsigned long *to, const unsigned long *from, unsigned int bits)
{
	to[0] = from[0];
	if (bits > 64)
		__model_outside();
}

static inline bool bitmap_empty(const unsigned long *map, unsigned int bits)
{
	return !(map[0] & __model_low_bits(bits));
}

static inline bool bitmap_and(unsigned long *to, const unsigned long *a, const unsigned long *b,
			      unsigned int bits)
{
	to[0] = a[0] & b[0] & __model_low_bits(bits);
	return to[0] != 0;
}

static inline bool bitmap_andnot(unsigned long *to, const unsigned long *a, const unsigned long *b,
				 unsigned int bits)
{
	to[0] = a[0] & ~b[0] & __model_low_bits(bits);
	return to[0] != 0;
}

static inline bool bitmap_intersects(const unsigned long *a, const unsigned long *b,
				     unsigned int bits)
{
	return (a[0] & b[0] & __model_low_bits(bits)) != 0;
}

#define for_each_set_bit(bit, map, size) \
	for ((bit) = 0; (bit) < (size); (bit)++) \
		if (!test_bit((bit), (map))) \
			continue; \
		else

static inline void atomic64_or(s64 bits, atomic64_t *v)
{
	*v |= bits;
}

static inline void atomic64_andnot(s64 bits, atomic64_t *v)
{
	*v &= ~bits;
}

/* perf's NMI handler */
typedef int atomic_t;
#define NMI_DONE 0
#define DEFINE_STATIC_CALL_NULL(name, function)
#define static_call(name) __model_static_##name
#define atomic_read(v) __model_atomic_read()
int __model_static_x86_pmu_handle_irq(struct pt_regs *regs);
int __model_atomic_read(void);
u64 sched_clock(void);
void perf_sample_event_took(u64 nanoseconds);

/* Privileged instructions (models/hardware) */
void wrmsrq(u32 msr, u64 value);
u64 __model_rdmsr(u32 msr);
u64 rdpmc(u32 counter);
#define wrmsrl(msr, value) wrmsrq(msr, value)
#define wrmsrns(msr, value) wrmsrq(msr, value)
#define native_wrmsrq(msr, value) wrmsrq(msr, value)
#define wrmsr(msr, low, high) wrmsrq(msr, ((u64)(high) << 32) | (u32)(low))
#define rdmsrq(msr, value) ((void)((value) = __model_rdmsr(msr)))
#define rdmsrl(msr, value) rdmsrq(msr, value)
#define native_rdmsrq(msr) __model_rdmsr(msr)
#define rdmsr(msr, low, high) \
	({ u64 __read = __model_rdmsr(msr); (low) = (u32)__read; (high) = (u32)(__read >> 32); })
#define rdpmcl(counter, value) ((value) = rdpmc(counter))
int wrmsrq_safe(u32 msr, u64 value);
void apic_write(u32 reg, u32 value);

/* Per-CPU variables of the one CPU that is looked at */
#define DEFINE_PER_CPU(type, name) type name
#define DECLARE_PER_CPU(type, name) extern type name
#define this_cpu_write(var, value) ((var) = (value))
#define this_cpu_read(var) (var)
#define __this_cpu_write(var, value) ((var) = (value))
#define __this_cpu_read(var) (var)
