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
#define lockdep_assert_preemption_disabled() ((void)0)
#define lockdep_assert_held(lock) ((void)0)
#define lockdep_assert_once(c) ((void)0)
#define array_index_nospec(index, size) (index)
#define container_of_const(p, t, m) container_of(p, t, m)

/* Messages: what they are about is fetched */
#define __model_say(...) ((void)(__VA_ARGS__))
#define pr_err(...) __model_say(__VA_ARGS__)
#define pr_warn(...) __model_say(__VA_ARGS__)
#define pr_info(...) __model_say(__VA_ARGS__)
#define pr_debug(...) __model_say(__VA_ARGS__)
#define pr_err_once(...) __model_say(__VA_ARGS__)
#define pr_warn_once(...) __model_say(__VA_ARGS__)
#define pr_info_once(...) __model_say(__VA_ARGS__)
#define pr_err_ratelimited(...) __model_say(__VA_ARGS__)
#define pr_warn_ratelimited(...) __model_say(__VA_ARGS__)
#define pr_info_ratelimited(...) __model_say(__VA_ARGS__)
#define pr_debug_ratelimited(...) __model_say(__VA_ARGS__)
#define printk_once(...) __model_say(__VA_ARGS__)

/* Tracepoints look at what they are given, and change nothing of it */
#define TP_PROTO(...) __VA_ARGS__
#define TRACE_EVENT(name, parameters, ...) static inline void trace_##name(parameters) { }
#define TRACE_EVENT_CONDITION(name, parameters, ...) TRACE_EVENT(name, parameters)
#define DECLARE_EVENT_CLASS(name, ...)
#define DEFINE_EVENT(class, name, parameters, ...) TRACE_EVENT(name, parameters)
#define DEFINE_EVENT_PRINT(class, name, parameters, ...) TRACE_EVENT(name, parameters)

/*
 * Order of memory accesses, locks and preemption: one CPU is looked at. Nothing here enables
 * interrupts where they were off.
 */
#define barrier() ((void)0)
#define smp_mb() ((void)0)
#define smp_rmb() ((void)0)
#define smp_wmb() ((void)0)
#define smp_store_release(p, v) (*(p) = (v))
#define smp_load_acquire(p) (*(p))
#define smp_mb__before_atomic() ((void)0)
#define smp_mb__after_atomic() ((void)0)
#define preempt_disable() ((void)0)
#define preempt_enable() ((void)0)
#define rcu_read_lock() ((void)0)
#define rcu_read_unlock() ((void)0)
#define spin_lock(lock) ((void)0)
#define spin_unlock(lock) ((void)0)
#define raw_spin_lock(lock) ((void)0)
#define raw_spin_unlock(lock) ((void)0)
#define mutex_lock(lock) ((void)0)
#define mutex_unlock(lock) ((void)0)
/* What is restored is what was there before, which flags stand for. */
#define local_irq_save(flags) ((void)((flags) = 0))
#define local_irq_restore(flags) \
	((void)({ \
		if (flags) \
			__model_outside(); \
	}))
#define guard(class) __model_guard_##class
#define __model_guard_preempt() ((void)0)
#define __model_guard_irqsave() ((void)0)
#define __model_guard_rcu() ((void)0)
#define __model_guard_spinlock(lock) ((void)0)
#define __model_guard_raw_spinlock(lock) ((void)0)
#define __model_guard_mutex(lock) ((void)0)
/* A `break` leaves it, as in the kernel */
#define scoped_guard(class, ...) __model_scoped_##class
#define __model_scoped for (bool __once = true; __once; __once = false)
#define __model_scoped_preempt __model_scoped
#define __model_scoped_irqsave __model_scoped
#define __model_scoped_rcu __model_scoped
#define __model_scoped_spinlock __model_scoped
#define __model_scoped_raw_spinlock __model_scoped
#define __model_scoped_mutex __model_scoped

void __model_warn(void);
#define WARN_ON(c) ({ bool __warned = !!(c); if (__warned) __model_warn(); __warned; })
#define WARN_ON_ONCE(c) WARN_ON(c)
#define WARN(c, ...) WARN_ON(c)
#define WARN_ONCE(c, ...) WARN_ON(c)
#define KVM_BUG_ON(c, kvm) WARN_ON(c)
/* The kernel dies of it; to go on as if it did not proves no more than there is. */
#define BUG() __model_warn()
#define BUG_ON(c) ((void)WARN_ON(c))

#define _BITUL(n) (1UL << (n))
#define _BITULL(n) (1ULL << (n))
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define BIT_MASK(n) (1UL << ((n) % 64))
#define BIT_WORD(n) ((n) / 64)
#define BIT_ULL_MASK(n) (1ULL << ((n) % 64))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define GENMASK(h, l) ((~0UL << (l)) & (~0UL >> (63 - (h))))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min(a, b) ({ typeof(a) __a = (a); typeof(b) __b = (b); __a < __b ? __a : __b; })
#define max(a, b) ({ typeof(a) __a = (a); typeof(b) __b = (b); __a > __b ? __a : __b; })
#define min_t(t, a, b) ({ t __a = (a); t __b = (b); __a < __b ? __a : __b; })
#define max_t(t, a, b) ({ t __a = (a); t __b = (b); __a > __b ? __a : __b; })
#define min3(a, b, c) min(min(a, b), c)
#define max3(a, b, c) max(max(a, b), c)
#define clamp(v, low, high) min(max(v, low), high)
#define clamp_t(t, v, low, high) min_t(t, max_t(t, v, low), high)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define swap(a, b) do { typeof(a) __a = (a); (a) = (b); (b) = __a; } while (0)
#define lower_32_bits(n) ((u32)(n))
#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
#define xchg(p, new) ({ typeof(*(p)) __was = *(p); *(p) = (new); __was; })
#define cmpxchg(p, old, new) \
	({ \
		typeof(*(p)) __old = (old), __new = (new), __was = *(p); \
		if (__was == __old) \
			*(p) = __new; \
		__was; \
	})

/* Counts and places of bits */
static inline unsigned long hweight64(u64 word)
{
	unsigned long count = 0;
	int i;

	for (i = 0; i < 64; i++)
		count += (word >> i) & 1;
	return count;
}

/* From 1 on; 0 when there is none. */
static inline int fls64(u64 word)
{
	int i, last = 0;

	for (i = 0; i < 64; i++)
		if ((word >> i) & 1)
			last = i + 1;
	return last;
}

static inline int __model_first_bit(u64 word)
{
	int i, first = 0;

	for (i = 63; i >= 0; i--)
		if ((word >> i) & 1)
			first = i + 1;
	return first;
}

#define hweight8(word) ((unsigned int)hweight64((u8)(word)))
#define hweight16(word) ((unsigned int)hweight64((u16)(word)))
#define hweight32(word) ((unsigned int)hweight64((u32)(word)))
#define hweight_long(word) hweight64(word)
#define fls(word) fls64((u32)(word))
#define ffs(word) __model_first_bit((u32)(word))
#define __fls(word) ((unsigned long)(fls64(word) - 1))
#define __ffs(word) ((unsigned long)(__model_first_bit(word) - 1))
#define __ffs64(word) __ffs(word)
#define ilog2(word) (fls64(word) - 1)
#define sign_extend64(value, at) ((s64)((u64)(value) << (63 - (at))) >> (63 - (at)))

#define FIELD_GET(mask, word) \
	((typeof(mask))(((word) & (mask)) >> (__model_first_bit(mask) - 1)))
#define FIELD_PREP(mask, value) \
	(((typeof(mask))(value) << (__model_first_bit(mask) - 1)) & (mask))

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

static inline unsigned int bitmap_weight(const unsigned long *map, unsigned int bits)
{
	if (bits > 64)
		__model_outside();
	return hweight64(map[0] & __model_low_bits(bits));
}

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long size,
					  unsigned long start)
{
	unsigned long bit;

	for (bit = start; bit < size; bit++)
		if (test_bit(bit, map))
			return bit;
	return size;
}

#define find_first_bit(map, size) find_next_bit(map, size, 0)
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

/* Static keys may be on or off */
#define DEFINE_STATIC_KEY_FALSE(name) bool name
#define DEFINE_STATIC_KEY_TRUE(name) bool name
#define DECLARE_STATIC_KEY_FALSE(name) extern bool name
#define DECLARE_STATIC_KEY_TRUE(name) extern bool name
#define static_branch_likely(key) (*(key))
#define static_branch_unlikely(key) (*(key))
#define static_branch_enable(key) ((void)(*(key) = true))
#define static_branch_disable(key) ((void)(*(key) = false))

/* perf's NMI handler */
typedef int atomic_t;
#define NMI_DONE 0
#define DEFINE_STATIC_CALL_NULL(name, function)
#define static_call(name) __model_static_##name
#define atomic_read(v) __model_atomic_read()
int __model_static_x86_pmu_handle_irq(struct pt_regs *regs);
int __model_atomic_read(void);
void perf_sample_event_took(u64 nanoseconds);

/* Privileged instructions (models/hardware) */
void wrmsrq(u32 msr, u64 value);
u64 __model_rdmsr(u32 msr);
u64 rdpmc(u32 counter);
#define wrmsrl(msr, value) wrmsrq(msr, value)
#define wrmsrns(msr, value) wrmsrq(msr, value)
#define native_wrmsrq(msr, value) wrmsrq(msr, value)
#define native_write_msr(msr, value) wrmsrq(msr, value)
#define wrmsr(msr, low, high) wrmsrq(msr, ((u64)(high) << 32) | (u32)(low))
#define rdmsrq(msr, value) ((void)((value) = __model_rdmsr(msr)))
#define rdmsrl(msr, value) rdmsrq(msr, value)
#define native_rdmsrq(msr) __model_rdmsr(msr)
#define native_read_msr(msr) __model_rdmsr(msr)
#define rdmsr(msr, low, high) \
	({ u64 __read = __model_rdmsr(msr); (low) = (u32)__read; (high) = (u32)(__read >> 32); })
bool __model_has_msr(u32 msr);
#define rdmsrq_safe(msr, value) \
	({ u32 __msr = (msr); bool __there = __model_has_msr(__msr); \
	   *(value) = __there ? __model_rdmsr(__msr) : 0; __there ? 0 : -EIO; })
#define rdmsrl_safe(msr, value) rdmsrq_safe(msr, value)
#define rdpmcl(counter, value) ((value) = rdpmc(counter))
int wrmsrq_safe(u32 msr, u64 value);
#define wrmsrl_safe(msr, value) wrmsrq_safe(msr, value)
#define wrmsr_safe(msr, low, high) wrmsrq_safe(msr, ((u64)(high) << 32) | (u32)(low))
void apic_write(u32 reg, u32 value);

/* The time, and which CPU this is, may be anything */
u64 sched_clock(void);
u64 ktime_get_ns(void);
s64 ktime_get(void);
int __model_processor_id(void);
unsigned long __model_jiffies(void);
#define jiffies __model_jiffies()
#define smp_processor_id() __model_processor_id()
#define raw_smp_processor_id() __model_processor_id()

/* Per-CPU variables of the one CPU that is looked at */
#define DEFINE_PER_CPU(type, name) type name
#define DECLARE_PER_CPU(type, name) extern type name
#define this_cpu_write(var, value) ((var) = (value))
#define this_cpu_read(var) (var)
#define __this_cpu_write(var, value) ((var) = (value))
#define __this_cpu_read(var) (var)
