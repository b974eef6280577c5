/*
 * What kernel headers that are not read give to gcc. The front-end knows these by itself, so both
 * sides have a meaning of their own for them. A name without a replacement list is C's own.
 */
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - __builtin_offsetof(type, member)))
#define offsetof(type, member) __builtin_offsetof(type, member)
#define __static_call(pointer) \
	((pointer) ? (pointer) : (__typeof__(pointer))cross_nothing)
#define __same_type_p(a, b) ((a) == (b))
#define __packed __attribute__((packed))
#define __cross_is_1 0, 1
#define __cross_second(ignored, chosen, ...) chosen
#define __cross_pick(pair) __cross_second(pair, 0, 0)
#define __cross_test(value) __cross_pick(__cross_is_##value)
#define __cross_enabled(option) __cross_test(option)
#define IS_BUILTIN(option) __cross_enabled(option)
#define IS_MODULE(option) __cross_enabled(option##_MODULE)
#define IS_ENABLED(option) (__cross_enabled(option) || __cross_enabled(option##_MODULE))
#define IS_REACHABLE(option) IS_ENABLED(option)
