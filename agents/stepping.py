"""Speed of stepping worlds: kernels alone, and through Gymnasium's faces."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from curiosity_rl.registry import WORLDS, load

ROUNDS = 7
ACTIONS = 16
"""Batches of random actions that are drawn before, and played in turn."""
MAPS = ("cells", "parents", "shown", "children")
"""Fields of a state that are a lane's map or graph."""
KEPT = ("features",)
"""Fields of a state that are its observation as it stands, kept to be changed."""


def seconds(work: Callable[[], Any], repeat: int, rounds: int = ROUNDS) -> float:
    """Return the median CPU seconds of one call, over rounds of `repeat` calls."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeat):
            work()
        times.append((time.process_time() - start) / repeat)
    return statistics.median(times)


Mover = Callable[[np.ndarray], np.ndarray | None]
"""Moves all lanes by these actions; returns which episodes ended, or None."""


class Lanes:
    """A world's kernel with its lanes, random actions, and room for observations.

    Args:
        env_id: One of our worlds.
        lanes: Number of lanes.
        settings: Its settings over those of the id.

    Attributes:
        world: The world.
        state: Its state, reset.
        actions: Batches of random actions, `(ACTIONS, lanes, ...)`.
    """

    def __init__(self, env_id: str, lanes: int, **settings: Any) -> None:
        spec = WORLDS[env_id]
        self.limit = spec.max_episode_steps
        self.world: Any = load(spec.world)(**{**spec.kwargs, **settings})
        self.state: Any = self.world.allocate(lanes)
        self.state.rng[:] = np.random.default_rng(0).integers(2**63, size=lanes)
        self.all = np.arange(lanes)
        self.out = empty(self.world.observation_space, lanes)
        self.actions = random_actions(self.world.action_space, lanes)
        self.world.reset(self.state, self.all)

    def step(self, actions: np.ndarray) -> np.ndarray:
        """Step all lanes and write their observations; return which ended."""
        return self.world.step(self.state, actions, self.out)[1]

    def rules(self) -> Mover | None:
        """Return what moves all lanes by the rules alone, if the world has such.

        That is a kernel `move_all(actions, state, params, rewards, terminated)` in the
        world's module; `params` is what the world calls so, or its `goal`.
        """
        move_all = getattr(sys.modules[type(self.world).__module__], "move_all", None)
        if move_all is None:
            return None
        params = getattr(self.world, "params", getattr(self.world, "goal", None))
        state, rewards = self.state, np.zeros(len(self.all))
        ended = np.zeros(len(self.all), dtype=np.bool_)

        def move(actions: np.ndarray) -> np.ndarray:
            move_all(actions, state, params, rewards, ended)
            return ended

        return move

    def turns(self, number: int, move: Mover) -> float:
        """Return the CPU seconds of so many moves; lanes that end begin anew, apart."""
        world, state, clock = self.world, self.state, time.process_time
        stepping = 0.0
        for turn in range(number):
            before = clock()
            terminated = move(self.actions[turn % ACTIONS])
            stepping += clock() - before
            cut = world.truncated(state)
            ended = np.flatnonzero(cut if terminated is None else cut | terminated)
            if self.limit is not None and (turn + 1) % self.limit == 0:
                ended = self.all
            if ended.size:
                world.reset(state, ended)
        return stepping

    def bytes_per_lane(self) -> tuple[int, int, int]:
        """Return the bytes that a lane takes: its map, a kept observation, the rest."""
        arrays = self.state._asdict()
        sizes = {name: array.nbytes // len(array) for name, array in arrays.items()}
        a_map = sum(sizes.pop(name, 0) for name in MAPS)
        kept = sum(sizes.pop(name, 0) for name in KEPT)
        return a_map, kept, sum(sizes.values())


def kernel_seconds(lanes: Lanes, repeat: int, move: Mover | None = None) -> float:
    """Return the median CPU seconds of a step with its observations, resets apart.

    Args:
        lanes: The lanes to step.
        repeat: Steps of a round.
        move: What to measure instead of a whole step, e.g. `lanes.rules()`.
    """
    moved = lanes.step if move is None else move
    lanes.turns(2, moved)
    idle = clock_seconds()
    times = [lanes.turns(repeat, moved) / repeat - idle for _ in range(ROUNDS)]
    return statistics.median(times)


def clock_seconds() -> float:
    """Return the CPU seconds that reading the clock adds to what it measures."""
    start = time.process_time()
    for _ in range(10_000):
        time.process_time()
    return (time.process_time() - start) / 10_000


def face_seconds(env_id: str, lanes: int, repeat: int) -> float:
    """Return the median CPU seconds of a step of `gymnasium.make_vec`.

    Episodes are played to their ends, and begin anew in the same step.
    """
    env = gym.make_vec(env_id, lanes)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    env.reset(seed=0)
    actions, turn = random_actions(env.single_action_space, lanes), iter(range(10**9))
    found = seconds(lambda: env.step(actions[next(turn) % ACTIONS]), repeat)
    env.close()
    return found


def single_seconds(env_ids: Sequence[str], repeat: int) -> dict[str, np.ndarray]:
    """Measure steps of `gymnasium.make`, with resets, the worlds in turn each round.

    Args:
        env_ids: Worlds.
        repeat: Steps of a round.

    Returns:
        CPU seconds of a step in each round, `(ROUNDS,)`, by world.
    """
    players = {env_id: _player(env_id) for env_id in env_ids}
    times: dict[str, list[float]] = {env_id: [] for env_id in env_ids}
    for _ in range(ROUNDS):
        for env_id, play in players.items():
            times[env_id].append(seconds(play, repeat, rounds=1))
    return {env_id: np.array(rounds) for env_id, rounds in times.items()}


def _player(env_id: str) -> Callable[[], None]:
    """Return what makes one random step of a single environment."""
    env = gym.make(env_id)
    env.reset(seed=0)
    actions = random_actions(env.action_space, 1000)
    turn = iter(range(10**9))

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(actions[0, next(turn) % 1000])
        if terminated or truncated:
            env.reset()

    return step


def copy_seconds(space: gym.Space, lanes: int, repeat: int) -> float:
    """Return the median CPU seconds of copying a batch of observations: the floor."""
    batch = empty(space, lanes)
    arrays = list(batch.values()) if isinstance(batch, dict) else [batch]
    for array in arrays:
        array[...] = 0
    return seconds(lambda: [array.copy() for array in arrays], repeat)


def draw_seconds(lanes: int, repeat: int) -> float:
    """Return the median CPU seconds of drawing two numbers per lane: a floor."""
    rng = np.random.default_rng(0)
    return seconds(lambda: rng.random(2 * lanes), repeat)


def random_actions(space: gym.Space, lanes: int) -> np.ndarray:
    """Draw `ACTIONS` batches of random actions, `(ACTIONS, lanes, ...)`."""
    rng = np.random.default_rng(0)
    if isinstance(space, spaces.Discrete):
        return rng.integers(space.n, size=(ACTIONS, lanes)) + space.start
    assert isinstance(space, spaces.Box)
    drawn = rng.uniform(space.low, space.high, size=(ACTIONS, lanes, *space.shape))
    return drawn.astype(space.dtype)


def empty(space: gym.Space, lanes: int) -> Any:
    """Return room for a batch of observations; for a Dict a dict of arrays."""
    if isinstance(space, spaces.Dict):
        return {key: empty(part, lanes) for key, part in space.items()}
    assert space.shape is not None
    return np.empty((lanes, *space.shape), dtype=space.dtype)
