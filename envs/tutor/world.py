"""`tutor-v0` and its relatives: teach a student whose knowledge you cannot see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal

import numpy as np
from gymnasium.spaces import Box, Discrete

from curiosity_rl.envs.settings import choice, flag, real, whole
from curiosity_rl.envs.tutor import curricula, populations, record
from curiosity_rl.envs.tutor import state as st
from curiosity_rl.envs.tutor.average import average_student
from curiosity_rl.envs.tutor.bits import unpack
from curiosity_rl.envs.tutor.drawing import draw_student
from curiosity_rl.envs.tutor.inference import INFERRED, Inference
from curiosity_rl.envs.tutor.kernel import (
    move_all,
    observe_lanes,
    reset_lanes,
    step_all,
)
from curiosity_rl.envs.tutor.people import FORGETTING, MODEL
from curiosity_rl.envs.tutor.population import Mixture
from curiosity_rl.envs.tutor.strength import LEVELS, TRAITS, strengths
from curiosity_rl.envs.world import World
from curiosity_rl.protocols import ActivityLayout

__all__ = ["Tutor", "move_all"]

GATINGS = {"hard": st.HARD, "soft": st.SOFT, "additive": st.ADDITIVE}
GRAPHS = {"none": st.NONE, "true": st.TRUE, "noisy": st.NOISY}
REWARDS = {"exam": st.EXAM, "gain": st.GAIN, "mastery": st.MASTERY}
PARAMETER_ROWS = ("learn", "guess", "slip", "boost", "parents", "group", "model")
TRIAL_LANES = 64
REDRAWS, TRIAL_REDRAWS = 10_000, 1_000
"""Draws until a student is given up. The trial allows fewer, so that settings that pass
it (a student in some 200 draws) do not fail later: odds of e^-40 per episode."""


class Tutor(World):
    """Teach one student per episode, then let the student sit an exam.

    ## Description
    Every episode brings a new student: a prerequisite graph, prior knowledge, chances
    to learn, guess and slip for every skill, and goal skills. The tutor proposes
    activities and sees right or wrong answers, never knowledge. Most activities teach a
    skill; a few are distractors, answered by a coin flip, that nobody can learn. An
    exercise is answered first; then an unknown skill may be learnt, with little chance
    while prerequisites are missing. Slots of activities are shuffled for each student.
    How students know, learn and forget depends on their population: as in Bayesian
    knowledge tracing, or by degrees (docs/students.md).

    ## Action
    `Discrete(A)`: the activity to propose, one of K skills and the distractors. With R
    representations `Discrete(A * R)`: activity + A * representation. With `probe` twice
    as many: the second half tests and teaches nothing.

    ## Observation
    Flat float32 `(A * F + 1,)`: F features for each activity, then the share of the
    budget that is left. `layout` names the features and reshapes observations.

    | feature | meaning |
    |---|---|
    | `attempts` | log(1 + exercises of this activity) / 2 |
    | `last_1` .. `last_4` | newest to oldest answer: 1 right, -1 wrong, 0 none |
    | `streak` | right answers in a row, up to 5, over 5 |
    | `recency` | .9 ** exercises since the last of this activity; 0 if never |
    | `success_fast`, `success_slow` | moving averages of answers, rates .4, .15 |
    | `goal` | 1 if the skill is in the exam |
    | `belief` | P(known) by a BKT filter with an average student's parameters |
    | `needed` | 1 for goals and their ancestors in the graph shown |
    | `root` | 1 if no prerequisites are shown |
    | `parents_belief` | product of the prerequisites' `belief` |
    | `parents_success` | least mean of a prerequisite's last 3 answers; 1 for roots |
    | `joint_belief` | P(known) by the filter that ties skills by the graph |
    | `parents_joint_belief` | product of the prerequisites' `joint_belief` |
    | `child_stuck` | largest attempts * (1 - success_fast) of a child |
    | `parent_1`, `parent_2`, .. | (slot of a prerequisite + 1) / A; 0 for none |
    | `days` | log(1 + days since the last exercise of this activity) / 4; 0 if never |
    | `success_as_1`, .. | moving average of answers in a representation, rate .4 |

    From `needed` to parents, features exist only where a graph is shown; `days` only
    with lessons, `success_as_..` with several representations. With `belief=False` the
    four features that hold beliefs are left out.

    ## Reward
    `exam`: 1 at the end if every goal skill is known, else 0; 0 before the end.
    `gain`: at the end, needed skills known now minus those known at the start, over
    those unknown at the start; negative only where students forget.
    `mastery`: at each step, change in the share of needed skills known (for ablation).

    ## End
    Terminated when the budget is spent, or when the student leaves (`dropout`), who
    then sits the exam with what is known; never truncated.

    ## Info
    `activity`, `outcome`, `belief_before`, `belief`, `goal`, and `needed` where a graph
    is shown; `representation` and `probe` where actions have them. `truth` holds what
    only evaluation may use: at each step `mastery`, for graded students also
    `strength`, and `motivation` where they may leave; at reset also `learn`, `guess`,
    `slip`, `boost`, `parents`, `needed`, `goal`, `distractor`, `model` and `group`, an
    index into `groups`.

    ## Registered ids
    `tutor-v0`, `tutor-blind-v0`, `tutor-noisy-v0`, `tutor-chain-v0`,
    `tutor-edm2016-v0`, `tutor-memory-v0`, `tutor-dropout-v0`.

    ## Source
    Task and calibration are ours. Student model: Corbett & Anderson (1995); additive
    prerequisites: Clement, Oudeyer & Lopes (EDM 2016); others: docs/students.md.

    Args:
        curriculum: `layered-K`, `chain-K`, `edm2016-0` to `edm2016-4`, `arithmetic`
            (counting to fractions), a course file (`.yaml`, `Curriculum.from_yaml`), a
            mapping from each skill's name to the names of its prerequisites, or a
            `Curriculum`.
        population: One of `POPULATIONS`, such as `assistments` (fits to real answers),
            `textbook`, `irt`, `fsrs`, `mixed` or `subgroups`; or a file such as
            `population.yaml`, which `scripts/calibrate.py` makes of a log of answers,
            or which names the groups of a mixture.
        students: Draw from a fixed pool of so many students, in training and in
            evaluation alike; None for a new one every episode.
        budget: Exercises per episode.
        goals: Skills in the exam; None for all goals that the curriculum names, or for
            2 where it names none.
        distractors: Activities that nobody can learn.
        gating: What missing prerequisites do to learning: `hard` (times `leak`), `soft`
            (in proportion) or `additive` (EDM 2016); None for the curriculum's own.
        forgetting: Chance to forget a known skill when it is practised; None for the
            population's own. Graded students have no use for it.
        graph_shown: `true`, `none`, or `noisy` (each link wrong with `graph_noise`).
        reward: `exam`, `gain` or `mastery`.
        belief: Whether the observation holds beliefs; `graph`: see graph_belief.py.
        leak: Share of the chance to learn that is left without prerequisites.
        prior: Chance that a skill is known at the start; None for the population's own.
        min_unknown: Needed skills unknown at the start, at least; None for 6 or half of
            the skills (of those that the easiest goal needs, where the curriculum names
            goals), whichever is less.
        graph_noise: Chance that a link of a `noisy` graph is wrong: it then names an
            earlier skill that is no prerequisite, if there is one.
        graph_dropped: Chance that a link of a `noisy` graph is not shown.
        shuffle: Whether every student has the activities in another order. Without it a
            fixed curriculum has skill k in slot k.
        forget_others: Whether `forgetting` also acts, at each exercise, on all skills
            that are not practised.
        lesson: Exercises per lesson; None for a single lesson without end.
        pause: Days between two lessons.
        exam_pause: Days between the last exercise and the exam, where there are
            lessons.
        dropout: Factor on the chance that a student leaves after an exercise; 1 for
            what fits real students, 0 for students who stay.
        representations: Ways to present a skill. A handicapped student does not grasp
            one of them: answers to it are guesses, and it teaches nothing.
        probe: Whether the tutor can also test without teaching.
        particles: Hypotheses of `belief="graph"`.

    Raises:
        ValueError: If a setting is not allowed, or no student can meet the settings.
    """

    population_names = tuple(populations.POPULATIONS)

    def __init__(
        self,
        curriculum: str
        | PathLike[str]
        | Mapping[str, Sequence[str]]
        | curricula.Curriculum = "layered-12",
        population: str = "assistments",
        students: int | None = None,
        budget: int = 180,
        goals: int | None = None,
        distractors: int = 4,
        gating: Literal["hard", "soft", "additive"] | None = None,
        forgetting: float | None = None,
        graph_shown: Literal["true", "none", "noisy"] = "true",
        reward: Literal["exam", "gain", "mastery"] = "exam",
        belief: bool | Literal["graph"] = True,
        leak: float = 0.02,
        prior: float | None = None,
        min_unknown: int | None = None,
        graph_noise: float = 0.2,
        graph_dropped: float = 0.0,
        shuffle: bool = True,
        forget_others: bool = False,
        lesson: int | None = None,
        pause: float = 2.0,
        exam_pause: float = 7.0,
        dropout: float = 0.0,
        representations: int = 1,
        probe: bool = False,
        particles: int = 16,
    ) -> None:
        self.curriculum = curricula.parse(curriculum)
        self.budget = whole("budget", budget, 1, 1_000_000)
        skills = self.curriculum.skills
        activities = skills + whole("distractors", distractors, 0, 256)
        named = len(self.curriculum.goals)
        if goals is None:
            goals = named or 2
        if min_unknown is None:
            min_unknown = min(6, max(1, self.curriculum.smallest_exam // 2))
        people = Mixture.of(populations.parse(population)).changed(
            None if prior is None else real("prior", prior, 0.0, 1.0),
            None if forgetting is None else real("forgetting", forgetting, 0.0, 1.0),
        )
        self.groups = people.names
        graph = GRAPHS[choice("graph_shown", graph_shown, GRAPHS)]
        representations = whole("representations", representations, 1, 8)
        days = lesson is not None
        names = record.feature_names(
            graph, self.curriculum.max_parents, days, representations
        )
        infer = isinstance(belief, str) and bool(choice("belief", belief, ["graph"]))
        names += INFERRED * infer
        self.params = st.Params(
            skills=skills,
            activities=activities,
            budget=self.budget,
            goals=whole("goals", goals, 1, named or skills),
            min_unknown=whole("min_unknown", min_unknown, 0, skills),
            redraws=REDRAWS,
            students=0 if students is None else whole("students", students, 1, 2**62),
            shuffle=flag("shuffle", shuffle),
            kind=st.LAYERED if self.curriculum.parents is None else st.FIXED,
            gating=_gating(gating, self.curriculum),
            leak=real("leak", leak, 0.0, 1.0),
            forget_others=flag("forget_others", forget_others),
            learn_first=self.curriculum.learn_first,
            graph=graph,
            graph_noise=real("graph_noise", graph_noise, 0.0, 1.0),
            graph_dropped=real("graph_dropped", graph_dropped, 0.0, 1.0),
            lesson=0 if lesson is None else whole("lesson", lesson, 1, 1_000_000),
            pause=real("pause", pause, 0.0, 1e4),
            exam_pause=real("exam_pause", exam_pause, 0.0, 1e4),
            dropout=real("dropout", dropout, 0.0, 1e6),
            representations=representations,
            days_column=names.index("days") if days else -1,
            shown_column=names.index("success_as_1") if representations > 1 else -1,
            parents=self.curriculum.parent_table(),
            learn=np.array(self.curriculum.learn or (), dtype=np.float32),
            boost=np.array(self.curriculum.boost, dtype=np.float32),
            exam=np.array(self.curriculum.goals, dtype=np.int64),
            **people.arrays(),
        )
        self._sizes = st.Sizes(
            activities=activities,
            parents=self.curriculum.max_parents,
            features=len(names),
            levels=LEVELS * people.graded,
            traits=TRAITS * people.graded,
            handicaps=representations > 1,
            days=days,
            budget=self.budget,
            particles=whole("particles", particles, 1, 4096) * infer,
        )
        self._reward = REWARDS[choice("reward", reward, REWARDS)]
        belief = infer or flag("belief", belief)
        columns = [
            c for c, name in enumerate(names) if belief or name not in record.BELIEFS
        ]
        self._columns = np.array(columns, dtype=np.int64)
        shown = tuple(names[c] for c in columns)
        self.layout = ActivityLayout(activities, shown, self.budget)
        high = max(1.0, math.log1p(min(self.budget, 1024)) / 2)
        if days:
            lessons = self.budget // self.params.lesson
            total = lessons * self.params.pause + self.params.exam_pause
            high = max(high, record.DAYS_SCALE * math.log1p(total))
        self.observation_space = Box(-1.0, high + 1e-6, (self.layout.size,), np.float32)
        self.modes = representations * (2 if flag("probe", probe) else 1)
        self.action_space = Discrete(activities * self.modes)
        lowest = {"exam": 0.0, "gain": -float(skills), "mastery": -1.0}[reward]
        self.reward_range = (lowest if self._can_forget() else 0.0, 1.0)
        self.coverage_shape, self.coverage_axes = (activities, skills + 1), st.AXES
        trial = self._try_students()
        student = average_student(trial, self.params)
        self.layout = replace(self.layout, student=student)
        self._inference = Inference(trial, self.params, self._sizes, self.modes)

    def _can_forget(self) -> bool:
        people = self.params.people
        memory = np.isin(people[:, MODEL], (st.HLR, st.FSRS, st.PFA))
        return bool((people[:, FORGETTING] > 0).any() or memory.any())

    def _try_students(self) -> st.State:
        trial = self.allocate(TRIAL_LANES)
        trial.rng[:] = np.arange(TRIAL_LANES, dtype=np.uint64)
        few = self.params._replace(redraws=TRIAL_REDRAWS)
        self._enrol(trial, np.arange(TRIAL_LANES), few)
        return trial

    def allocate(self, lanes: int) -> st.State:
        """Return an empty state of so many lanes."""
        return st.allocate(lanes, self._sizes)

    def reset(self, state: st.State, lanes: np.ndarray) -> None:
        """Draw new students into these lanes.

        Raises:
            ValueError: If no student meets the settings.
        """
        self._enrol(state, lanes, self.params)
        self._inference.begin(state, lanes)

    def _enrol(self, state: st.State, lanes: np.ndarray, params: st.Params) -> None:
        slots = np.empty(params.activities, dtype=np.int64)
        needed = np.empty((1, state.needed.shape[1]), dtype=np.uint64)
        if reset_lanes(lanes, st.students(state), params, slots, needed) >= 0:
            raise ValueError(
                f"no student with {params.min_unknown} unknown skills among those "
                f"needed for {params.goals} goals was found in {params.redraws:,} "
                "draws; lower min_unknown or prior, or raise goals or skills"
            )

    def step(
        self, state: st.State, actions: np.ndarray, out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give one exercise in every lane; return rewards and terminated, `(n,)`."""
        rewards, terminated = np.empty(len(actions)), np.empty(len(actions), np.bool_)
        core = st.students(state)
        given = (actions, core, self.params, self._reward, self._columns)
        step_all(*given, rewards, terminated, out)
        self._inference.follow(state, out)
        return rewards, terminated

    def observe(self, state: st.State, lanes: np.ndarray, out: np.ndarray) -> None:
        """Write the observations of these lanes into the same rows of `out`."""
        observe_lanes(lanes, st.students(state), self.params, self._columns, out)

    def step_info(self, state: st.State) -> dict[str, Any]:
        """Report the last exercise; see the class for the keys."""
        info: dict[str, Any] = {
            "activity": state.activity.copy(),
            "outcome": state.outcome.copy(),
            "belief_before": state.belief_before.copy(),
            **self._record_info(state, slice(None)),
        }
        if self.modes > 1:
            info["representation"] = state.representation.copy()
            info["probe"] = state.probe.copy()
        info["truth"] = self._truth_info(state, np.arange(len(state.rng)))
        return info

    def _truth_info(self, state: st.State, lanes: np.ndarray) -> dict[str, Any]:
        truth = {"mastery": unpack(state.mastery[lanes], self.params.activities)}
        if self._sizes.levels:
            found = np.empty((len(lanes), self.params.activities), np.float32)
            strengths(lanes, st.students(state), found)
            truth["strength"] = found
        if self.params.dropout > 0:
            truth["motivation"] = state.motivation[lanes]
        return truth

    def reset_info(self, state: st.State, lanes: np.ndarray) -> dict[str, Any]:
        """Report new students; see the class for the keys."""
        truth = self._truth_info(state, lanes)
        for name in ("needed", "goal", "distractor"):
            truth[name] = unpack(getattr(state, name)[lanes], self.params.activities)
        for name in PARAMETER_ROWS:
            truth[name] = getattr(state, name)[lanes]
        return {**self._record_info(state, lanes), "truth": truth}

    def _record_info(self, state: st.State, lanes: Any) -> dict[str, np.ndarray]:
        features = state.features[lanes]
        shown = self.params.graph != st.NONE
        info = {
            "belief": features[..., record.JOINT if shown else record.BELIEF].copy(),
            "goal": features[..., record.GOAL] > 0,
        }
        if shown:
            info["needed"] = features[..., record.NEEDED] > 0
        return info | self._inference.info(features)

    def coverage(self, state: st.State) -> np.ndarray:
        """Return the cell (last activity, skills known) of each lane, flat index."""
        level = unpack(state.mastery, self.params.activities).sum(1)
        return np.maximum(state.activity, 0) * self.coverage_shape[1] + level

    def render(self, state: st.State, lane: int) -> np.ndarray:
        """Draw the skill graph of one lane, coloured by what the student knows."""
        return draw_student(state, lane, self.params)


def _gating(gating: str | None, curriculum: curricula.Curriculum) -> int:
    additive = curriculum.learn is not None
    if gating is None:
        return st.ADDITIVE if additive else st.HARD
    chosen = GATINGS[choice("gating", gating, GATINGS)]
    if additive != (chosen == st.ADDITIVE):
        raise ValueError(
            f"got gating={gating!r}; curricula that fix the chances to learn, such as "
            "edm2016, use additive gating, all others hard or soft"
        )
    return chosen
