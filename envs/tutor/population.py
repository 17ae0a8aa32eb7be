"""What a population of students is: one distribution, or a mixture of named groups."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from curiosity_rl.envs.tutor import people as columns
from curiosity_rl.envs.tutor import state as st
from curiosity_rl.envs.tutor.strength import TRAITS

MODELS = {
    "bkt": st.BKT,
    "pfa": st.PFA,
    "irt": st.IRT,
    "q": st.QS,
    "hlr": st.HLR,
    "fsrs": st.FSRS,
}
"""Student models: see students.py (bkt) and strength.py (all others)."""
NO_TRAITS = ((0.0, 0.0),) * TRAITS


@dataclass(frozen=True)
class Population:
    """Distribution of a student's parameters.

    For each skill one row of the table is drawn as a whole and jittered on the logit
    scale; the student's ability a ~ N(0, ability_sd) shifts logit(prior) by a,
    logit(learn) by `ability_on_learn * a`, logit(guess) by `ability_on_answers * a` and
    logit(slip) by as much downwards; the results are clipped.

    Attributes:
        table: Rows `(learn, guess, slip)`, `(rows, 3)` float64.
        jitter_sd: Standard deviation of the jitter [logit], per parameter.
        ability_sd: Standard deviation of the ability [logit].
        ability_on_learn: Weight of the ability on logit(learn).
        prior: Chance that a skill whose prerequisites are known is known at the start.
        clips: Lower and upper bounds of learn, guess and slip.
        ability_on_answers: Weight of the ability on logit(guess) and -logit(slip).
        model: How students learn, one of `MODELS`.
        traits: Mean and standard deviation of the three traits of graded models.
        forgetting: Chance to forget a known skill (bkt).
        learn_shift: What is added to logit(learn) of everybody.
        handicap: Chance, for each skill, that one of its representations is not
            grasped.
        lowered: Mean and standard deviation of what is taken off learn, guess, slip and
            the boost by prerequisites (the perturbed students of EDM 2016).
    """

    table: np.ndarray
    jitter_sd: tuple[float, float, float]
    ability_sd: float
    ability_on_learn: float
    prior: float
    clips: tuple[float, float, float, float, float, float]
    ability_on_answers: float = 0.0
    model: str = "bkt"
    traits: tuple[tuple[float, float], ...] = NO_TRAITS
    forgetting: float = 0.0
    learn_shift: float = 0.0
    handicap: float = 0.0
    lowered: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Mixture:
    """Groups of students, each a population of its own.

    Attributes:
        names: Names of the groups.
        shares: Share of students in each group; they add up to 1.
        groups: Their populations.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    groups: tuple[Population, ...]

    @classmethod
    def of(cls, people: Population | Mixture) -> Mixture:
        """Return a mixture; one population is a single group, `all`."""
        if isinstance(people, Mixture):
            return people
        return cls(("all",), (1.0,), (people,))

    def changed(
        self, prior: float | None = None, forgetting: float | None = None
    ) -> Mixture:
        """Return this mixture with another prior or forgetting; None leaves it."""
        groups = self.groups
        if prior is not None:
            groups = tuple(replace(group, prior=prior) for group in groups)
        if forgetting is not None:
            groups = tuple(replace(group, forgetting=forgetting) for group in groups)
        return replace(self, groups=groups)

    @property
    def graded(self) -> bool:
        """Whether some students are of a graded model."""
        return any(group.model != "bkt" for group in self.groups)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields of `state.Params` that tell of students."""
        people = np.zeros((len(self.groups), columns.WIDTH))
        people[:, columns.SHARE] = np.cumsum(self.shares)
        end = 0
        for row, group in zip(people, self.groups, strict=True):
            start, end = end, end + len(group.table)
            with np.errstate(divide="ignore"):
                row[columns.PRIOR] = np.log(group.prior) - np.log1p(-group.prior)
            row[columns.MODEL] = MODELS[group.model]
            row[columns.ABILITY_SD] = group.ability_sd
            row[columns.ON_LEARN] = group.ability_on_learn
            row[columns.ON_ANSWERS] = group.ability_on_answers
            row[columns.LEARN_SHIFT] = group.learn_shift
            row[columns.FORGETTING] = group.forgetting
            row[columns.HANDICAP] = group.handicap
            row[columns.LOWERED_MEAN : columns.LOWERED_SD + 1] = group.lowered
            row[columns.FIRST_ROW : columns.END_ROW + 1] = start, end
            row[columns.JITTER : columns.CLIPS] = group.jitter_sd
            row[columns.CLIPS : columns.TRAIT] = group.clips
            row[columns.TRAIT : columns.WIDTH] = np.ravel(group.traits)
        table = np.concatenate([group.table for group in self.groups])
        return {"people": people, "table": np.log(table / (1 - table))}
