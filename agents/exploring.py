"""Explore worlds without any reward, with each bonus, and tabulate what was found."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curiosity_rl.agents.comparison import Variant
from curiosity_rl.agents.config import ExperimentConfig, without_bonus
from curiosity_rl.agents.experiment import build, torch_threads
from curiosity_rl.agents.outcomes import (
    append,
    digest,
    play_and_keep,
    read,
    warning,
    written,
)
from curiosity_rl.agents.visits import Visits
from curiosity_rl.agents.worlds import find_world, make_lanes
from curiosity_rl.registry import unknown_name

BELOW = "<!-- tables, written by a command -->\n"
EVERYWHERE = (
    "none",
    "none, learning",
    "count",
    "noveld",
    "rnd",
    "icm",
    "disagreement",
    "region-progress",
    "gamma-progress",
    "bayes-linear",
)
BONUSES: dict[str, Variant] = {
    label: Variant(label.removesuffix(", learning"), {}) for label in EVERYWHERE
} | {
    "count, cell": Variant("count", {"key": "cell"}),
    "noveld, cell": Variant("noveld", {"key": "cell"}),
    "count, exact": Variant("count", {"mode": "exact"}),
    "noveld, exact": Variant("noveld", {"mode": "exact"}),
    "recurring-novelty, exact": Variant("recurring-novelty", {"mode": "exact"}),
    "recurring-novelty, exact, transition": Variant(
        "recurring-novelty", {"mode": "exact", "repeat": "transition"}
    ),
}
STEPS: dict[str, dict[str, Any]] = {
    "1 step": {"batch_size": 4096},
    "16 steps": {"batch_size": 256},
}
"""Settings for so many steps of Adam in 4,096 frames, one pass over them."""
MODELS = ("rnd", "icm", "disagreement", "e3b", "gamma-progress", "region-progress")
BONUSES |= {
    f"{name}, {steps}": Variant(name, settings)
    for name in MODELS
    for steps, settings in STEPS.items()
}
"""Bonuses by label. What a label does not tell is left at the bonus's defaults, in
place of what the preset of a world would set."""


@dataclass(frozen=True)
class Ground:
    """A world to explore with its preset, and what it can tell.

    Attributes:
        env: World.
        frames: Training steps of a run, over all lanes.
        bonuses: Labels of the bonuses that are tried, unless others are named.
        env_kwargs: Settings of the world over those of its preset. Where a world has a
            form without a reward, that is taken: reaching its goal then ends nothing.
        settings: Other settings of `ExperimentConfig` over those of the preset.
        things: See `visits.Visits`.
        regions: See `visits.Visits`.
        watching: See `visits.Visits`.
        usual: Whether it is explored where no ground is named.
    """

    env: str
    frames: int
    bonuses: tuple[str, ...] = EVERYWHERE
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    things: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    watching: int | None = None
    usual: bool = True


MAZE = {"rooms": 6, "room_size": 10, "layout": 0}
IN_MAZES = (
    *("none", "recurring-novelty, exact", "recurring-novelty, exact, transition"),
    *("noveld, exact", "count, exact"),
    *(f"{name}, {steps}" for name in MODELS for steps in STEPS),
)
GROUNDS: dict[str, Ground] = {
    "arm": Ground(
        "arm-v0",
        98_304,
        (*EVERYWHERE, "count, cell", "noveld, cell"),
        {"reward": "none"},
        things=("stick", "toy", "walker", "far toy"),
    ),
    "noisy-corridor": Ground(
        "noisy-corridor-v0",
        65_536,
        (*EVERYWHERE, "count, exact", "noveld, exact"),
        {"reward": "none"},
        regions=("known", "unlearnable", "learnable", "hard"),
    ),
    "door-key-tv": Ground(
        "door-key-v0", 65_536, env_kwargs={"noisy_tv": True}, watching=7
    ),
    "six-rooms": Ground("multi-room-v0", 65_536, IN_MAZES, MAZE, usual=False),
    "six-rooms-tv": Ground(
        "multi-room-v0",
        65_536,
        IN_MAZES,
        {**MAZE, "noisy_tv": True},
        watching=7,
        usual=False,
    ),
}
"""Worlds to explore by name, in the order of the tables."""


@dataclass(frozen=True)
class Finding:
    """One thing that one run found; each run has a row of a file per measure.

    Attributes:
        task: Name of what was explored.
        bonus: Label of the bonus.
        seed: Seed of the run.
        settings: Digest of all other settings; other settings are other runs.
        frames: Training steps, over all lanes.
        seconds: Wall time of `learn`.
        measure: What was measured, see `visits.Visits.measures`.
        value: Its value; shares lie between 0 and 1, `ever` is 0 or 1.
    """

    task: str
    bonus: str
    seed: int
    settings: str
    frames: int
    seconds: float = written(".2f")
    measure: str = written("")
    value: float = written(".6g")


Key = tuple[str, str, int, str]


def explore(
    names: Sequence[str],
    labels: Sequence[str],
    seeds: Sequence[int],
    file: Path,
    jobs: int = 2,
    grounds: Mapping[str, Ground] | None = None,
) -> list[Finding]:
    """Explore with every bonus and seed; append what each run found to a CSV file.

    Runs that the file already holds are not repeated.

    Args:
        names: Names of `GROUNDS`; empty for the usual ones.
        labels: Labels of `BONUSES`; empty for those of each ground.
        seeds: Seeds.
        file: CSV file of findings.
        jobs: Processes at a time, one run each.
        grounds: Grounds by name instead of `GROUNDS`.

    Returns:
        The findings of these runs.

    Raises:
        ValueError: If a name, a label or a world is unknown.
        RuntimeError: If runs failed; names them, after all others have ended.
    """
    known = GROUNDS if grounds is None else grounds
    for name in names:
        if name not in known:
            raise ValueError(unknown_name("task", name, known))
    plan = [
        (name, known[name], label, configuration(known[name], label, seed))
        for name in names or [name for name in known if known[name].usual]
        for seed in seeds
        for label in labels or known[name].bonuses
    ]
    wanted = [_planned(*run) for run in plan]
    done = set(_by_run(read(file, Finding)))
    runs = [run for run, key in zip(plan, wanted, strict=True) if key not in done]

    def keep(findings: list[Finding]) -> str:
        append(file, *findings)
        told = ", ".join(f"{f.measure} {f.value:.4g}" for f in findings)
        return f"{findings[0].frames:,} frames in {findings[0].seconds:.1f} s: {told}"

    play_and_keep(play, runs, jobs, _label, keep)
    found = _by_run(read(file, Finding))
    return [finding for key in wanted for finding in found[key]]


def configuration(ground: Ground, label: str, seed: int) -> ExperimentConfig:
    """Return the settings of a run: the preset, another bonus, no extrinsic reward.

    `none` has no advantages: the policy that the others begin with plays on as it is.
    `none, learning` is PPO on rewards of 0. It scales its advantages to deviation 1,
    and so follows the errors of its value head at full size, wherever they lead.

    Raises:
        ValueError: If the bonus, the world or a setting is unknown.
    """
    if label not in BONUSES:
        raise ValueError(unknown_name("bonus", label, BONUSES))
    find_world(ground.env)
    variant = BONUSES[label]
    config = ExperimentConfig.load(
        env=ground.env,
        env_kwargs=dict(ground.env_kwargs),
        n_timesteps=ground.frames,
        seed=seed,
        progress=False,
        **ground.settings,
    )
    if variant.intrinsic != "none":
        return replace(
            config,
            intrinsic=variant.intrinsic,
            intrinsic_kwargs=dict(variant.kwargs),
            extrinsic=False,
            name="",
        )
    plain = without_bonus(config)
    if label == "none":
        still = {**plain.algo_kwargs, "learning_rate": 0.0}
        return replace(plain, algo_kwargs=still)
    return plain


def play(
    name: str, ground: Ground, label: str, config: ExperimentConfig
) -> list[Finding]:
    """Explore for as long as the settings say; return what was found."""
    with torch_threads(config.num_threads):
        build(config).model.learn(1)  # one rollout: compiles and loads kernels
        lanes = make_lanes(config.env, config.env_kwargs, config.n_envs)
        visits = Visits(lanes, ground.things, ground.regions, ground.watching)
        model = build(config, visits).model
        start = time.perf_counter()
        model.learn(config.n_timesteps)
        seconds = time.perf_counter() - start
    run = _planned(name, ground, label, config)
    frames = model.num_timesteps
    return [
        Finding(*run, frames=frames, seconds=seconds, measure=measure, value=value)
        for measure, value in visits.measures().items()
    ]


def _label(name: str, _: Ground, label: str, config: ExperimentConfig) -> str:
    return f"{name}, {label}, seed {config.seed}"


def _planned(name: str, ground: Ground, label: str, config: ExperimentConfig) -> Key:
    """Return what tells this run from all others of a file."""
    told = [ground.things, ground.regions, ground.watching]
    return name, label, config.seed, digest(config, measures=told)


def _by_run(findings: Iterable[Finding]) -> dict[Key, list[Finding]]:
    runs: dict[Key, list[Finding]] = {}
    for f in findings:
        runs.setdefault((f.task, f.bonus, f.seed, f.settings), []).append(f)
    return runs


def markdown(findings: Iterable[Finding]) -> str:
    """Return a table per task: a row per bonus, medians (ranges) over its seeds.

    What is the same in every run of a task stands below its table.
    """
    tasks: dict[str, list[Finding]] = {}
    for finding in findings:
        tasks.setdefault(finding.task, []).append(finding)
    return "\n".join(_table(name, group) for name, group in tasks.items())


def _table(task: str, findings: Sequence[Finding]) -> str:
    runs = _by_run(findings)
    rows: dict[str, dict[str, list[float]]] = {}
    spread: dict[str, set[float]] = {}
    for f in findings:
        rows.setdefault(f.bonus, {}).setdefault(f.measure, []).append(f.value)
        spread.setdefault(f.measure, set()).add(f.value)
    same = {m: v.pop() for m, v in spread.items() if len(runs) > 1 and len(v) == 1}
    measures = [measure for measure in spread if measure not in same]
    seeds = {bonus: len({r[2:] for r in runs if r[1] == bonus}) for bonus in rows}
    lines = [
        f"## {task}, {max(f.frames for f in findings):,} frames",
        "",
        f"| bonus | runs | {' | '.join(measures)} |",
        f"|---|---|{'---|' * len(measures)}",
    ]
    for bonus, row in rows.items():
        cells = [_cell(measure, row.get(measure, [])) for measure in measures]
        lines.append(f"| {' | '.join([bonus, str(seeds[bonus]), *cells])} |")
    if same:
        told = "; ".join(f"{m}: {_number(m, v)}" for m, v in same.items())
        lines += ["", f"The same in every run: {told}."]
    few = warning(
        min(seeds.values()),
        "medians and ranges describe these runs; they do not rank bonuses that lie "
        "close together.",
    )
    lines += ["", few] * bool(few)
    return "\n".join(lines) + "\n"


def _cell(measure: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    if measure.endswith(", ever"):
        return f"{sum(map(bool, values))} of {len(values)}"
    ends = statistics.median(values), min(values), max(values)
    middle, low, high = (_number(measure, value) for value in ends)
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _number(measure: str, value: float) -> str:
    if measure.endswith(", ever"):
        return "yes" if value else "no"
    return f"{value:,.0f}" if measure in ("cells", "episodes") else f"{value:.3f}"


def write(file: Path, text: str) -> None:
    """Write the tables, with the command that makes them and how to read them.

    If the file has the line `BELOW`, what stands above it is kept instead.
    """
    head = """# What is explored without a reward

Made by `python scripts/benchmark.py exploring`; runs in `{}`.

The preset of each world, another bonus, and no extrinsic reward: the world is in its
form without one, and what it paid would be hidden. Bonuses have their default settings,
but for what the label says; none was tuned. `none` is the policy that all others begin
with, which does not learn. `none, learning` learns from rewards of 0: its scaled
advantages are the errors of its value head. Medians of the runs, with the least and the
most.

*Cells*: cells of coverage that any lane ever visited, every step looked at, and their
share of the table. *Ever*: runs in which it happened at all. *All*, *last fifth*: share
of the finished episodes in which it happened, of all and of the last fifth. *Last
quarter*: share of the steps of the last quarter of the training.

"""
    head = head.format(file.with_suffix(".csv").name)
    if file.exists():
        above, line, _ = file.read_text("utf-8").partition(BELOW)
        head = f"{above}{BELOW}\n" if line else head
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head + text, "utf-8")
