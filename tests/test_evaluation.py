from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO

from curiosity_rl.agents import evaluation
from curiosity_rl.agents.bench.scores import wilson
from curiosity_rl.agents.evaluation import (
    ReturnRow,
    TutorRow,
    evaluate,
    evaluate_agents,
    evaluate_tutors,
    standard_tutors,
)
from curiosity_rl.agents.tables import print_table
from curiosity_rl.agents.tutors import make_tutor
from curiosity_rl.agents.worlds import episode_limit, find_world, make_lanes
from curiosity_rl.seeding import evaluation_seeds, lane_seeds

SMALL: dict[str, Any] = {
    "curriculum": "chain-3",
    "budget": 40,
    "goals": 1,
    "distractors": 1,
}


class Cycle:
    """Proposes activity t mod A: no random numbers, so easily done by hand."""

    privileged = False

    def __init__(self, activities: int) -> None:
        self.activities, self.t = activities, 0

    def reset(self, obs: np.ndarray, info: Mapping[str, Any]) -> None:
        self.t = 0

    def act(self, obs: np.ndarray, info: Mapping[str, Any]) -> np.ndarray:
        self.t += 1
        return np.full(len(obs), (self.t - 1) % self.activities)


def _by_hand(students: int) -> tuple[list[bool], list[float], list[int], list[float]]:
    """The same episodes, one student after another in the single environment."""
    env = gym.make("tutor-v0", **SMALL)
    passed, mastered, used, wasted = [], [], [], []
    for seed in evaluation_seeds(students):
        _, info = env.reset(seed=seed)
        truth = info["truth"]
        first, on_distractors, terminated, t, reward = None, 0, False, 0, 0.0
        while not terminated:
            action = t % 4
            on_distractors += int(truth["distractor"][action])
            _, reward, terminated, _, info = env.step(action)
            t += 1
            if first is None and info["truth"]["mastery"][truth["goal"]].all():
                first = t
        assert t == 40
        passed.append(reward == 1)
        mastered.append(float(info["truth"]["mastery"][truth["needed"]].mean()))
        used.append(first or 40)
        wasted.append(on_distractors / 40)
    return passed, mastered, used, wasted


def test_rows_equal_single_students_played_by_hand() -> None:
    passed, mastered, used, wasted = _by_hand(60)
    assert 0 < sum(passed) < 60
    assert len(set(used)) > 5
    for lanes in (4096, 25):  # in one go and in chunks
        tutors = {"cycle": Cycle(4)}
        (row,) = evaluate_tutors("tutor-v0", SMALL, tutors, 60, lanes=lanes)
        assert row.name == "cycle"
        assert row.students == 60
        assert row.pass_rate == pytest.approx(np.mean(passed), abs=1e-12)
        assert row.mastered == pytest.approx(np.mean(mastered), abs=1e-6)
        assert row.exercises == pytest.approx(np.mean(used), abs=1e-12)
        assert row.distractors == pytest.approx(np.mean(wasted), abs=1e-12)


def test_every_tutor_meets_the_same_students_and_another_seed_others() -> None:
    tutors = {"a": Cycle(4), "b": Cycle(4)}
    a, b = evaluate_tutors("tutor-v0", SMALL, tutors, 50)
    assert (a.mastered, a.exercises) == (b.mastered, b.exercises)
    (other,) = evaluate_tutors("tutor-v0", SMALL, {"a": Cycle(4)}, 50, seed=1)
    assert (a.mastered, a.exercises) != (other.mastered, other.exercises)


def test_wilson_interval_of_five_in_ten() -> None:
    # Wilson 1927; z = 1.959964: (0.5 + z^2/20 +- z sqrt(1/40 + z^2/400)) / (1 + z^2/10)
    assert wilson(5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-6)


def test_t_interval_of_returns_one_to_five() -> None:
    # mean 3, deviation sqrt(2.5), t(4, .975) = 2.776445: half = t * sqrt(2.5 / 5)
    flags = np.array([True, False, False, False, True])
    row = evaluation._return_row("x", np.arange(1.0, 6.0), np.full(5, 7), flags)
    assert (row.mean_return, row.length) == (3.0, 7.0)
    assert row.return_high - 3 == pytest.approx(1.963243, abs=1e-6)
    assert 3 - row.return_low == pytest.approx(1.963243, abs=1e-6)
    assert row.success == 0.4


def test_wilson_interval_of_a_success_share() -> None:
    # Wilson 1927 for 9 in 10: (.9 + z^2/20 +- z sqrt(.009 + z^2/400)) / (1 + z^2/10)
    flags = np.array([True] * 9 + [False])
    row = evaluation._return_row("x", np.ones(10), np.ones(10), flags)
    assert row.success == pytest.approx(0.9)
    assert row.success_low == pytest.approx(0.595850, abs=1e-6)
    assert row.success_high == pytest.approx(0.982124, abs=1e-6)


@pytest.mark.parametrize(
    ("world", "first", "last"),
    [
        ("tutor-v0", ["random", "3-in-a-row"], "omniscient"),
        ("tutor-blind-v0", ["random", "rotate"], "omniscient"),
    ],
)
def test_tables_compare_with_the_tutors_of_the_issue(
    world: str, first: list[str], last: str
) -> None:
    kwargs: dict[str, Any] = {"budget": 10}
    model = PPO("MlpPolicy", gym.make(world, **kwargs), device="cpu")
    rows = evaluate(world, kwargs, model, "PPO", episodes=20)  # type: ignore[arg-type]
    names = [row.name for row in rows]
    graph = world == "tutor-v0"
    table = evaluation.GRAPH_TUTORS if graph else evaluation.BLIND_TUTORS
    here = [label for label in list(table)[:-1] if label != "graph inference"]
    assert names == [*here, "PPO", "omniscient"]  # the other needs belief="graph"
    assert names[:2] == first
    assert names[-1] == last
    again = evaluate(world, kwargs, model, "PPO", episodes=20)  # type: ignore[arg-type]
    assert again == rows


def test_without_beliefs_rules_that_read_them_are_left_out() -> None:
    env = make_lanes("tutor-v0", {"belief": False}, 1)
    names = set(standard_tutors(env.unwrapped.layout))  # type: ignore[attr-defined]
    assert "parent inference" not in names
    assert {"random", "3-in-a-row", "omniscient"} <= names


def test_omniscient_beats_random_on_the_issues_world() -> None:
    env = make_lanes("tutor-v0", {}, 1)
    layout = env.unwrapped.layout  # type: ignore[attr-defined]
    tutors = {name: make_tutor(name, layout) for name in ("random", "omniscient")}
    random, omniscient = evaluate_tutors("tutor-v0", {}, tutors, 200)
    assert random.pass_high < 0.1
    assert omniscient.pass_low > 0.9
    assert omniscient.exercises < random.exercises
    assert omniscient.distractors == 0.0
    assert random.distractors == pytest.approx(4 / 16, abs=0.02)


def test_returns_of_any_world_equal_single_episodes() -> None:
    def push_right(obs: np.ndarray, starts: np.ndarray) -> np.ndarray:
        return np.ones(len(obs), np.int64)

    (row,) = evaluate_agents("CartPole-v1", {}, {"right": push_right}, 7)
    env = gym.make("CartPole-v1")
    returns = []
    for seed in lane_seeds(0, "evaluation", 7):
        env.reset(seed=seed)
        done, total = False, 0.0
        while not done:
            _, reward, terminated, truncated, _ = env.step(1)
            total += float(reward)
            done = terminated or truncated
        returns.append(total)
    lengths, fell = np.array(returns), np.ones(7, bool)  # the last reward is 1 too
    assert row == evaluation._return_row("right", np.array(returns), lengths, fell)


class Judged(gym.Env[np.ndarray, Any]):
    """Ends after two steps; `told` says in the last info what to think of it."""

    observation_space = spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, ending: str, told: bool | None, pay: float) -> None:
        self.ending, self.told, self.pay, self.t = ending, told, pay, 0

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t += 1
        over = self.t == 2
        info: dict[str, Any] = {}
        if self.told is not None:
            info["is_success"] = self.told if over else not self.told
        cut = over and self.ending == "truncated"
        pay = self.pay if over else 1 - self.pay
        return np.zeros(1, np.float32), pay, over and not cut, cut, info


@pytest.mark.parametrize(
    ("ending", "told", "pay", "success"),
    [
        ("terminated", None, 1.0, True),
        ("terminated", None, 0.0, False),  # it was paid in the step before
        ("truncated", None, 1.0, False),
        ("terminated", False, 1.0, False),
        ("terminated", True, 0.0, True),
        ("truncated", True, 0.0, True),
    ],
)
def test_what_counts_as_success(
    ending: str, told: bool | None, pay: float, success: bool
) -> None:
    def judged(reports: bool | None) -> gym.Env:
        return Judged(ending, reports, pay)

    # Beside a lane that reports nothing: what is reported counts lane by lane.
    lanes = gym.vector.SyncVectorEnv(
        [lambda: judged(told), lambda: judged(None)],
        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
    )
    lanes.reset(seed=0)
    lanes.step(np.zeros(2, int))
    _, reward, terminated, _, info = lanes.step(np.zeros(2, int))
    silent = ending == "terminated" and pay > 0
    found = evaluation.succeeded(reward, terminated, info)
    assert found.dtype == bool
    assert found.tolist() == [success, silent]


def test_success_of_held_out_episodes_equals_single_episodes() -> None:
    """Of random agents some reach the goal of a tiny room in time, some do not."""

    def forward_or_left(obs: np.ndarray, starts: np.ndarray) -> np.ndarray:
        walls = obs.reshape(len(obs), 7, 7, 3)[:, 3, 5, 0] == np.float32(2 / 8)
        return np.where(walls, 0, 2)  # turns left before a wall

    kwargs = {"size": 4, "max_steps": 3}
    (row,) = evaluate_agents("empty-v0", kwargs, {"wall": forward_or_left}, 60)
    env = gym.make("empty-v0", **kwargs)  # type: ignore[arg-type]
    reached = []
    for seed in lane_seeds(0, "evaluation", 60):
        obs, _ = env.reset(seed=seed)
        step: Any = (obs, 0.0, False, False, {})
        while not (step[2] or step[3]):
            step = env.step(forward_or_left(step[0][None], np.zeros(1))[0])
        reached.append(step[1] > 0)
    assert 0 < sum(reached) < 60
    assert row.success == np.mean(reached)


def test_evaluation_leaves_the_global_streams_alone() -> None:
    model = PPO("MlpPolicy", "CartPole-v1", device="cpu")
    before = th.get_rng_state()
    rows = evaluate("CartPole-v1", {}, model, episodes=4)  # type: ignore[arg-type]
    assert th.equal(before, th.get_rng_state())
    th.rand(3)
    assert evaluate("CartPole-v1", {}, model, episodes=4) == rows  # type: ignore[arg-type]
    assert [type(row) for row in rows] == [ReturnRow, ReturnRow]


def test_progress_is_told_from_start_to_end() -> None:
    told: list[tuple[str, float]] = []
    tutors = {"a": Cycle(4), "b": Cycle(4)}
    evaluate_tutors(
        "tutor-v0", SMALL, tutors, 3, tick=lambda name, x: told.append((name, x))
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [name for name, _ in told] == ["a"] * 40 + ["b"] * 40


def test_tables_show_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    tutor = TutorRow("the tutor", 2000, 0.5944, 0.57, 0.62, 0.857, 137.2, 0.0312)
    print_table([tutor], "title here")
    out = capsys.readouterr().out
    for part in ("title here", "the tutor", "0.594", "0.570-0.620", "0.857", "137"):
        assert part in out
    assert "0.031" in out
    row = ReturnRow("an agent", 9, 21.349, 20.0, 22.5, 21.0, 0.7782, 0.4526, 0.9368)
    print_table([row], "t")
    out = capsys.readouterr().out
    assert "0.778" in out
    assert "0.453-0.937" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "21.35" in out
    assert "20.00 to 22.50" in out


def test_limits_of_worlds() -> None:
    for world, kwargs, limit in (
        ("tutor-v0", {}, 180),
        ("tutor-v0", {"budget": 7}, 7),
        ("CartPole-v1", {}, 500),
        ("door-key-v0", {"size": 6}, 360),
        ("door-key-v0", {"max_steps": 9}, 9),
    ):
        assert episode_limit(make_lanes(world, kwargs, 1)) == limit


@pytest.mark.parametrize("world", ["tutor-v0", "CartPole-v1", "FrozenLake-v1"])
def test_lanes_begin_anew_in_the_same_step(world: str) -> None:
    lanes = make_lanes(world, {}, 3)
    mode = lanes.metadata["autoreset_mode"]
    assert mode == gym.vector.AutoresetMode.SAME_STEP
    assert lanes.num_envs == 3


def test_find_world_imports_the_module_in_front() -> None:
    assert find_world("curiosity_rl:tutor-v0").id == "tutor-v0"
    with pytest.raises(ValueError, match="did you mean FrozenLake"):
        find_world("frozenlake-v1")


@pytest.mark.parametrize("pause", [-1, 2])
def test_state_dependent_noise_is_drawn_as_in_training(pause: int) -> None:
    """For each episode, and anew after as many steps as the model says."""
    model = PPO(
        "MlpPolicy",
        "Pendulum-v1",
        use_sde=True,
        sde_sample_freq=pause,
        policy_kwargs={"log_std_init": -3.0},
        seed=0,
    )
    act, obs = evaluation._agent(model), np.ones((3, 3), np.float32)
    start, going = np.ones(3, bool), np.zeros(3, bool)
    before = th.random.get_rng_state()
    actions = [act(obs, start), *(act(obs, going) for _ in range(3))]
    assert th.equal(before, th.random.get_rng_state())
    assert len(np.unique(actions[0])) == 3
    np.testing.assert_array_equal(actions[0], actions[1])
    assert (actions[1] == actions[2]).all() == (pause == -1)
    np.testing.assert_array_equal(actions[2], actions[3])
    again = act(obs, start)
    assert (again != actions[3]).all()
