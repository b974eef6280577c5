"""Terms: bit vectors and truth values as a hash-consed graph that simplifies as it is built.

Two terms that are built alike are one object, so `is` compares structure and a term's `id` (order
of creation) is greater than that of every argument. Operators have the meaning of SMT-LIB's
QF_BV: shifts by an amount >= width give 0 (or the sign), division by zero gives all ones (`udiv`)
or the dividend (`urem`).

Forms that are never built, so that equal conditions meet: `ule`/`sle` are negated `ult`/`slt`, a
constant bound is `k < x`, `or` of truth values is a negated `and` of negations, one-bit tests are
`bit == 1`, a constant is the right operand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class Term:
    """A bit vector of `width` bits, or a truth value (width 0); implements `machine.Value`.

    `op`: const var not and or xor add sub mul shl lshr ashr udiv urem sdiv srem eq ult slt ite
    extract concat zext sext. `and` of truth values has any number of arguments, else it is binary.
    `value` is the number of a `const` or (high, low) of an `extract`, else None; `name` is that of
    a `var`, else None. `hi` is an upper bound of the unsigned value, from a cheap look at the
    arguments.
    """

    __slots__ = ("args", "hi", "id", "name", "op", "value", "width")

    op: str
    args: tuple[Term, ...]
    width: int
    value: Any
    name: str | None
    hi: int
    id: int

    def __and__(self, other: Term | int) -> Term:
        right = self._other(other)
        return _and(self, right) if self.width else conj((self, right))

    def __or__(self, other: Term | int) -> Term:
        right = self._other(other)
        return _or(self, right) if self.width else disj((self, right))

    def __xor__(self, other: Term | int) -> Term:
        right = self._other(other)
        return _xor(self, right) if self.width else negate(equal(self, right))

    def __add__(self, other: Term | int) -> Term:
        return _add(self, self._other(other))

    def __sub__(self, other: Term | int) -> Term:
        return _sub(self, self._other(other))

    def __mul__(self, other: Term | int) -> Term:
        return _mul(self, self._other(other))

    def __invert__(self) -> Term:
        return _not(self) if self.width else negate(self)

    def __lshift__(self, other: Term | int) -> Term:
        return _shift("shl", self, self._other(other))

    def __rshift__(self, other: Term | int) -> Term:
        return _shift("lshr", self, self._other(other))

    def sar(self, other: Term | int) -> Term:
        """Arithmetic shift right."""
        return _shift("ashr", self, self._other(other))

    def udiv(self, other: Term | int) -> Term:
        """Unsigned quotient."""
        return _divide("udiv", self, self._other(other))

    def urem(self, other: Term | int) -> Term:
        """Unsigned remainder."""
        return _divide("urem", self, self._other(other))

    def sdiv(self, other: Term | int) -> Term:
        """Signed quotient, rounded towards zero."""
        return _divide("sdiv", self, self._other(other))

    def srem(self, other: Term | int) -> Term:
        """Signed remainder, with the sign of the dividend."""
        return _divide("srem", self, self._other(other))

    def eq(self, other: Term | int) -> Term:
        """Equality (`==` compares objects)."""
        return equal(self, self._other(other))

    def ne(self, other: Term | int) -> Term:
        """Inequality."""
        return negate(equal(self, self._other(other)))

    def ult(self, other: Term | int) -> Term:
        """Unsigned less than."""
        return _ult(self, self._other(other))

    def ule(self, other: Term | int) -> Term:
        """Unsigned less or equal."""
        return negate(_ult(self._other(other), self))

    def slt(self, other: Term | int) -> Term:
        """Signed less than."""
        return _slt(self, self._other(other))

    def sle(self, other: Term | int) -> Term:
        """Signed less or equal."""
        return negate(_slt(self._other(other), self))

    def extract(self, high: int, low: int) -> Term:
        """Bits `high` down to `low`."""
        return _extract(self, high, low)

    def zext(self, width: int) -> Term:
        """Zero extension to `width` bits."""
        return _zext(self, width)

    def sext(self, width: int) -> Term:
        """Sign extension to `width` bits."""
        return _sext(self, width)

    def nonzero(self) -> Term:
        """True where any bit is set."""
        return negate(equal(self, const(0, self.width))) if self.width else self

    def _other(self, other: Term | int) -> Term:
        if isinstance(other, Term):
            if other.width != self.width:
                raise ValueError(f"operands of {self.width} and {other.width} bits")
            return other
        return const(other, self.width)

    def __bool__(self) -> bool:
        raise TypeError("a term has no truth value in Python; use `when` or `ite`")

    def __repr__(self) -> str:
        if self.op == "const":
            return hex(self.value) if self.width else ("false", "true")[self.value]
        if self.op == "var":
            return str(self.name)
        text = " ".join(map(repr, self.args)) if size([self], 40) < 40 else "..."
        bits = f"[{self.value[0]}:{self.value[1]}]" if self.op == "extract" else ""
        return f"({self.op}{bits} {text})"


_table: dict[tuple[object, ...], Term] = {}
_count = 0


def _intern(
    key: tuple[object, ...], op: str, args: tuple[Term, ...], width: int, hi: int, value: Any = None
) -> Term:
    """A new term, entered under its key (the caller has looked the key up)."""
    global _count
    term = Term.__new__(Term)
    term.op = op
    term.args = args
    term.width = width
    term.hi = hi
    term.value = value
    term.name = None
    _count += 1
    term.id = _count
    _table[key] = term
    return term


def created() -> int:
    """How many terms there are: a measure of work."""
    return _count


def _make(
    op: str,
    args: tuple[Term, ...],
    width: int,
    hi: int,
    bits: tuple[int, int] | None = None,
) -> Term:
    key = (op, width, bits, args)
    term = _table.get(key)
    return _intern(key, op, args, width, hi, bits) if term is None else term


def const(value: int, width: int) -> Term:
    """The constant `value` modulo 2**width; for width 0 the truth of `value`."""
    value = value & ((1 << width) - 1) if width else int(bool(value))
    key = (value, width)
    term = _table.get(key)
    return _intern(key, "const", (), width, value, value) if term is None else term


def var(name: str, width: int, hi: int | None = None) -> Term:
    """The input or state variable `name`.

    `hi` is a bound that the caller knows to hold: terms are simplified by it, and no formula says
    it, so whatever is asserted of such terms must imply it. Variables of one name that differ in
    width or bound are different terms, and one variable to `evaluate` and to solvers.
    """
    full = ((1 << width) - 1) if width else 1
    bound = full if hi is None else min(hi, full)
    key = ("var", name, width, bound)
    term = _table.get(key)
    if term is None:
        term = _intern(key, "var", (), width, bound)
        term.name = name
    return term


true = const(1, 0)
false = const(0, 0)


@contextmanager
def fresh() -> Iterator[None]:
    """Within it terms are made as in a new process, and forgotten afterwards. Operands are ordered
    by age: so what was made before has no say in which of several right answers a solver gives.

    No term but `true` and `false` may come in or go out.
    """
    global _table, _conjunctions
    outer = _table, _conjunctions
    _table, _conjunctions = {(term.value, term.width): term for term in (true, false)}, {}
    try:
        yield
    finally:
        _table, _conjunctions = outer
        for forget in _memories:
            forget()


def remembered(function: Callable[[Term], T]) -> Callable[[Term], T]:
    """A function that is asked of each term once, as long as there is the term."""
    known = cache(function)
    _memories.append(known.cache_clear)
    return known


_memories: list[Callable[[], None]] = []


# Truth values -----------------------------------------------------------------------------


def negate(term: Term) -> Term:
    """The negation of a truth value."""
    if term.op == "not":
        return term.args[0]
    if term.op == "const":
        return false if term.value else true
    return _make("not", (term,), 0, 1)


def disj(terms: Iterable[Term]) -> Term:
    """True where any of the truth values is."""
    return negate(conj([negate(t) for t in terms]))


def interval(literal: Term) -> tuple[Term, int, int] | None:
    """The range (x, low, high) that a truth value is equivalent to, if it is one of x alone."""
    negated = literal.op == "not"
    atom = literal.args[0] if negated else literal
    if atom.op == "ult" and atom.args[0].op == "const":
        bound, x = atom.args
        return (x, 0, bound.value) if negated else (x, bound.value + 1, (1 << x.width) - 1)
    if atom.op == "eq" and atom.args[1].op == "const" and atom.args[1].width:
        x, key = atom.args
        if not negated:
            return (x, key.value, key.value)
        if key.value == 0:
            return (x, 1, (1 << x.width) - 1)
    return None


_conjunctions: dict[tuple[Term, ...], Term] = {}


def conj(terms: Iterable[Term]) -> Term:
    """True where all of the truth values are."""
    key = tuple(terms)
    known = _conjunctions.get(key)
    if known is None:
        known = _conjunctions[key] = _conj(key)
    return known


def _conj(terms: tuple[Term, ...]) -> Term:
    literals: dict[Term, None] = {}
    for term in terms:
        if term.op == "and":
            literals.update(dict.fromkeys(term.args))
        elif term.op == "const":
            if not term.value:
                return false
        else:
            literals[term] = None
    if len(literals) > 1:
        for literal in literals:
            if literal.op == "not" and literal.args[0] in literals:
                return false
        ranges = _ranges(literals)
        if ranges is None:
            return false
        clauses = [t for t in literals if t.op == "not" and t.args[0].op == "and"]
        if clauses and len(literals) <= _PROPAGATE:
            changed = _propagate(literals, clauses, ranges)
            if changed is not None:
                return conj(changed)
        if len(clauses) == 2 and len(literals) == 2:
            merged = _factor(clauses[0].args[0].args, clauses[1].args[0].args)
            if merged is not None:
                return merged
    if not literals:
        return true
    if len(literals) == 1:
        return next(iter(literals))
    return _make("and", tuple(sorted(literals, key=_by_id)), 0, 1)


# Propagation costs literals times clauses; beyond this a conjunction is left to the solver.
_PROPAGATE = 64


def _by_id(term: Term) -> int:
    return term.id


def _ranges(literals: dict[Term, None]) -> dict[Term, tuple[int, int]] | None:
    """Drop literals that others imply by their ranges; None when the ranges contradict."""
    found: dict[Term, list[tuple[Term, int, int]]] = {}
    for literal in literals:
        limits = interval(literal)
        if limits is not None:
            found.setdefault(limits[0], []).append((literal, limits[1], limits[2]))
    ranges: dict[Term, tuple[int, int]] = {}
    for x, bounds in found.items():
        low = max(b[1] for b in bounds)
        high = min(min(b[2] for b in bounds), x.hi)
        if low > high:
            return None
        ranges[x] = (low, high)
        if len(bounds) > 1:
            for literal, _, _ in bounds:
                del literals[literal]
            if low == high:
                literals[equal(x, const(low, x.width))] = None
            else:
                if low:
                    literals[_ult(const(low - 1, x.width), x)] = None
                if high < x.hi:
                    literals[negate(_ult(const(high, x.width), x))] = None
    for literal in [t for t in literals if t.op == "not" and t.args[0].op == "eq"]:
        x, key = literal.args[0].args
        if x in ranges and key.op == "const" and key.value:
            low, high = ranges[x]
            if not low <= key.value <= high:
                del literals[literal]
            elif low == high:
                return None
    return ranges


def _propagate(
    literals: dict[Term, None], clauses: list[Term], ranges: dict[Term, tuple[int, int]]
) -> list[Term] | None:
    """Simplify each negated conjunction by the other literals; None when nothing changes."""
    replaced: dict[Term, Term] = {}
    for clause in clauses:
        kept: list[Term] = []
        satisfied = False
        inner = clause.args[0].args
        for part in inner:
            if part in literals:
                continue
            if negate(part) in literals:
                satisfied = True
                break
            limits = interval(part)
            if limits is not None and limits[0] in ranges:
                low, high = ranges[limits[0]]
                if limits[1] <= low and high <= limits[2]:
                    continue
                if high < limits[1] or limits[2] < low:
                    satisfied = True
                    break
            kept.append(part)
        if satisfied:
            replaced[clause] = true
        elif len(kept) < len(inner):
            replaced[clause] = negate(conj(kept))
    if not replaced:
        return None
    return [replaced.get(t, t) for t in literals]


def _factor(left: tuple[Term, ...], right: tuple[Term, ...]) -> Term | None:
    """`!(common & a) & !(common & b)` as `!(common & (a | b))`."""
    first, second = set(left), set(right)
    common = [t for t in left if t in second]
    if not common:
        return None
    rest = disj(
        (conj([t for t in left if t not in second]), conj([t for t in right if t not in first]))
    )
    return negate(conj([*common, rest]))


# Spines of if-then-else ---------------------------------------------------------------------


def _through(term: Term, leaf: Callable[[Term], Term]) -> Term:
    """`leaf` of an if-then-else chain: applied to its constant arms and to its last arm."""
    spine: list[tuple[Term, Term, bool]] = []
    while term.op == "ite":
        condition, then, orelse = term.args
        if then.op == "const":
            spine.append((condition, leaf(then), True))
            term = orelse
        elif orelse.op == "const":
            spine.append((condition, leaf(orelse), False))
            term = then
        else:
            break
    result = leaf(term)
    for condition, value, first in reversed(spine):
        result = ite(condition, value, result) if first else ite(condition, result, value)
    return result


def _has_const_arm(term: Term) -> bool:
    return term.op == "ite" and (term.args[1].op == "const" or term.args[2].op == "const")


def _both_const(term: Term) -> bool:
    return term.op == "ite" and term.args[1].op == "const" and term.args[2].op == "const"


_choices: dict[tuple[Term, Term, Term], Term] = {}


def ite(condition: Term, then: Term, orelse: Term) -> Term:
    """`then` where `condition` is true, else `orelse`."""
    if then is orelse:
        return then
    if condition.op == "const":
        return then if condition.value else orelse
    key = (condition, then, orelse)
    known = _choices.get(key)
    if known is None:
        known = _choices[key] = _ite(condition, then, orelse)
    return known


def _ite(condition: Term, then: Term, orelse: Term) -> Term:
    if then.width != orelse.width:
        raise ValueError(f"arms of {then.width} and {orelse.width} bits")
    if condition.op == "not":
        condition, then, orelse = condition.args[0], orelse, then
    if then.op == "ite" and then.args[0] is condition:
        then = then.args[1]
    if orelse.op == "ite" and orelse.args[0] is condition:
        orelse = orelse.args[2]
    if then is orelse:
        return then
    if not then.width:
        if then.op == "const":
            return disj((condition, orelse)) if then.value else conj((negate(condition), orelse))
        if orelse.op == "const":
            return disj((negate(condition), then)) if orelse.value else conj((condition, then))
        if then is condition:
            return disj((condition, orelse))
        if orelse is condition:
            return conj((condition, then))
        if then is negate(orelse):
            return equal(condition, then)
        return _make("ite", (condition, then, orelse), 0, 1)
    if condition.op == "eq":
        # `if (a != b) a = b` leaves b whichever way it goes.
        a, b = condition.args
        if (then is a and orelse is b) or (then is b and orelse is a):
            return orelse
    if orelse.op == "ite":
        inner, a, b = orelse.args
        if a is then:
            return ite(disj((condition, inner)), then, b)
        if b is then:
            return ite(disj((condition, negate(inner))), then, a)
    if then.op == "ite":
        inner, a, b = then.args
        if b is orelse:
            return ite(conj((condition, inner)), a, orelse)
        if a is orelse:
            return ite(conj((condition, negate(inner))), b, orelse)
    hi = max(_limited(condition, then, True), _limited(condition, orelse, False))
    return _make("ite", (condition, then, orelse), then.width, hi)


def _limited(condition: Term, arm: Term, holds: bool) -> int:
    """Upper bound of an arm, given what its condition says of it."""
    limits = interval(condition if holds else negate(condition))
    inner = arm.args[0] if arm.op == "zext" else arm
    if limits is not None and limits[0] is inner:
        return min(arm.hi, limits[2])
    if condition.op == "ult":
        # The smaller of two values is bounded by the bound of the greater.
        small, great = condition.args if holds else reversed(condition.args)
        if small is inner:
            return min(arm.hi, great.hi)
    return arm.hi


def equal(a: Term, b: Term) -> Term:
    """Equality of two terms of one width."""
    if a is b:
        return true
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        return _equal_const(a, b)
    if not a.width:
        if a is negate(b):
            return false
        if a.op == "not":
            return negate(equal(a.args[0], b))
        if b.op == "not":
            return negate(equal(a, b.args[0]))
    if a.op == b.op and a.op in ("zext", "sext") and a.args[0].width == b.args[0].width:
        return equal(a.args[0], b.args[0])
    for x, y in ((a, b), (b, a)):
        if x.op == "ite" and x.width:
            condition, then, orelse = x.args
            if then is y:
                return disj((condition, equal(orelse, y)))
            if orelse is y:
                return disj((negate(condition), equal(then, y)))
    if a.id > b.id:
        a, b = b, a
    return _make("eq", (a, b), 0, 1)


def _equal_const(a: Term, key: Term) -> Term:
    k = key.value
    if a.op == "const":
        return true if a.value == k else false
    if not a.width:
        return a if k else negate(a)
    if k > a.hi:
        return false
    if a.op == "ite" and _has_const_arm(a):
        return _through(a, lambda t: equal(t, key))
    if a.width == 1 and not k:
        return negate(equal(a, const(1, 1)))
    op = a.op
    if op == "zext":
        return equal(a.args[0], const(k, a.args[0].width))
    if op == "sext":
        inner = a.args[0]
        low = const(k, inner.width)
        return (
            equal(inner, low) if _signed(low.value, inner.width) == _signed(k, a.width) else false
        )
    if op == "concat":
        high, low = a.args
        return conj(
            (equal(high, const(k >> low.width, high.width)), equal(low, const(k, low.width)))
        )
    if op == "not":
        return equal(a.args[0], const(~k, a.width))
    if op == "and" and a.args[1].op == "const":
        mask = a.args[1].value
        if k & ~mask:
            return false
        if mask & (mask - 1) == 0:
            n = mask.bit_length() - 1
            return equal(_extract(a.args[0], n, n), const(int(k != 0), 1))
    if op == "or":
        if not k:
            return conj((equal(a.args[0], key), equal(a.args[1], key)))
        if a.args[1].op == "const" and a.args[1].value & ~k:
            return false
    if op == "xor" and (not k or a.args[1].op == "const"):
        return equal(a.args[0], _xor(a.args[1], key))
    if op == "add" and a.args[1].op == "const":
        return equal(a.args[0], const(k - a.args[1].value, a.width))
    if op == "sub" and not k:
        return equal(a.args[0], a.args[1])
    if op == "extract" and not a.value[1]:
        inner = a.args[0]
        if inner.hi <= _full(a.width):
            return equal(inner, const(k, inner.width))
        if inner.op == "add" and inner.args[1].op == "const":
            low = _extract(inner.args[0], a.width - 1, 0)
            return equal(low, const(k - inner.args[1].value, a.width))
    return _make("eq", (a, key), 0, 1)


def _ult(a: Term, b: Term) -> Term:
    if a is b or b.hi == 0:
        return false
    if a.op == "const":
        k = a.value
        if b.op == "const":
            return true if k < b.value else false
        if k >= b.hi:
            return false
        if k == 0:
            return negate(equal(b, a))
        if b.op == "zext":
            inner = b.args[0]
            return _ult(const(k, inner.width), inner)
        if _has_const_arm(b):
            return _through(b, lambda t: _ult(a, t))
        return _make("ult", (a, b), 0, 1)
    if b.op == "const":
        if a.hi < b.value:
            return true
        return negate(_ult(const(b.value - 1, b.width), a))
    if a.op == "zext" and b.op == "zext" and a.args[0].width == b.args[0].width:
        return _ult(a.args[0], b.args[0])
    return _make("ult", (a, b), 0, 1)


def _slt(a: Term, b: Term) -> Term:
    if a is b:
        return false
    if a.op == "const" and b.op == "const":
        return true if _signed(a.value, a.width) < _signed(b.value, b.width) else false
    half = 1 << (a.width - 1)
    if a.hi < half and b.hi < half:
        return _ult(a, b)
    if b.op == "const" and (less := _less(a)):
        # Nothing overflows, so the constant may go to the other side: x - 1 < 0 is x < 1.
        x, k = less[0], _signed(b.value, b.width) + less[1]
        return false if k <= 0 else true if k > x.hi else _ult(x, const(k, x.width))
    if a.op == "const" and (less := _less(b)):
        x, k = less[0], _signed(a.value, a.width) + less[1]
        return true if k < 0 else false if k >= x.hi else _ult(const(k, x.width), x)
    if b.op == "const":
        if b.value == 0:
            return equal(_extract(a, a.width - 1, a.width - 1), const(1, 1))
        if _has_const_arm(a):
            return _through(a, lambda t: _slt(t, b))
    if a.op == "const":
        if a.value == (1 << a.width) - 1:
            return equal(_extract(b, b.width - 1, b.width - 1), const(0, 1))
        if _has_const_arm(b):
            return _through(b, lambda t: _slt(a, t))
    return _make("slt", (a, b), 0, 1)


def _less(term: Term) -> tuple[Term, int] | None:
    """x and k of a term x - k, where x is not negative as a signed number, nor k."""
    x, k = term, 0
    if term.op == "add" and term.args[1].op == "const":
        x, k = term.args[0], -_signed(term.args[1].value, term.width)
    return (x, k) if k >= 0 and x.hi < 1 << (term.width - 1) else None


def _signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value


# Bit vectors --------------------------------------------------------------------------------


def _full(width: int) -> int:
    return (1 << width) - 1


def _spread(hi: int) -> int:
    """All bits that a value up to `hi` can have."""
    return (1 << hi.bit_length()) - 1


def _ordered(a: Term, b: Term) -> tuple[Term, Term]:
    """Operands of a commutative operator: a constant last, else by age."""
    if a.op == "const":
        return b, a
    if b.op != "const" and a.id > b.id:
        return b, a
    return a, b


def _not(a: Term) -> Term:
    if a.op == "const":
        return const(~a.value, a.width)
    if a.op == "not":
        return a.args[0]
    if _both_const(a):
        return _through(a, _not)
    return _make("not", (a,), a.width, _full(a.width))


def _and(a: Term, b: Term) -> Term:
    if a is b:
        return a
    a, b = _ordered(a, b)
    if b.op == "const":
        mask = b.value
        reach = _spread(a.hi)
        if a.op == "const":
            return const(a.value & mask, a.width)
        if not mask & reach:
            return const(0, a.width)
        if mask & reach == reach:
            return a
        if a.op == "zext":
            inner = a.args[0]
            return _zext(_and(inner, const(mask, inner.width)), a.width)
        if a.op in ("and", "or") and a.args[1].op == "const":
            inner_mask = a.args[1].value
            if a.op == "and":
                return _and(a.args[0], const(inner_mask & mask, a.width))
            if not inner_mask & mask:
                return _and(a.args[0], b)
            if inner_mask & mask == mask:
                return b
        if _both_const(a):
            return _through(a, lambda t: _and(t, b))
    elif a is _not(b) or any(_most(bits) < 2 for bits in _less_lowest(a, b)):
        return const(0, a.width)
    return _make("and", (a, b), a.width, min(a.hi, b.hi))


def _less_lowest(a: Term, b: Term) -> Iterator[Term]:
    """The term of which `a & b` is all but the lowest bit that is set: n of n & (n - 1)."""
    for bits, less in ((a, b), (b, a)):
        if less.op == "add" and less.args[0] is bits and less.args[1].value == _full(bits.width):
            yield bits


@remembered
def _most(bits: Term) -> int:
    """No more bits of the term than this are set."""
    if bits.op == "and":
        a, b = bits.args
        if b.op == "const":
            return int((b.value & _spread(a.hi)).bit_count())
        for more in _less_lowest(a, b):
            return _most(more) - 1
    return bits.hi.bit_length()


def _or(a: Term, b: Term) -> Term:
    if a is b:
        return a
    a, b = _ordered(a, b)
    if b.op == "const":
        if a.op == "const":
            return const(a.value | b.value, a.width)
        if b.value == 0:
            return a
        if b.value == _full(a.width):
            return b
        if a.op == "or" and a.args[1].op == "const":
            return _or(a.args[0], const(a.args[1].value | b.value, a.width))
        if _both_const(a):
            return _through(a, lambda t: _or(t, b))
    return _make("or", (a, b), a.width, _spread(a.hi | b.hi))


def _xor(a: Term, b: Term) -> Term:
    if a is b:
        return const(0, a.width)
    a, b = _ordered(a, b)
    if b.op == "const":
        if a.op == "const":
            return const(a.value ^ b.value, a.width)
        if b.value == 0:
            return a
        if b.value == _full(a.width):
            return _not(a)
        if a.op == "xor" and a.args[1].op == "const":
            return _xor(a.args[0], const(a.args[1].value ^ b.value, a.width))
        if _both_const(a):
            return _through(a, lambda t: _xor(t, b))
    return _make("xor", (a, b), a.width, _spread(a.hi | b.hi))


def _add(a: Term, b: Term) -> Term:
    a, b = _ordered(a, b)
    if b.op == "const":
        if a.op == "const":
            return const(a.value + b.value, a.width)
        if b.value == 0:
            return a
        if a.op == "add" and a.args[1].op == "const":
            return _add(a.args[0], const(a.args[1].value + b.value, a.width))
        if _both_const(a):
            return _through(a, lambda t: _add(t, b))
    hi = a.hi + b.hi
    return _make("add", (a, b), a.width, hi if hi <= _full(a.width) else _full(a.width))


def _sub(a: Term, b: Term) -> Term:
    if a is b:
        return const(0, a.width)
    if b.op == "const":
        return _add(a, const(-b.value, a.width))
    if a.op == "const" and _both_const(b):
        return _through(b, lambda t: _sub(a, t))
    return _make("sub", (a, b), a.width, _full(a.width))


def _mul(a: Term, b: Term) -> Term:
    a, b = _ordered(a, b)
    if b.op == "const":
        k = b.value
        if a.op == "const":
            return const(a.value * k, a.width)
        if k == 0:
            return b
        if k & (k - 1) == 0:
            return _shift("shl", a, const(k.bit_length() - 1, a.width))
        if _both_const(a):
            return _through(a, lambda t: _mul(t, b))
    hi = a.hi * b.hi
    return _make("mul", (a, b), a.width, hi if hi <= _full(a.width) else _full(a.width))


def _shift(op: str, a: Term, b: Term) -> Term:
    width = a.width
    if b.op == "const":
        k = b.value
        if a.op == "const":
            return const(FOLD[op](a.value, k, width), width)
        if k == 0:
            return a
        if op == "ashr" and a.hi <= _full(width) >> 1:
            op = "lshr"
        if k >= width:
            if op != "ashr":
                return const(0, width)
            b = const(width - 1, width)
        if op == "lshr" and a.hi >> k == 0:
            return const(0, width)
        if a.op == op and a.args[1].op == "const":
            return _shift(op, a.args[0], const(min(a.args[1].value + k, _full(width)), width))
        if _both_const(a):
            return _through(a, lambda t: _shift(op, t, b))
    elif _both_const(b) and a.op == "const":
        return _through(b, lambda t: _shift(op, a, t))
    hi = _full(width)
    if op == "lshr":
        hi = a.hi >> b.value if b.op == "const" else a.hi
    elif op == "shl" and b.op == "const":
        hi = min(hi, a.hi << b.value)
    elif op == "shl" and a.op == "const":
        # The shift of a constant by a bounded amount.
        hi = min(hi, _spread(a.hi) << min(b.hi, width))
    return _make(op, (a, b), width, hi)


def _divide(op: str, a: Term, b: Term) -> Term:
    width = a.width
    if b.op == "const":
        k = b.value
        if a.op == "const":
            return const(FOLD[op](a.value, k, width), width)
        if k and op[0] == "s" and a.hi <= _full(width) >> 1 and k <= _full(width) >> 1:
            return _divide("u" + op[1:], a, b)
        if k and op[0] == "u" and k & (k - 1) == 0:
            if op == "udiv":
                return _shift("lshr", a, const(k.bit_length() - 1, width))
            return _and(a, const(k - 1, width))
        if k and op == "udiv" and a.hi < k:
            return const(0, width)
        if k and op == "urem" and a.hi < k:
            return a
        if _both_const(a):
            return _through(a, lambda t: _divide(op, t, b))
    hi = _full(width)
    if op == "urem":
        hi = min(a.hi, b.value - 1) if b.op == "const" and b.value else a.hi
    elif op == "udiv" and b.op == "const" and b.value:
        hi = a.hi // b.value
    return _make(op, (a, b), width, hi)


def concat(high: Term, low: Term) -> Term:
    """`high` above `low`; the width is the sum."""
    width = high.width + low.width
    if high.op == "const":
        if low.op == "const":
            return const(high.value << low.width | low.value, width)
        if high.value == 0:
            return _zext(low, width)
    if high.op == "extract" and low.op == "extract" and high.args[0] is low.args[0]:
        if high.value[1] == low.value[0] + 1:
            return _extract(high.args[0], high.value[0], low.value[1])
    return _make("concat", (high, low), width, high.hi << low.width | _full(low.width))


def _extract(a: Term, high: int, low: int) -> Term:
    if not 0 <= low <= high < a.width:
        raise ValueError(f"bits {high}:{low} of {a.width}")
    width = high - low + 1
    if width == a.width:
        return a
    if a.hi >> low == 0:
        return const(0, width)
    op = a.op
    if op == "const":
        return const(a.value >> low, width)
    if op == "extract":
        base = a.value[1]
        return _extract(a.args[0], high + base, low + base)
    if op in ("zext", "sext"):
        inner = a.args[0]
        if high < inner.width:
            return _extract(inner, high, low)
        if op == "zext":  # low is inside: the part above it is covered by the bound
            return _zext(_extract(inner, inner.width - 1, low), width)
        if low < inner.width:
            return _sext(_extract(inner, inner.width - 1, low), width)
    elif op == "concat":
        upper, lower = a.args
        if low >= lower.width:
            return _extract(upper, high - lower.width, low - lower.width)
        if high < lower.width:
            return _extract(lower, high, low)
    elif op in ("and", "or", "xor"):
        if a.args[1].op == "const":
            x, y = _extract(a.args[0], high, low), _extract(a.args[1], high, low)
            return {"and": _and, "or": _or, "xor": _xor}[op](x, y)
        if width == 1 and op != "xor":
            # A bit of a word built from flags: most parts vanish.
            x, y = _extract(a.args[0], high, low), _extract(a.args[1], high, low)
            if x.op == "const" or y.op == "const":
                return (_and if op == "and" else _or)(x, y)
    elif op == "not":
        return _not(_extract(a.args[0], high, low))
    elif op == "lshr" and a.args[1].op == "const":
        k = a.args[1].value
        if high + k < a.width:
            return _extract(a.args[0], high + k, low + k)
    elif op == "shl" and a.args[1].op == "const":
        k = a.args[1].value
        if low >= k:
            return _extract(a.args[0], high - k, low - k)
        if high < k:
            return const(0, width)
    elif op == "ite":
        if any(t.op in ("const", "concat", "zext") for t in a.args[1:]):
            condition, then, orelse = a.args
            return ite(condition, _extract(then, high, low), _extract(orelse, high, low))
    hi = a.hi >> low
    return _make("extract", (a,), width, min(hi, _full(width)), (high, low))


def _zext(a: Term, width: int) -> Term:
    if width <= a.width:
        if width == a.width:
            return a
        raise ValueError(f"extension of {a.width} to {width} bits")
    if a.op == "const":
        return const(a.value, width)
    if a.op == "zext":
        return _zext(a.args[0], width)
    if _has_const_arm(a):
        return _through(a, lambda t: _zext(t, width))
    return _make("zext", (a,), width, a.hi)


def _sext(a: Term, width: int) -> Term:
    if width <= a.width or a.hi <= _full(a.width) >> 1:
        return _zext(a, width)
    if a.op == "const":
        return const(_signed(a.value, a.width), width)
    if a.op == "sext":
        return _sext(a.args[0], width)
    if _has_const_arm(a):
        return _through(a, lambda t: _sext(t, width))
    return _make("sext", (a,), width, _full(width))


# Walking ------------------------------------------------------------------------------------


def _udiv(a: int, b: int, width: int) -> int:
    return a // b if b else _full(width)


def _urem(a: int, b: int, width: int) -> int:
    return a % b if b else a


def _sdiv(a: int, b: int, width: int) -> int:
    x, y = _signed(a, width), _signed(b, width)
    if not y:
        return _full(width) if x >= 0 else 1
    quotient = abs(x) // abs(y)
    return (quotient if (x < 0) == (y < 0) else -quotient) & _full(width)


def _srem(a: int, b: int, width: int) -> int:
    x, y = _signed(a, width), _signed(b, width)
    if not y:
        return a
    rest = abs(x) % abs(y)
    return (-rest if x < 0 else rest) & _full(width)


FOLD: dict[str, Callable[[int, int, int], int]] = {
    "and": lambda a, b, w: a & b,
    "or": lambda a, b, w: a | b,
    "xor": lambda a, b, w: a ^ b,
    "add": lambda a, b, w: (a + b) & _full(w),
    "sub": lambda a, b, w: (a - b) & _full(w),
    "mul": lambda a, b, w: (a * b) & _full(w),
    "shl": lambda a, b, w: (a << b) & _full(w) if b < w else 0,
    "lshr": lambda a, b, w: a >> b,
    "ashr": lambda a, b, w: (_signed(a, w) >> b) & _full(w),
    "udiv": _udiv,
    "urem": _urem,
    "sdiv": _sdiv,
    "srem": _srem,
    "eq": lambda a, b, w: int(a == b),
    "ult": lambda a, b, w: int(a < b),
    "slt": lambda a, b, w: int(_signed(a, w) < _signed(b, w)),
}
"""Binary operators on unsigned numbers of some width."""

_BUILD: dict[str, Callable[[Term, Term], Term]] = {
    "or": _or,
    "xor": _xor,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "eq": equal,
    "ult": _ult,
    "slt": _slt,
    "concat": concat,
}


def reachable(terms: Iterable[Term]) -> list[Term]:
    """Every distinct node, arguments before what is built from them."""
    seen: set[Term] = set()
    stack = list(terms)
    while stack:
        term = stack.pop()
        if term not in seen:
            seen.add(term)
            stack.extend(term.args)
    return sorted(seen, key=_by_id)


def size(terms: Iterable[Term], limit: int | None = None) -> int:
    """Number of distinct nodes; stops counting at `limit`."""
    seen: set[Term] = set()
    stack = list(terms)
    while stack and (limit is None or len(seen) < limit):
        term = stack.pop()
        if term not in seen:
            seen.add(term)
            stack.extend(term.args)
    return len(seen)


def free_vars(terms: Iterable[Term]) -> list[Term]:
    """The variables that the terms depend on, in order of creation."""
    seen: set[Term] = set()
    found: list[Term] = []
    stack = list(terms)
    while stack:
        term = stack.pop()
        if term not in seen:
            seen.add(term)
            if term.args:
                stack.extend(term.args)
            elif term.op == "var":
                found.append(term)
    return sorted(found, key=_by_id)


def rebuild(term: Term, args: Sequence[Term]) -> Term:
    """The operator of `term` applied to other arguments, simplified anew."""
    op = term.op
    if op == "and":
        return _and(args[0], args[1]) if term.width else conj(args)
    if op == "not":
        return ~args[0]
    if op == "ite":
        return ite(args[0], args[1], args[2])
    if op == "extract":
        return _extract(args[0], *term.value)
    if op == "zext":
        return _zext(args[0], term.width)
    if op == "sext":
        return _sext(args[0], term.width)
    if op in _BUILD:
        return _BUILD[op](args[0], args[1])
    if op in ("shl", "lshr", "ashr"):
        return _shift(op, args[0], args[1])
    return _divide(op, args[0], args[1])


def substitute(terms: Sequence[Term], mapping: Mapping[Term, Term]) -> list[Term]:
    """The terms with variables, or other parts, replaced, all at once, and simplified anew."""
    changed: dict[Term, Term] = {}
    for term in reachable(terms):
        if term in mapping:
            changed[term] = mapping[term]
            continue
        args = term.args
        for arg in args:
            if arg in changed:
                changed[term] = rebuild(term, [changed.get(a, a) for a in args])
                break
    return [changed.get(t, t) for t in terms]


def evaluate(terms: Sequence[Term], env: Mapping[str, int]) -> list[int]:
    """Unsigned values (truth values as 0 or 1) under an assignment of variables by name.

    A variable that `env` does not name is 0: a solver leaves out what does not matter.
    """
    values: dict[Term, int] = {}
    for term in reachable(terms):
        op, args, width = term.op, term.args, term.width
        if op == "and":
            if width:
                value = values[args[0]] & values[args[1]]
            else:
                value = int(all(values[arg] for arg in args))
        elif op == "not":
            value = values[args[0]] ^ (_full(width) if width else 1)
        elif op == "ite":
            value = values[args[1]] if values[args[0]] else values[args[2]]
        elif op == "const":
            value = term.value
        elif op == "var":
            value = env.get(term.name or "", 0) & (_full(width) if width else 1)
        elif op == "extract":
            value = values[args[0]] >> term.value[1] & _full(width)
        elif op == "concat":
            value = values[args[0]] << args[1].width | values[args[1]]
        elif op == "zext":
            value = values[args[0]]
        elif op == "sext":
            value = _signed(values[args[0]], args[0].width) & _full(width)
        else:
            value = FOLD[op](values[args[0]], values[args[1]], args[0].width)
        values[term] = value
    return [values[t] for t in terms]
