"""All that a Stable-Baselines3 algorithm needs to go on as if it had never stopped.

Taken between two rollouts (in a callback's `_on_rollout_start`), put into an algorithm
that was built from the same settings, it gives the same training, bit for bit:

    state = algorithm_state(model)
    other = build_as_before()
    goes_on = load_algorithm_state(other, state)
    other.learn(rest, callback=GoOn(state), reset_num_timesteps=False)
"""

from __future__ import annotations

import copy
import operator
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from curiosity_rl.adapters.lanes_state import (
    lanes_state,
    load_lanes_state,
    load_statistics,
)
from curiosity_rl.adapters.paying import NotFinite
from curiosity_rl.adapters.randomness import load_random_state, random_state
from curiosity_rl.adapters.replay_state import (
    break_episodes,
    load_replay_state,
    replay_state,
)
from curiosity_rl.checkpoint import CheckpointError

_COUNTERS = (
    "num_timesteps",
    "_episode_num",
    "_n_updates",
    "_n_calls",
    "_current_progress_remaining",
    "exploration_rate",
)
_WRONG = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)


def algorithm_state(model: BaseAlgorithm) -> dict[str, Any]:
    """Collect weights, optimizers, bonus, replay, lanes, random numbers and counters.

    Raises:
        NotFinite: If a weight is NaN or infinite.
        ValueError: If something cannot tell its state; names it.
    """
    assert model.env is not None
    _, loose = model._get_torch_save_params()
    state: dict[str, Any] = {
        "parameters": copy.deepcopy(model.get_parameters()),
        "tensors": {n: _taken(operator.attrgetter(n)(model)) for n in loose},
        "counters": {n: getattr(model, n) for n in _COUNTERS if hasattr(model, n)},
        "last": {
            "obs": model._last_obs,
            "original_obs": model._last_original_obs,
            "episode_starts": model._last_episode_starts,
            "memory": _memory(model),
        },
        "episodes": [dict(episode) for episode in model.ep_info_buffer or ()],
        "successes": [bool(success) for success in model.ep_success_buffer or ()],
        "random": random_state(model),
        "lanes": lanes_state(model.env),
        "reward": None,
        "replay": None,
    }
    reward = getattr(model, "intrinsic", None)
    if reward is not None:
        state["reward"] = reward.state_dict()
    if isinstance(model, OffPolicyAlgorithm) and model.replay_buffer is not None:
        state["replay"] = replay_state(model.replay_buffer)
    _check_weights(state)
    return state


def load_algorithm_state(model: BaseAlgorithm, state: Mapping[str, Any]) -> bool:
    """Put what `algorithm_state` returned into an algorithm of the same settings.

    Call `learn` with `reset_num_timesteps=False` then, and with the callback `GoOn`.

    Returns:
        Whether the episodes go on. If not, the world cannot tell its state: the next
        `learn` resets the lanes; give them seeds by `begin_anew` before.

    Raises:
        CheckpointError: If it does not fit the algorithm.
    """
    assert model.env is not None
    load_weights(model, state)
    try:
        for name, value in state["counters"].items():
            if name not in _COUNTERS:
                raise KeyError(name)
            setattr(model, name, value)
        _load_episodes(model, state)
        reward = getattr(model, "intrinsic", None)
        if reward is not None:
            reward.load_state_dict(state["reward"])
        replay = isinstance(model, OffPolicyAlgorithm) and model.replay_buffer
        if replay:
            load_replay_state(replay, state["replay"])
        goes_on = load_lanes_state(model.env, state["lanes"])
        if goes_on:
            _load_last(model, state["last"])
        else:
            model._last_obs = None
            if replay:
                break_episodes(replay)
        return goes_on
    except _WRONG as error:
        raise _no_fit(error) from error


def load_weights(model: BaseAlgorithm, state: Mapping[str, Any]) -> None:
    """Take over only what was learnt: weights, optimizers, normalisation, step count.

    Raises:
        CheckpointError: If they do not fit the algorithm, or are not finite.
    """
    try:
        _check_weights(state)
        model.set_parameters(
            dict(state["parameters"]), exact_match=True, device=model.device
        )
        for name in model._get_torch_save_params()[1]:
            value = state["tensors"][name]
            if value is not None:
                operator.attrgetter(name)(model).data.copy_(value)
        model.num_timesteps = int(state["counters"]["num_timesteps"])
        _load_normalisation(model, state["lanes"])
    except _WRONG as error:
        raise _no_fit(error) from error


class GoOn(BaseCallback):
    """Restores the random numbers when a resumed run begins its first rollout.

    `learn` itself draws before that: state-dependent noise, and none may be left out.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__()
        self._state: Mapping[str, Any] | None = state["random"]

    def _on_rollout_start(self) -> None:
        if self._state is not None:
            try:
                load_random_state(self.model, self._state)
            except _WRONG as error:
                raise _no_fit(error) from error
            self._state = None

    def _on_step(self) -> bool:
        return True


def _taken(value: th.Tensor | None) -> th.Tensor | None:
    return None if value is None else value.detach().clone()


def _no_fit(error: Exception) -> CheckpointError:
    text = " ".join(str(error).split())
    if isinstance(error, KeyError):
        text = f"it has no {text}, or one too many"
    return CheckpointError(f"the checkpoint does not fit this algorithm: {text}")


def _load_episodes(model: BaseAlgorithm, state: Mapping[str, Any]) -> None:
    window = model._stats_window_size
    model.ep_info_buffer = deque(map(dict, state["episodes"]), maxlen=window)
    model.ep_success_buffer = deque(state["successes"], maxlen=window)


def _load_last(model: BaseAlgorithm, last: Mapping[str, Any]) -> None:
    model._last_obs = last["obs"]
    model._last_original_obs = last["original_obs"]
    model._last_episode_starts = last["episode_starts"]
    if hasattr(model, "_broken_off"):  # between two rollouts none is
        setattr(model, "_broken_off", False)  # noqa: B010  # of `IntrinsicOnPolicy`
    fresh: Any = getattr(model, "_last_lstm_states", None)
    if fresh is not None:
        moved = [tuple(t.to(model.device) for t in part) for part in last["memory"]]
        recurrent: Any = model
        recurrent._last_lstm_states = type(fresh)(*moved)


def _memory(model: BaseAlgorithm) -> Any:
    """States of a recurrent policy's networks, of actor and critic."""
    states: Any = getattr(model, "_last_lstm_states", None)
    return None if states is None else [tuple(states.pi), tuple(states.vf)]


def _load_normalisation(
    model: BaseAlgorithm, lanes: Sequence[Mapping[str, Any]]
) -> None:
    scaler = model.get_vec_normalize_env()
    if scaler is not None:
        kinds = [part["kind"] for part in lanes]
        load_statistics(scaler, lanes[kinds.index(type(scaler).__name__)])


def _check_weights(state: Mapping[str, Any]) -> None:
    """Raise `NotFinite` if a weight or an optimizer's average is NaN or infinite."""
    for kind in ("parameters", "tensors"):
        for where, tensor in _tensors(state[kind], ""):
            if not bool(th.isfinite(tensor).all()):
                raise NotFinite(
                    f"{where} holds NaN or infinity, after "
                    f"{state['counters']['num_timesteps']} steps"
                )


def _tensors(value: Any, where: str) -> Iterator[tuple[str, th.Tensor]]:
    if th.is_tensor(value):
        yield where, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{where}/{key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _tensors(item, f"{where}/{place}")
