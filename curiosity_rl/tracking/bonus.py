"""What is logged of the bonus, at every door alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.adapters.paying import Payer


def bonus_metrics(
    bonus: np.ndarray, reward: np.ndarray, coef: float, extrinsic: float
) -> dict[str, float]:
    """Describe the bonuses of some steps.

    Formulas, over steps t and lanes i: `mean` and `std` of `b_ti`; `lane_std`, the
    deviation over i of `mean_t b_ti`, which is large where few lanes find what is new;
    `share = |coef| sum |b| / (|coef| sum |b| + |extrinsic| sum |r|)`.

    Args:
        bonus: b, without its weight, `(T, N)`.
        reward: r, extrinsic, `(T, N)`.
        coef: Weight of the bonus.
        extrinsic: Weight of the reward.

    Returns:
        `intrinsic_reward_mean`, `_std`, `_lane_std` and `_share`.
    """
    paid = abs(coef) * float(np.abs(bonus).sum())
    total = paid + abs(extrinsic) * float(np.abs(reward).sum())
    values = {
        "mean": float(bonus.mean()),
        "std": float(bonus.std()),
        "lane_std": float(bonus.mean(0).std()),
        "share": paid / total if total > 0 else 0.0,
    }
    return {f"intrinsic_reward_{name}": value for name, value in values.items()}


class BonusMeter:
    """Gathers what a door has paid since it was last asked."""

    def __init__(self) -> None:
        self._steps: list[tuple[np.ndarray, np.ndarray]] = []
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def look(self, payer: Payer) -> None:
        """Take what was paid last, unless it was taken before."""
        paid = payer.paid
        if paid is not None and paid is not self._last:
            self._last = paid
            self._steps.append(paid)

    def drain(self, coef: float, extrinsic: float) -> dict[str, float]:
        """Describe what was gathered, and forget it; see `bonus_metrics`."""
        if not self._steps:
            return {}
        bonus, reward = self._gathered()
        metrics = bonus_metrics(bonus, reward, coef, extrinsic)
        self._steps.clear()
        return metrics

    def _gathered(self) -> list[np.ndarray]:
        return [np.concatenate(part) for part in zip(*self._steps, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return what was gathered."""
        return {"steps": self._gathered() if self._steps else []}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        steps = [np.array(part) for part in state["steps"]]
        self._steps = [(steps[0], steps[1])] if steps else []
