"""Tutors on students on paper: names, what they read, what they forget."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tutor_desk import BLIND, CHAIN, DIAMOND, SHOWN, STUDENT, Desk, with_one_draw

from curiosity_rl.agents.tutors import Tutor, available_tutors, make_tutor
from curiosity_rl.agents.tutors.graph import all_parents, depths, syllabus
from curiosity_rl.agents.tutors.reading import Reading, sample
from curiosity_rl.protocols import ActivityLayout
from curiosity_rl.registry import TUTORS

BELIEFS = {"belief", "joint_belief", "parents_belief", "parents_joint_belief"}
GRAPH_TUTORS = [
    "n-in-a-row",
    "n-in-a-row-backtrack",
    "bkt-mastery",
    "parent-inference",
    "zpdes",
    "zpdes-dag",
    "zpdes-list",
    "qmdp",
    "riarit",
    "syllabus",
]
BLIND_TUTORS = [
    "random",
    "rotate",
    "stay",
    "zpdes-blind",
    "wrong-order",
    "lowest-mastery",
    "leitner",
    "recall-threshold",
]
DRAWING = {
    "random",
    "zpdes",
    "zpdes-list",
    "zpdes-blind",
    "zpdes-dag",
    "riarit",
    "wrong-order",
}


# --- names, settings, layouts -----------------------------------------------------


def test_every_name_makes_a_tutor() -> None:
    layout = ActivityLayout(4, (*SHOWN, "graph_useful"), 100, STUDENT)
    for name in TUTORS:
        tutor = make_tutor(name, layout)
        assert isinstance(tutor, Tutor)
        assert tutor.name == name  # type: ignore[attr-defined]
        assert tutor.privileged == (name in ("dynamic", "omniscient"))


def test_unknown_names_get_suggestions() -> None:
    layout = ActivityLayout(4, SHOWN)
    with pytest.raises(ValueError, match="did you mean parent-inference"):
        make_tutor("parent-inferense", layout)
    with pytest.raises(ValueError, match="'bkt-mastery' 'treshold': did you mean thr"):
        make_tutor("bkt-mastery", layout, treshold=0.9)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("n-in-a-row", {"n": 0}),
        ("n-in-a-row-backtrack", {"patience": 0}),
        ("bkt-mastery", {"threshold": 1.0}),
        ("parent-inference", {"threshold": 0.0}),
        ("zpdes", {"mastery": 1.5}),
        ("zpdes-dag", {"mastery": 0.0}),
        ("zpdes-dag", {"history": 9}),
        ("zpdes-dag", {"forget": -1.0}),
        ("riarit", {"parent": 1.0}),
        ("riarit", {"leave": 0.0}),
        ("syllabus", {"exercises": 0}),
        ("syllabus", {"order": [0, 1, 4]}),
        ("syllabus", {"order": [0, 1, 0]}),
        ("syllabus", {"order": []}),
        ("leitner", {"boxes": 1}),
        ("recall-threshold", {"threshold": 1.0}),
        ("recall-threshold", {"model": "sm-2"}),
        ("recall-threshold", {"n": 0}),
        ("recall-threshold", {"exercises_per_day": 0.0}),
        ("zpdes", {"floor": 0.0}),
        ("zpdes-blind", {"threshold": -1.0}),
        ("rotate", {"tries": 0}),
        ("stay", {"longest": 0}),
        ("wrong-order", {"n": 6}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, settings: dict) -> None:
    given = next(iter(settings))
    with pytest.raises(ValueError, match=f"^{given} is .*: give"):
        make_tutor(name, ActivityLayout(4, SHOWN), **settings)


@pytest.mark.parametrize("name", GRAPH_TUTORS)
def test_a_graph_tutor_refuses_a_world_without_graph(name: str) -> None:
    with pytest.raises(ValueError, match=f"tutor '{name}'.*graph_shown='true'"):
        make_tutor(name, ActivityLayout(4, BLIND))


def test_a_belief_tutor_refuses_a_world_without_belief() -> None:
    free = ActivityLayout(4, tuple(f for f in SHOWN if f not in BELIEFS))
    for name in ("bkt-mastery", "parent-inference", "rotate", "stay", "zpdes-blind"):
        with pytest.raises(ValueError, match=f"tutor '{name}'.*belief=True"):
            make_tutor(name, free)
    assert {"n-in-a-row", "zpdes", "random"} <= set(available_tutors(free))


def test_available_tutors_are_those_that_can_be_made() -> None:
    blind = ActivityLayout(4, BLIND)
    assert {*BLIND_TUTORS, "omniscient"} <= set(available_tutors(blind))
    assert not {"n-in-a-row", "zpdes"} & set(available_tutors(blind))
    full = ActivityLayout(4, (*SHOWN, "graph_useful"), 100, STUDENT)
    assert available_tutors(full) == list(TUTORS)
    # dynamic needs to know the end and the rules, graph-inference a belief of its own
    missing = set(TUTORS) - set(available_tutors(ActivityLayout(4, SHOWN)))
    assert missing == {"dynamic", "graph-inference"}


# --- reading and graph ------------------------------------------------------------


def test_attempts_and_parents_survive_float32() -> None:
    desk = Desk([(), *[(i,) for i in range(255)]])
    desk.attempts[0] = np.linspace(0, 100_000, 256).astype(int)
    reading = Reading(desk.layout, desk.obs())
    np.testing.assert_array_equal(reading.attempts, desk.attempts)
    np.testing.assert_array_equal(reading.parents, desk.parents)


def test_a_skill_may_have_more_than_two_parents() -> None:
    layout = ActivityLayout(4, (*SHOWN, "parent_3"))
    obs = np.zeros((1, layout.size), np.float32)
    blocks = layout.split(obs)[0]
    blocks[0, 3, -3:] = [0.25, 0.5, 0.75]
    parents = Reading(layout, obs).parents
    np.testing.assert_array_equal(parents[0], [[-1] * 3] * 3 + [[0, 1, 2]])
    np.testing.assert_array_equal(depths(parents), [[0, 0, 0, 1]])
    for known in range(3):
        have = np.array([[k != known for k in range(4)]])
        assert not all_parents(have, parents)[0, 3]


def test_depth_order_and_open_skills_of_a_drawn_graph() -> None:
    #     3 -> 1 -> 0,  3 -> 2,  2 -> 0,  0 -> 4;  5 alone
    parents = Desk([(1, 2), (3,), (3,), (), (3, 0), ()]).parents
    np.testing.assert_array_equal(depths(parents), [[2, 1, 1, 0, 3, 0]])
    np.testing.assert_array_equal(syllabus(parents), [[4, 2, 3, 0, 5, 1]])
    have = np.array([[False, True, False, True, False, False]])
    opened = [[False, True, True, True, False, True]]
    np.testing.assert_array_equal(all_parents(have, parents), opened)


def test_depth_equals_the_recursive_definition_on_random_graphs() -> None:
    rng = np.random.default_rng(0)
    parents = np.full((50, 9, 2), -1)
    for lane in parents:
        place = rng.permutation(9)
        for at in range(1, 9):
            lane[place[at]] = [
                rng.choice(place[:at]) if rng.random() < 0.6 else -1 for _ in range(2)
            ]

    def depth(lane: int, k: int) -> int:
        return max([1 + depth(lane, p) for p in parents[lane, k] if p >= 0], default=0)

    want = [[depth(lane, k) for k in range(9)] for lane in range(50)]
    np.testing.assert_array_equal(depths(parents), want)


def test_a_cycle_in_a_noisy_graph_does_not_hang() -> None:
    parents = Desk([(1,), (0,), ()]).parents
    np.testing.assert_array_equal(depths(parents), [[3, 3, 0]])


def test_sampling_follows_the_weights() -> None:
    weights = np.tile([0.0, 1.0, 3.0, 0.0], (40_000, 1))
    share = np.bincount(sample(weights, np.random.default_rng(0)), minlength=4) / 40_000
    np.testing.assert_allclose(share, [0, 0.25, 0.75, 0], atol=0.01)
    assert share[0] == share[3] == 0


# --- batches, episodes, truth -----------------------------------------------------


def lesson(
    tutor: Tutor, desk: Desk, rng: np.random.Generator, steps: int
) -> np.ndarray:
    """Teach with drawn answers and beliefs; return the activities, `(steps, n)`."""
    proposed = []
    for _ in range(steps):
        proposed.append(desk.ask(tutor))
        desk.answer(proposed[-1], rng.random(desk.n) < 0.6)
        desk.belief = rng.random((desk.n, desk.a))
        desk.joint = rng.random((desk.n, desk.a))
    return np.array(proposed)


@pytest.mark.parametrize("name", [*GRAPH_TUTORS, *BLIND_TUTORS])
def test_equal_seeds_give_equal_lessons(name: str) -> None:
    def once(seed: int) -> np.ndarray:
        desk = Desk(DIAMOND, lanes=30)
        return lesson(desk.tutor(name, seed), desk, np.random.default_rng(0), 60)

    np.testing.assert_array_equal(once(5), once(5))
    assert np.array_equal(once(5), once(6)) != (name in DRAWING)


@pytest.mark.parametrize("name", [*GRAPH_TUTORS, *BLIND_TUTORS])
def test_a_new_episode_in_one_lane_begins_with_fresh_notes(name: str) -> None:
    """A lane that was reset alone goes on as a fresh tutor would; others go on."""
    desk = Desk(DIAMOND, lanes=6)
    tutor = with_one_draw(desk.tutor(name))
    lesson(tutor, desk, np.random.default_rng(2), 40)
    anew = np.array([True, False, True, False, False, True])
    blank = Desk(DIAMOND, lanes=6)
    for key in ("attempts", "last", "streak", "t", "given_at", "belief", "joint"):
        getattr(desk, key)[anew] = getattr(blank, key)[anew]
    other = with_one_draw(make_tutor(name, blank.layout))
    other.reset(blank.obs(), {})
    pattern = [True, True, False, True, True, True, False, False]
    for right in pattern * 4:
        here, there = desk.ask(tutor), blank.ask(other)
        np.testing.assert_array_equal(here[anew], there[anew])
        desk.answer(here, right)
        blank.answer(there, right)
        desk.belief += 0.01
        blank.belief += 0.01


@pytest.mark.parametrize("name", [*GRAPH_TUTORS, *BLIND_TUTORS])
def test_notes_never_read_the_info(name: str) -> None:
    """With `info` empty, or full of lies, a tutor that is not privileged acts alike."""
    lies = {"truth": {"mastery": np.ones((4, 4), bool)}, "needed": np.zeros((4, 4))}
    acts = []
    for info in ({}, lies):
        desk = Desk(DIAMOND, lanes=4)
        tutor = make_tutor(name, desk.layout, 1)
        tutor.reset(desk.obs(), info)
        for right in (True, True, True, False, True):
            acts.append(tutor.act(desk.obs(), info))
            desk.answer(acts[-1], right)
    np.testing.assert_array_equal(acts[:5], acts[5:])


def test_a_batch_of_another_size_begins_anew() -> None:
    desk, more = Desk(CHAIN), Desk(CHAIN, lanes=3)
    tutor = desk.tutor("n-in-a-row")
    desk.teach(tutor, "+++")
    np.testing.assert_array_equal(more.ask(tutor), [2, 2, 2])


# --- omniscient -------------------------------------------------------------------


def truth(**changes: Any) -> dict[str, Any]:
    fixed = {
        "mastery": np.array([[False] * 4, [False, False, True, True]]),
        "learn": np.array([[0.1, 0.2, 0.3, 0.1]] * 2, np.float32),
        "boost": np.zeros((2, 4), np.float32),
        "parents": np.array([[(1, 2), (3, -1), (3, -1), (-1, -1)]] * 2, np.int16),
        "needed": np.ones((2, 4), bool),
    }
    return {"truth": {**fixed, **changes}}


def test_omniscient_teaches_what_is_open_and_learnt_fastest() -> None:
    desk = Desk(DIAMOND, lanes=2)
    tutor = make_tutor("omniscient", desk.layout)
    tutor.reset(desk.obs(), truth())
    np.testing.assert_array_equal(tutor.act(desk.obs(), truth()), [3, 1])
    step = {"truth": {"mastery": np.array([[0, 0, 0, 1], [0, 1, 1, 1]], bool)}}
    np.testing.assert_array_equal(tutor.act(desk.obs(), step), [2, 0])


def test_omniscient_takes_the_new_student_of_a_lane_that_was_reset() -> None:
    desk = Desk(DIAMOND, lanes=2)
    tutor = make_tutor("omniscient", desk.layout)
    tutor.reset(desk.obs(), truth())
    only = np.array([False, True])
    learn = np.array([[9, 9, 9, 9], [0.9, 0.1, 0.2, 0.1]], np.float32)
    info = truth(
        mastery=np.zeros((2, 4), bool),
        learn=learn,
        _learn=only,
        parents=np.full((2, 4, 2), -1, np.int16),
        _parents=only,
        needed=np.array([[True] * 4, [False, True, True, True]]),
        _needed=only,
    )
    np.testing.assert_array_equal(tutor.act(desk.obs(), info), [3, 2])


def test_omniscient_says_what_it_misses() -> None:
    desk = Desk(DIAMOND)
    tutor = make_tutor("omniscient", desk.layout)
    with pytest.raises(ValueError, match="info has no 'truth'"):
        tutor.reset(desk.obs(), {})
    with pytest.raises(ValueError, match="lacks needed, parents, learn, boost"):
        tutor.reset(desk.obs(), {"truth": {"mastery": np.zeros((1, 4), bool)}})


# --- a trained model --------------------------------------------------------------


class Box4(gym.Env):
    """Nothing but spaces, for a model to be built on."""

    observation_space = gym.spaces.Box(-1, 1, (3,), np.float32)
    action_space: gym.Space = gym.spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}


def test_a_model_is_sampled_without_touching_the_global_stream() -> None:
    import torch
    from stable_baselines3 import PPO

    from curiosity_rl.agents.tutors.model import ModelTutor

    model = PPO("MlpPolicy", Box4(), seed=0, n_steps=2, batch_size=2, device="cpu")
    head = model.policy.action_net
    assert isinstance(head, torch.nn.Linear)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([0.0, 1.0, 2.0, -9.0]))
        head.weight.zero_()
    obs = np.zeros((30_000, 3), np.float32)
    before = torch.get_rng_state()
    first = ModelTutor(model, seed=1).act(obs, {})
    assert torch.equal(before, torch.get_rng_state())
    assert first.dtype == np.int64
    np.testing.assert_array_equal(first, ModelTutor(model, seed=1).act(obs, {}))
    assert (first != ModelTutor(model, seed=2).act(obs, {})).any()
    want = np.exp([0.0, 1.0, 2.0, -9.0])
    share = np.bincount(first, minlength=4) / len(first)
    np.testing.assert_allclose(share, want / want.sum(), atol=0.01)
    surest = ModelTutor(model, deterministic=True)
    assert isinstance(surest, Tutor)
    np.testing.assert_array_equal(surest.act(obs[:5], {}), 2)


def test_a_model_with_another_action_space_is_refused() -> None:
    from stable_baselines3 import PPO

    from curiosity_rl.agents.tutors.model import ModelTutor

    env = Box4()
    env.action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    model = PPO("MlpPolicy", env, n_steps=2, batch_size=2, device="cpu")
    with pytest.raises(ValueError, match="train on a Discrete action space"):
        ModelTutor(model).act(np.zeros((1, 3), np.float32), {})


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_recurrent_model_forgets_the_lane_that_begins_anew(
    deterministic: bool,
) -> None:
    from sb3_contrib import RecurrentPPO

    from curiosity_rl.agents.tutors.model import ModelTutor

    model = RecurrentPPO(
        "MlpLstmPolicy", Box4(), seed=0, n_steps=2, batch_size=2, device="cpu"
    )
    going = np.array([[0.3, -0.2, 0.5], [0.1, 0.9, 0.5]], np.float32)
    first_anew = going.copy()
    first_anew[0, -1] = 1.0  # the whole budget is left

    def memory(*seen: np.ndarray) -> np.ndarray:
        tutor = ModelTutor(model, deterministic)
        for obs in seen:
            tutor.act(obs, {})
        return np.asarray(tutor._memory[0])

    after, fresh = memory(going, first_anew), memory(first_anew)
    np.testing.assert_allclose(after[:, 0], fresh[:, 0], rtol=1e-5)
    assert not np.allclose(after[:, 1], fresh[:, 1])


def test_a_model_teaches_the_six_skills_of_edm_2016() -> None:
    from stable_baselines3 import PPO

    from curiosity_rl.agents.evaluation import evaluate_tutors
    from curiosity_rl.agents.tutors.model import ModelTutor

    world = gym.make("tutor-edm2016-v0", budget=10)
    model = PPO("MlpPolicy", world, n_steps=2, batch_size=2, device="cpu", seed=0)
    tutors = {"model": ModelTutor(model)}
    row = evaluate_tutors("tutor-edm2016-v0", {"budget": 10}, tutors, students=50)[0]
    assert 0 < row.mastered < 0.3
