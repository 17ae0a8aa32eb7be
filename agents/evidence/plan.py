"""Runs that are planned, and the questions that they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.evidence.protocols import Playable
from curiosity_rl.agents.evidence.record import Identity
from curiosity_rl.agents.outcomes import digest


@dataclass(frozen=True)
class Run:
    """One run of the manifest.

    Attributes:
        question: Key of the question that asks for it.
        task: Name of the task.
        arm: Label of what is compared.
        config: Settings.
        protocol: How it is played.
    """

    question: str
    task: str
    arm: str
    config: ExperimentConfig
    protocol: Playable

    @property
    def identity(self) -> Identity:
        """What tells it from all other runs, whatever question asks for it."""
        how: Any = self.protocol
        told = {"protocol": type(how).__name__, **asdict(how)}
        return self.task, self.config.seed, digest(self.config, **told)

    @property
    def label(self) -> str:
        """A name for people."""
        return f"{self.question}: {self.task}, {self.arm}, seed {self.config.seed}"


@dataclass(frozen=True)
class Question:
    """Something to find out.

    Attributes:
        name: Name of its files.
        title: Headline.
        text: What is compared and how, in a few sentences.
        plan: Returns the runs of one seed.
        reference: Arm that the others are compared with.
    """

    name: str
    title: str
    text: str
    plan: Callable[[int], list[Run]]
    reference: str
