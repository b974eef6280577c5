/*
 * Scripts come from standard input, and one word for each that is replayed without a difference
 * goes to standard output. Before the tree's code runs, the process gives up all system calls but
 * read, write and exit: a patch is not trusted.
 */
extern long read(int file, void *to, unsigned long size);
extern long write(int file, const void *from, unsigned long size);
extern int prctl(int option, ...);
extern long syscall(long number, ...);

enum { CROSS_PR_SET_SECCOMP = 22, CROSS_SECCOMP_STRICT = 1, CROSS_SYS_EXIT = 60 };
enum { CROSS_SAME = 1, CROSS_DIFFERS = 2, CROSS_NO_SANDBOX = 99 };

static cross_word cross_buffer[1 << 15];
static cross_word cross_filled, cross_used, cross_position;
static cross_word cross_log[1 << 15];
static cross_word cross_logged;

static void cross_exit(int status)
{
	for (;;)
		syscall(CROSS_SYS_EXIT, status);
}

static void cross_put(const cross_word *words, cross_word count)
{
	const char *at = (const char *)words;
	cross_word left = count * sizeof(*words);

	while (left) {
		long done = write(1, at, left);

		if (done <= 0)
			cross_exit(2);
		at += done;
		left -= done;
	}
}

/* Whether there are more words. */
static int cross_more(void)
{
	cross_word bytes = 0;

	if (cross_used < cross_filled)
		return 1;
	do {
		long done = read(0, (char *)cross_buffer + bytes, sizeof(cross_buffer) - bytes);

		if (done <= 0)
			break;
		bytes += done;
	} while (bytes % sizeof(cross_word));
	cross_used = 0;
	cross_filled = bytes / sizeof(cross_word);
	return cross_filled != 0;
}

static cross_word cross_next(void)
{
	if (!cross_more())
		cross_exit(2);
	cross_position++;
	return cross_buffer[cross_used++];
}

static void cross_differ(cross_word kind, cross_word a, cross_word b, cross_word c)
{
	cross_word words[] = { CROSS_DIFFERS, cross_position, kind, a, b, c };

	cross_put(words, sizeof(words) / sizeof(words[0]));
	cross_put(cross_log, cross_logged);
	for (;;)
		cross_exit(1);
}

static void cross_note(cross_word contract, cross_word count, const cross_word *args)
{
	cross_word i;

	if (cross_logged + 2 + count > sizeof(cross_log) / sizeof(cross_log[0]))
		return;
	cross_log[cross_logged++] = contract;
	cross_log[cross_logged++] = count;
	for (i = 0; i < count; i++)
		cross_log[cross_logged++] = args[i];
}

static void cross_show(cross_word line)
{
}

int main(void)
{
	static const cross_word same[] = { CROSS_SAME };

	cross_setup();
	cross_save(0);
	if (prctl(CROSS_PR_SET_SECCOMP, CROSS_SECCOMP_STRICT))
		cross_exit(CROSS_NO_SANDBOX);
	while (cross_more()) {
		cross_next();
		cross_position = 0;
		cross_logged = 0;
		cross_follow();
		cross_put(same, 1);
	}
	cross_exit(0);
	return 0;
}
