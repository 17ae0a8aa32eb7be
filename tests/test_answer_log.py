"""Logs of answers: what is read, in which order, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from curiosity_rl.agents.answer_log import Columns, from_answers, read_log

LINES = """user,skill,correct,time,remark
ann,sum,1,3,x
bob,sum,0,9,"a, b"
ann,sum,0,1,

ann,add,1.0,2,y
bob,sum,1,8,z
"""


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "log.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def sequences(path: Path, columns: Columns | None = None) -> dict[tuple[str, str], str]:
    log = read_log(path, columns)
    found = {}
    for s in range(len(log.user)):
        right = log.right[log.starts[s] : log.starts[s + 1]]
        name = (log.skills[log.skill[s]], log.users[log.user[s]])
        found[name] = "".join("01"[int(x)] for x in right)
    assert list(found) == sorted(found)
    return found


def test_lines_stand_in_order(tmp_path: Path):
    path = written(tmp_path, LINES)
    assert sequences(path) == {
        ("add", "ann"): "1",
        ("sum", "ann"): "10",
        ("sum", "bob"): "01",
    }


def test_a_column_of_times_orders_them(tmp_path: Path):
    path = written(tmp_path, LINES)
    assert sequences(path, Columns(time="time")) == {
        ("add", "ann"): "1",
        ("sum", "ann"): "01",
        ("sum", "bob"): "10",
    }


def test_dates_order_them_whatever_their_zone(tmp_path: Path):
    text = (
        "user,skill,correct,time\n"
        "a,s,0,2026-01-01T12:00:00+00:00\n"
        "a,s,1,2026-01-01T12:30:00+02:00\n"
        "a,s,1,2025-12-31\n"
        "a,s,1,2026-01-01 11:59\n"
    )
    path = written(tmp_path, text)
    assert sequences(path, Columns(time="time")) == {("s", "a"): "1110"}


def test_equal_times_keep_the_order_of_lines(tmp_path: Path):
    lines = "".join(f"a,s,{n % 2},5\n" for n in range(40))
    path = written(tmp_path, "user,skill,correct,time\n" + lines)
    assert sequences(path, Columns(time="time")) == {("s", "a"): "01" * 20}


def test_other_names_of_columns_and_a_byte_order_mark(tmp_path: Path):
    path = written(tmp_path, "﻿student;x,kc, ok \nzoë,∑,1\n")
    columns = Columns("student;x", "kc", "ok")
    assert sequences(path, columns) == {("∑", "zoë"): "1"}


def test_part_of_a_log():
    log = from_answers(list("aabab"), list("xyxxy"), np.array([1, 0, 1, 0, 1]))
    part = log.part(log.user == 0)
    assert (part.users, part.skills) == (log.users, log.skills)
    np.testing.assert_array_equal(part.right, [1, 0, 0])
    np.testing.assert_array_equal(part.lengths, [2, 1])
    assert [log.sequences_of(k) for k in (0, 1)] == [(0, 2), (2, 4)]
    assert [part.sequences_of(k) for k in (0, 1)] == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; its first line names the columns"),
        ("user,skill,correct\n", "has no answers: no line follows the first"),
        ("user,correct\na,1\n", "has no column 'skill'; it has user, correct"),
        ("user,skill,skill,correct\n", "has more than one column 'skill'"),
        ("user,skill,correct\na,s,2\n", "line 2: correct is '2'; it is 1 for a right"),
        ("user,skill,correct\na,s,1\na,s,\n", "line 3: correct is ''"),
        ("user,skill,correct\na,s,1\n ,s,1\n", "line 3: user is empty"),
        ("user,skill,correct\na,,1\n", "line 2: skill is empty"),
        ("user,skill,correct\na,s\n", "line 2 has 2 values; the first line names 3"),
        ("user,skill,correct\na,s,1,0\n", "line 2 has 4 values"),
        (b"user,skill,correct\nzo\xeb,s,1\n", "is no text in UTF-8"),
        ("user,skill,correct\n".encode("utf-16"), "is no text in UTF-8"),
        ('user,skill,correct\n"a,s,1\n', "is no CSV file: unexpected end of data"),
        ("user,skill,correct\n" + "a" * 200_000 + ",s,1\n", "is no CSV file: field"),
    ],
)
def test_wrong_files_get_a_sentence(tmp_path: Path, text: str | bytes, sentence: str):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        read_log(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("time", ["", "soon", "nan", "inf", "2026-13-01"])
def test_wrong_times_get_a_sentence(tmp_path: Path, time: str):
    path = written(tmp_path, f"user,skill,correct,time\na,s,1,1\na,s,1,{time}\n")
    sentence = f"line 3: time is {time!r}; it is a number, or a date such as"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_log(path, Columns(time="time"))


def test_files_that_cannot_be_read_get_a_sentence(tmp_path: Path):
    with pytest.raises(ValueError, match=r"cannot read .*none\.csv: No such file"):
        read_log(tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"cannot read .*: Is a directory"):
        read_log(tmp_path)
