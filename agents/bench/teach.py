"""The playing loop: a tutor teaches held-out students, one episode each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from curiosity_rl.agents.bench.draws import BlockDraws
from curiosity_rl.agents.tutors import Tutor
from curiosity_rl.agents.worlds import episode_limit, make_lanes
from curiosity_rl.seeding import lane_seed_words, stream_seed

BLOCK = 4096
"""Students in a row who share one stream of their tutor's random numbers, and most who
are taught at the same time."""
LONGEST = 10_000
"""Steps after which an episode of a world without a limit is cut."""
POINTS = 501
"""Most points of a curve of mastery over time."""
Watch = Callable[[float], None]


@dataclass(frozen=True)
class Lessons:
    """What students came to; every array has a row per student.

    Attributes:
        passed: Whether every goal was known at the end, `(n,)` bool.
        mastered: Share of the needed skills known at the end, `(n,)`.
        gain: Normalised gain: needed skills known at the end minus those known at the
            start, over those unknown at the start (0 where none were), `(n,)`.
        exercises: Exercises until all goals were known first; the budget for students
            who never got there, `(n,)` int64.
        reached: Whether they got there, `(n,)` bool.
        distractors: Share of the exercises on distractors, `(n,)`.
        known: Needed skills known after `times` exercises, `(n, P)`; the last number
            stays for a student whose episode is over.
        needed: Number of needed skills, `(n,)` int64.
        truth: What `info["truth"]` said at the start, each `(n, ...)`.
        times: Numbers of exercises, `(P,)` int64; the same for all students.
    """

    passed: np.ndarray
    mastered: np.ndarray
    gain: np.ndarray
    exercises: np.ndarray
    reached: np.ndarray
    distractors: np.ndarray
    known: np.ndarray
    needed: np.ndarray
    truth: Mapping[str, np.ndarray]
    times: np.ndarray


def teach_blocks(
    world: str,
    env_kwargs: Mapping[str, Any],
    tutor: Tutor,
    students: int,
    seed: int = 0,
    blocks: Sequence[int] | None = None,
    lanes: int = BLOCK,
    watch: Watch | None = None,
) -> Iterator[Lessons]:
    """Teach held-out students block by block; which lanes play them changes nothing.

    Student i has seed i of the stream `evaluation`; a tutor that keeps random numbers
    as `rng` gets a stream of its own for each block of `BLOCK` students.

    Args:
        world: A tutor world.
        env_kwargs: Its settings.
        tutor: Who teaches.
        students: Number of students in all blocks.
        seed: Which held-out students; 0 are those of every table.
        blocks: Numbers of the blocks to play; None for all.
        lanes: Most students at the same time, up to `BLOCK`.
        watch: Told the share of the work that is done.

    Yields:
        The lessons of one block after the other, students in their order.
    """
    if not 1 <= lanes <= BLOCK:
        raise ValueError(f"lanes is {lanes}; give a number from 1 to {BLOCK}")
    seeds = lane_seed_words(seed, "evaluation", students)
    chosen = range(block_count(students)) if blocks is None else blocks
    venvs: dict[int, VectorEnv] = {}
    total = sum(len(seeds[b * BLOCK : (b + 1) * BLOCK]) for b in chosen)
    done = 0
    try:
        for block in chosen:
            here = seeds[block * BLOCK : (block + 1) * BLOCK]
            parts = []
            for first in range(0, len(here), lanes):
                some = here[first : first + lanes].tolist()
                if len(some) not in venvs:
                    venvs[len(some)] = make_lanes(world, env_kwargs, len(some))
                if hasattr(tutor, "rng"):
                    key = stream_seed(seed, "tutor", block)
                    draws: Any = BlockDraws(key, len(here), first, len(some))
                    setattr(tutor, "rng", draws)  # noqa: B010  not every tutor has one
                part = _part(watch, done, len(some), total)
                parts.append(teach(venvs[len(some)], tutor, some, part))
                done += len(some)
            yield join(parts)
    finally:
        for venv in venvs.values():
            venv.close()


def block_count(students: int) -> int:
    """Return the number of blocks of so many students."""
    return -(-students // BLOCK)


def _part(watch: Watch | None, done: int, now: int, total: int) -> Watch | None:
    if watch is None:
        return None
    return lambda share: watch((done + share * now) / total)


def teach(
    venv: VectorEnv, tutor: Tutor, seeds: list[int], watch: Watch | None = None
) -> Lessons:
    """Teach one student per lane; only the first episode of a lane counts.

    Args:
        venv: Lanes of a tutor world that begin anew in the step that ends an episode.
        tutor: Who teaches.
        seeds: One per lane.
        watch: Told the share of the work that is done.
    """
    budget = episode_limit(venv) or LONGEST
    lanes = np.arange(len(seeds))
    given: Any = seeds  # vector worlds take a list
    obs, info = venv.reset(seed=given)
    truth = {key: np.array(x) for key, x in info["truth"].items() if key[0] != "_"}
    goal, needed, distractor, mastery = (
        truth[key].astype(bool) for key in ("goal", "needed", "distractor", "mastery")
    )
    times = np.unique(np.linspace(0, budget, min(POINTS, budget + 1)).round())
    times = times.astype(np.int64)
    kind = np.uint8 if needed.shape[1] < 256 else np.uint16
    known = np.zeros((len(seeds), len(times)), kind)
    known[:, 0], point = (mastery & needed).sum(axis=1), 1
    used = np.full(len(seeds), budget, np.int64)
    reached, going = np.zeros(len(seeds), bool), np.ones(len(seeds), bool)
    wasted, given_out = np.zeros(len(seeds)), np.zeros(len(seeds), np.int64)
    tutor.reset(obs, info)
    for t in range(1, budget + 1):
        actions = np.asarray(tutor.act(obs, info))
        # Representations and probes of an activity stand behind all activities.
        wasted += going & distractor[lanes, actions % distractor.shape[1]]
        given_out += going
        obs, _, terminated, truncated, info = venv.step(actions)
        ended = terminated | truncated
        if going.all() and not ended.any():
            mastery = np.asarray(info["truth"]["mastery"], bool)
        else:
            mastery = _latest(mastery, going, ended, info)
        has_all = going & (mastery | ~goal).all(axis=1)
        used[has_all & ~reached] = t
        reached |= has_all
        going &= ~ended
        if t == times[point]:
            known[:, point] = (mastery & needed).sum(axis=1)
            point += 1
        over = not going.any()
        if watch is not None:
            watch(1.0 if over else t / budget)
        if over:
            break
    known[:, point:] = (mastery & needed).sum(axis=1)[:, None]
    total = needed.sum(axis=1)
    start, end = known[:, 0].astype(np.int64), (mastery & needed).sum(axis=1)
    return Lessons(
        passed=np.asarray((mastery | ~goal).all(axis=1)),
        mastered=end / total,
        gain=(end - start) / np.maximum(total - start, 1),
        exercises=used,
        reached=reached,
        distractors=wasted / np.maximum(given_out, 1),
        known=known,
        needed=total,
        truth=truth,
        times=times,
    )


def _latest(
    mastery: np.ndarray, going: np.ndarray, ended: np.ndarray, info: Mapping[str, Any]
) -> np.ndarray:
    """Bring the students up to date whose first episode was going on."""
    now = np.array(info["truth"]["mastery"], bool)
    if ended.any():  # what `info` says of these lanes is of the next episode
        now[ended] = info["final_info"]["truth"]["mastery"][ended]
    return np.where(going[:, None], now, mastery)


def join(parts: Sequence[Lessons]) -> Lessons:
    """Put lessons of several groups of students in a row."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Lessons)
        if f.name not in ("truth", "times")
    }
    truth = {
        key: np.concatenate([part.truth[key] for part in parts])
        for key in parts[0].truth
    }
    return Lessons(**joined, truth=truth, times=parts[0].times)
