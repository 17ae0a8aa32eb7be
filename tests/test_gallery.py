"""The gallery: its pictures in TensorBoard's files, and training as if it were not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from PIL import Image
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure
from stable_baselines3.common.vec_env import VecMonitor
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.replay import relabelled
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.agents.worlds import make_lanes
from curiosity_rl.canvas import PAPER
from curiosity_rl.checkpoint import weights_sha256
from curiosity_rl.registry import WORLDS
from curiosity_rl.rewards import make_reward
from curiosity_rl.tracking.cells import FADE, Regions
from curiosity_rl.tracking.gallery import GalleryCallback
from curiosity_rl.tracking.lessons import STUDENTS, Notebook
from curiosity_rl.tracking.pictures import Axes, visit_map

MAPS = {"coverage/visits", "coverage/bonus", "coverage/progress"}
TAUGHT = {"tutor/curriculum", "tutor/mastery", "tutor/students"}


def lanes_of(world: str, n: int = 4, **kwargs: Any) -> VectorEnvAdapter:
    return VectorEnvAdapter(make_lanes(world, kwargs, n), 0)


def small(kind: type[PPO], venv: Any, **more: Any) -> Any:
    policy = "MultiInputPolicy" if venv.observation_space.shape is None else "MlpPolicy"
    settings: dict[str, Any] = {"n_steps": 16, "batch_size": 32, "n_epochs": 1}
    return kind(
        policy,
        venv,
        policy_kwargs={"net_arch": [8]},
        seed=0,
        device="cpu",
        **{**settings, **more},
    )


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_with_a_coverage_has_its_pictures(
    world: str, tmp_path: Path
) -> None:
    tutor = world.startswith("tutor")
    venv = lanes_of(world, **({"budget": 8} if tutor else {}))
    reward = make_reward("region-progress", features=4, hidden=8, scale=False)
    model = small(PPO, IntrinsicVecEnv(VecMonitor(venv), reward))
    model.set_logger(configure(str(tmp_path), ["tensorboard", "csv", "json", "stdout"]))
    model.learn(128, callback=GalleryCallback(drawings=1))
    model.logger.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    expected = MAPS | (TAUGHT if tutor else set())
    if world == "noisy-corridor-v0":
        expected = expected | {"coverage/regions"}
    assert set(events.Tags()["images"]) == expected
    for tag in expected:
        shown = events.Images(tag)
        assert shown[-1].step == 128, tag
        picture = np.array(Image.open(io.BytesIO(shown[-1].encoded_image_string)))
        drawn = (picture != PAPER).any(axis=2)
        assert drawn.mean() > 0.02, tag
        # Below the title there is more than words.
        assert len(np.unique(picture[drawn], axis=0)) > 100, tag


class Album(Logger):
    """Keeps the pictures that it is given, by the step of their dump."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.pictures: dict[int, dict[str, Any]] = {}

    def dump(self, step: int = 0) -> None:
        for tag in [t for t in self.name_to_value if "coverage" in t or "tutor" in t]:
            self.pictures.setdefault(step, {})[tag] = self.name_to_value.pop(tag)


@pytest.mark.parametrize(
    ("rollouts", "drawn"),
    [(3, [1, 3]), (25, [1, 13, 25]), (100, [1, 20, 40, 60, 80, 100])],
)
def test_pictures_are_drawn_now_and_then_and_at_the_end(
    rollouts: int, drawn: list[int]
) -> None:
    model = small(PPO, lanes_of("river-swim-v0", 2), n_steps=10, batch_size=20)
    gallery, album = GalleryCallback(), Album()
    model.set_logger(album)
    model.learn(20 * rollouts, callback=gallery)
    assert sorted(album.pictures) == [20 * turn for turn in drawn]
    last = album.pictures[20 * rollouts]["coverage/visits"]
    assert last.dataformats == "HWC"
    cells = gallery.cells
    assert cells is not None
    assert cells.visits.sum() == 20 * rollouts
    where = f"river-swim-v0 after {20 * rollouts:,} steps.\n"
    expected = visit_map(cells.visits, Axes(("place",)), where)
    np.testing.assert_array_equal(last.image, expected)


class Spy(BaseCallback):
    """Adds up by hand what was paid for each cell."""

    def __init__(self, world: Any) -> None:
        super().__init__()
        self.world = world
        self.cells: list[np.ndarray] = []
        self.bonus: list[np.ndarray] = []

    def _on_step(self) -> bool:
        self.cells.append(self.world.visited())
        infos = self.locals["infos"]
        if "intrinsic_reward" in infos[0]:
            self.bonus.append(np.array([[i["intrinsic_reward"] for i in infos]]))
        return True

    def _on_rollout_end(self) -> None:
        bonus = getattr(self.model, "rollout_bonus", None)
        if bonus is not None:
            self.bonus.append(bonus)

    def paid(self, cells: int, steps: slice) -> tuple[np.ndarray, np.ndarray]:
        """Sums and numbers of bonuses by cell, over some steps."""
        at = np.stack(self.cells)[steps].reshape(-1)
        paid = np.concatenate(self.bonus)[steps].reshape(-1)
        return np.bincount(at, paid, cells), np.bincount(at, minlength=cells)


@pytest.mark.parametrize("two_heads", [True, False])
def test_bonuses_are_booked_where_the_step_led_to(two_heads: bool) -> None:
    venv = lanes_of("deep-sea-v0", size=5)
    spy, gallery = Spy(venv.venv.unwrapped), GalleryCallback(drawings=1)
    reward = make_reward("rnd", scale=False)
    if two_heads:
        model = small(IntrinsicPPO, venv, intrinsic=reward)
    else:
        model = small(PPO, IntrinsicVecEnv(venv, reward, update_every=4))
    model.learn(128, callback=[spy, gallery])  # two rollouts, each drawn, then faded
    cells = gallery.cells
    assert cells is not None
    first, before = spy.paid(25, slice(0, 16))
    second, then = spy.paid(25, slice(16, 32))
    assert before.sum() == then.sum() == 64
    np.testing.assert_array_equal(cells.visits, before + then)
    expected = FADE**2 * first + FADE * second
    np.testing.assert_allclose(cells.sums["bonus"], expected)
    np.testing.assert_allclose(cells.counts["bonus"], FADE**2 * before + FADE * then)
    assert len(np.unique(second.round(6))) > 3


def test_earlier_bonuses_count_less_and_less() -> None:
    gallery = GalleryCallback(drawings=2)
    venv = lanes_of("river-swim-v0", 2)
    model = small(
        IntrinsicPPO, venv, intrinsic=make_reward("rnd"), n_steps=4, batch_size=8
    )
    model.learn(256, callback=gallery)  # drawn after 8, 128 and 256 steps
    assert gallery.cells is not None
    total = gallery.cells.counts["bonus"].sum()
    assert total == 8 * FADE**3 + 120 * FADE**2 + 128 * FADE


def test_regions_of_the_corridor_are_counted_by_slices_of_time() -> None:
    venv = lanes_of("noisy-corridor-v0", 2)
    gallery = GalleryCallback()
    model = small(
        IntrinsicPPO, venv, intrinsic=make_reward("rnd", scale=False), n_steps=32
    )
    model.learn(256, callback=gallery)
    regions = gallery.regions
    assert regions is not None
    assert regions.every == 5
    total = regions.visits.sum(axis=1)  # of steps of two lanes, 5 frames a slice
    np.testing.assert_array_equal(total, [*[4, 6] * 25, 4, 2])
    assert regions.bonus is not None
    assert gallery.cells is not None
    assert regions.bonus.shape == (52, 4)
    assert regions.bonus[0].sum() > 0
    assert (regions.bonus[regions.visits == 0] == 0).all()


def test_slices_begin_after_the_steps_before() -> None:
    regions = Regions(2, every=10)
    assert [regions.slot(steps) for steps in (2, 10, 11, 20, 21)] == [0, 0, 1, 1, 2]


def hidden_state(model: BaseAlgorithm) -> list[Any]:
    """Weights, and all generators that training draws from."""
    return [
        weights_sha256(model),
        th.get_rng_state().numpy().tobytes(),
        np.random.get_state(legacy=False)["state"]["key"].tobytes(),  # noqa: NPY002
        model.action_space.np_random.bit_generator.state,
    ]


@pytest.mark.parametrize("door", ["two heads", "wrapper", "no bonus"])
def test_training_is_the_same_with_and_without(door: str) -> None:
    found = []
    for callback in (None, GalleryCallback(drawings=2)):
        lanes = make_lanes("tutor-chain-v0", {"budget": 7}, 6)
        venv: Any = VecMonitor(VectorEnvAdapter(lanes, list(range(6)), stagger=7))
        if door == "two heads":
            reward = make_reward("skill-progress")
            model = small(IntrinsicPPO, venv, intrinsic=reward)
        elif door == "wrapper":
            model = small(PPO, IntrinsicVecEnv(venv, make_reward("rnd")))
        else:
            model = small(PPO, venv)
        model.set_logger(Album())
        model.learn(400, callback=callback)
        found.append(hidden_state(model))
        if callback is not None:
            taken = callback.logger.pictures  # type: ignore[attr-defined]
            assert set(taken[max(taken)]) >= TAUGHT
    assert found[0] == found[1]


def test_lessons_are_taken_down_as_they_were_given() -> None:
    """Against a slow record of every step, with lessons cut short by the stagger."""
    lanes = make_lanes("tutor-v0", {"budget": 9, "distractors": 2}, 3)
    venv = VectorEnvAdapter(lanes, [3, 4, 5], stagger=9, stagger_seed=1)
    world: Any = lanes.unwrapped
    assert Notebook.fits(world)
    venv.reset()
    notebook = Notebook(world, 9, 3)
    notebook.begin(notebook.watched)
    assert notebook.lessons() is None
    rng = np.random.default_rng(0)
    every = np.arange(3)
    open_: list[dict[str, Any]] = [{"did": [], "knew": []} for _ in every]
    done: list[dict[str, Any]] = []
    for _ in range(STUDENTS * 4):
        truth = world.report(every)["truth"]
        for lane in every:
            open_[lane]["knew"].append(truth["mastery"][lane])
            open_[lane]["parents"] = truth["parents"][lane]
        actions = rng.integers(14, size=3)
        _, _, dones, infos = venv.step(actions)
        for lane in every:
            open_[lane]["did"].append(actions[lane])
            if dones[lane]:
                if not infos[lane]["TimeLimit.truncated"]:
                    exam = infos[lane]["truth"]["mastery"]
                    done.append({**open_[lane], "exam": exam})
                open_[lane] = {"did": [], "knew": []}
        notebook.note(actions, venv.step_info["truth"]["mastery"], dones, infos)
    lessons = notebook.lessons()
    assert lessons is not None
    assert len(lessons.activity) == STUDENTS
    assert len(done) > STUDENTS + 1  # the oldest have given way
    late = len(done) // STUDENTS * STUDENTS
    rows = [*done[late:], *done[len(done) - STUDENTS : late]]
    for row, given in enumerate(rows):
        np.testing.assert_array_equal(lessons.activity[row], given["did"])
        known = [*given["knew"], given["exam"]]
        np.testing.assert_array_equal(lessons.known[row], known)
        np.testing.assert_array_equal(lessons.parents[row], given["parents"])
        counts = np.bincount(given["did"], minlength=14)
        np.testing.assert_array_equal(lessons.attempts[row], counts)
    other = Notebook(world, 9, 3)
    other.load_state_dict(notebook.state_dict())
    again = other.lessons()
    assert again is not None
    for name in ("activity", "known", "goal", "learn", "distractor"):
        np.testing.assert_array_equal(getattr(again, name), getattr(lessons, name))


def test_long_lessons_are_taken_down_in_strides() -> None:
    lanes = make_lanes("tutor-chain-v0", {"budget": 600}, 1)
    venv = VectorEnvAdapter(lanes, [0])
    venv.reset()
    world: Any = lanes.unwrapped
    notebook = Notebook(world, 600, 1)
    notebook.begin(notebook.watched)
    infos: list[dict[str, Any]] = []
    for step in range(600):
        _, _, dones, infos = venv.step(np.array([step % 10]))
        notebook.note(
            np.array([step % 10]), venv.step_info["truth"]["mastery"], dones, infos
        )
    lessons = notebook.lessons()
    assert lessons is not None
    assert lessons.activity.tolist() == [[step % 10 for step in range(0, 600, 3)]]
    assert lessons.attempts.tolist() == [[60] * 10]
    np.testing.assert_array_equal(
        lessons.known[0, -1], infos[0]["truth"]["mastery"].astype(bool)
    )


def test_other_worlds_have_no_pictures_and_train() -> None:
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu")
    gallery = GalleryCallback()
    model.learn(64, callback=gallery)
    assert gallery.cells is gallery.notebook is None


def test_a_replay_buffer_pays_late_and_still_for_the_right_cells() -> None:
    """Every 5 steps, of which a checkpoint may come between."""
    venv = lanes_of("deep-sea-v0", size=5)
    reward = make_reward("count", scale=False)
    buffer = {"intrinsic": reward, "update_every": 5}
    model = DQN(
        "MlpPolicy",
        venv,
        replay_buffer_class=relabelled(ReplayBuffer),
        replay_buffer_kwargs=buffer,
        learning_starts=1000,
        train_freq=3,
        policy_kwargs={"net_arch": [8]},
        seed=0,
        device="cpu",
    )
    spy, gallery = Spy(venv.venv.unwrapped), GalleryCallback(drawings=1)
    payer = model.replay_buffer.payer  # type: ignore[union-attr]
    plain, paid = payer.reward.compute, []
    payer.reward.compute = lambda batch: (paid.append(plain(batch)), paid[-1])[1]
    model.learn(4 * 30, callback=[spy, gallery])
    spy.bonus = [np.array(bonus) for bonus in paid]
    sums, counts = spy.paid(25, slice(0, 30))
    cells = gallery.cells
    assert cells is not None
    # Drawn, and faded, after the first 3 steps, none of which was paid, and at the end.
    np.testing.assert_allclose(cells.counts["bonus"], FADE * counts)
    np.testing.assert_allclose(cells.sums["bonus"], FADE * sums, rtol=1e-6)
    assert len(np.unique(sums)) > 3
