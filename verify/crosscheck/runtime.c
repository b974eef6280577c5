/*
 * Replays scripts on the functions above (verify/crosscheck/encode.py has the words). It ends at
 * the first difference. The unit has cross_cells, cross_bits_get, cross_bits_set, cross_addresses,
 * cross_objects, cross_call, cross_setup and cross_names; what is read and written is below.
 */
enum { CROSS_BEGIN = 1, CROSS_WRITE, CROSS_READ, CROSS_ENTER, CROSS_RESULT, CROSS_REQUEST,
       CROSS_ANSWER, CROSS_SHOW, CROSS_END };
enum { CROSS_NUMBER, CROSS_ADDRESS, CROSS_ANY };
/* What differs (verify/crosscheck/native.py has the words). */
enum { CROSS_IS_CELL = 1, CROSS_IS_RESULT, CROSS_IS_RETURN, CROSS_IS_REQUEST, CROSS_IS_OUTSIDE,
       CROSS_IS_SCRIPT };

static char cross_saved[1 << 22];
/* What the script answered to the latest request. */
static cross_word cross_given;

static cross_word cross_value(void)
{
	cross_word kind = cross_next(), value = cross_next();

	return kind == CROSS_ADDRESS ? (cross_word)cross_addresses[value] : value;
}

/* Whether a value is the one that the script has next; any is, where it cannot be compared. */
static int cross_expected(cross_word value, cross_word *wanted)
{
	cross_word kind = cross_next();

	*wanted = cross_next();
	if (kind == CROSS_ADDRESS)
		*wanted = (cross_word)cross_addresses[*wanted];
	return kind == CROSS_ANY || *wanted == value;
}

static void cross_copy(void *to, const void *from, cross_word size)
{
	__builtin_memcpy(to, from, size);
}

static cross_word cross_load(cross_word cell)
{
	cross_word value = 0;

	if (!cross_cells[cell].at)
		return cross_bits_get(cross_cells[cell].size);
	cross_copy(&value, cross_cells[cell].at, cross_cells[cell].size);
	return value;
}

static void cross_store(cross_word cell, cross_word value)
{
	if (cross_cells[cell].at)
		cross_copy(cross_cells[cell].at, &value, cross_cells[cell].size);
	else
		cross_bits_set(cross_cells[cell].size, value);
}

static void cross_save(int back)
{
	cross_word i, at = 0;

	for (i = 0; cross_objects[i].size; i++) {
		if (at + cross_objects[i].size > sizeof(cross_saved))
			cross_differ(CROSS_IS_SCRIPT, 0, 0, 0);
		if (back)
			cross_copy(cross_objects[i].at, cross_saved + at, cross_objects[i].size);
		else
			cross_copy(cross_saved + at, cross_objects[i].at, cross_objects[i].size);
		at += cross_objects[i].size;
	}
}

/* Follow the script to the end of what runs now: an answer, a result or the end. */
static cross_word cross_follow(void)
{
	cross_word args[16], op, number, count, i, value, wanted;

	for (;;) {
		op = cross_next();
		switch (op) {
		case CROSS_BEGIN:
			cross_save(1);
			break;
		case CROSS_WRITE:
			number = cross_next();
			cross_store(number, cross_value());
			break;
		case CROSS_READ:
			number = cross_next();
			value = cross_load(number);
			if (!cross_expected(value, &wanted) &&
			    value != (wanted & cross_cells[number].mask))
				cross_differ(CROSS_IS_CELL, number, wanted, value);
			break;
		case CROSS_ENTER:
			number = cross_next();
			count = cross_next();
			for (i = 0; i < count; i++)
				args[i] = cross_value();
			value = cross_call(number, args);
			op = cross_next();
			if (op != CROSS_RESULT)
				cross_differ(CROSS_IS_RETURN, number, 0, 0);
			if (!cross_expected(value, &wanted))
				cross_differ(CROSS_IS_RESULT, number, wanted, value);
			break;
		case CROSS_ANSWER:
			cross_given = cross_value();
			return op;
		case CROSS_SHOW:
			cross_show(cross_next());
			break;
		case CROSS_END:
			return op;
		default:
			/* The tree should have asked for something else, or for more. */
			cross_differ(CROSS_IS_SCRIPT, op, 0, 0);
		}
	}
}

static cross_word cross_request(cross_word contract, cross_word count, const cross_word *args)
{
	cross_word i, wanted;

	cross_note(contract, count, args);
	if (cross_next() != CROSS_REQUEST || cross_next() != contract || cross_next() != count)
		cross_differ(CROSS_IS_REQUEST, contract, count, 0);
	for (i = 0; i < count; i++)
		if (!cross_expected(args[i], &wanted))
			cross_differ(CROSS_IS_REQUEST, contract, count, i);
	if (cross_follow() != CROSS_ANSWER)
		cross_differ(CROSS_IS_SCRIPT, CROSS_END, 0, 0);
	return cross_given;
}

static void cross_outside(cross_word name)
{
	cross_differ(CROSS_IS_OUTSIDE, name, 0, 0);
}
