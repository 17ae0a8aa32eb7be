"""RecurrentPPO with two reward streams; needs sb3-contrib."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch as th

from curiosity_rl.agents.on_policy import IntrinsicOnPolicy
from curiosity_rl.agents.two_streams import TwoHeads, TwoStreams

try:
    from sb3_contrib import RecurrentPPO
except ImportError as error:
    raise ImportError(
        "IntrinsicRecurrentPPO needs sb3-contrib; pip install sb3-contrib"
    ) from error


class MaskedHeads(TwoHeads):
    """Mixin for recurrent policies: all that `train` masks is `(2B,)`, as values are.

    `RecurrentPPO.train` picks transitions out of the padded sequences by one mask, from
    the flattened values of both heads as from log probabilities, entropies and
    advantages. With every transition twice in all of these, it fits, and the means over
    them stay the same.
    """

    # Besides the memory, `*memory` passes whatever sb3-contrib's `train` gives on.
    def evaluate_actions(  # type: ignore[override]
        self, obs: Any, actions: th.Tensor, *memory: Any
    ) -> tuple[th.Tensor, th.Tensor, th.Tensor | None]:
        """Return both values `(B, 2)`, log probabilities and entropy `(2B,)`."""
        values, log_prob, entropy = super().evaluate_actions(obs, actions, *memory)
        return values, _twice(log_prob), None if entropy is None else _twice(entropy)


class MaskedStreams(TwoStreams):
    """Mixin for recurrent buffers: samples hold every transition twice."""

    def _get_samples(self, *args: Any, **kwargs: Any) -> Any:
        samples: Any = super()._get_samples(*args, **kwargs)
        # Mask, values and returns have both heads in them, and so are doubled already.
        return samples._replace(
            actions=samples.actions.float(),  # SB3's buffer does; MultiBinary needs it
            old_log_prob=_twice(samples.old_log_prob),
            advantages=_twice(samples.advantages),
        )


class IntrinsicRecurrentPPO(IntrinsicOnPolicy, RecurrentPPO):
    """RecurrentPPO for two rewards; see `IntrinsicOnPolicy`.

    Advantages are standardised over doubled rows (see `MaskedHeads`): in a minibatch of
    B transitions they come out larger than the stock ones by a factor of `1 + 1/(4B)`.
    """

    heads: ClassVar[type[TwoHeads]] = MaskedHeads
    streams: ClassVar[type[TwoStreams]] = MaskedStreams

    def _memory(self, cut: np.ndarray | None = None) -> tuple[Any, ...]:
        assert self._last_lstm_states is not None
        last = self._last_lstm_states.vf
        if cut is None:
            starts = np.asarray(self._last_episode_starts, np.float32)
            return last, th.as_tensor(starts, device=self.device)
        buffer: Any = self.rollout_buffer
        kept = buffer.hidden_states_vf, buffer.cell_states_vf
        states = tuple(
            self._after(before, final, cut)
            for before, final in zip(kept, last, strict=True)
        )
        return states, th.zeros(int(cut.sum()), device=self.device)

    def _after(self, before: np.ndarray, final: th.Tensor, cut: np.ndarray) -> Any:
        """LSTM states after transitions, from those before: `(layers, B, hidden)`.

        Args:
            before: States before each step, `(T, layers, N, hidden)`.
            final: States after the last step, `(layers, N, hidden)`.
            cut: Which transitions, `(T, N)` bool.
        """
        after = np.concatenate([before[1:], final.cpu().numpy()[None]])
        picked = after.swapaxes(1, 2)[cut].swapaxes(0, 1)
        return th.as_tensor(np.ascontiguousarray(picked), device=self.device)


def _twice(rows: th.Tensor) -> th.Tensor:
    """Repeat every row, `(B,)` to `(2B,)`: the order of flattened `(B, 2)` values."""
    return rows.repeat_interleave(2)
