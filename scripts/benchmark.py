"""Measure: `python scripts/benchmark.py COMMAND`.

worlds     speed of the worlds' kernels and faces against floors in the same run
students   exercises per second of every student model
starting   how long kernels compile on first use, and first steps take from then on
training   speed of training against the same PPO on an environment that does nothing
overhead   what every bonus costs, against the PPO that it is added to
logging    what curves, pictures and tables of a run cost
bonuses    what an agent learns with every bonus, several seeds each
solving    frames and seconds to solve each world, with and without the bonus
exploring  what is found with every bonus where nothing else is paid
evidence   runs that answer what curiosity is good for, ten seeds each
report     what those runs say: tables and pictures
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import auto_cli
from rich.console import Console
from rich.table import Table

import curiosity_rl  # noqa: F401  registers the worlds
from curiosity_rl.registry import WORLDS

ROUNDS = 7
STUDENTS = 1_000_000


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.width = max(console.width, 100)
    console.print(table)


def worlds(
    lanes: tuple[int, ...] = (256,), million: bool = True, names: tuple[str, ...] = ()
) -> None:
    """Print steps per second of one core, floors and peers of the same run, and memory.

    Rules alone and kernel (with the observations): resets apart; make_vec and make:
    whole episodes. Floors: drawing two random numbers per lane (rules), copying the
    observations (kernel, make_vec), CartPole-v1 (make).

    Args:
        lanes: Numbers of lanes.
        million: Also step a million students.
        names: Ids of worlds; empty for all.
    """
    from curiosity_rl.agents import rates, stepping
    from curiosity_rl.registry import unknown_name
    from curiosity_rl.tracking.progress import Progress

    for name in names:
        if name not in WORLDS:
            raise ValueError(unknown_name("world", name, WORLDS))
    chosen = names or tuple(WORLDS)
    rows: list[list[str]] = []
    with Progress("measuring", len(chosen) * len(lanes), "worlds") as progress:
        for turn, env_id in enumerate(chosen):
            for number in lanes:
                rows += rates.world_rows(env_id, number)
            progress.update((turn + 1) * len(lanes), now=env_id)
    if million:
        many = stepping.Lanes("tutor-v0", STUDENTS)
        taken = stepping.kernel_seconds(many, 1, many.rules())
        draw = stepping.draw_seconds(STUDENTS, 1)
        beside = rates.peer_rates()
        row = rates.rate_row("tutor-v0", rates.RULES, STUDENTS, taken, draw, beside)
        rows.append(row)
    head = ("world", "what", "lanes", "steps/s", "x floor", "x MiniGrid", "bar")
    show(f"worlds: CPU time, median of {ROUNDS} rounds", head, rows)
    peers = rates.peer_rates()
    print(", ".join(f"{name} {rate:,.0f} steps/s" for name, rate in peers.items()))
    if rates.MINIGRID not in peers:
        print(f"No {rates.MINIGRID} to compare with: pip install minigrid")
    head = (
        "world",
        "map or graph",
        "kept observation",
        "all else",
        "bar beside the map",
    )
    show("memory of a lane, in bytes", head, rates.memory_rows())


def students(populations: tuple[str, ...] = (), lanes: int = 4096) -> None:
    """Print exercises per second of one core for every student model, rules alone.

    Args:
        populations: Names of populations; empty for all.
        lanes: Students at the same time.
    """
    from curiosity_rl.agents import stepping
    from curiosity_rl.envs.tutor.population import Mixture
    from curiosity_rl.envs.tutor.populations import POPULATIONS, parse

    rows = []
    for name in populations or tuple(POPULATIONS):
        least = 5 if Mixture.of(parse(name)).graded else 20
        many = stepping.Lanes("tutor-v0", lanes, population=name, budget=100_000)
        rate = lanes / stepping.kernel_seconds(many, 100, many.rules()) / 1e6
        end = "met" if rate >= least else "missed"
        rows.append([name, f"{rate:.1f} M", f"{least} M: {end}"])
    show(f"students: {lanes:,} at a time", ("population", "exercises/s", "bar"), rows)


def starting(names: tuple[str, ...] = ()) -> None:
    """Print how long kernels compile on first use, and first steps take from then on.

    Args:
        names: Ids of worlds; empty for all.
    """
    from curiosity_rl.agents.starting import start_seconds

    first, later = start_seconds(names or tuple(WORLDS))
    rows = [[name, f"{taken:.2f}"] for name, taken in later.items()]
    show("CPU seconds to the first steps from the cache", ("world", "s"), rows)
    print(f"compiling all of them on first use: {first:.1f} s of CPU (bar: 60 s)")
    print(f"slowest from the cache: {max(later.values()):.2f} s (bar: 1 s)")


def training(
    env: str = "tutor-v0", n_envs: int = 256, rollouts: int = 6, plain: bool = False
) -> None:
    """Print the speed of training as a share of the same PPO on a world of no cost.

    Args:
        env: World.
        n_envs: Lanes.
        rollouts: Rollouts per round.
        plain: Train Stable-Baselines3's PPO without a bonus, not the world's preset.
    """
    from curiosity_rl.agents import speed
    from curiosity_rl.agents.config import ExperimentConfig

    if plain:
        config = speed.plain_ppo(env, n_envs)
    else:
        given = {"n_envs": n_envs, "stagger": False, "progress": False}
        config = ExperimentConfig.load(env=env, **given)
    rows = [
        [label, f"{steps:,.0f}", f"{100 * share:.0f} %"]
        for label, steps, share in speed.training_speed(config, rollouts, ROUNDS)
    ]
    show(
        f"{config.algo} on {env}, {n_envs} lanes", ("what", "steps/s", "of floor"), rows
    )


def logging(
    envs: tuple[str, ...] = ("door-key-v0", "tutor-v0", "river-swim-v0"),
    n_timesteps: int | None = None,
) -> None:
    """Print what all that a run logs costs, against the same training without it.

    Both in one process, rollout by rollout in turn. Limit: 3 % by the parts.

    Args:
        envs: Ids of worlds, with their presets.
        n_timesteps: Training steps; None for those of the preset.
    """
    from curiosity_rl.agents.config import ExperimentConfig
    from curiosity_rl.agents.logging_cost import logging_cost

    rows, names = [], ("curves", "pictures", "logger", "writing thread")
    for env in envs:
        given = {} if n_timesteps is None else {"n_timesteps": n_timesteps}
        cost = logging_cost(ExperimentConfig.load(env=env, **given))
        parts = [f"{cost.parts[name]:.2f}" for name in names]
        whole = [f"{cost.plain:,.0f}", f"{cost.ratio:.3f}"]
        rows.append([env, *whole, *parts, f"{100 * cost.share:.2f} %"])
    head = ("world", "without", "ratio", *names, "share by parts")
    show("logging: CPU ms of a rollout and its update", head, rows)


def overhead(
    rounds: int = 5, end_to_end: bool = True, names: tuple[str, ...] = ()
) -> None:
    """Print what every bonus adds to PPO, by the times of its parts and end to end.

    The ratio by parts is what counts: end to end, a shared machine cannot tell 5 %.

    Args:
        rounds: Rounds; medians are printed.
        end_to_end: Also train with each bonus that has a limit.
        names: Short names of bonuses; empty for all.
    """
    from curiosity_rl.agents import overhead as cost
    from curiosity_rl.tracking.progress import Progress

    cases = [case for case in cost.CASES if not names or case.name in names]
    with Progress("measuring", 100, "%") as progress:
        ppo, costs = cost.measure(
            cases,
            rounds,
            end_to_end,
            lambda label, share: progress.update(int(100 * share), now=label),
        )
    rows = [
        [
            entry.case.label,
            f"{entry.compute:.1f}",
            f"{entry.update:.1f}",
            f"{entry.ratio:.3f}",
            "" if entry.case.limit is None else f"{entry.case.limit:.2f}",
            "" if entry.whole is None else f"{entry.whole:.2f}",
        ]
        for entry in costs
    ]
    title = (
        f"PPO, {cost.LANES} lanes x {cost.STEPS} steps, {cost.NUMBERS} numbers, batch "
        f"256, 4 epochs: {ppo:,.0f} ms per rollout; CPU time, median of {rounds} rounds"
    )
    head = ("bonus", "compute ms", "update ms", "ratio", "limit", "end to end")
    show(title, head, rows)


def bonuses(
    env: str = "tutor-v0",
    n_timesteps: int = 300_000,
    seeds: int = 5,
    jobs: int = 2,
    variants: tuple[str, ...] = (),
    insight: str = "none",
    coef: float = 1.0,
    file: str = "docs/bonuses.csv",
    log_folder: str = "runs/bonuses",
    belief: bool | str | None = None,
    eval_students: int = 2000,
) -> None:
    """Train with every bonus and print a table; runs in the file are not repeated.

    Args:
        env: World.
        n_timesteps: Training steps of each run.
        seeds: Number of seeds, from 0.
        jobs: Processes at a time.
        variants: Labels of bonuses; empty for all.
        insight: What the network is told: none, odds or gates.
        coef: Weight of the bonus.
        file: CSV file of outcomes.
        log_folder: Folder of the runs.
        belief: What the world is to believe, true, false or graph, in a file of its
            own; None: as the preset says.
        eval_students: Held-out students.
    """
    from curiosity_rl.agents.comparison import compare, markdown

    outcomes = compare(
        env,
        variants,
        n_timesteps,
        range(seeds),
        Path(file),
        jobs,
        insight,
        coef,
        log_folder=log_folder,
        eval_students=eval_students,
        **({} if belief is None else {"env_kwargs": {"belief": belief}}),
    )
    print(markdown(outcomes))


def solving(
    tasks: tuple[str, ...] = (),
    seeds: int = 5,
    jobs: int = 2,
    file: str = "docs/solving.csv",
    without: bool = True,
) -> None:
    """Train each world's preset until it is solved; print a table and write it.

    Runs in the file are not repeated. The table stands beside the file, as `.md`.

    Args:
        tasks: Names of tasks; empty for all but the stretch ones.
        seeds: Number of seeds, from 0.
        jobs: Processes at a time.
        file: CSV file of outcomes.
        without: Train without the bonus too.
    """
    from curiosity_rl.agents import solving as table

    outcomes = table.solve(tasks, range(seeds), Path(file), jobs, without)
    text = table.markdown(outcomes)
    table.write(Path(file).with_suffix(".md"), text)
    print(text)


def exploring(
    tasks: tuple[str, ...] = (),
    bonuses: tuple[str, ...] = (),
    seeds: int = 3,
    jobs: int = 2,
    file: str = "docs/exploring.csv",
) -> None:
    """Train without a reward, with every bonus; print a table and write it.

    Runs in the file are not repeated. The table stands beside the file, as `.md`.

    Args:
        tasks: Names of tasks; empty for all.
        bonuses: Labels of bonuses; empty for those of each task.
        seeds: Number of seeds, from 0.
        jobs: Processes at a time.
        file: CSV file of what was found.
    """
    from curiosity_rl.agents import exploring as table

    findings = table.explore(tasks, bonuses, range(seeds), Path(file), jobs)
    text = table.markdown(findings)
    table.write(Path(file).with_suffix(".md"), text)
    print(text)


def evidence(
    questions: str = "",
    seeds: int = 10,
    jobs: int = 2,
    backend: str = "processes",
    folder: str = "docs/evidence",
    tasks: tuple[str, ...] = (),
) -> None:
    """Play the runs that answer the questions; runs in the files are not repeated.

    Args:
        questions: Keys, such as "a b"; empty for all.
        seeds: Number of seeds, from 0.
        jobs: Processes at a time.
        backend: processes of this machine, or a ray cluster.
        folder: Where the files are.
        tasks: Names of tasks; empty for all of these questions.
    """
    from curiosity_rl.agents.evidence.manifest import gather

    gather(questions.split(), range(seeds), Path(folder), jobs, backend, tasks)


def report(folder: str = "docs/evidence", noise: str = "docs/noisy_tv.csv") -> None:
    """Write tables and pictures of what the runs of `evidence` came to.

    Args:
        folder: Where the CSV files are, and the report will be.
        noise: CSV file of runs before a noisy television; left out if there is none.
    """
    from curiosity_rl.agents.evidence.report import write_report

    print(write_report(Path(folder), Path(noise)))


if __name__ == "__main__":
    try:
        auto_cli(
            [
                worlds,
                students,
                starting,
                training,
                overhead,
                logging,
                bonuses,
                solving,
                exploring,
                evidence,
                report,
            ]
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
