"""Pay the bonus of transitions, refuse what is not finite, and let the reward learn."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from curiosity_rl.adapters.arrays import join_obs, map_obs
from curiosity_rl.adapters.infos import common_info
from curiosity_rl.protocols import IntrinsicReward, Transitions


class NotFinite(ValueError):  # noqa: N818
    """What the world showed or a reward paid is NaN or infinite; it says where."""


def set_up(
    reward: IntrinsicReward, observation_space: Any, action_space: Any, seed: int
) -> None:
    """Tell a reward the spaces and its seed, if it has a `setup`.

    Raises:
        ValueError: If it is no reward, but a name, a class or something else.
    """
    _check_reward(reward)
    setup = getattr(reward, "setup", None)
    if setup is not None:
        setup(observation_space, action_space, seed)


def _check_reward(reward: Any) -> None:
    """Raise if this cannot pay."""
    if isinstance(reward, str):
        raise ValueError(
            f"intrinsic is {reward!r}, a name; pass make_reward({reward!r})"
        )
    if isinstance(reward, type):
        name = reward.__name__
        raise ValueError(f"intrinsic is the class {name}; pass an object, {name}(...)")
    for method in ("compute", "update"):
        if not callable(getattr(reward, method, None)):
            raise ValueError(
                f"intrinsic is {reward!r}, which has no method {method}; pass what "
                "make_reward(name) returns, or an object with the methods of "
                "curiosity_rl.protocols.IntrinsicReward"
            )


def check_coef(coef: float) -> None:
    """Refuse a weight of the bonus that is no finite number.

    Raises:
        ValueError: If it is none.
    """
    try:
        finite = math.isfinite(coef)
    except TypeError:
        finite = False
    if not finite:
        raise ValueError(f"coef is {coef!r}; it must be a finite number")


def pay(reward: IntrinsicReward, batch: Transitions, first_step: int = 0) -> np.ndarray:
    """Compute the bonus of a batch, `(T, N)` float32.

    Args:
        reward: Who pays.
        batch: What is paid for.
        first_step: What the batch's first step is called in an error.

    Raises:
        NotFinite: If an observation, a reward or the bonus is not finite (it names
            lane, step and field; the reward has not seen the batch then, or not learnt
            from it).
        ValueError: If the reward returns another shape.
    """
    check_given(batch, first_step)
    with np.errstate(over="ignore"):  # what overflows is found below
        bonus = np.asarray(reward.compute(batch), np.float32)
    name = type(reward).__name__
    if bonus.shape != batch.shape:
        raise ValueError(
            f"{name}.compute returned shape {bonus.shape} for a batch of "
            f"{batch.shape[0]} steps x {batch.shape[1]} lanes; it must be "
            f"{batch.shape}"
        )
    check_finite(f"bonus of {name}", bonus, first_step, batch.lanes)
    return bonus


def check_first(obs: Any, lanes: np.ndarray, step: int) -> None:
    """Raise if the observation `(N, ...)` with which lanes begin is not finite.

    `pay` sees it one step later: too late for an algorithm that has taken its value.

    Raises:
        NotFinite: With the lane, the step that begins, and the place.
    """
    rows = map_obs(lambda array: array[lanes][None], obs)
    check_finite("first observation of an episode", rows, step, lanes)


def check_given(batch: Transitions, first_step: int) -> None:
    """Raise `NotFinite` if an observation or a reward of the world is not finite."""
    for field in ("obs", "next_obs", "reward"):
        check_finite(field, getattr(batch, field), first_step, batch.lanes)


def check_finite(
    field: str, values: Any, first_step: int, lanes: np.ndarray | None = None
) -> None:
    """Refuse `(T, N, ...)` values that are not finite.

    Raises:
        NotFinite: With the lane, the step and the place of the first that is not.
    """
    if isinstance(values, dict):
        for key, value in values.items():
            check_finite(f"{field}[{key!r}]", value, first_step, lanes)
        return
    values = np.asarray(values)
    if values.dtype.kind not in "fc":
        return
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):  # a sum can overflow, but not hide a NaN
            return
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    step, lane, *place = (int(axis[0]) for axis in np.nonzero(bad))
    row = lane if lanes is None else int(lanes[lane])
    at = f"[{', '.join(map(str, place))}]" if place else ""
    raise NotFinite(
        f"lane {row}, step {first_step + step}: {field}{at} is "
        f"{values[(step, lane, *place)]}, and {np.count_nonzero(bad) - 1} more values "
        "of this batch are not finite; nothing has learnt from it. Look for a division "
        "by zero or an overflow in the world, or a bonus of too large a scale"
    )


class Payer:
    """Pays step by step and lets the reward learn every `update_every` steps.

    Each step is a batch with `T = 1`, paid as soon as it is made. The reward learns
    from the steps since it last did, stacked to one batch `(update_every, N, ...)`;
    a step that leaves lanes out is a batch of its own.

    Attributes:
        steps: Steps paid so far.
        metrics: What the reward's `update` returned last.
        paid: Bonuses and rewards of what was paid last, each `(T, N)`; None before.
        seconds: Time spent so far: on the bonus, and on learning.
    """

    def __init__(self, reward: IntrinsicReward, update_every: int) -> None:
        if update_every < 1:
            raise ValueError(
                f"update_every is {update_every}; the reward learns after every 1 or "
                "more steps"
            )
        self.reward, self.update_every = reward, update_every
        self.steps = 0
        self.metrics: dict[str, float] = {}
        self.paid: tuple[np.ndarray, np.ndarray] | None = None
        self.seconds = 0.0
        self._collected: list[Transitions] = []

    def pay(self, step: Transitions) -> np.ndarray:
        """Return the bonus of one step, `(N,)` float32; now and then, learn.

        Raises:
            ValueError: See the function `pay`.
        """
        start = time.perf_counter()
        bonus = pay(self.reward, step, self.steps)
        self.paid = bonus, step.reward
        self.steps += 1
        self._collected.append(step)
        if len(self._collected) >= self.update_every:
            collected, self._collected = self._collected, []
            for batch in _stacked(collected):
                self.metrics = {**self.metrics, **self.reward.update(batch)}
        self.seconds += time.perf_counter() - start
        return bonus[0]

    def forget(self) -> None:
        """Tell the reward that all lanes begin a new episode, if it minds."""
        forget = getattr(self.reward, "forget", None)
        if forget is not None:
            forget()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the reward and the steps it has not learnt from yet."""
        return {
            "reward": self.reward.state_dict(),
            "steps": self.steps,
            "metrics": dict(self.metrics),
            "collected": [
                {**vars(step), "info": dict(step.info)} for step in self._collected
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.reward.load_state_dict(state["reward"])
        self.steps = int(state["steps"])
        self.metrics = dict(state["metrics"])
        self._collected = [Transitions(**step) for step in state["collected"]]


def mixed(
    rewards: Any, bonus: Any, coef: float, extrinsic: bool, dtype: Any = np.float64
) -> Any:
    """Return `extrinsic * rewards + coef * bonus`."""
    world = np.asarray(rewards, dtype)
    return (world if extrinsic else np.zeros_like(world)) + dtype(coef) * bonus


def check_recomputed(name: str, coef: float, extrinsic: bool) -> None:
    """Refuse `compute_reward`, by which hindsight replay asks for rewards anew.

    Raises:
        ValueError: If what it returns would lack the bonus, or what is turned off.
    """
    if name == "compute_reward" and (coef != 0 or not extrinsic):
        raise ValueError(
            "compute_reward of the world knows no bonus, so hindsight replay (HER) "
            "would lose it in the transitions that it relabels; leave the environment "
            "without it, and use RelabelledHerReplayBuffer of curiosity_rl.adapters."
            "replay as replay_buffer_class"
        )


def _stacked(steps: Sequence[Transitions]) -> Iterator[Transitions]:
    """Stack neighbouring steps that hold all lanes; the others stay alone."""
    run: list[Transitions] = []
    for step in steps:
        if step.lanes is None:
            run.append(step)
            continue
        if run:
            yield join(run)
            run = []
        yield step
    if run:
        yield join(run)


def join(steps: Sequence[Transitions]) -> Transitions:
    """Stack steps over time; of `info` what all of them have in one shape."""
    if len(steps) == 1:
        return steps[0]
    arrays = {
        name: join_obs([getattr(step, name) for step in steps])
        for name in ("obs", "action", "reward", "next_obs", "terminated", "truncated")
    }
    common = common_info([step.info for step in steps])
    info = {key: np.concatenate(values) for key, values in common.items()}
    return Transitions(**arrays, info=info)
