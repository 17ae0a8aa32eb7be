"""Play whose outcome theory knows, held against the simulated students."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats
from tutor_reference import depths, lanes_of, mastered, play

from curiosity_rl.envs.tutor.world import Tutor


def test_edm2016_under_random_play():
    # model 0 is a chain learnt from its front: each of 100 random exercises is the
    # front skill with chance 1/6 and then learnt with .2, so min(Bin(100, 1/30), 6)
    env = gym.make_vec("tutor-edm2016-v0", 5000)
    world = env.unwrapped.world  # type: ignore[attr-defined]
    state, info = lanes_of(world, 5000)
    assert not info["truth"]["mastery"].any()
    assert np.all(info["truth"]["guess"] == np.float32(0.1))
    assert np.all(info["truth"]["slip"] == np.float32(0.1))
    rng = np.random.default_rng(0)
    _, _, rewards, mastery = play(
        world, state, lambda t: rng.integers(6, size=5000), 100
    )
    known = mastery[-1].sum(1)
    chances = stats.binom.pmf(range(6), 100, 1 / 30)
    chances = np.append(chances, 1 - chances.sum())
    mean = (np.arange(7) * chances).sum()
    spread = np.sqrt((np.arange(7) ** 2 * chances).sum() - mean**2)
    assert abs(known.mean() - mean) < 3 * spread / np.sqrt(5000)
    passed = chances[6]
    error = np.sqrt(passed * (1 - passed) / 5000)
    assert abs(rewards[-1].mean() - passed) < 3 * error
    counts = np.bincount(known, minlength=7)
    assert stats.chisquare(counts, 5000 * chances).pvalue > 1e-3
    # facts/tutor.md 1.5: mean level .554 of 6 and .15 pass, on 500 students
    assert mean / 6 == pytest.approx(0.554, abs=0.02)
    assert passed == pytest.approx(0.15, abs=0.05)


def test_tutor_chain_taught_from_the_front():
    # ten waits for successes of chances T_k within 100 exercises: exact per student
    env = gym.make_vec("tutor-chain-v0", 1500)
    world = env.unwrapped.world  # type: ignore[attr-defined]
    assert (world.params.skills, world.budget) == (10, 100)
    state, info = lanes_of(world, 1500)
    truth = info["truth"]
    assert np.all(truth["goal"])
    assert not truth["mastery"].any()
    depth = depths(truth["parents"])
    chance = np.ones(1500)
    for lane in range(1500):
        after = np.zeros(101)
        after[0] = 1.0  # P(the skills so far took n exercises)
        for rate in truth["learn"][lane].astype(float):
            wait = np.append(0.0, rate * (1 - rate) ** np.arange(100))
            after = np.convolve(after, wait)[:101]
        chance[lane] = after.sum()

    def front(t: int) -> np.ndarray:
        return np.argmin(np.where(mastered(world, state), 99, depth), axis=1)

    _, _, rewards, _ = play(world, state, front, 100)
    assert np.all(rewards[:-1] == 0)
    error = np.sqrt((chance * (1 - chance)).sum())
    assert abs(rewards[-1].sum() - chance.sum()) < 3 * error
    assert chance.mean() > 0.9  # solvable


def test_unready_skills_are_learnt_by_the_leak_alone():
    world = Tutor(curriculum="chain-3", population="textbook", goals=1, distractors=0)
    state, info = lanes_of(world, 4000)
    last = np.argmax(info["truth"]["goal"], axis=1)
    rates = info["truth"]["learn"][np.arange(4000), last].astype(float) * 0.02
    _, _, _, mastery = play(world, state, lambda t: last, 50)
    learnt = mastery[-1][np.arange(4000), last]
    chance = 1 - (1 - rates) ** 50
    error = np.sqrt((chance * (1 - chance)).sum())
    assert abs(learnt.sum() - chance.sum()) < 3 * error
