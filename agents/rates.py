"""Rows that tell how fast worlds are, beside floors and peers of the same run."""

from __future__ import annotations

import numpy as np

from curiosity_rl.agents import stepping
from curiosity_rl.registry import WORLDS

MINIGRID = "MiniGrid-DoorKey-8x8-v0"
PEERS = ("CartPole-v1", MINIGRID)
KERNEL, RULES, FACE, SINGLE = "kernel", "rules alone", "make_vec", "make"
BARS: tuple[tuple[str, str, float, float], ...] = (
    ("envs.grid.", KERNEL, 2.5e6, 600),
    ("envs.grid.", SINGLE, 0, 30),
    ("envs.deep_sea", RULES, 10e6, 0),
    ("envs.deep_sea", KERNEL, 3e6, 0),
    ("envs.river_swim", RULES, 10e6, 0),
    ("envs.river_swim", KERNEL, 3e6, 0),
    ("envs.point_maze", KERNEL, 2e6, 0),
    ("envs.arm", KERNEL, 2e6, 0),
)
"""Part of a world's module, what is measured, and what it is to reach at 256 lanes:
steps per second, and times MiniGrid's."""
BAR_LANES = 256
MOST_BYTES = 1024


def installed_peers() -> list[str]:
    """Return the ids of the worlds to compare with, of those that are installed."""
    from importlib.util import find_spec

    if find_spec("minigrid") is None:
        return [env_id for env_id in PEERS if env_id != MINIGRID]
    import minigrid  # noqa: F401  registers its worlds

    return list(PEERS)


def peer_rates() -> dict[str, float]:
    """Measure steps per second of other worlds by `gymnasium.make`, where installed."""
    rounds = stepping.single_seconds(installed_peers(), 300)
    return {env_id: float(1 / np.median(times)) for env_id, times in rounds.items()}


def world_rows(env_id: str, number: int) -> list[list[str]]:
    """Measure one world: rules, kernel and both faces, beside peers in the same run."""
    peers = peer_rates()
    lanes = stepping.Lanes(env_id, number)
    repeat = max(1, 100_000 // number)
    rules = lanes.rules()
    copy = stepping.copy_seconds(lanes.world.observation_space, number, repeat)
    draw = stepping.draw_seconds(number, repeat)
    rows = []
    if rules is not None:
        taken = stepping.kernel_seconds(lanes, repeat, rules)
        rows.append(rate_row(env_id, RULES, number, taken, draw, peers))
    taken = stepping.kernel_seconds(lanes, repeat)
    rows.append(rate_row(env_id, KERNEL, number, taken, copy, peers))
    taken = stepping.face_seconds(env_id, number, repeat)
    rows.append(rate_row(env_id, FACE, number, taken, copy, peers))
    rounds = stepping.single_seconds([env_id, *peers], 500)
    taken = float(np.median(rounds[env_id]))
    beside = {  # rates at which the medians of the rounds' ratios come out
        peer: float(np.median(rounds[env_id] / rounds[peer])) / taken for peer in peers
    }
    rows.append(rate_row(env_id, SINGLE, 1, taken, 1 / beside["CartPole-v1"], beside))
    return rows


def rate_row(
    env_id: str,
    what: str,
    lanes: int,
    seconds: float,
    floor: float,
    peers: dict[str, float],
) -> list[str]:
    """Return a row: what took so long, against a floor [s] and peers [steps/s]."""
    rate = lanes / seconds
    times = rate / peers[MINIGRID] if MINIGRID in peers else None
    return [
        env_id,
        what,
        f"{lanes:,}",
        f"{rate / 1e6:.2f} M" if rate > 1e5 else f"{rate:,.0f}",
        f"{seconds / floor:.1f}",
        "" if times is None else f"{times:,.0f}",
        bar(env_id, what, lanes, rate, times),
    ]


def bar(env_id: str, what: str, lanes: int, rate: float, times: float | None) -> str:
    """Tell what a row is to reach, and whether it does."""
    for module, measured, least, least_times in BARS:
        fits = module in WORLDS[env_id].world and measured == what
        if not fits or lanes not in (1, BAR_LANES):
            continue
        parts = [f"{least / 1e6:g} M"] * (least > 0)
        met = rate >= least
        if least_times:
            parts.append(f"{least_times:g} x MiniGrid")
            if times is None:
                return f"{', '.join(parts)}: ?"
            met = met and times >= least_times
        return f"{', '.join(parts)}: {'met' if met else 'missed'}"
    return ""


def memory_rows() -> list[list[str]]:
    """Tell what a lane of each world takes, against 1 kB beside its map."""
    rows = []
    for env_id in WORLDS:
        sizes = stepping.Lanes(env_id, 8).bytes_per_lane()
        end = "met" if sum(sizes[1:]) <= MOST_BYTES else "missed"
        rows.append([env_id, *(f"{n:,}" for n in sizes), f"{MOST_BYTES:,}: {end}"])
    return rows
