/* Declared before the tree's text, which uses it in what stands for contracts. */
typedef unsigned long cross_word;

static cross_word cross_request(cross_word contract, cross_word count, const cross_word *args);
static void cross_outside(cross_word name);
static cross_word cross_follow(void);
static void cross_save(int back);
static cross_word cross_next(void);
static void cross_show(cross_word line);
static void cross_note(cross_word contract, cross_word count, const cross_word *args);

/* What a static call of NULL does. */
static inline void cross_nothing(void)
{
}

__attribute__((noreturn)) static void cross_differ(cross_word kind, cross_word a, cross_word b,
						   cross_word c);

/* An integer or pointer without the bits that its type has not. */
#define CROSS_WORD(value) ((cross_word)(value) & (~0UL >> (64 - 8 * sizeof(value))))
