"""A target of its own for crosscheck: C with what the front-end lowers, and little around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from verify.ir.program import Dialect
from verify.source.program import CProgram
from verify.target import Access, Phase, Step, Target

FILE = "program.c"
TEXT = r"""
typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;
typedef _Bool bool;

#define BIT(n) (1ULL << (n))
#define paste(a, b) a##b
#define max(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })
#define LAST paste(COLOUR_, BLUE)

u64 ask(u32 number, s8 sign);
void tell(u32 number, u64 value);

enum colour { COLOUR_RED = 3, COLOUR_GREEN, COLOUR_BLUE = COLOUR_GREEN + 4 };

union packed_word {
	struct {
		u32 low:5;
		u32 high:11;
		u32 rest:16;
	} split;
	u32 full;
};

struct counter {
	u64 value;
	s32 delta;
	u16 kind;
	bool on;
	s8 sign;
	struct counter *next;
};

struct device;

struct ops {
	u64 (*read)(struct device *d, u32 i);
	void (*notify)(struct device *d, u8 how);
	const u32 limit;
};

/* Its last member is named like others. */
struct trailing {
	u32 length;
	u64 value[];
};

struct device {
	struct counter counters[4];
	struct trailing *sign;
	struct counter *current;
	u32 flags:3;
	u32 mode:6;
	int signed_field:7;
	unsigned char plain;
	char letter;
	u8 count;
	union {
		u64 all;
		struct {
			u32 first;
			u32 second;
		};
	};
	unsigned long map[1];
	struct unknown_to_all *nobody;
	unknown_type_t unneeded;
};

static u64 device_read(struct device *d, u32 i)
{
	return i < d->count && i < 4 ? d->counters[i].value : ~0ULL;
}

static struct ops vendor_ops = { .read = device_read, .limit = 3 };
static struct ops device_ops;
static const u16 widths[4] = { 1, 8, 300, 65535 };

static s32 s16_like(s8 value)
{
	return (short)(value * 257);
}

u64 arithmetic(struct device *d, u64 a, s32 b)
{
	u16 narrow = a;
	s8 tiny = b;
	s64 wide = b;
	u32 u = (u32)b >> 3;

	narrow += tiny;
	narrow ^= 0xff00;
	wide = wide * 3 - (s32)a;
	if (b)
		wide += (s64)a / b + a % (u32)(b | 1);
	u = -u + ~narrow;
	d->counters[0].delta = b >> 2;
	d->counters[1].delta = (s16_like(tiny) << 3) | narrow;
	d->counters[2].value = wide - (tiny < 0) + (d->letter < 'a') + (char)(a >> 3);
	d->counters[3].value = (b < (s32)u) + 2 * ((u32)b < u) + 4 * (tiny < narrow) + 8 * (wide < u);
	return wide + u + (u8)~narrow + (a > -1) + sizeof(narrow) * tiny;
}

int fields(struct device *d, u32 a)
{
	union packed_word word;
	u32 sum = 0;
	int i;

	{ struct sides { u32 left; u32 right; } of = { a, 3 }; sum += of.left * of.right; }
	word.full = (u32)(a);
	word.split.high += 3;
	d->flags = a;
	d->mode += word.split.low;
	d->signed_field = a >> 4;
	d->first = word.full ^ d->second;
	d->counters[a & 3].kind = widths[(a >> 2) & 3] + d->mode;
	d->counters[1] = d->counters[a & 1];
	d->counters[2].on = a & 0x10;
	d->counters[3].sign = d->counters[2].kind;
	d->plain = d->signed_field;
	for (i = 0; i < 4; i++) {
		if (!d->counters[i].on)
			continue;
		sum += d->counters[i].kind - i;
		if (sum > 1000)
			break;
	}
	do {
		d->map[0] |= BIT(sum % 64);
		sum /= 7;
	} while (sum);
	return d->signed_field + (d->flags == 5 ? -1 : (int)d->map[0]) + !d->all;
}

u64 branches(struct device *d, u32 a)
{
	struct counter *c = d->current;
	u64 found = 0;

	switch (a & 15) {
	case COLOUR_RED:
	case 5 ... 7:
		found = ask(a, d->counters[0].sign);
		break;
	case LAST:
		found = d->letter;
		/* fall through */
	case 9:
		tell(a, found | BIT(a >> 26));
		break;
	default:
		if (c == &d->counters[2] || !c)
			goto out;
		found = c->value && c->on ? c->value : c->sign;
		d->current = c == &d->counters[0] ? &d->counters[2] : d->counters[0].next;
	}
	if (a == 12345) {
		struct nothing *n = d->nobody;

		n->one = NOT_DECLARED;
		d->count = NOT_DECLARED;
	}
	__static_call(device_ops.notify)(d, a++ >> 1);
	not_declared(d, a, found);
	tell(COLOUR_GREEN, max(found, (u64)device_ops.limit));
	if (found > ask(1, -1) || (d->plain && ask(2, 2)))
		found += __static_call(device_ops.read)(d, a >> 30);
out:
	return found;
}
"""


def dialect() -> Dialect:
    return Dialect((FILE,), {}, "", {}, {"device_ops": "vendor_ops"})


def program(text: str = TEXT) -> CProgram:
    class Tree:
        root, version = ".", "0"

        def read(self, path: str) -> str | None:
            return text if path == FILE else None

    return CProgram(cast(Any, Tree()), dialect())


def target() -> Target:
    """What `verify.crosscheck` needs of a target."""

    def ask(m: Any, call: Any) -> Any:
        number, sign = call.args
        return m.get("hw.value") ^ number.zext(64) ^ sign.sext(64)

    def tell(m: Any, call: Any) -> None:
        m.set("hw.value", call.args[1])

    def not_declared(m: Any, call: Any) -> None:
        m.set("hw.value", m.get("hw.value") ^ call.args[1].zext(64) ^ call.args[2])

    contracts = {
        "ask": ask,
        "tell": tell,
        "not_declared": not_declared,
    }

    def calls(name: str, *widths: int) -> Access:
        def run(m: Any) -> None:
            m.call(name, m.address("device"), *(m.fresh("argument", w) for w in widths))

        return Access(f"call {name}", run)

    def setup(program: Any, m: Any) -> None:
        m.set("device.current", m.address("device.counters[1]"))
        m.set("device.counters[0].next", m.address("device.counters[3]"))
        m.call("branches", m.address("device"), m.fresh("argument", 32))

    arithmetic = Phase("arithmetic", calls("arithmetic", 64, 32).run)
    found = SimpleNamespace(
        title="a program for tests",
        functions=("arithmetic", "fields", "branches"),
        dialect=lambda defines: dialect(),
        objects={"device": "struct device"},
        cells=lambda program: {"hw.value": 64},
        contracts=lambda program: contracts,
        registers=lambda program: (),
        setup=setup,
        steps=lambda program: (Step("switch", "out", "out", (arithmetic,)),),
        accesses=lambda program: (
            calls("fields", 32),
            calls("branches", 32),
        ),
        mutable=lambda cell: True,
    )
    return cast(Target, found)
