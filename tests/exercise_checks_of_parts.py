"""What exercises on multiplication, division, fractions and in words must be."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from exercise_checks import checks, fractions, numbers, ones, reads, times


@checks("equal-groups")
def equal_groups(q: str) -> int:
    groups, size = numbers(q)
    assert size in (2, 5, 10) or groups == 2
    return sum([size] * groups)


@checks("times-2-5-10", "times-3-4", "times-6-to-9", "multiply-tens")
@checks("multiply-2-by-1", "multiply-2-by-2")
def multiply(q: str) -> int:
    a, b = times(q)
    return sum([a] * b)


@checks("share-equally")
def share_equally(q: str) -> int:
    total, among = numbers(q)[:2]
    assert among in (2, 5, 10)
    assert total % among == 0
    return total // among


@checks("divide-tables", "divide-2-by-1")
def divide(q: str) -> int:
    total, by = reads("# ÷ # = ?", q)
    assert by < 10
    assert total % by == 0
    return total // by


@checks("divide-remainder")
def divide_remainder(q: str) -> str:
    total, by = reads("# ÷ # = ? (write: quotient r remainder)", q)
    assert by < 10
    assert total % by > 0
    assert total // by <= 10
    return f"{total // by} r {total % by}"


@checks("order-of-operations")
def order_of_operations(q: str) -> int:
    term = q.removesuffix(" = ?").replace("×", "*")  # noqa: RUF001
    assert re.fullmatch(r"[\d +*()-]+", term)
    value = eval(term)
    bare = term.replace("(", "").replace(")", "")
    other = eval(bare) if bare != term else eval(f"({bare.replace(' *', ') *')}")
    assert other != value
    return value


@checks("factors")
def factors(q: str) -> str:
    (n,) = numbers(q)
    pairs = {k: n // k for k in range(1, math.isqrt(n) + 1) if n % k == 0}
    return ", ".join(map(str, sorted({*pairs, *pairs.values()})))


@checks("common-factor")
def common_factor(q: str) -> int:
    a, b = reads("What is the greatest common factor of # and #?", q)
    assert a % b
    assert b % a
    assert math.gcd(a, b) > 1
    return math.gcd(a, b)


@checks("common-multiple")
def common_multiple(q: str) -> int:
    a, b = reads("What is the least common multiple of # and #?", q)
    assert a != b
    return next(n for n in range(1, 100) if n % a == n % b == 0)


@checks("fraction-parts")
def fraction_parts(q: str) -> Fraction:
    parts, some_of_them = numbers(q)
    assert math.gcd(parts, some_of_them) == 1
    assert (" is " in q.split("them")[1][:4]) == (some_of_them == 1)
    return Fraction(some_of_them, parts)


@checks("fraction-of-number")
def fraction_of_number(q: str) -> Fraction:
    a, b, n = reads("What is #/# of #?", q)
    assert a < b
    assert n % b == 0
    return Fraction(a, b) * n


@checks("fraction-compare-like")
def fraction_compare_like(q: str) -> str:
    a, b, c, d = reads("Which fraction is greater: #/# or #/#?", q)
    assert b == d
    assert a != c
    return f"{max(a, c)}/{b}"


@checks("fraction-equivalent")
def fraction_equivalent(q: str) -> Fraction:
    a, b, d = reads("Which number goes in the gap? #/# = ?/#", q)
    assert d > b
    assert d % b == 0
    return Fraction(a, b) * d


@checks("fraction-simplify")
def fraction_simplify(q: str) -> Fraction:
    a, b = reads("Write #/# in lowest terms.", q)
    assert math.gcd(a, b) > 1
    return Fraction(a, b)


@checks("fraction-compare-unlike")
def fraction_compare_unlike(q: str) -> Fraction:
    a, b = fractions(q)
    assert a != b
    assert numbers(q)[1] != numbers(q)[3]
    return max(a, b)


@checks("fraction-add-like", "fraction-subtract-like")
def fraction_like(q: str) -> str:
    sign = "+" if "+" in q else "-"
    a, b, c, d = reads(f"#/# {sign} #/# = ?", q)
    total = a + c if sign == "+" else a - c
    assert b == d
    assert 0 < total < b
    assert math.gcd(total, b) == 1
    return f"{total}/{b}"


@checks("fraction-add-unlike")
def fraction_add_unlike(q: str) -> Fraction:
    a, b, c, d = reads("#/# + #/# = ? (in lowest terms)", q)
    assert b != d
    assert Fraction(a, b) + Fraction(c, d) < 1
    return Fraction(a * d + c * b, b * d)


@checks("mixed-to-improper")
def mixed_to_improper(q: str) -> Fraction:
    whole, a, b = reads("Write # #/# as a fraction.", q)
    assert a < b
    return whole + Fraction(a, b)


@checks("improper-to-mixed")
def improper_to_mixed(q: str) -> str:
    a, b = reads("Write #/# as a mixed number.", q)
    assert a > b > 1
    return mixed(Fraction(a, b))


@checks("fraction-multiply")
def fraction_multiply(q: str) -> Fraction:
    a, b, c, d = reads("#/# × #/# = ? (in lowest terms)", q)  # noqa: RUF001
    assert a < b
    assert c < d
    return Fraction(a * c, b * d)


@checks("add-mixed")
def add_mixed(q: str) -> str:
    pattern = "# #/# + # #/# = ? (a mixed number in lowest terms)"
    m, a, b, n, c, d = reads(pattern, q)
    assert b != d
    assert Fraction(a, b) + Fraction(c, d) > 1
    return mixed(m + n + Fraction(a, b) + Fraction(c, d))


def mixed(value: Fraction) -> str:
    whole, rest = divmod(value, 1)
    return f"{whole} {rest}"


@checks("story-add")
def story_add(q: str) -> int:
    a, b = numbers(q)
    assert max(a, b) < 10 < a + b
    return a + b


@checks("story-subtract")
def story_subtract(q: str) -> int:
    a, b = numbers(q)
    assert ones(a) < b < 10 < a < 20
    return a - b


@checks("story-compare")
def story_compare(q: str) -> int:
    red, blue = numbers(q)
    assert ("more are" in q) == (red > blue)
    assert ("fewer are" in q) == (red < blue)
    assert min(red, blue) < 10 < max(red, blue)
    assert ones(max(red, blue)) < min(red, blue)
    return abs(red - blue)


@checks("story-two-steps")
def story_two_steps(q: str) -> int:
    now, *steps = numbers(q)
    signs = [1 if step == "on" else -1 for step in re.findall(r"get (on|off)", q)]
    assert sorted(signs) == [-1, 1]
    for sign, step in zip(signs, steps, strict=True):
        now += sign * step
        assert 0 < now <= 18
    return now


@checks("story-multiply")
def story_multiply(q: str) -> int:
    many, each = numbers(q)
    assert 2 <= each <= 5
    return sum([each] * many)


@checks("story-divide")
def story_divide(q: str) -> int:
    total, by = numbers(q)
    assert total % by == 0
    return total // by


@checks("story-remainder")
def story_remainder(q: str) -> int:
    total, size = numbers(q)
    assert total % size
    if "all can go" in q:
        return -(-total // size)
    return total % size if "left" in q else total // size


@checks("story-fraction")
def story_fraction(q: str) -> Fraction:
    length, a, b = numbers(q)
    assert length % b == 0
    return length - Fraction(a, b) * length
