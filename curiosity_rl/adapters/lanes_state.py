"""Where the lanes of a Stable-Baselines3 `VecEnv` stand, wrapper by wrapper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import (
    VecCheckNan,
    VecEnv,
    VecEnvWrapper,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
)

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.adapters.transitions import TransitionRecorder

_STATELESS = (TransitionRecorder, VecCheckNan, VecTransposeImage)
_MONITOR = ("episode_returns", "episode_lengths", "episode_count")


def lanes_state(venv: VecEnv) -> list[dict[str, Any]]:
    """Return what going on exactly from here needs, from the outermost wrapper inwards.

    The innermost part holds `"world": None` if the world cannot tell its state, as
    those of other packages cannot: `load_lanes_state` then begins new episodes.

    Raises:
        ValueError: If a wrapper is none of those that can be resumed.
    """
    return [{"kind": type(part).__name__, **_part_state(part)} for part in _chain(venv)]


def load_lanes_state(venv: VecEnv, parts: Sequence[Mapping[str, Any]]) -> bool:
    """Restore what `lanes_state` returned; the lanes are then not reset.

    Returns:
        Whether the episodes go on; if not, reset the lanes.

    Raises:
        ValueError: If the lanes are wrapped in another way, or in another world.
    """
    chain = _chain(venv)
    kinds = [type(part).__name__ for part in chain]
    saved = [part["kind"] for part in parts]
    if saved != kinds:
        raise ValueError(
            f"the lanes saved are wrapped as {', '.join(map(str, saved))}, these as "
            f"{', '.join(kinds)}: build them with the same settings"
        )
    goes_on = True
    for part, state in zip(chain, parts, strict=True):
        if isinstance(part, VectorEnvAdapter) and state["world"] is None:
            goes_on = False
        else:
            _load_part(part, state)
    return goes_on


def load_statistics(scaler: VecNormalize, state: Mapping[str, Any]) -> None:
    """Restore the running statistics of observations and rewards, and nothing else."""
    _load_statistics(getattr(scaler, "obs_rms", None), state["obs_rms"])
    _load_statistics(scaler.ret_rms, state["ret_rms"])


def begin_anew(venv: VecEnv, seeds: list[int]) -> None:
    """Have the next reset draw other episodes than the first one did."""
    adapter = _chain(venv)[-1]
    assert isinstance(adapter, VectorEnvAdapter)
    adapter.reseed(seeds)


def _chain(venv: VecEnv) -> list[VecEnv]:
    chain = [venv]
    while isinstance(chain[-1], VecEnvWrapper):
        chain.append(chain[-1].venv)
    return chain


def _part_state(part: VecEnv) -> dict[str, Any]:
    if isinstance(part, VectorEnvAdapter):
        return part.get_state() if part.tells_state else {"world": None}
    if isinstance(part, IntrinsicVecEnv):
        return part.state_dict()
    if isinstance(part, VecMonitor):
        return {name: _copied(getattr(part, name)) for name in _MONITOR}
    if isinstance(part, VecNormalize):
        return {
            "obs_rms": _statistics(getattr(part, "obs_rms", None)),
            "ret_rms": _statistics(part.ret_rms),
            "returns": part.returns.copy(),
            "old_obs": _copied(getattr(part, "old_obs", None)),
            "old_reward": part.old_reward.copy(),
        }
    if isinstance(part, _STATELESS):
        return {}
    raise ValueError(
        f"{type(part).__name__} does not tell its state, so a run in it cannot be "
        "resumed exactly; use VectorEnvAdapter, VecMonitor, IntrinsicVecEnv and "
        "VecNormalize"
    )


def _load_part(part: VecEnv, state: Mapping[str, Any]) -> None:
    if isinstance(part, VectorEnvAdapter):
        part.set_state(dict(state))
    elif isinstance(part, IntrinsicVecEnv):
        part.load_state_dict(dict(state))
    elif isinstance(part, VecMonitor):
        for name in _MONITOR:
            setattr(part, name, _copied(state[name]))
    elif isinstance(part, VecNormalize):
        load_statistics(part, state)
        part.returns = np.array(state["returns"])
        part.old_obs = _copied(state["old_obs"])
        part.old_reward = np.array(state["old_reward"])


def _statistics(rms: Any) -> Any:
    if rms is None:
        return None
    if isinstance(rms, dict):
        return {key: _statistics(value) for key, value in rms.items()}
    return {"mean": np.array(rms.mean), "var": np.array(rms.var), "count": rms.count}


def _load_statistics(rms: Any, state: Any) -> None:
    if isinstance(rms, dict):
        for key, value in rms.items():
            _load_statistics(value, state[key])
    elif isinstance(rms, RunningMeanStd):
        mean, var = np.array(state["mean"]), np.array(state["var"])
        if np.shape(rms.mean) != mean.shape or mean.shape != var.shape:
            raise ValueError(
                f"the running statistics saved have shape {mean.shape}, these "
                f"{np.shape(rms.mean)}: build the lanes with the same settings"
            )
        rms.mean, rms.var, rms.count = mean, var, state["count"]


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value
