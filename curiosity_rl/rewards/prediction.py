"""Prediction error of a network as a bonus. The only rewards that need torch."""

from __future__ import annotations

import itertools
from typing import Any, cast

import numpy as np
import torch as th
from torch import nn

from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.observations import flatten
from curiosity_rl.rewards.statistics import RunningMoments

CLIP = 5.0
CHUNK = 4096
LEAST_VARIANCE = 1e-8


class RND:
    """Random network distillation: how badly a fixed random network is predicted.

    Formula: `mean_j (f_j(x) - g_j(x))^2` with `x = clip((s' - mean) / deviation, -5,
    5)`, g a random network that never changes, f the predictor. s' is the true next
    observation, also where the episode ends, and exactly that is trained on. The
    moments of s' move in `update` only, before the predictor learns.

    Shapes: observations `(T, N, ...)` of any space, see `observations.flatten`; bonus
    `(T, N)`. Both networks have two hidden layers of ReLU.

    Args:
        hidden: Width of the hidden layers.
        outputs: Number of outputs to predict.
        learning_rate: Of Adam.
        updates: Passes over the batch per `update`.
        batch_size: Transitions per step of Adam.
        proportion: Share of the batch, drawn anew for each pass, that is trained on.
        device: Where the networks live, in torch's words.

    Source: Burda et al. 2018, "Exploration by random network distillation", section
    2.2 and 2.4; orthogonal weights of gain sqrt(2) as in
    openai/random-network-distillation, `policies/cnn_policy_param_matched.py`.
    """

    scaled_by_default = True

    def __init__(
        self,
        hidden: int = 128,
        outputs: int = 64,
        learning_rate: float = 3e-4,
        updates: int = 1,
        batch_size: int = 512,
        proportion: float = 1.0,
        device: str = "cpu",
    ) -> None:
        sizes = {"hidden": hidden, "outputs": outputs, "batch_size": batch_size}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1")
        if updates < 0:
            raise ValueError(f"updates is {updates}; it must be 0 or more passes")
        if learning_rate <= 0:
            raise ValueError(f"learning_rate is {learning_rate}; it must be positive")
        if not 0 < proportion <= 1:
            raise ValueError(f"proportion is {proportion}; it must lie in (0, 1]")
        self.hidden = hidden
        self.outputs = outputs
        self.learning_rate = learning_rate
        self.updates = updates
        self.batch_size = batch_size
        self.proportion = proportion
        self.device = device
        self.inputs = 0  # 0: not built yet
        self._space: Any = None
        self._seed = 0

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the observation space, and the seed of weights and minibatches."""
        self._space = observation_space
        self._seed = seed

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the squared error, `(T, N)` float32."""
        rows = self._normalised(self._rows(batch))
        with th.no_grad():
            errors = [
                (self.predictor(part) - self.target(part)).square().mean(1)
                for part in rows.split(CHUNK)
            ]
        return th.cat(errors).cpu().numpy().reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Move the moments, then train the predictor; return the mean loss."""
        flat = self._rows(batch)
        self.moments.update(flat)
        rows = self._normalised(flat)
        with th.no_grad():
            aims = th.cat([self.target(part) for part in rows.split(CHUNK)])
        used = max(1, round(self.proportion * len(rows)))
        steps = -(-used // self.batch_size)
        total = 0.0
        for _ in range(self.updates):
            order = th.randperm(len(rows), generator=self.generator)[:used]
            for part in order.to(self.device).tensor_split(steps):
                loss = (self.predictor(rows[part]) - aims[part]).square().mean()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
        return {"predictor_loss": total / max(1, self.updates * steps)}

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments, statistics and the generator's state."""
        if not self.inputs:
            return {}
        return {
            "inputs": self.inputs,
            "predictor": _copy(self.predictor.state_dict()),
            "target": _copy(self.target.state_dict()),
            "optimizer": {
                str(i): _copy(slot)
                for i, slot in self.optimizer.state_dict()["state"].items()
            },
            "moments": self.moments.state_dict(),
            "generator": self.generator.get_state().clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        if not state:
            self.inputs = 0
            return
        self._build(int(state["inputs"]))
        self.predictor.load_state_dict(_copy(state["predictor"]))
        self.target.load_state_dict(_copy(state["target"]))
        groups = self.optimizer.state_dict()["param_groups"]
        slots = {int(i): _copy(slot) for i, slot in state["optimizer"].items()}
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.moments.load_state_dict(state["moments"])
        self.generator.set_state(th.as_tensor(state["generator"], dtype=th.uint8))

    def _rows(self, batch: Transitions) -> np.ndarray:
        """Return the next observations, `(T * N, D)`, and build for them if needed."""
        rows = flatten(batch.next_obs, self._space)
        if not self.inputs:
            self._build(rows.shape[1])
        if rows.shape[1] != self.inputs:
            raise ValueError(
                f"observations have {rows.shape[1]} numbers, but the networks were "
                f"built for {self.inputs}; build a new reward"
            )
        return rows

    def _normalised(self, rows: np.ndarray) -> th.Tensor:
        """Return rows by their moments and clipped; as they are before any moments."""
        x = th.tensor(rows, device=self.device)  # a copy: the batch may be read-only
        if self.moments.count:
            spread = np.sqrt(np.maximum(self.moments.var, LEAST_VARIANCE))
            mean = th.from_numpy(self.moments.mean.astype(np.float32)).to(x.device)
            scale = th.from_numpy((1 / spread).astype(np.float32)).to(x.device)
            x = (x - mean).mul_(scale)
        return x.clamp(-CLIP, CLIP)

    def _build(self, inputs: int) -> None:
        """Draw both networks from our own generator: the global one is not touched."""
        self.inputs = inputs
        self.generator = th.Generator().manual_seed(self._seed % 2**63)
        self.target = self._network().requires_grad_(False)
        self.predictor = self._network()
        self.optimizer = th.optim.Adam(
            self.predictor.parameters(), self.learning_rate, fused=True
        )
        self.moments = RunningMoments((inputs,))

    def _network(self) -> nn.Sequential:
        """Return a network of two hidden layers with orthogonal weights."""
        sizes = (self.inputs, self.hidden, self.hidden, self.outputs)
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            # skip_init: the constructor would draw from the global generator
            layer = cast(nn.Linear, nn.utils.skip_init(nn.Linear, fan_in, fan_out))
            with th.no_grad():
                nn.init.orthogonal_(layer.weight, 2**0.5, generator=self.generator)
                layer.bias.zero_()
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1]).to(self.device)


def _copy(tensors: dict[str, Any]) -> dict[str, th.Tensor]:
    """Return copies on the CPU, whether they came as tensors or as arrays."""
    return {k: th.as_tensor(v).detach().cpu().clone() for k, v in tensors.items()}
