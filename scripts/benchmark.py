"""Measure: `python scripts/benchmark.py worlds | training | overhead | bonuses`.

worlds    speed of the worlds' kernels and faces against floors in the same run
training  speed of training against the same PPO on an environment that does nothing
overhead  what every bonus costs, against the PPO that it is added to
bonuses   what an agent learns with every bonus, several seeds each
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from jsonargparse import auto_cli
from rich.console import Console
from rich.table import Table

import curiosity_rl  # noqa: F401  registers the worlds

ROUNDS = 7
STUDENTS = 1_000_000


def seconds(work: Callable[[], Any], repeat: int) -> float:
    """Return the median CPU seconds of one call, over rounds of `repeat` calls."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(repeat):
            work()
        times.append((time.process_time() - start) / repeat)
    return statistics.median(times)


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


def rules_rows(lanes: int, rng: np.random.Generator) -> list[list[str]]:
    """Measure rules and answers alone; the floor draws two numbers per lane."""
    from curiosity_rl.envs.tutor.students import answer_all
    from curiosity_rl.envs.tutor.world import Tutor

    world = Tutor()
    state = world.allocate(lanes)
    state.rng[:] = np.arange(lanes)
    world.reset(state, np.arange(lanes))
    actions = rng.integers(world.params.activities, size=(16, lanes))
    right = np.empty(lanes, dtype=np.bool_)
    turn = iter(range(10**9))
    repeat = max(1, 400_000 // lanes)
    step = seconds(
        lambda: answer_all(actions[next(turn) % 16], state, world.params, right), repeat
    )
    floor = seconds(lambda: rng.random(2 * lanes), repeat)
    return [_row("tutor-v0: rules and answers alone", lanes, step, floor)]


def kernel_rows(lanes: int, rng: np.random.Generator) -> list[list[str]]:
    """Measure a step with belief and observation; the floor copies observations."""
    from curiosity_rl.envs.tutor.world import Tutor

    rows = []
    for label, settings in (
        ("tutor-v0: with belief and observation", {}),
        ("tutor-blind-v0: the same", {"graph_shown": "none", "budget": 300}),
    ):
        world = Tutor(**settings)
        state = world.allocate(lanes)
        state.rng[:] = np.arange(lanes)
        world.reset(state, np.arange(lanes))
        actions = rng.integers(world.params.activities, size=(16, lanes))
        source = np.zeros((lanes, world.layout.size), dtype=np.float32)
        turn = iter(range(10**9))
        repeat = max(1, 100_000 // lanes)

        def step(
            world: Any = world,
            state: Any = state,
            actions: Any = actions,
            turn: Any = turn,
            source: Any = source,
        ) -> None:
            world.step(state, actions[next(turn) % 16], np.empty_like(source))

        floor = seconds(source.copy, repeat)
        rows.append(_row(label, lanes, seconds(step, repeat), floor))
    return rows


def face_rows(lanes: int, rng: np.random.Generator) -> list[list[str]]:
    """Measure `gymnasium.make_vec`, whole episodes with resets and info."""
    rows = []
    for env_id in ("tutor-v0", "river-swim-v0"):
        env = gym.make_vec(env_id, lanes)
        _, _ = env.reset(seed=0)
        count = int(env.single_action_space.n)  # type: ignore[attr-defined]
        actions = rng.integers(count, size=(16, lanes))
        turn = iter(range(10**9))
        repeat = max(1, 100_000 // lanes)

        def step(env: Any = env, actions: Any = actions, turn: Any = turn) -> None:
            env.step(actions[next(turn) % 16])

        shape = env.observation_space.shape
        source = np.zeros(shape or (lanes,), dtype=np.float32)
        floor = seconds(source.copy, repeat)
        rows.append(_row(f"{env_id}: make_vec", lanes, seconds(step, repeat), floor))
    return rows


def single_rows(rng: np.random.Generator) -> list[list[str]]:
    """Measure `gymnasium.make`; the floor is Gymnasium's own CartPole-v1."""
    times = {}
    for env_id in ("CartPole-v1", "tutor-v0", "river-swim-v0"):
        env = gym.make(env_id)
        env.reset(seed=0)

        def step(env: Any = env) -> None:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset()

        times[env_id] = seconds(step, 2_000)
    floor = times["CartPole-v1"]
    return [_row(f"{env_id}: make", 1, t, floor) for env_id, t in times.items()]


def _row(label: str, lanes: int, step: float, floor: float) -> list[str]:
    rate = lanes / step
    speed = f"{rate / 1e6:.2f} M" if rate > 1e5 else f"{rate:,.0f}"
    return [label, f"{lanes:,}", f"{1e3 * step:.3f}", speed, f"{step / floor:.1f}"]


def worlds(lanes: tuple[int, ...] = (256, 4096), million: bool = True) -> None:
    """Print steps per second of one core and the time over a floor of the same run.

    Floors: drawing two random numbers per lane (rules), copying the observations
    (kernel, make_vec), CartPole-v1 (make).

    Args:
        lanes: Numbers of lanes.
        million: Also step a million students.
    """
    rng = np.random.default_rng(0)
    rows = []
    for n in lanes:
        rows += rules_rows(n, rng) + kernel_rows(n, rng) + face_rows(n, rng)
    if million:
        rows += rules_rows(STUDENTS, rng)
    rows += single_rows(rng)
    head = ("world", "lanes", "ms per step of all", "steps/s", "x floor")
    show(f"worlds: CPU time, median of {ROUNDS} rounds", head, rows)


def training(env: str = "tutor-v0", n_envs: int = 256, rollouts: int = 6) -> None:
    """Print the speed of training as a share of the same PPO on a world of no cost.

    Args:
        env: World.
        n_envs: Lanes.
        rollouts: Rollouts per round.
    """
    from curiosity_rl.agents.speed import training_speed

    rows = [
        [label, f"{speed:,.0f}", f"{100 * share:.0f} %"]
        for label, speed, share in training_speed(env, n_envs, rollouts, ROUNDS)
    ]
    show(f"training on {env}, {n_envs} lanes", ("what", "steps/s", "of floor"), rows)


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
    )
    print(markdown(outcomes))


if __name__ == "__main__":
    try:
        auto_cli([worlds, training, overhead, bonuses])
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
