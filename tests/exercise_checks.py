"""What every exercise of the arithmetic curriculum must be, by reading its question.

A check parses the numbers of a question, works the answer out anew and asserts what the
skill claims of its questions; nothing here is shared with the generators.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

Check = Callable[[str], object]
CHECKS: dict[str, Check] = {}


def checks(*skills: str) -> Callable[[Check], Check]:
    def enter(check: Check) -> Check:
        CHECKS.update(dict.fromkeys(skills, check))
        return check

    return enter


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def fractions(text: str) -> list[Fraction]:
    return [Fraction(n) for n in re.findall(r"\d+/\d+", text)]


def reads(pattern: str, question: str) -> list[int]:
    """Match a whole question, # for a number; return its numbers."""
    found = re.fullmatch(re.escape(pattern).replace(r"\#", r"(\d+)"), question)
    assert found, question
    return [int(n) for n in found.groups()]


def plus(question: str) -> tuple[int, int]:
    a, b = reads("# + # = ?", question)
    return a, b


def minus(question: str) -> tuple[int, int]:
    a, b = reads("# - # = ?", question)
    return a, b


def times(question: str) -> tuple[int, int]:
    a, b = reads("# × # = ?", question)  # noqa: RUF001
    return a, b


def ones(n: int) -> int:
    return n % 10


@checks("count-objects")
def count_objects(q: str) -> int:
    row = q.partition("?")[2].split()
    assert len(set(row)) == 1
    assert 1 <= len(row) <= 10
    return len(row)


@checks("count-on")
def count_on(q: str) -> int:
    (n,) = reads("Which number comes just after #?", q)
    assert n < 20
    return n + 1


@checks("count-back")
def count_back(q: str) -> int:
    (n,) = reads("Which number comes just before #?", q)
    assert 1 <= n <= 20
    return n - 1


@checks("compare-to-10", "compare-to-100")
def compare(q: str) -> int:
    word = "greater" if "greater" in q else "smaller"
    pair = reads(f"Which number is {word}: # or #?", q)
    assert pair[0] != pair[1]
    assert max(pair) <= 10 or 10 <= min(pair) <= max(pair) < 100
    return max(pair) if word == "greater" else min(pair)


@checks("count-in-steps")
def count_in_steps(q: str) -> int:
    a, b, c = reads("Which number comes next? #, #, #, ?", q)
    assert b - a == c - b
    assert c - b in (2, 5, 10)
    assert a % (c - b) == 0
    return c + (c - b)


@checks("place-value-tens")
def place_value_tens(q: str) -> int:
    if "Which" in q:
        tens, one = reads("Which number has # tens and # ones?", q)
        assert tens < 10 > one
        return 10 * tens + one
    (n,) = numbers(q)
    assert 10 <= n < 100
    return n // 10 if "many tens" in q else n % 10


@checks("place-value-hundreds")
def place_value_hundreds(q: str) -> int:
    if "Which" in q:
        h, t, o = reads("Which number has # hundreds, # tens and # ones?", q)
        return 100 * h + 10 * t + o
    (n,) = numbers(q)
    assert 100 <= n < 1000
    place = {"hundreds": 0, "tens": 1, "ones": 2}[q.split()[3]]
    return int(str(n)[place] + "0" * (2 - place))


@checks("number-line")
def number_line(q: str) -> int:
    start, hops = numbers(q)
    end = start + hops if "right" in q else start - hops
    assert "right" in q or "left" in q
    assert 0 <= end <= 20
    return end


@checks("add-to-10")
def add_to_10(q: str) -> int:
    assert sum(plus(q)) <= 10
    return sum(plus(q))


@checks("bonds-of-10")
def bonds_of_10(q: str) -> int:
    assert re.fullmatch(r"(\d+ \+ \?|\? \+ \d+) = 10", q)
    return 10 - numbers(q)[0]


@checks("add-to-20")
def add_to_20(q: str) -> int:
    one, ten = sorted(plus(q))
    assert 1 <= one < 10 <= ten
    assert ones(one) + ones(ten) < 10
    return one + ten


@checks("add-across-10")
def add_across_10(q: str) -> int:
    assert max(plus(q)) < 10 < sum(plus(q))
    return sum(plus(q))


@checks("double")
def double(q: str) -> int:
    if "+" in q:
        assert len(set(plus(q))) == 1
        return sum(plus(q))
    (n,) = reads("What is double #?", q)
    assert n <= 10
    return 2 * n


@checks("add-tens")
def add_tens(q: str) -> int:
    assert all(ones(n) == 0 < n for n in plus(q))
    assert sum(plus(q)) <= 100
    return sum(plus(q))


@checks("add-2-digits", "add-2-digits-carrying", "add-3-digits-carrying")
def add_digits(q: str) -> int:
    assert len({len(str(n)) for n in (*plus(q), sum(plus(q)))}) == 1
    return sum(plus(q))


@checks("subtract-to-10")
def subtract_to_10(q: str) -> int:
    a, b = minus(q)
    assert b <= a <= 10
    return a - b


@checks("subtract-to-20", "subtract-across-10")
def subtract_to_20(q: str) -> int:
    a, b = minus(q)
    assert b < 10 < a < 20
    return a - b


@checks("subtract-2-digits", "subtract-2-digits-borrowing")
def subtract_digits(q: str) -> int:
    a, b = minus(q)
    assert 10 < b < a < 100
    return a - b


@checks("missing-number")
def missing_number(q: str) -> int:
    left, right = q.split(" = ")
    sign = "+" if "+" in left else "-"
    fits = []
    for n in range(100):
        a, b = left.replace("?", str(n)).split(f" {sign} ")
        value = int(a) + int(b) if sign == "+" else int(a) - int(b)
        if value == int(right):
            fits.append((n, int(a), int(b), value))
    ((n, *parts),) = fits
    assert 10 < max(parts) < 20
    assert sorted(parts)[1] < 10
    return n


CLAIMS: dict[str, Callable[[int, int], bool]] = {
    "compare-to-10": lambda a, b: max(a, b) <= 10,
    "compare-to-100": lambda a, b: min(a, b) >= 10,
    "add-2-digits": lambda a, b: ones(a) + ones(b) < 10 <= min(a, b),
    "add-2-digits-carrying": lambda a, b: ones(a) + ones(b) >= 10 <= min(a, b),
    "add-3-digits-carrying": lambda a, b: ones(a) + ones(b) >= 10 and min(a, b) >= 100,
    "subtract-to-20": lambda a, b: ones(a) >= b,
    "subtract-across-10": lambda a, b: ones(a) < b,
    "subtract-2-digits": lambda a, b: ones(a) >= ones(b) and a // 10 > b // 10,
    "subtract-2-digits-borrowing": lambda a, b: ones(a) < ones(b),
    "times-2-5-10": lambda a, b: bool({a, b} & {2, 5, 10}) and max(a, b) <= 10,
    "times-3-4": lambda a, b: bool({a, b} & {3, 4}) and max(a, b) <= 10,
    "times-6-to-9": lambda a, b: bool({a, b} & {6, 7, 8, 9}) and max(a, b) <= 10,
    "multiply-tens": lambda a, b: min(a, b) < 10 < max(a, b) and ones(max(a, b)) == 0,
    "multiply-2-by-1": lambda a, b: min(a, b) < 10 < max(a, b) and ones(max(a, b)) > 0,
    "multiply-2-by-2": lambda a, b: min(a, b) > 10 and ones(a) > 0 < ones(b),
    "divide-tables": lambda a, b: b >= 3 and a // b <= 10,
    "divide-2-by-1": lambda a, b: a // b > 10 and a < 100,
}
"""What tells skills of the same form apart, by the two numbers of the question."""
