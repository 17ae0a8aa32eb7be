"""Progress of the pupil: golden numbers, a slow reference, and the coin-flip test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_batches import batch_of, column, rows

from curiosity_rl.protocols import IntrinsicReward, Transitions
from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.progress import BeliefProgress, SkillProgress

KINDS = ["positive", "absolute", "signed", "beta"]


def answers(region: np.ndarray, outcome: np.ndarray) -> dict[str, np.ndarray]:
    return {"activity": region.astype(np.int64), "outcome": outcome.astype(np.int8)}


def random_answers(
    seed: int, steps: int, lanes: int, regions: int, end: float = 0.1
) -> Transitions:
    rng = np.random.default_rng(seed)
    info = answers(
        rng.integers(regions, size=(steps, lanes)),
        rng.integers(2, size=(steps, lanes)),
    )
    return batch_of(info, rng.random((steps, lanes)) < end)


def slow_progress(batch: Transitions, kind: str, h: int, z: float) -> np.ndarray:
    """The formulas of the docstring, with plain lists of all answers."""
    steps, lanes = batch.shape
    out = np.zeros((steps, lanes))
    for i in range(lanes):
        seen: dict[int, list[float]] = {}
        for t in range(steps):
            past = seen.setdefault(int(batch.info["activity"][t, i]), [])
            past.append(float(batch.info["outcome"][t, i]))
            if len(past) >= 2 * h:
                new, old = sum(past[-h:]), sum(past[-2 * h : -h])
                d = (new - old) / h
                if kind == "beta":
                    a, b = (1 + new) / (2 + h), (1 + old) / (2 + h)
                    sd = ((a * (1 - a) + b * (1 - b)) / (3 + h)) ** 0.5
                    out[t, i] = np.sign(a - b) * max(0.0, abs(a - b) - z * sd)
                else:
                    out[t, i] = {
                        "positive": max(d, 0.0),
                        "absolute": abs(d),
                        "signed": d,
                    }[kind]
            if batch.done[t, i]:
                seen = {}
    return out


def test_skill_progress_golden():
    # one region, h = 2, answers 0 0 1 1 0 0: means of (old, new) from the 4th attempt:
    # (0, 1), (.5, .5), (1, 0)
    batch = batch_of(answers(column(*[0] * 6), column(0, 0, 1, 1, 0, 0)))
    expected = {
        "signed": [0, 0, 0, 1, 0, -1],
        "positive": [0, 0, 0, 1, 0, 0],
        "absolute": [0, 0, 0, 1, 0, 1],
    }
    for kind, numbers in expected.items():
        paid = SkillProgress(kind=kind).compute(batch)  # type: ignore[arg-type]
        assert paid.dtype == np.float32
        np.testing.assert_array_equal(paid[:, 0], numbers)


def test_beta_golden():
    # h = 4, 0 of 4 then 4 of 4: Beta(1, 5) and Beta(5, 1), means 1/6 and 5/6, each
    # variance (5/36)/7: 2/3 - sqrt(2 * 5/252) = .4674619
    batch = batch_of(answers(column(*[0] * 8), column(0, 0, 0, 0, 1, 1, 1, 1)))
    paid = SkillProgress(kind="beta").compute(batch)[:, 0]
    np.testing.assert_array_equal(paid[:7], 0)
    assert paid[7] == pytest.approx(0.4674619, abs=1e-6)
    # forgetting costs what learning earns
    back = batch_of(answers(column(*[0] * 8), column(1, 1, 1, 1, 0, 0, 0, 0)))
    lost = SkillProgress(kind="beta").compute(back)[:, 0]
    np.testing.assert_array_equal(lost, -paid)
    # a step of one success in four (d = 1/6) is within one deviation of noise
    small = batch_of(answers(column(*[0] * 8), column(1, 0, 1, 0, 1, 1, 0, 1)))
    assert SkillProgress(kind="beta").compute(small)[7, 0] == 0
    assert SkillProgress(kind="beta", z=0).compute(small)[7, 0] == pytest.approx(1 / 6)


@pytest.mark.parametrize("cut", [False, True])
def test_memory_ends_exactly_with_the_episode(cut: bool):
    region, outcome = column(*[0] * 8), column(0, 0, 1, 1, 0, 0, 1, 1)
    done = column(0, 0, 0, 1, 0, 0, 0, 0).astype(bool)
    paid = SkillProgress().compute(batch_of(answers(region, outcome), done, cut))
    # the last answer of the first episode is paid; the second starts from nothing
    np.testing.assert_array_equal(paid[:, 0], [0, 0, 0, 1, 0, 0, 0, 1])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    window=st.integers(1, 5),
    z=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    lanes=st.integers(1, 4),
    cut=st.integers(0, 60),
)
def test_agrees_with_a_slow_reference_however_it_is_cut(
    seed, kind, window, z, lanes, cut
):
    batch = random_answers(seed, 60, lanes, 3, end=0.03)
    reward = SkillProgress(kind=kind, window=window, z=z)
    parts = [reward.compute(rows(batch, a, b)) for a, b in ((0, cut), (cut, 60))]
    expected = slow_progress(batch, kind, window, z)
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_at_a_time_is_the_rollout(kind):
    batch = random_answers(3, 120, 4, 3)
    whole = SkillProgress(kind=kind).compute(batch)
    stepwise = SkillProgress(kind=kind)
    steps = []
    for t in range(120):
        step = rows(batch, t, t + 1)
        steps.append(stepwise.compute(step))
        stepwise.update(step)
    np.testing.assert_array_equal(np.concatenate(steps), whole)
    assert np.any(whole != 0)


def test_lanes_do_not_meet():
    batch = random_answers(5, 80, 3, 2)
    together = SkillProgress().compute(batch)
    for i in range(3):
        info = {k: v[:, i : i + 1] for k, v in batch.info.items()}
        alone = SkillProgress().compute(batch_of(info, batch.done[:, i : i + 1]))
        np.testing.assert_array_equal(alone[:, 0], together[:, i])


def test_resume_in_the_middle_of_an_episode():
    batch = random_answers(7, 90, 2, 4, end=0.01)
    stopped = SkillProgress(kind="beta", window=2)
    assert SkillProgress().state_dict() == {}
    stopped.compute(rows(batch, 0, 41))
    state = stopped.state_dict()
    rest = stopped.compute(rows(batch, 41, 90))
    resumed = SkillProgress(kind="beta", window=2)
    resumed.load_state_dict(state)
    np.testing.assert_array_equal(resumed.compute(rows(batch, 41, 90)), rest)
    fresh = SkillProgress(kind="beta", window=2).compute(rows(batch, 41, 90))
    assert np.any(fresh != rest)


def totals(probability: np.ndarray, lanes: int = 400) -> dict[str, float]:
    """Mean sum of every kind over answers to one activity, right with `p_t`."""
    rng = np.random.default_rng(11)
    steps = len(probability)
    right = rng.random((steps, lanes)) < probability[:, None]
    batch = batch_of(answers(np.zeros((steps, lanes)), right))
    return {
        kind: float(SkillProgress(kind=kind).compute(batch).sum(0).mean())  # type: ignore[arg-type]
        for kind in KINDS
    }


def test_only_positive_and_absolute_pay_coin_flips():
    # facts of the calibration, 180 flips: 33.3 and 66 (177 * 3/16 and twice that)
    coin = totals(np.full(180, 0.5))
    assert coin["positive"] == pytest.approx(177 * 3 / 16, rel=0.03)
    assert coin["absolute"] == pytest.approx(177 * 3 / 8, rel=0.03)
    assert abs(coin["signed"]) < 0.15
    assert abs(coin["beta"]) < 0.02 * coin["positive"]
    # a skill learnt after 20 tries, guess = slip = .2: the honest kinds pay that, the
    # others prefer the coin
    learnt = totals(np.r_[np.full(20, 0.2), np.full(160, 0.8)])
    assert learnt["signed"] == pytest.approx(2 * 0.6, abs=0.15)  # h times the change
    assert learnt["beta"] > 0.5
    assert learnt["beta"] > 5 * abs(coin["beta"])
    assert learnt["positive"] < coin["positive"]
    assert learnt["absolute"] < coin["absolute"]


def test_signed_telescopes():
    # h * sum = recent means minus the first: bounded by h, however long it goes on
    batch = random_answers(13, 2000, 8, 1, end=0)
    total = SkillProgress(window=3).compute(batch).sum(0)
    assert np.all(np.abs(total) <= 3)


def test_mask_pays_only_the_kept_but_remembers_all():
    info = answers(column(1, 1, 1, 1, 0, 0, 0, 0), column(0, 0, 1, 1, 0, 0, 1, 1))
    info["needed"] = np.tile([False, True], (8, 1, 1))
    info["goal"] = np.tile([True, False], (8, 1, 1))
    batch = batch_of(info)
    needed = SkillProgress(mask="needed").compute(batch)[:, 0]
    np.testing.assert_array_equal(needed, [0, 0, 0, 1, 0, 0, 0, 0])
    goal = SkillProgress(mask="goal").compute(batch)[:, 0]
    np.testing.assert_array_equal(goal, [0, 0, 0, 0, 0, 0, 0, 1])


def test_other_keys_and_no_regions():
    info = {
        "room": column(5, 5, 5, 5).astype(np.int32),
        "score": column(-1.0, 0.0, 2.0, 3.0),
    }
    reward = SkillProgress(region="room", signal="score")
    assert reward.compute(batch_of(info))[3, 0] == 3.0
    batch = batch_of(answers(column(0, 1, 2, 3), column(0, 0, 1, 1)))
    assert SkillProgress().compute(batch)[3, 0] == 0
    assert SkillProgress(region=None).compute(batch)[3, 0] == 1


def test_regions_grow_as_needed():
    reward = SkillProgress()
    first = batch_of(answers(column(0, 0, 0), column(0, 0, 1)))
    reward.compute(first)
    second = batch_of(answers(column(9, 0), column(1, 1)))
    np.testing.assert_array_equal(reward.compute(second)[:, 0], [0, 1])


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"kind": "negative"}, "negative.*positive, absolute, signed, beta"),
        ({"window": 0}, "window is 0.*at least 1"),
        ({"z": -1}, "z is -1"),
        ({"mask": "all"}, "mask is 'all'.*none, needed, goal"),
        ({"mask": "goal", "region": None}, "needs regions"),
    ],
)
def test_refused_settings(settings_, words):
    with pytest.raises(ValueError, match=words):
        SkillProgress(**settings_)


def test_refused_batches():
    good = answers(column(0, 0), column(0, 1))
    with pytest.raises(ValueError, match=r"no 'outcome' .it has activity"):
        SkillProgress().compute(batch_of({"activity": good["activity"]}))
    with pytest.raises(ValueError, match="does not show the graph"):
        SkillProgress(mask="needed").compute(batch_of(good))
    with pytest.raises(ValueError, match="numbered from 0"):
        SkillProgress().compute(batch_of(answers(column(-1), column(1))))
    with pytest.raises(ValueError, match="one integer per transition"):
        SkillProgress(region="outcome", signal="outcome").compute(
            batch_of({"outcome": column(0.5, 1.0)})
        )
    with pytest.raises(ValueError, match="must lie in"):
        SkillProgress(kind="beta").compute(
            batch_of({"activity": good["activity"], "outcome": column(0, 1.5)})
        )
    reward = SkillProgress()
    reward.compute(batch_of(good))
    with pytest.raises(ValueError, match="remembers 1 lanes and was given 2"):
        reward.compute(random_answers(0, 3, 2, 1))


def beliefs() -> dict[str, np.ndarray]:
    """Two steps, one lane, three skills; the second step undoes half of the first."""
    before = np.array([[[0.1, 0.5, 0.9]], [[0.3, 0.5, 0.8]]], np.float32)
    after = np.array([[[0.3, 0.5, 0.8]], [[0.2, 0.5, 0.8]]], np.float32)
    return {"belief_before": before, "belief": after}


def test_belief_progress_golden():
    info = beliefs()
    paid = BeliefProgress().compute(batch_of(info))
    assert paid.dtype == np.float32
    np.testing.assert_allclose(paid[:, 0], [0.1, -0.1], atol=1e-6)
    info["needed"] = np.tile([True, True, False], (2, 1, 1))
    info["goal"] = np.tile([0, 0, 1], (2, 1, 1))
    needed = BeliefProgress(mask="needed").compute(batch_of(info))
    np.testing.assert_allclose(needed[:, 0], [0.2, -0.1], atol=1e-6)
    goal = BeliefProgress(mask="goal").compute(batch_of(info))
    np.testing.assert_allclose(goal[:, 0], [-0.1, 0.0], atol=1e-6)


def test_belief_progress_of_the_exam_golden():
    before = np.array([[[0.5, 0.4, 0.9]]], np.float32)
    after = np.array([[[0.5, 0.6, 0.8]]], np.float32)
    goal = np.array([[[True, True, False]]])
    batch = batch_of({"belief_before": before, "belief": after, "goal": goal})
    bonus = BeliefProgress(mask="goal", potential="product").compute(batch)
    assert bonus[0, 0] == pytest.approx(0.5 * 0.6 - 0.5 * 0.4)
    everything = BeliefProgress(potential="product").compute(batch)
    assert everything[0, 0] == pytest.approx(0.5 * 0.6 * 0.8 - 0.5 * 0.4 * 0.9)


def test_belief_progress_in_log_odds_golden():
    # odds(.985) = 4.1846, odds(.1) = -2.1972, odds(.5) = 0; .99 is clipped to .985.
    before = np.array([[[0.05, 0.5, 0.5]]], np.float32)
    after = np.array([[[0.5, 0.99, 0.9]]], np.float32)
    needed = np.array([[[True, True, False]]])
    batch = batch_of({"belief_before": before, "belief": after, "needed": needed})
    bonus = BeliefProgress(mask="needed", potential="log-odds").compute(batch)
    assert bonus.dtype == np.float32
    assert bonus[0, 0] == pytest.approx((2.1972 + 4.1846) / 6.3818, abs=1e-4)


def test_belief_progress_telescopes():
    path = np.random.default_rng(2).random((101, 4, 6)).astype(np.float32)
    batch = batch_of({"belief_before": path[:-1], "belief": path[1:]})
    total = BeliefProgress().compute(batch).sum(0)
    np.testing.assert_allclose(total, (path[-1] - path[0]).sum(-1), atol=1e-4)
    steps = [BeliefProgress().compute(rows(batch, t, t + 1)) for t in range(100)]
    np.testing.assert_array_equal(
        np.concatenate(steps), BeliefProgress().compute(batch)
    )


def test_belief_progress_refuses():
    with pytest.raises(ValueError, match="does not show the graph"):
        BeliefProgress(mask="needed").compute(batch_of(beliefs()))
    with pytest.raises(ValueError, match="no 'belief'"):
        BeliefProgress().compute(batch_of(answers(column(0), column(1))))
    with pytest.raises(ValueError, match="mask is 'goals'"):
        BeliefProgress(mask="goals")  # type: ignore[arg-type]


def test_stateless_rewards_have_empty_state():
    reward = BeliefProgress()
    batch = batch_of(beliefs())
    reward.update(batch)
    assert reward.state_dict() == {}
    reward.load_state_dict({})
    assert isinstance(reward, IntrinsicReward)
    assert isinstance(make_reward("skill-progress", kind="beta"), SkillProgress)
