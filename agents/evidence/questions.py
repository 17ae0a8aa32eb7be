"""What the evidence asks, and the runs that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curiosity_rl.agents.config import ExperimentConfig, without_bonus
from curiosity_rl.agents.evidence.plan import Question, Run
from curiosity_rl.agents.evidence.protocols import Solving, Teaching, Tutoring
from curiosity_rl.agents.evidence.variants import noise, variants
from curiosity_rl.agents.tasks import TASKS
from curiosity_rl.registry import unknown_name

TUTOR_FRAMES = 120_000
TUTOR_TIMES = (15_000, 30_000, 60_000, 90_000)
TUTOR_BONUSES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "belief-progress": (
        "belief-progress",
        {"mask": "needed", "potential": "log-odds"},
    ),
    "skill-progress, beta": ("skill-progress", {"kind": "beta"}),
    "belief-gain": ("belief-gain", {}),
    "rnd": ("rnd", {}),
    "icm": ("icm", {}),
    "count": ("count", {}),
}
"""Bonuses that a tutor learns with, by label; the first is that of the preset."""
DRAWING_TUTORS = ("random", "zpdes")
"""Tutors that draw random numbers: their seeds differ."""
PLAIN_TUTORS = ("syllabus", "parent-inference", "omniscient")

EXACT = {"mode": "exact"}
LIMITS = {
    "door-key-8x8": 150_000,
    "multi-room-n4": 100_000,
    "deep-sea-20": 30_000,
    "point-maze-medium": 120_000,
}
"""Tasks and the frames after which a run is given up."""
EPISODES = 100
"""Held-out episodes of a run."""
BONUSES: dict[str, Mapping[str, Any]] = {
    "none": {},
    "count": EXACT,
    "noveld": EXACT,
    "rnd": {},
    "icm": {},
    "e3b": {"encoder": "random"},
    "region-progress": {},
}
"""Bonuses that worlds are solved with; the preset's own keeps the preset's settings."""
HASHED = ("point-maze-medium",)
"""Tasks without states to count exactly; counts are of codes there, as in the preset"""
PRETRAINING = {"multi-room-n4": 98_304, "point-maze-medium": 65_536}


def solving_config(task: str, seed: int, **given: Any) -> ExperimentConfig:
    """Return the preset of a task's world, up to the task's limit."""
    settings = {"n_timesteps": LIMITS[task], "seed": seed, "eval_students": EPISODES}
    return ExperimentConfig.load(
        env=TASKS[task].env,
        env_kwargs=dict(TASKS[task].env_kwargs),
        progress=False,
        **{**settings, **given},
    )


def protocol_of(task: str, **given: Any) -> Solving:
    """Return how a task is solved: what counts, and over how many episodes."""
    known = TASKS[task]
    return Solving(known.kind, known.level, known.window, **given)


def with_bonus(
    config: ExperimentConfig, name: str, kwargs: Mapping[str, Any]
) -> ExperimentConfig:
    """Return the same settings with another bonus, or without one (`none`)."""
    if name == "none":
        return without_bonus(config)
    if name == config.intrinsic:
        return config
    return replace(config, intrinsic=name, intrinsic_kwargs=dict(kwargs), name="")


def teaching(seed: int) -> list[Run]:
    """Return the runs of question a."""
    config = ExperimentConfig.load(
        env="tutor-v0", n_timesteps=TUTOR_FRAMES, seed=seed, progress=False
    )
    exams = Teaching(TUTOR_TIMES)
    runs = [Run("a", "tutor-v0", "none", without_bonus(config), exams)]
    for label, (name, kwargs) in TUTOR_BONUSES.items():
        bonus = replace(config, intrinsic=name, intrinsic_kwargs=dict(kwargs), name="")
        runs.append(Run("a", "tutor-v0", label, bonus, exams))
    plain = without_bonus(config)
    for name in (*DRAWING_TUTORS, *(PLAIN_TUTORS if seed == 0 else ())):
        runs.append(Run("a", "tutor-v0", f"tutor: {name}", plain, Tutoring(name)))
    return runs


def solving(seed: int) -> list[Run]:
    """Return the runs of question b."""
    runs = []
    for task in LIMITS:
        config = solving_config(task, seed)
        for name, kwargs in BONUSES.items():
            if task in HASHED and kwargs == EXACT:
                kwargs = {}
            bonus = with_bonus(config, name, kwargs)
            runs.append(Run("b", task, name, bonus, protocol_of(task)))
    return runs


def pretraining(seed: int) -> list[Run]:
    """Return the runs of question d."""
    runs = []
    for task, frames in PRETRAINING.items():
        config, plain = solving_config(task, seed), protocol_of(task)
        before = protocol_of(task, pretraining=frames)
        alone = replace(before, bonus_after=False)
        runs += [
            Run("d", task, "from scratch, no bonus", without_bonus(config), plain),
            Run("d", task, "from scratch, bonus", config, plain),
            Run("d", task, "pretrained, then no bonus", config, alone),
            Run("d", task, "pretrained, bonus goes on", config, before),
        ]
    return runs


def choices(seed: int) -> list[Run]:
    """Return the runs of question e."""
    runs = []
    for task in ("door-key-8x8", "multi-room-n4"):
        config, plain = solving_config(task, seed), protocol_of(task)
        steps = config.algo_kwargs["n_steps"]
        episodic = {**config.algo_kwargs, "episodic_intrinsic": True}
        unscaled = {**config.intrinsic_kwargs, "scale": False}
        one = one_stream(config)
        runs += [
            Run("e", task, "preset", config, plain),
            Run("e", task, "unscaled", _of(config, intrinsic_kwargs=unscaled), plain),
            Run("e", task, "episodic", _of(config, algo_kwargs=episodic), plain),
            Run("e", task, "one stream", one, replace(plain, update_every=steps)),
            Run("e", task, "one, per step", one, replace(plain, update_every=1)),
        ]
    return runs


def one_stream(config: ExperimentConfig) -> ExperimentConfig:
    """Return the same agent with one value head, paid the sum of both rewards.

    Stable-Baselines3 scales advantages, so that only the ratio of the two weights
    counts; the sum keeps it.
    """
    own = ("extrinsic_coef", "episodic_intrinsic", "gamma_int", "gae_lambda_int")
    stock = {k: v for k, v in config.algo_kwargs.items() if k not in own}
    ratio = config.coef / config.algo_kwargs.get("extrinsic_coef", 1.0)
    return replace(config, algo="ppo", algo_kwargs=stock, coef=ratio, name="")


def _of(config: ExperimentConfig, **given: Any) -> ExperimentConfig:
    return replace(config, **given)


QUESTIONS: dict[str, Question] = {
    "a": Question(
        "a_teaching",
        "Does curiosity make a better tutor?",
        "PPO teaches the students of `tutor-v0`, with the preset's network, without a "
        "bonus and with each of six (weight .2, the preset's), and is compared with "
        "tutors made by hand. All teach the same held-out students.",
        teaching,
        "none",
    ),
    "b": Question(
        "b_solving",
        "Which bonus solves what?",
        "The preset of each world with another bonus in place of its own, or none, all "
        "else equal. A run stops when the mean over its last training episodes reaches "
        "the level of the task, or is given up at the limit.",
        solving,
        "none",
    ),
    "d": Question(
        "d_pretraining",
        "Does exploring before there is a reward pay later?",
        "The agent first learns from the bonus alone, the world's reward hidden. "
        "Frames count from where the reward is shown.",
        pretraining,
        "from scratch, bonus",
    ),
    "e": Question(
        "e_choices",
        "Are our own choices right?",
        "The preset pays NovelD through a second value head, by a return that does not "
        "end with the episode, scaled, once per rollout. One choice at a time is "
        "changed: the scale (`unscaled`), the end of the return (`episodic`); then, "
        "episodic too, one value head on the sum of both rewards in the same ratio "
        "(`one stream`, the bonus learns after each rollout; `one, per step` after "
        "each step).",
        choices,
        "preset",
    ),
    "f": Question(
        "f_variants",
        "Where does a curious tutor beat rules?",
        "The preset of each variant of the tutor world, with its bonus and without, "
        "and the tutors made by hand, all with the same held-out students. Graphs are "
        "drawn anew for each student, but for arithmetic and EDM 2016.",
        variants,
        "none",
    ),
    "g": Question(
        "g_noise",
        "How wrong may a course's graph be?",
        "`tutor-noisy-v0` with more and more wrong links: half of them are not shown, "
        "half name another skill. 60 % is the world as it is registered. The preset is "
        "trained at each level.",
        noise,
        "tutor: parent-inference",
    ),
}
"""Questions by key. Question c has a table of its own, see `report`."""


def chosen(keys: Sequence[str]) -> dict[str, Question]:
    """Return the questions with these keys; if there are none, all.

    Raises:
        ValueError: If a key is unknown.
    """
    for key in keys:
        if key not in QUESTIONS:
            raise ValueError(unknown_name("question", key, QUESTIONS))
    return {key: QUESTIONS[key] for key in keys or QUESTIONS}
