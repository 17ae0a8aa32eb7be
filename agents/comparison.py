"""Compare bonuses: the same world, budget and held-out students, several seeds each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.outcomes import append, play_all, read, written
from curiosity_rl.registry import unknown_name


@dataclass(frozen=True)
class Variant:
    """A bonus with its settings, as a row of a comparison.

    Attributes:
        intrinsic: Short name of the bonus.
        kwargs: Its settings.
    """

    intrinsic: str
    kwargs: Mapping[str, Any]


VARIANTS: dict[str, Variant] = {
    "none": Variant("none", {}),
    "belief-progress, log-odds, needed": Variant(
        "belief-progress", {"mask": "needed", "potential": "log-odds"}
    ),
    "belief-progress, log-odds": Variant("belief-progress", {"potential": "log-odds"}),
    "belief-progress, needed": Variant("belief-progress", {"mask": "needed"}),
    "belief-progress": Variant("belief-progress", {}),
    "belief-gain": Variant("belief-gain", {}),
    "skill-progress, signed": Variant("skill-progress", {"kind": "signed"}),
    "skill-progress, beta": Variant("skill-progress", {"kind": "beta"}),
    "skill-progress, positive": Variant("skill-progress", {"kind": "positive"}),
    "rnd": Variant("rnd", {}),
    "count": Variant("count", {}),
}
"""Bonuses to compare in tutor worlds, by label."""


@dataclass(frozen=True)
class Outcome:
    """What one run of a comparison reached on the held-out students.

    Attributes:
        env: World.
        insight: What the network was told; see `EquivariantPolicy`.
        variant: Label of the bonus.
        coef: Weight of the bonus; 0 for none.
        steps: Training steps.
        seed: Seed of the run.
        pass_rate: Share of students that passed the exam.
        mastered: Share of the needed skills known at the exam.
        distractors: Share of exercises on distractors.
        steps_per_second: Speed of training.
    """

    env: str
    insight: str
    variant: str
    coef: float
    steps: int
    seed: int
    pass_rate: float = written(".4f")
    mastered: float = written(".4f")
    distractors: float = written(".4f")
    steps_per_second: float = written(".0f")


def chosen(
    labels: Sequence[str], env: str = "", belief: bool | str = True
) -> dict[str, Variant]:
    """Return the variants with these labels; if there are none, all that fit the world.

    Where no graph is shown, `needed` is known only to a belief over the graph.

    Raises:
        ValueError: If a label is unknown.
    """
    for label in labels:
        if label not in VARIANTS:
            raise ValueError(unknown_name("variant", label, VARIANTS))
    if labels:
        return {label: VARIANTS[label] for label in labels}
    blind = "blind" in env and belief != "graph"
    return {
        label: variant
        for label, variant in VARIANTS.items()
        if not (blind and variant.kwargs.get("mask") == "needed")
    }


def compare(
    env: str,
    labels: Sequence[str],
    n_timesteps: int,
    seeds: Sequence[int],
    file: Path,
    jobs: int = 2,
    insight: str = "none",
    coef: float = 1.0,
    **settings: Any,
) -> list[Outcome]:
    """Train every variant with every seed; append each outcome to a CSV file.

    Runs whose outcome the file already holds are not repeated.

    Args:
        env: World; its preset gives everything but the bonus.
        labels: Labels of `VARIANTS`; empty for all.
        n_timesteps: Training steps of each run.
        seeds: Seeds.
        file: CSV file of outcomes.
        jobs: Processes at a time.
        insight: What the network is told.
        coef: Weight of the bonus.
        settings: Other settings of `ExperimentConfig`.

    Returns:
        All outcomes of this world, network and budget that the file holds then.
    """
    base = ExperimentConfig.load(
        env=env,
        n_timesteps=n_timesteps,
        policy_kwargs={"insight": insight},
        progress=False,
        **settings,
    )
    belief = base.env_kwargs.get("belief", True)
    done = {_key(outcome) for outcome in read(file, Outcome)}
    plan = [
        (label, variant_config(base, variant, coef, seed))
        for seed in seeds
        for label, variant in chosen(labels, env, belief).items()
    ]
    plan = [run for run in plan if _planned(*run) not in done]
    failed: list[Exception] = []
    for number, (_, outcome) in enumerate(play_all(play, plan, jobs), 1):
        if isinstance(outcome, Exception):
            failed.append(outcome)
            continue
        append(file, outcome)
        print(
            f"[{number}/{len(plan)}] {env} {outcome.steps:,} steps, "
            f"{outcome.variant}, seed {outcome.seed}: pass "
            f"{outcome.pass_rate:.3f}, mastered {outcome.mastered:.3f}, "
            f"distractors {outcome.distractors:.3f}, "
            f"{outcome.steps_per_second:,.0f} steps/s",
            flush=True,
        )
    if failed:
        raise failed[0]
    kind = (env, insight, n_timesteps)
    return [o for o in read(file, Outcome) if (o.env, o.insight, o.steps) == kind]


def variant_config(
    base: ExperimentConfig, variant: Variant, coef: float, seed: int
) -> ExperimentConfig:
    """Return the configuration of one run of a comparison."""
    return replace(
        base,
        intrinsic=variant.intrinsic,
        intrinsic_kwargs=dict(variant.kwargs),
        coef=0.0 if variant.intrinsic == "none" else coef,
        seed=seed,
        name="",
    )


def play(label: str, config: ExperimentConfig) -> Outcome:
    """Train and evaluate one run of a comparison."""
    from curiosity_rl.agents.experiment import prepare, run

    result = run(prepare(config), baselines=False)
    row = asdict(result.rows[0])
    env, insight, _, coef, steps, seed = _planned(label, config)
    return Outcome(
        env=env,
        insight=insight,
        variant=label,
        coef=coef,
        steps=steps,
        seed=seed,
        pass_rate=row["pass_rate"],
        mastered=row["mastered"],
        distractors=row["distractors"],
        steps_per_second=result.timing["steps_per_second"],
    )


def _planned(label: str, config: ExperimentConfig) -> tuple[Any, ...]:
    """Return what tells this run from all others of a file."""
    insight = config.policy_kwargs["insight"]
    steps, seed = config.n_timesteps, config.seed
    return config.env, insight, label, config.coef, steps, seed


def _key(outcome: Outcome) -> tuple[Any, ...]:
    o = outcome
    return o.env, o.insight, o.variant, o.coef, o.steps, o.seed


def markdown(outcomes: Iterable[Outcome]) -> str:
    """Return a table: mean over seeds, 95 % t interval of the mean, single seeds."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda o: o.seed):
        groups.setdefault(outcome.variant, []).append(outcome)
    lines = [
        "| bonus | pass rate | 95 % interval | each seed | mastered | distractors |",
        "|---|---|---|---|---|---|",
    ]
    for variant, group in sorted(groups.items(), key=lambda g: -_mean(g[1])):
        rates = [o.pass_rate for o in group]
        mean, interval = _mean(group), "-"
        if len(rates) > 1:
            half = float(stats.sem(rates) * stats.t.ppf(0.975, len(rates) - 1))
            interval = f"{max(mean - half, 0):.3f} to {min(mean + half, 1):.3f}"
        lines.append(
            f"| {variant} | {mean:.3f} | {interval} | "
            f"{' '.join(f'{r:.3f}' for r in rates)} | "
            f"{np.mean([o.mastered for o in group]):.3f} | "
            f"{np.mean([o.distractors for o in group]):.3f} |"
        )
    return "\n".join(lines)


def _mean(group: Sequence[Outcome]) -> float:
    return float(np.mean([o.pass_rate for o in group]))
