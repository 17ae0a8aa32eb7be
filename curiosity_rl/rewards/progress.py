"""Learning progress of the PUPIL: what a skill's recent past says about its growth.

Progress of the agent's OWN model is another thing, and not in this module.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from curiosity_rl.jit import kernel
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.statistics import lane_rows, mean
from curiosity_rl.rewards.world_info import (
    Mask,
    belief_entropy,
    check_mask,
    keep,
    read,
)

Potential = Literal["sum", "log-odds", "product"]
DOUBT, CERTAINTY = 0.1, 0.985
Kind = Literal["positive", "absolute", "signed", "beta"]
KINDS: dict[str, int] = {"positive": 0, "absolute": 1, "signed": 2, "beta": 3}
MOST_REGIONS = 1 << 20


def _odds(p: Any) -> Any:
    return np.log(p / (1 - p))


class BeliefProgress:
    """Expected learning progress under a student model: the belief's signed change.

    Formula: `P(b') - P(b)`, `b` the tutor's belief in each skill before and after the
    answer, m the mask, and the potential P one of

    * `sum`: `sum_k m_k b_k`, the expected number of (masked) skills known;
    * `log-odds`: `sum_k m_k (odds(b_k) - odds(.1)) / (odds(.985) - odds(.1))` with
      `odds(b) = log(b / (1 - b))` and b clipped to [.1, .985]: the evidence of mastery,
      at most 1 per skill. Where `sum` hardly tells .90 from .98, this pays for
      certainty;
    * `product`: `prod_k b_k^m_k`, the belief that all of them are known; with
      `mask="goal"` that is the tutor's belief that the exam would be passed now.

    The sum over an episode telescopes to the last potential minus the first, so there
    is nothing to farm: a coin flip raises and lowers it. It is close to
    potential-based shaping with estimated mastery as the potential.

    Shapes: `info["belief_before"]` and `info["belief"]` `(T, N, A)`; the mask
    `info["needed"]` or `info["goal"]` `(T, N, A)`; bonus `(T, N)`. Stateless.

    Source: Oudeyer, Kaplan, Hafner 2007, "Intrinsic motivation systems for autonomous
    mental development" (progress as a signed difference), on the belief of Corbett
    and Anderson 1995, "Knowledge tracing".
    """

    scaled_by_default = False

    def __init__(self, mask: Mask = "none", potential: Potential = "sum") -> None:
        check_mask(mask)
        if potential not in get_args(Potential):
            raise ValueError(
                f"potential is {potential!r}; allowed are "
                f"{', '.join(get_args(Potential))}"
            )
        self.mask: Mask = mask
        self.potential: Potential = potential

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the change, `(T, N)` float32.

        Raises:
            ValueError: If the world reports no belief or not the mask.
        """
        kept = keep(batch, self.mask)
        after = self._potential(read(batch, "belief"), kept)
        return after - self._potential(read(batch, "belief_before"), kept)

    def _potential(self, belief: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
        """Return the potential of beliefs `(T, N, A)`, `(T, N)` float32."""
        belief = belief.astype(np.float32, copy=False)
        if self.potential == "product":
            return (belief if kept is None else belief**kept).prod(-1)
        if self.potential == "log-odds":
            low, high = float(_odds(DOUBT)), float(_odds(CERTAINTY))
            belief = (_odds(np.clip(belief, DOUBT, CERTAINTY)) - low) / (high - low)
        return (belief if kept is None else belief * kept).sum(-1)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn nothing: the belief is the world's; return its entropy and potential.

        Both are means over the lanes, after the last step of the batch.
        """
        last = batch.latest()
        potential = self._potential(read(last, "belief"), keep(last, self.mask))
        return {
            "belief_entropy": belief_entropy(batch),
            "progress_potential": mean(potential[0]),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""


@kernel
def _pay(region, signal, done, kind, h, z, history, attempts, out):
    """Walk the lanes through time; `history` is a ring of the last 2h signals."""
    steps, lanes = region.shape
    size = 2 * h
    for i in range(lanes):
        for t in range(steps):
            k = region[t, i]
            n = attempts[i, k]
            history[i, k, n % size] = signal[t, i]
            n += 1
            attempts[i, k] = n
            if n >= size:
                older, recent = 0.0, 0.0
                for j in range(h):
                    older += history[i, k, (n + j) % size]
                    recent += history[i, k, (n + h + j) % size]
                if kind == 3:
                    m0 = (1 + older) / (2 + h)
                    m1 = (1 + recent) / (2 + h)
                    noise = z * np.sqrt((m0 * (1 - m0) + m1 * (1 - m1)) / (3 + h))
                    gain = m1 - m0
                    out[t, i] = np.sign(gain) * max(abs(gain) - noise, 0.0)
                else:
                    gain = (recent - older) / h
                    if kind == 0:
                        gain = max(gain, 0.0)
                    elif kind == 1:
                        gain = abs(gain)
                    out[t, i] = gain
            if done[t, i]:
                attempts[i, :] = 0


class SkillProgress:
    """Learning progress of the pupil, per region: recent success minus older success.

    Formula: per lane and region, with `recent` the mean of the last h signals and
    `older` the mean of the h before them, from the 2h-th attempt on (0 until then):

    * `signed`: `recent - older`. Sums to about 0 on anything that stays as it is.
    * `positive`: `max(recent - older, 0)`. `absolute`: its absolute value. Both pay
      noise MORE than learning (largest at a coin flip): for comparison only.
    * `beta`: what noise does not explain. With `m = (1 + s) / (2 + h)` and
      `v = m (1 - m) / (3 + h)`, mean and variance of the posterior Beta(1 + s,
      1 + h - s) after s successes among h under a uniform prior, and `d = m_recent -
      m_older`: `sign(d) * max(|d| - z * sqrt(v_recent + v_older), 0)`. The two
      windows of a skill that stays as it is are exchangeable, so noise of any level
      earns 0 on average; differences below z deviations are not even passed on.

    All kinds forget everything at the end of an episode (terminated or truncated).

    Shapes: `info[region]` `(T, N)` integers from 0, `info[signal]` `(T, N)`; mask
    `(T, N, A)`, looked up at the region (which then is the activity); bonus `(T, N)`.
    Memory: 2h + 1 numbers per lane and region.

    Args:
        kind: See above.
        window: h; by default 2, and 4 for `beta`, whose posterior needs more.
        z: How many deviations `beta` takes for noise.
        mask: Pay only regions that are needed or a goal; the rest is remembered.
        region: Key of the region in info; None: everything is one region.
        signal: Key of the competence signal; for `beta` it must lie in [0, 1].

    Source: Oudeyer, Kaplan, Hafner 2007, "Intrinsic motivation systems for autonomous
    mental development" (recent against older error of a region); Clement et al. 2015,
    "Multi-armed bandits for intelligent tutoring systems" (windows of success). The
    `beta` kind is ours.
    """

    scaled_by_default = False

    def __init__(
        self,
        kind: Kind = "signed",
        window: int | None = None,
        z: float = 1.0,
        mask: Mask = "none",
        region: str | None = "activity",
        signal: str = "outcome",
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; allowed are {', '.join(KINDS)}")
        h = (4 if kind == "beta" else 2) if window is None else window
        if h < 1:
            raise ValueError(f"window is {window}; it must be at least 1 attempt")
        if z < 0:
            raise ValueError(f"z is {z}; it must be 0 or more deviations")
        check_mask(mask)
        if mask != "none" and region is None:
            raise ValueError(f"mask={mask!r} needs regions; give region='activity'")
        self.kind: Kind = kind
        self.window = h
        self.z = float(z)
        self.mask: Mask = mask
        self.region = region
        self.signal = signal
        self._history: np.ndarray | None = None  # (N, K, 2h) ring per lane and region
        self._attempts: np.ndarray | None = None  # (N, K) in this episode

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the progress, `(T, N)` float32, and remember the signals.

        Raises:
            ValueError: If the world does not report region, signal or mask, or they
                are out of range, or the number of lanes has changed.
        """
        signal = np.ascontiguousarray(read(batch, self.signal), dtype=np.float64)
        region = self._regions(batch)
        if self.kind == "beta" and not np.all((signal >= 0) & (signal <= 1)):
            raise ValueError(
                f"kind='beta' takes successes: info[{self.signal!r}] must lie in "
                "[0, 1]; use kind='signed' for other signals"
            )
        kept = keep(batch, self.mask)
        history, attempts, rows = self._memory(region, batch.lanes)
        out = np.zeros(batch.shape, np.float32)
        done = np.ascontiguousarray(batch.done)
        kind = KINDS[self.kind]
        past, tried = history[rows], attempts[rows]  # copies where lanes are left out
        _pay(region, signal, done, kind, self.window, self.z, past, tried, out)
        history[rows], attempts[rows] = past, tried
        if kept is None:
            return out
        return out * np.take_along_axis(kept, region[..., None], -1)[..., 0]

    def forget(self) -> None:
        """Begin a new episode in all lanes."""
        if self._attempts is not None:
            self._attempts[:] = 0

    def update(self, batch: Transitions) -> dict[str, float]:
        """Learn nothing: all memory is the episode's; return the progress in it.

        `skills_followed` is how many regions of a lane have all 2h signals, and
        `progress_mean` their mean `recent - older`, over the lanes.
        """
        history, attempts = self._history, self._attempts
        if history is None or attempts is None:
            return {}
        h = self.window
        followed = attempts >= 2 * h
        rings, n = history[followed], attempts[followed]
        slots = (n[:, None] + np.arange(2 * h)) % (2 * h)  # from the oldest signal on
        ordered = np.take_along_axis(rings, slots, 1)
        gain = ordered[:, h:].mean(1) - ordered[:, :h].mean(1)
        return {
            "progress_mean": mean(gain),
            "skills_followed": mean(followed.sum(1)),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the episode memory of all lanes."""
        if self._history is None or self._attempts is None:
            return {}
        return {"history": self._history.copy(), "attempts": self._attempts.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._history = self._attempts = None
        if state:
            self._history = np.array(state["history"], dtype=np.float64)
            self._attempts = np.array(state["attempts"], dtype=np.int64)

    def _regions(self, batch: Transitions) -> np.ndarray:
        """Return the region of every transition, `(T, N)` int64."""
        if self.region is None:
            return np.zeros(batch.shape, np.int64)
        region = read(batch, self.region)
        if region.shape != batch.shape or region.dtype.kind not in "iu":
            raise ValueError(
                f"info[{self.region!r}] is {region.dtype} {region.shape}; a region is "
                f"one integer per transition, {batch.shape}"
            )
        if region.size and not 0 <= region.min() <= region.max() < MOST_REGIONS:
            raise ValueError(
                f"info[{self.region!r}] runs from {region.min()} to {region.max()}; "
                f"regions are numbered from 0 to at most {MOST_REGIONS - 1}"
            )
        return np.ascontiguousarray(region, dtype=np.int64)

    def _memory(
        self, region: np.ndarray, lanes: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | slice]:
        """Return history, attempts (grown to the regions seen), and a batch's rows."""
        columns = region.shape[1]
        history, attempts = self._history, self._attempts
        if history is None or attempts is None:
            history = np.zeros((columns, 0, 2 * self.window))
            attempts = np.zeros((columns, 0), np.int64)
        rows = lane_rows(len(attempts), columns, lanes)
        more = int(region.max(initial=-1)) + 1 - attempts.shape[1]
        if more > 0:
            history = np.pad(history, ((0, 0), (0, more), (0, 0)))
            attempts = np.pad(attempts, ((0, 0), (0, more)))
        self._history, self._attempts = history, attempts
        return history, attempts, rows
