"""The tutor's record, and the firewall between it and the truth."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tutor_reference import Record, lanes_of

from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.adapters.transitions import TransitionRecorder
from curiosity_rl.envs.tutor import state as st
from curiosity_rl.envs.tutor.world import Tutor
from curiosity_rl.rewards import make_reward

# 80 skills in two words, up to 3 parents, many links across the words
WIDE = {
    f"s{n}": [f"s{m}" for m in sorted({n // 2, n - 1, n - 33}) if 0 <= m < n][: n % 4]
    for n in range(80)
}
WORLDS: dict[str, dict[str, Any]] = {
    "true": {},
    "noisy": {"graph_shown": "noisy", "graph_noise": 0.5},
    "none": {"graph_shown": "none"},
    "two words, three parents": {"curriculum": WIDE, "min_unknown": 1, "goals": 3},
    "two words, noisy": {
        "curriculum": WIDE,
        "min_unknown": 1,
        "graph_shown": "noisy",
        "graph_noise": 0.5,
    },
    "two words, none": {"curriculum": "layered-70", "graph_shown": "none"},
    "chain": {"curriculum": "chain-5", "distractors": 0},
}
NAMES = [
    "attempts",
    "last_1",
    "last_2",
    "last_3",
    "last_4",
    "streak",
    "recency",
    "success_fast",
    "success_slow",
    "goal",
    "belief",
    "needed",
    "root",
    "parents_belief",
    "parents_success",
    "joint_belief",
    "parents_joint_belief",
    "child_stuck",
    "parent_1",
    "parent_2",
    "parent_3",
]
BONUSES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("belief-progress", {}),
    ("belief-progress", {"mask": "goal", "potential": "product"}),
    ("belief-gain", {}),
    ("skill-progress", {}),
    ("skill-progress", {"kind": "beta"}),
    ("count", {}),
)


def shown_parents(world: Tutor, state: Any, lane: int) -> list[list[int]] | None:
    """The graph as shown; None where there is none."""
    if world.params.graph == st.NONE:
        return None
    return [[int(p) for p in row if p >= 0] for row in state.shown[lane]]


def reference(world: Tutor, state: Any, info: dict[str, Any], lane: int) -> Record:
    return Record(
        np.flatnonzero(info["goal"][lane]).tolist(),
        world.layout.activities,
        world.budget,
        shown_parents(world, state, lane),
        world.curriculum.max_parents,
    )


def compare(world: Tutor, obs: np.ndarray, record: Record) -> None:
    blocks, left = world.layout.split(obs)
    expected = record.features()
    assert tuple(expected) == world.layout.features
    for c, (name, column) in enumerate(expected.items()):
        np.testing.assert_allclose(blocks[:, c], column, atol=2e-5, err_msg=name)
    assert left == pytest.approx(1 - len(record.history) / record.budget, abs=1e-6)


@pytest.mark.parametrize("name", WORLDS)
@given(seed=some.integers(0, 2**32), favourites=some.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_every_feature_equals_the_reference(name: str, seed: int, favourites: int):
    world = Tutor(budget=60, **WORLDS[name])
    state, info = lanes_of(world, 2, seed)
    records = [reference(world, state, info, lane) for lane in range(2)]
    rng = np.random.default_rng(seed)
    few = rng.permutation(world.layout.activities)[:favourites]
    if records[0].shown:  # skills that share links tell more
        linked = [j for k in few for j in (k, *records[0].parents[k])]
        few = np.array(linked)[: 2 * favourites]
    out = np.empty((2, world.layout.size), np.float32)
    world.observe(state, np.arange(2), out)
    for lane in range(2):
        compare(world, out[lane], records[lane])
    for t in range(1, 61):
        actions = rng.choice(few, 2)
        before = [list(r.joint if r.shown else r.belief) for r in records]
        world.step(state, actions, out)
        step = world.step_info(state)
        np.testing.assert_array_equal(step["activity"], actions)
        for lane, record in enumerate(records):
            record.note(int(actions[lane]), bool(step["outcome"][lane]))
            after = record.joint if record.shown else record.belief
            np.testing.assert_allclose(step["belief_before"][lane], before[lane], 1e-5)
            np.testing.assert_allclose(step["belief"][lane], after, rtol=1e-5)
            assert set(np.flatnonzero(step["goal"][lane])) == record.goals
            assert ("needed" in step) == record.shown
            if record.shown:
                assert set(np.flatnonzero(step["needed"][lane])) == record.needed()
            if t % 7 == 0 or t == 60:
                compare(world, out[lane], record)
    # what is written at a step equals what is looked up later
    again = np.empty_like(out)
    world.observe(state, np.arange(2), again)
    np.testing.assert_array_equal(again, out)


def test_names_and_order_of_the_features():
    assert list(Tutor().layout.features) == NAMES[:-1]
    assert list(Tutor(curriculum=WIDE, min_unknown=1).layout.features) == NAMES
    assert list(Tutor(graph_shown="none").layout.features) == NAMES[:11]
    without = [name for name in NAMES[:-1] if "belief" not in name]
    assert len(without) == len(NAMES) - 5
    assert list(Tutor(belief=False).layout.features) == without
    blind = Tutor(belief=False, graph_shown="none")
    assert list(blind.layout.features) == NAMES[:10]


@pytest.mark.parametrize("shown", ["true", "none", "noisy"])
def test_without_beliefs_the_other_features_stay(shown: Any):
    worlds = [Tutor(belief=b, graph_shown=shown, budget=50) for b in (True, False)]
    states = [lanes_of(world, 4)[0] for world in worlds]
    outs = [np.empty((4, world.layout.size), np.float32) for world in worlds]
    rng = np.random.default_rng(0)
    for _ in range(50):
        actions = rng.integers(16, size=4)
        for world, state, out in zip(worlds, states, outs, strict=True):
            world.step(state, actions, out)
        for name in worlds[1].layout.features:
            np.testing.assert_array_equal(
                worlds[0].layout.column(outs[0], name),
                worlds[1].layout.column(outs[1], name),
            )
        np.testing.assert_array_equal(outs[0][:, -1], outs[1][:, -1])
    # the tutor's belief in info is the bonus's, and stays
    for key in ("belief", "belief_before"):
        np.testing.assert_array_equal(
            worlds[0].step_info(states[0])[key], worlds[1].step_info(states[1])[key]
        )


def test_a_new_student_starts_a_new_record():
    world = Tutor(budget=20)
    state, _ = lanes_of(world, 3)
    out = np.empty((3, world.layout.size), np.float32)
    for t in range(20):
        world.step(state, np.full(3, t % 16), out)
    world.reset(state, np.array([1]))
    kept = out.copy()
    info = world.reset_info(state, np.array([1]))
    world.observe(state, np.array([1]), out)
    record = Record(
        np.flatnonzero(info["goal"][0]).tolist(),
        16,
        20,
        shown_parents(world, state, 1),
    )
    compare(world, out[1], record)
    np.testing.assert_array_equal(out[[0, 2]], kept[[0, 2]])


class Journey:
    """Everything that a tutor, a bonus or an agent may see on one journey."""

    def __init__(self, budget: int, tamper: Any, **settings: Any):
        # with guess = 1 - slip = .5 no answer depends on what is known
        env: Any = gym.make_vec("tutor-v0", 6, budget=budget, **settings)
        adapter = VectorEnvAdapter(env, seed=3)
        recorder = TransitionRecorder(adapter)
        first: Any = recorder.reset()
        lanes = env.unwrapped._lanes
        tamper(lanes.state)
        lanes.state.guess[:] = 0.5
        lanes.state.slip[:] = 0.5
        rng = np.random.default_rng(0)
        activities = env.unwrapped.layout.activities
        self.seen: list[dict[str, np.ndarray]] = []
        self.infos: list[dict[str, Any]] = [adapter.reset_info]
        self.mastery: list[np.ndarray] = []
        for step in range(1, budget + 1):  # up to the exam and the next student
            _, _, done, _ = recorder.step(rng.integers(activities, size=6))
            assert np.all(done == (step == budget))
            self.seen.append(dict(adapter.transition_info))
            info = env.unwrapped.world.step_info(lanes.state)
            truth = info.pop("truth")
            self.infos.append(info)
            if step < budget:
                self.mastery.append(truth["mastery"])
        batch = recorder.drain()
        self.obs = np.concatenate([first[None], batch.next_obs])
        self.batch = batch
        self.env = env

    def bonuses(self) -> list[np.ndarray]:
        paid = []
        for name, kwargs in BONUSES:
            reward: Any = make_reward(name, **kwargs)
            if hasattr(reward, "setup"):
                space = self.env.single_observation_space
                reward.setup(space, self.env.single_action_space, 0)
            total = reward.compute(self.batch)
            reward.update(self.batch)
            paid.append(np.stack([total, reward.compute(self.batch)]))
        return paid


def leave(state: Any) -> None:
    pass


def rewrite_the_truth(state: Any) -> None:
    """Another graph, other knowledge and parameters, in place."""
    rng = np.random.default_rng(1)
    lanes, activities, columns = state.parents.shape
    for lane in range(lanes):
        order = rng.permutation(activities)
        state.parents[lane] = -1
        for n, k in enumerate(order[1:], start=1):
            count = min(n, int(rng.integers(0, columns + 1)))
            state.parents[lane, k, :count] = rng.permutation(order[:n])[:count]
    for name in ("mastery", "needed", "distractor"):
        mask = getattr(state, name)
        mask[:] = rng.integers(2**16, size=mask.shape)
    state.learn[:] = rng.random(state.learn.shape)
    state.boost[:] = rng.random(state.boost.shape)
    state.start[:] = rng.integers(9, size=state.start.shape)


def assert_same_to_the_tutor(one: Journey, other: Journey) -> None:
    np.testing.assert_array_equal(one.obs, other.obs)
    assert one.seen[0].keys() == other.seen[0].keys()
    assert {"activity", "outcome", "belief", "belief_before", "goal"} <= one.seen[
        0
    ].keys()
    assert "truth" not in one.batch.info
    for mine, theirs in zip(one.seen, other.seen, strict=True):
        assert "truth" not in mine
        for key in mine:
            np.testing.assert_array_equal(mine[key], theirs[key], err_msg=key)
    for mine, theirs in zip(one.infos, other.infos, strict=True):
        for key in mine.keys() - {"truth", "_truth"}:
            np.testing.assert_array_equal(mine[key], theirs[key], err_msg=key)
    for mine, theirs in zip(one.bonuses(), other.bonuses(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("belief", [True, "graph"])
@pytest.mark.parametrize("shown", ["true", "noisy", "none"])
def test_firewall_no_truth_reaches_tutor_or_bonus(shown: str, belief: bool | str):
    settings = {"graph_shown": shown, "belief": belief}
    one = Journey(120, leave, **settings)
    other = Journey(120, rewrite_the_truth, **settings)
    # the students live in different worlds ...
    assert np.mean(one.mastery[-1] != other.mastery[-1]) > 0.1
    # ... and to the tutor they are the same
    assert_same_to_the_tutor(one, other)
    assert all(np.any(bonus != 0) for bonus in one.bonuses())


def test_the_firewall_test_can_fail():
    def peek(state: Any) -> None:
        state.shown[:, :, 0] = -1
        state.shown[:, :, 1] = -1

    one = Journey(40, leave)
    other = Journey(40, peek)
    with pytest.raises(AssertionError):
        assert_same_to_the_tutor(one, other)


def test_blind_tutors_see_the_same_whatever_the_graph():
    # two curricula of the same skills: goals and order come from the same numbers
    flat = {f"s{n}": [] for n in range(12)}
    deep = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(12)}
    bushy = {f"s{n}": [f"s{m}" for m in range(n)][-3:] for n in range(12)}
    journeys = [
        Journey(100, leave, curriculum=graph, graph_shown="none", min_unknown=0)
        for graph in (flat, deep, bushy)
    ]
    assert np.any(journeys[0].mastery[-1] != journeys[1].mastery[-1])
    for other in journeys[1:]:
        assert_same_to_the_tutor(journeys[0], other)
    # shown, the same graphs are told apart
    with pytest.raises(AssertionError):
        assert_same_to_the_tutor(
            Journey(20, leave, curriculum=flat, min_unknown=0),
            Journey(20, leave, curriculum=deep, min_unknown=0),
        )


def test_with_noise_needed_and_parents_are_those_shown():
    world = Tutor(graph_shown="noisy", graph_noise=0.5)
    state, info = lanes_of(world, 200)
    out = np.empty((200, world.layout.size), np.float32)
    world.observe(state, np.arange(200), out)
    named = np.stack(
        [world.layout.column(out, f"parent_{p}") * 16 - 1 for p in (1, 2)], axis=2
    )
    np.testing.assert_allclose(named, state.shown, atol=1e-5)
    assert np.mean(np.rint(named) != info["truth"]["parents"]) > 0.1
    differs = info["needed"] != info["truth"]["needed"]
    assert differs.any(1).mean() > 0.3
    np.testing.assert_array_equal(
        world.layout.column(out, "needed"), info["needed"].astype(np.float32)
    )


def test_nothing_but_truth_holds_the_truth():
    env = gym.make_vec("tutor-v0", 4, budget=3)
    _, info = env.reset(seed=0)
    told = {"belief", "goal", "needed"}
    assert {k for k in info if not k.startswith("_")} == told | {"truth"}
    for step in range(1, 4):
        *_, info = env.step(np.zeros(4, int))
        keys = {k for k in info if not k.startswith("_")}
        if step < 3:
            assert keys == told | {"activity", "outcome", "belief_before", "truth"}
        else:
            assert keys == told | {"truth", "final_obs", "final_info"}
            final = {k for k in info["final_info"] if not k.startswith("_")}
            assert final == told | {"activity", "outcome", "belief_before", "truth"}
            assert "parents" not in info["final_info"]["truth"]
