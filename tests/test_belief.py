"""The tutor's belief filter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tutor_reference import bkt

from curiosity_rl import belief
from curiosity_rl.belief import answer_probability, trace, trace_parent


def test_parameters():
    # design.md section 7: the one belief's population parameters
    assert (belief.LEARN, belief.GUESS, belief.SLIP) == (0.13, 0.20, 0.20)
    assert (belief.PRIOR, belief.JOINT_PRIOR, belief.HIDDEN_GATE) == (0.30, 0.15, 0.5)


def test_golden_trace():
    # right: .3*.8 / (.3*.8 + .7*.2) = .24/.38 = .631579; + .368421*.13 = .679474
    assert trace(0.3, True, 1.0) == pytest.approx(0.6794737, abs=1e-7)
    # wrong: .3*.2 / (.06 + .7*.8) = .06/.62 = .096774; + .903226*.13 = .214194
    assert trace(0.3, False, 1.0) == pytest.approx(0.2141935, abs=1e-7)
    # half open gate: .096774 + .903226*.065 = .155484
    assert trace(0.3, False, 0.5) == pytest.approx(0.1554839, abs=1e-7)
    # closed gate: Bayes' rule alone
    assert trace(0.3, True, 0.0) == pytest.approx(0.24 / 0.38, abs=1e-12)
    assert trace(0.0, True, 0.0) == 0.0


def test_golden_answer_probability():
    assert answer_probability(0.3, True) == pytest.approx(0.3 * 0.8 + 0.7 * 0.2)
    assert answer_probability(0.3, False) == pytest.approx(0.3 * 0.2 + 0.7 * 0.8)


def test_golden_trace_parent():
    # child .15, wrong: Z = .15*.2 + .85*.8 = .71; parent .4:
    # .4*.71 / (.4*.71 + .6*.8) = .284/.764 = .371728
    z = answer_probability(0.15, False)
    assert z == pytest.approx(0.71)
    child = trace(0.15, False, 0.4)
    assert trace_parent(0.4, z, False, child) == pytest.approx(0.3717277, abs=1e-7)
    # right: Z = .15*.8 + .85*.2 = .29; .4*.29 / (.116 + .6*.2) = .116/.236 = .491525;
    # the child's .12/.29 + .17/.29*.13*.4 = .444276 is lower, so the evidence stays
    z = answer_probability(0.15, True)
    child = trace(0.15, True, 0.4)
    assert child == pytest.approx(0.4442759, abs=1e-7)
    assert trace_parent(0.4, z, True, child) == pytest.approx(0.4915254, abs=1e-7)
    # a parent is known at least as surely as its child
    assert trace_parent(0.1, z, True, child) == child


@pytest.mark.parametrize("answers", list(itertools.product([True, False], repeat=5)))
@pytest.mark.parametrize("gate", [0.0, 0.5, 1.0])
def test_trace_is_bayes_rule_by_enumeration(answers: tuple[bool, ...], gate: float):
    # all paths of the two-state chain: known from step s on (s = 5: never)
    learn = belief.LEARN * gate
    joint = {}
    for start in range(len(answers) + 2):
        # start 0: known at first; s: learnt after exercise s; the last: never learnt
        if start == 0:
            weight = 0.3
        elif start <= len(answers):
            weight = 0.7 * (1 - learn) ** (start - 1) * learn
        else:
            weight = 0.7 * (1 - learn) ** len(answers)
        for t, right in enumerate(answers, start=1):
            known = start < t
            weight *= (
                (1 - belief.SLIP if known else belief.GUESS)
                if right
                else (belief.SLIP if known else 1 - belief.GUESS)
            )
        joint[start] = weight
    expected = 1 - joint[len(answers) + 1] / sum(joint.values())
    b = 0.3
    for right in answers:
        b = trace(b, right, gate)
    assert b == pytest.approx(expected, abs=1e-12)
    b = 0.3
    for right in answers:
        b = bkt(b, right, gate)  # the tests' own reference agrees
    assert b == pytest.approx(expected, abs=1e-12)


def test_no_belief_is_beyond_doubt():
    # stored as float32, as the record does; a parent is read off its children alone
    b = parent = np.float32(0.3)
    for _ in range(100):
        z = answer_probability(b, True)
        child = trace(b, True, 1.0)
        parent = np.float32(trace_parent(parent, z, True, child))
        b = np.float32(child)
    assert 0.999 < b < 1
    assert 0.999 < parent < 1
    for _ in range(20):
        z = answer_probability(b, False)
        child = trace(b, False, 1.0)
        parent = np.float32(trace_parent(parent, z, False, child))
        b = np.float32(child)
    assert b < 0.2
    assert parent < 0.95


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("parent", [0.2, 0.5, 0.9])
def test_trace_parent_is_bayes_rule_by_enumeration(right: bool, parent: float):
    # a known parent leaves the child known with chance b; an unknown one, unknown
    b = 0.15
    says = {known: 0.8 if known == right else 0.2 for known in (True, False)}
    weights = {
        (True, True): parent * b * says[True],
        (True, False): parent * (1 - b) * says[False],
        (False, False): (1 - parent) * says[False],
    }
    exact = (weights[True, True] + weights[True, False]) / sum(weights.values())
    z = answer_probability(b, right)
    assert trace_parent(parent, z, right, 0.0) == pytest.approx(exact, abs=1e-12)
