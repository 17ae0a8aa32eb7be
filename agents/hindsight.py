"""Hindsight replay by its name: the buffer that relabels goals, for worlds of goals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from gymnasium.vector import VectorEnv

from curiosity_rl.agents.config import REPLAY_BUFFERS, ExperimentConfig
from curiosity_rl.agents.worlds import episode_limit
from curiosity_rl.registry import load, unknown_name

GOALS = frozenset({"observation", "achieved_goal", "desired_goal"})
LEARNING_STARTS = 100  # Stable-Baselines3's


def with_replay_buffer(
    config: ExperimentConfig, settings: Mapping[str, Any], lanes: VectorEnv
) -> dict[str, Any]:
    """Return an algorithm's settings with the class of the replay buffer they name.

    Raises:
        ValueError: If the name is unknown, or the buffer would fail in training: no
            goals in the world, nothing to relabel when training starts, returns over
            several steps, or a bonus that goals relabelled in hindsight would lose.
    """
    chosen = dict(settings)
    name = chosen.pop("replay_buffer_class", None)
    if name is None:
        return chosen
    if name not in REPLAY_BUFFERS:
        raise ValueError(unknown_name("replay_buffer_class", str(name), REPLAY_BUFFERS))
    space = lanes.single_observation_space
    if not (isinstance(space, spaces.Dict) and set(space.keys()) >= GOALS):
        raise ValueError(
            f"replay_buffer_class her needs a Dict of {', '.join(sorted(GOALS))}, and "
            f"{config.env} has none; use a world of goals, such as point-maze-goal-v0, "
            "or leave it out"
        )
    if chosen.get("n_steps", 1) > 1:
        raise ValueError(
            f"n_steps is {chosen['n_steps']}, and replay_buffer_class her has no "
            "returns over several steps; use n_steps 1"
        )
    if config.intrinsic != "none" and config.door == "wrapper":
        raise ValueError(
            "door wrapper adds the bonus to rewards that replay_buffer_class her "
            "replaces; use door replay or auto, which score it at every sample"
        )
    limit = episode_limit(lanes)
    first = config.n_envs * (limit or 0)
    starts = chosen.get("learning_starts", LEARNING_STARTS)
    if starts < first:
        raise ValueError(
            f"learning_starts is {starts}; replay_buffer_class her learns from "
            f"finished episodes, and {config.n_envs} lanes of up to {limit} steps have "
            f"none before step {first}: use at least {first}"
        )
    chosen["replay_buffer_class"] = load(REPLAY_BUFFERS[name])
    return chosen
