/* The script is a part of the program, which prints what happens. */
extern int puts(const char *text);
extern void exit(int status);

static cross_word cross_position;

static cross_word cross_next(void)
{
	if (cross_position == sizeof(cross_script) / sizeof(cross_script[0])) {
		puts("the compiled C does not follow the trace");
		exit(2);
	}
	return cross_script[cross_position++];
}

static void cross_differ(cross_word kind, cross_word a, cross_word b, cross_word c)
{
	puts("the compiled C does not follow the trace");
	exit(2);
}

static void cross_note(cross_word contract, cross_word count, const cross_word *args)
{
}

static void cross_show(cross_word line)
{
	puts(cross_lines[line]);
}

int main(void)
{
	cross_setup();
	cross_save(0);
	cross_follow();
	puts(cross_violation);
	return 1;
}
