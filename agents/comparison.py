"""Compare bonuses: the same world, budget and held-out students, several seeds each."""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from curiosity_rl.agents.config import ExperimentConfig
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
        variant: Label of the bonus.
        steps: Training steps.
        seed: Seed of the run.
        pass_rate: Share of students that passed the exam.
        mastered: Share of the needed skills known at the exam.
        distractors: Share of exercises on distractors.
        steps_per_second: Speed of training.
    """

    env: str
    variant: str
    steps: int
    seed: int
    pass_rate: float
    mastered: float
    distractors: float
    steps_per_second: float


def chosen(labels: Sequence[str]) -> dict[str, Variant]:
    """Return the variants with these labels; all if there are none.

    Raises:
        ValueError: If a label is unknown.
    """
    for label in labels:
        if label not in VARIANTS:
            raise ValueError(unknown_name("variant", label, VARIANTS))
    return {label: VARIANTS[label] for label in labels or VARIANTS}


def compare(
    env: str,
    labels: Sequence[str],
    n_timesteps: int,
    seeds: Sequence[int],
    file: Path,
    jobs: int = 2,
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
        settings: Other settings of `ExperimentConfig`.

    Returns:
        All outcomes of this world and budget that the file holds then.
    """
    variants = chosen(labels)
    base = ExperimentConfig.load(
        env=env, n_timesteps=n_timesteps, progress=False, **settings
    )
    done = {(o.env, o.variant, o.steps, o.seed) for o in read(file)}
    plan = [
        (label, variant_config(base, variant, seed))
        for seed in seeds
        for label, variant in variants.items()
        if (env, label, n_timesteps, seed) not in done
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        waiting = [pool.submit(play, label, config) for label, config in plan]
        for number, future in enumerate(as_completed(waiting), 1):
            outcome = future.result()
            append(file, outcome)
            print(
                f"[{number}/{len(plan)}] {env} {outcome.steps:,} steps, "
                f"{outcome.variant}, seed {outcome.seed}: pass "
                f"{outcome.pass_rate:.3f}, mastered {outcome.mastered:.3f}, "
                f"distractors {outcome.distractors:.3f}, "
                f"{outcome.steps_per_second:,.0f} steps/s",
                flush=True,
            )
    return [o for o in read(file) if o.env == env and o.steps == n_timesteps]


def variant_config(
    base: ExperimentConfig, variant: Variant, seed: int
) -> ExperimentConfig:
    """Return the configuration of one run of a comparison."""
    return replace(
        base,
        intrinsic=variant.intrinsic,
        intrinsic_kwargs=dict(variant.kwargs),
        seed=seed,
        name="",
    )


def play(label: str, config: ExperimentConfig) -> Outcome:
    """Train and evaluate one run of a comparison."""
    from curiosity_rl.agents.experiment import prepare, run

    result = run(prepare(config), baselines=False)
    row = asdict(result.rows[0])
    return Outcome(
        env=config.env,
        variant=label,
        steps=config.n_timesteps,
        seed=config.seed,
        pass_rate=row["pass_rate"],
        mastered=row["mastered"],
        distractors=row["distractors"],
        steps_per_second=result.timing["steps_per_second"],
    )


def read(file: Path) -> list[Outcome]:
    """Read outcomes; none if the file does not exist."""
    if not file.exists():
        return []
    kinds = {f.name: {"str": str, "int": int}.get(str(f.type), float) for f in _FIELDS}
    with file.open(newline="") as lines:
        return [
            Outcome(**{name: kinds[name](text) for name, text in row.items()})
            for row in csv.DictReader(lines)
        ]


_FIELDS = fields(Outcome)


def append(file: Path, outcome: Outcome) -> None:
    """Append one outcome."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    with file.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, [f.name for f in _FIELDS], lineterminator="\n")
        if new:
            writer.writeheader()
        row = asdict(outcome)
        for name in ("pass_rate", "mastered", "distractors"):
            row[name] = f"{row[name]:.4f}"
        row["steps_per_second"] = f"{outcome.steps_per_second:.0f}"
        writer.writerow(row)


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
        half = 0.0
        if len(rates) > 1:
            half = float(stats.sem(rates) * stats.t.ppf(0.975, len(rates) - 1))
        mean = _mean(group)
        lines.append(
            f"| {variant} | {mean:.3f} | {max(mean - half, 0):.3f} to "
            f"{min(mean + half, 1):.3f} | {' '.join(f'{r:.3f}' for r in rates)} | "
            f"{np.mean([o.mastered for o in group]):.3f} | "
            f"{np.mean([o.distractors for o in group]):.3f} |"
        )
    return "\n".join(lines)


def _mean(group: Sequence[Outcome]) -> float:
    return float(np.mean([o.pass_rate for o in group]))
