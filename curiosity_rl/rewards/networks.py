"""Parts that rewards with networks share: inputs, weights, training, state."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import numpy as np
import torch as th
from torch import nn

from curiosity_rl.protocols import Observation
from curiosity_rl.rewards.observations import Block, flatten, layout
from curiosity_rl.rewards.statistics import RunningMoments

CLIP = 5.0
CHUNK = 4096
LEAST_VARIANCE = 1e-8
CHANNELS = (16, 32, 32)
"""Of the convolutions that an image passes."""


class TrainingOptions(TypedDict, total=False):
    """How a reward's networks learn; keyword arguments of every such reward.

    `learning_rate` of Adam (3e-4); `updates`, passes over the batch per `update` (1);
    `batch_size`, transitions per step of Adam (512); `proportion`, share of the batch,
    drawn anew for each pass, that is trained on (1.0); `device`, where the networks
    live, in torch's words ("cpu").
    """

    learning_rate: float
    updates: int
    batch_size: int
    proportion: float
    device: str


@dataclass(frozen=True)
class Training:
    """`TrainingOptions`, checked and with their defaults."""

    learning_rate: float = 3e-4
    updates: int = 1
    batch_size: int = 512
    proportion: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_sizes(batch_size=self.batch_size)
        for name in ("learning_rate", "proportion"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} is {value!r}; it must be a number")
        if type(self.updates) is not int or self.updates < 0:
            raise ValueError(
                f"updates is {self.updates!r}; it must be 0 or more passes, a whole "
                "number"
            )
        try:
            th.device(self.device)
        except RuntimeError as error:
            raise ValueError(
                f"device is {self.device!r}, which torch does not know; use cpu or cuda"
            ) from error
        if not self.learning_rate > 0:
            raise ValueError(
                f"learning_rate is {self.learning_rate}; it must be positive"
            )
        if not 0 < self.proportion <= 1:
            raise ValueError(f"proportion is {self.proportion}; it must lie in (0, 1]")


def check_sizes(**sizes: int) -> None:
    """Raise `ValueError` for a size that is no whole number from 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer):
            raise ValueError(f"{name} is {size!r}; it must be a whole number")
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be at least 1")


class Inputs:
    """Observations as inputs of a network: flat rows by their moments, clipped.

    Formula: `clip((x - mean) / deviation, -5, 5)`; x as it is before any moments. The
    moments move in `learn` only.

    Source: Burda et al. 2018, "Exploration by random network distillation", section
    2.4.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.space: Any = None
        self.width = 0  # 0: no observation seen yet
        self.moments = RunningMoments()

    def setup(self, space: Any) -> None:
        """Take the observation space."""
        self.space = space

    def rows(self, obs: Observation) -> np.ndarray:
        """Return observations `(T, N, ...)` as rows `(T * N, D)` float32.

        Raises:
            ValueError: If they have another length than those seen before.
        """
        rows = flatten(obs, self.space)
        if not self.width:
            self._begin(rows.shape[1])
        if rows.shape[1] != self.width:
            raise ValueError(
                f"observations have {rows.shape[1]} numbers, but this reward was "
                f"built for {self.width}; build a new one"
            )
        return rows

    def blocks(self) -> tuple[Block, ...]:
        """Return which columns of a row are images; needs the width."""
        return layout(self.space, self.width)

    def normalised(self, rows: np.ndarray) -> th.Tensor:
        """Return rows as a network sees them, `(B, D)`."""
        x = th.tensor(rows, device=self.device)  # a copy: the batch may be read-only
        if self.moments.count:
            spread = np.sqrt(np.maximum(self.moments.var, LEAST_VARIANCE))
            mean = th.from_numpy(self.moments.mean.astype(np.float32)).to(x.device)
            scale = th.from_numpy((1 / spread).astype(np.float32)).to(x.device)
            x.sub_(mean).mul_(scale)
        return x.clamp_(-CLIP, CLIP)

    def learn(self, rows: np.ndarray) -> None:
        """Move the moments by rows `(B, D)`."""
        self.moments.update(rows)

    def state_dict(self) -> dict[str, Any]:
        """Return width and moments."""
        return {"width": self.width, "moments": self.moments.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._begin(int(state["width"]))
        self.moments.load_state_dict(state["moments"])

    def _begin(self, width: int) -> None:
        self.width = width
        self.moments = RunningMoments((width,))


class Trainer:
    """Adam on minibatches that are drawn from a generator of our own."""

    def __init__(
        self, module: nn.Module, generator: th.Generator, training: Training
    ) -> None:
        self.training, self.generator = training, generator
        self.optimizer = th.optim.Adam(
            module.parameters(), training.learning_rate, fused=True
        )

    @th.enable_grad()  # some algorithms play, and so let rewards learn, without
    def fit(self, count: int, loss: Callable[[th.Tensor], th.Tensor]) -> float:
        """Train on `count` rows; return the mean loss before each step of Adam.

        Args:
            count: Number of rows.
            loss: From indices of rows, `(b,)` int64, to the mean loss over them.
        """
        training = self.training
        if not count:
            return 0.0
        used = max(1, round(training.proportion * count))
        steps = -(-used // training.batch_size)
        total = th.zeros((), device=training.device)
        for _ in range(training.updates):
            order = th.randperm(count, generator=self.generator)[:used]
            for part in order.to(training.device).tensor_split(steps):
                value = loss(part)
                self.optimizer.zero_grad()
                value.backward()
                self.optimizer.step()
                total += value.detach()
        return float(total) / max(1, training.updates * steps)

    def state_dict(self) -> dict[str, Any]:
        """Return Adam's moments, by number of parameter, and the generator's state."""
        slots = self.optimizer.state_dict()["state"]
        return {
            "adam": {str(i): copy_tensors(slot) for i, slot in slots.items()},
            "generator": self.generator.get_state().clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        groups = self.optimizer.state_dict()["param_groups"]
        slots = {int(i): copy_tensors(slot) for i, slot in state["adam"].items()}
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.generator.set_state(th.as_tensor(state["generator"], dtype=th.uint8))


class Trunk(nn.Module):
    """From rows of flat observations to outputs; images pass a small CNN first."""

    def __init__(
        self,
        blocks: Sequence[Block],
        hidden: Sequence[int],
        outputs: int,
        generator: th.Generator,
    ) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        self.convolutions = nn.ModuleList(
            _convolutions(block.image, generator)
            for block in self.blocks
            if block.image is not None
        )
        width = sum(
            block.stop - block.start if block.image is None else _width(block.image)
            for block in self.blocks
        )
        self.head = mlp((width, *hidden, outputs), generator)

    def forward(self, rows: th.Tensor) -> th.Tensor:
        """Return the outputs, `(B, outputs)`."""
        if not len(self.convolutions):
            return self.head(rows)
        convolutions = iter(self.convolutions)
        parts = []
        for block in self.blocks:
            part = rows[:, block.start : block.stop]
            if block.image is not None:
                image = part.reshape(len(part), *block.stored)
                if block.channels_last:
                    image = image.permute(0, 3, 1, 2)
                part = next(convolutions)(image)
            parts.append(part)
        return self.head(th.cat(parts, 1))


def generator(seed: int) -> th.Generator:
    """Return a generator of our own: the global one is never touched."""
    return th.Generator().manual_seed(seed % 2**63)


def linear(
    fan_in: int, fan_out: int, generator: th.Generator, gain: float = 2**0.5
) -> nn.Linear:
    """Return a layer with orthogonal weights."""
    # skip_init: the constructor would draw from the global generator
    layer = cast(nn.Linear, nn.utils.skip_init(nn.Linear, fan_in, fan_out))
    return _draw(layer, generator, gain)


def mlp(
    sizes: Sequence[int], generator: th.Generator, gain: float = 2**0.5
) -> nn.Sequential:
    """Return layers with orthogonal weights and ReLU between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [linear(fan_in, fan_out, generator, gain), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def in_chunks(function: Callable[..., th.Tensor], *rows: th.Tensor) -> th.Tensor:
    """Apply a function to rows, `CHUNK` at a time, without gradients."""
    with th.no_grad():
        parts = zip(*(row.split(CHUNK) for row in rows), strict=True)
        return th.cat([function(*part) for part in parts])


def pack(module: nn.Module) -> dict[str, th.Tensor]:
    """Return copies of a module's weights on the CPU."""
    return copy_tensors(module.state_dict())


def unpack(module: nn.Module, state: dict[str, Any]) -> None:
    """Restore what `pack` returned."""
    module.load_state_dict(copy_tensors(state))


def copy_tensors(tensors: dict[str, Any]) -> dict[str, th.Tensor]:
    """Return copies on the CPU, whether they came as tensors or as arrays."""
    return {k: th.as_tensor(v).detach().cpu().clone() for k, v in tensors.items()}


def _convolutions(
    image: tuple[int, int, int], generator: th.Generator
) -> nn.Sequential:
    """Return three layers that halve an image `(C, H, W)` each, laid flat."""
    channels = (image[0], *CHANNELS)
    layers: list[nn.Module] = []
    for c_in, c_out in itertools.pairwise(channels):
        layer = nn.utils.skip_init(
            nn.Conv2d, c_in, c_out, kernel_size=3, stride=2, padding=1
        )
        layers += [_draw(layer, generator, 2**0.5), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten())


def _width(image: tuple[int, int, int]) -> int:
    """Return how many numbers come out of `_convolutions`."""
    sides = list(image[1:])
    for _ in CHANNELS:
        sides = [-(-side // 2) for side in sides]
    return CHANNELS[-1] * math.prod(sides)


def _draw(layer: Any, generator: th.Generator, gain: float) -> Any:
    with th.no_grad():
        nn.init.orthogonal_(layer.weight, gain, generator=generator)
        layer.bias.zero_()
    return layer
