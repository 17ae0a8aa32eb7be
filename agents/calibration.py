"""Calibration: from a log of answers to a population of students.

Every skill is fitted by Bayesian knowledge tracing (bkt.py); a skill that the log says
too little about, or whose fit means nothing, is refused by name. The joint distribution
of the fits is kept as they are, one row for each skill: the parameters are correlated,
so a simulated skill takes a row as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from curiosity_rl.agents import answer_models, bkt
from curiosity_rl.agents.answer_log import AnswerLog
from curiosity_rl.agents.answer_models import Score
from curiosity_rl.agents.realism import (
    Ability,
    Likeness,
    likeness,
    match_ability,
    portrait,
    simulate,
)

NEAR = 1e-3
"""A parameter so close to a bound is stuck there."""
AUC_TOLERANCE = 0.03
FOLDS = 5
"""Parts of the students, each held out once to measure how well the fits foretell."""
JITTER = 0.25
ABILITY_ON_LEARN = 0.5
CLIPS = (0.01, 0.90, 0.01, 0.50, 0.01, 0.50)
DIGITS = 6
NOBODY = np.zeros(len(bkt.NAMES))
BKT, FACTORS = "Bayesian knowledge tracing", "performance factors"
BASELINES: dict[str, Callable[[AnswerLog, AnswerLog], np.ndarray]] = {
    "overall mean": answer_models.overall_mean,
    "mean of the skill": answer_models.skill_mean,
    "mean of skill and attempt": answer_models.attempt_mean,
    FACTORS: answer_models.performance_factors,
}
Tick = Callable[[str, float], None]


@dataclass(frozen=True)
class SkillFit:
    """What the log says about one skill.

    Attributes:
        name: Name of the skill.
        students: How many practised it.
        answers: How many answers they gave.
        theta: Parameters in the order of `bkt.NAMES`; None where nothing was fitted.
        refused: Why the skill is left out; empty where it is kept.
    """

    name: str
    students: int
    answers: int
    theta: np.ndarray | None
    refused: str = ""


@dataclass(frozen=True)
class Calibration:
    """The fits of a log and how well they foretell held-out students.

    Attributes:
        answers: Answers in the log.
        students: Students in the log.
        skills: Every skill of the log, in the order of names.
        forgetting: Whether forgetting was fitted.
        ability: What sets students apart on all skills alike.
        quality: Scores on held-out students, by model; empty where none was left.
    """

    answers: int
    students: int
    skills: tuple[SkillFit, ...]
    forgetting: bool
    ability: Ability
    quality: dict[str, Score]

    @property
    def kept(self) -> list[SkillFit]:
        """Skills that are not refused."""
        return [skill for skill in self.skills if not skill.refused]

    @property
    def refused(self) -> list[SkillFit]:
        """Skills that are."""
        return [skill for skill in self.skills if skill.refused]

    def table(self) -> np.ndarray:
        """Return the parameters of the skills kept, `(rows, 5)`."""
        return np.array([skill.theta for skill in self.kept])


def calibrate(
    log: AnswerLog,
    forgetting: bool = False,
    least_students: int = 100,
    least_answers: int = 500,
    tick: Tick = lambda label, share: None,
) -> Calibration:
    """Fit every skill of a log, and measure the fits on held-out students.

    Equal logs give equal results, bit for bit.

    Args:
        log: The answers.
        forgetting: Whether a known skill can be forgotten between two answers.
        least_students: Skills with fewer students are refused.
        least_answers: Skills with fewer answers are refused.
        tick: Told what is being done and which share is done.

    Raises:
        ValueError: If every skill is refused.
    """
    skills = []
    for k, name in enumerate(log.skills):
        tick(f"skill {name}", 0.3 * k / len(log.skills))
        skills.append(fit_skill(log, k, forgetting, least_students, least_answers))
    kept = [k for k, skill in enumerate(skills) if not skill.refused]
    if not kept:
        raise ValueError(
            f"none of the {len(skills)} skills can be fitted; the first, "
            f"{skills[0].name}: {skills[0].refused}"
        )
    log = log.part(np.isin(log.skill, kept))
    tick("ability", 0.3)
    thetas = np.stack([NOBODY if s.theta is None else s.theta for s in skills])
    ability = match_ability(log, thetas, ABILITY_ON_LEARN)
    scores = quality(log, forgetting, tick)
    tick("done", 1.0)
    return Calibration(
        answers=sum(skill.answers for skill in skills),
        students=len(log.users),
        skills=tuple(skills),
        forgetting=forgetting,
        ability=ability,
        quality=scores,
    )


def fit_skill(
    log: AnswerLog, k: int, forgetting: bool, least_students: int, least_answers: int
) -> SkillFit:
    """Fit one skill, or say why that is refused."""
    first, last = log.sequences_of(k)
    start, end = int(log.starts[first]), int(log.starts[last])
    students, answers = last - first, end - start
    hits = int(log.right[start:end].sum())
    reason = ""
    if students < least_students:
        reason = f"{students:,} students, fewer than {least_students:,}"
    elif answers < least_answers:
        reason = f"{answers:,} answers, fewer than {least_answers:,}"
    elif answers == students:
        reason = "no student answered twice, so nothing tells of learning"
    elif hits in (0, answers):
        reason = f"every answer is {'right' if hits else 'wrong'}"
    if reason:
        return SkillFit(log.skills[k], students, answers, None, reason)
    fit = bkt.fit(log.right, log.starts, first, last, forgetting)
    return SkillFit(
        log.skills[k], students, answers, fit.theta, degenerate(fit, forgetting)
    )


def degenerate(fit: bkt.Fit, forgetting: bool) -> str:
    """Say why a fit means nothing; empty where it means something.

    A guess or slip at its lower bound is only rare, and a prior there says that the
    skill was new to all: these are kept.
    """
    values = dict(zip(bkt.NAMES, map(float, fit.theta), strict=True))
    high = dict(zip(bkt.NAMES, bkt.bounds(forgetting)[:, 1], strict=True))
    if values["guess"] + values["slip"] >= 1 - NEAR:
        return "guess + slip is 1 or more: to know or not makes no difference"
    for name, meaning in (
        ("guess", "those who do not know it are right as often as wrong, or more"),
        ("slip", "those who know it are wrong as often as right, or more"),
        ("prior", "nobody has it to learn"),
        ("learn", "everybody learns it at the first exercise"),
        *([("forget", "it is forgotten as often as kept")] if forgetting else []),
    ):
        if values[name] >= high[name] - NEAR:
            return f"{name} is stuck at its upper bound {high[name]:.4g}: {meaning}"
    if values["learn"] <= NEAR:
        return (
            f"learn is stuck at its lower bound, {values['learn']:.4f}: nobody learns"
        )
    if values["learn"] + values["forget"] >= 1 - NEAR:
        return "learn + forget is 1 or more: what is known changes at every answer"
    if not fit.converged:
        return f"the fit was still moving after {bkt.MOST_STEPS:,} steps"
    return ""


def quality(log: AnswerLog, forgetting: bool, tick: Tick) -> dict[str, Score]:
    """Foretell the answers of every student by fits to others, and score that.

    Each fifth of the students is held out once. Every chance is given before the
    answer, from the student's own answers on the skill so far.
    """
    rng = np.random.default_rng(0)
    fold = np.argsort(rng.permutation(len(log.users)))[log.user] % FOLDS
    told: dict[str, list[np.ndarray]] = {name: [] for name in (*BASELINES, BKT)}
    right = []
    for f in range(FOLDS):
        share = 0.5 + 0.5 * f / FOLDS
        train = log.part(fold != f)
        test = log.part((fold == f) & np.isin(log.skill, train.skill))
        if not len(test.right):
            continue
        right.append(test.right)
        for name, model in BASELINES.items():
            tick(f"{name}, held-out students", share)
            told[name].append(model(train, test))
        tick(f"{BKT}, held-out students", share + 0.25 / FOLDS)
        thetas = np.zeros((len(log.skills), len(bkt.NAMES)))
        for k in np.unique(train.skill):
            first, last = train.sequences_of(k)
            fit = bkt.fit(train.right, train.starts, first, last, forgetting)
            thetas[k] = fit.theta
        chances = np.empty(len(test.right))
        bkt.predict(test.right, test.starts, test.skill, thetas, chances)
        told[BKT].append(chances)
    if not right:
        return {}
    answers = np.concatenate(right)
    return {
        name: answer_models.score(np.concatenate(chances), answers)
        for name, chances in told.items()
    }


def compare(log: AnswerLog, found: Calibration, seed: int = 1) -> list[Likeness]:
    """Hold a log against that of as many simulated students, on the skills kept.

    Args:
        log: The log of which `found` was made.
        found: Its calibration.
        seed: Seed of the simulated students.
    """
    kept = [k for k, skill in enumerate(found.skills) if not skill.refused]
    log = log.part(np.isin(log.skill, kept))
    thetas = np.zeros((len(log.skills), len(bkt.NAMES)))
    thetas[kept] = found.table()
    played = simulate(log, thetas, found.ability, seed)
    rows = likeness(portrait(log), portrait(played))
    scores = quality(played, found.forgetting, lambda label, share: None)
    for name in (BKT, FACTORS):
        if name in found.quality:
            real, simulated = found.quality[name].auc, scores[name].auc
            rows.append(Likeness(f"AUC, {name}", real, simulated, AUC_TOLERANCE))
    return rows


def as_population(found: Calibration) -> dict[str, Any]:
    """Return the population as plain data; the tutor's worlds read it from YAML.

    The weight of the ability on learning, the jitter and the clips are assumptions: a
    log with few answers of a student on a skill says next to nothing about them.
    """
    names = bkt.NAMES if found.forgetting else bkt.NAMES[:-1]
    return {
        "kind": "bkt",
        "version": 1,
        "prior": _plain(found.table()[:, bkt.PRIOR].mean()),
        "ability_sd": _plain(found.ability.sd),
        "ability_on_learn": found.ability.on_learn,
        "ability_on_answers": found.ability.on_answers,
        "jitter_sd": [JITTER] * 3,
        "clips": list(CLIPS),
        "skills": [
            {
                "name": skill.name,
                **{n: _plain(v) for n, v in zip(names, skill.theta, strict=False)},
                "students": skill.students,
                "answers": skill.answers,
            }
            for skill in found.kept
            if skill.theta is not None
        ],
        "refused": {skill.name: skill.refused for skill in found.refused},
        "log": {"students": found.students, "answers": found.answers},
        "held_out": {
            name: {"log_loss": _plain(s.log_loss), "auc": _plain(s.auc)}
            for name, s in found.quality.items()
        },
    }


def to_yaml(found: Calibration) -> str:
    """Write the population as YAML."""
    return yaml.safe_dump(as_population(found), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> float:
    return round(float(value), DIGITS)
