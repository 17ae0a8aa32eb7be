"""Refuse to learn from gradients that are not finite."""

from __future__ import annotations

import operator
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm

from curiosity_rl.adapters.paying import NotFinite


def refuse_bad_gradients(model: BaseAlgorithm) -> None:
    """Have every optimizer of an algorithm look at its gradients before each step.

    A gradient that is NaN or infinite then raises `NotFinite`, with the number of steps
    and the name of the parameter; the weights stay as they were.
    """
    for name in model._get_torch_save_params()[0]:
        found: Any = operator.attrgetter(name)(model)
        if isinstance(found, th.optim.Optimizer):
            found.register_step_pre_hook(_Guard(model, name))


class _Guard:
    """Called with an optimizer that is about to change weights."""

    def __init__(self, model: BaseAlgorithm, optimizer: str) -> None:
        self.model, self.optimizer = model, optimizer

    def __call__(self, optimizer: th.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        # The norm of all is finite only if all are; that of huge ones may overflow.
        if not gradients or bool(th.nn.utils.get_total_norm(gradients).isfinite()):
            return
        bad = [
            self._name(parameter)
            for parameter in parameters
            if parameter.grad is not None and not bool(parameter.grad.isfinite().all())
        ]
        if bad:  # clipping by the norm spreads one NaN over all of them
            raise NotFinite(
                f"step {self.model.num_timesteps}: the gradient of {bad[0]} "
                f"({self.optimizer}) is NaN or infinite, and {len(bad) - 1} more "
                "gradients are; no weight has changed. Look for a learning rate or "
                "rewards of too large a scale"
            )

    def _name(self, wanted: th.Tensor) -> str:
        for name, parameter in self.model.policy.named_parameters():
            if parameter is wanted:
                return name
        return "a parameter outside the policy"
