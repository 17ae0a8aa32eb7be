"""Students on paper, for the tests of tutors."""

from __future__ import annotations

from typing import Any

import numpy as np

from curiosity_rl.agents.tutors import Tutor, make_tutor
from curiosity_rl.protocols import ActivityLayout, StudentModel

BLIND = (
    "attempts",
    "last_1",
    "last_2",
    "last_3",
    "last_4",
    "streak",
    "recency",
    "success_fast",
    "success_slow",
    "goal",
    "belief",
)
SHOWN = (
    *BLIND,
    "needed",
    "root",
    "parents_belief",
    "parents_success",
    "joint_belief",
    "parents_joint_belief",
    "child_stuck",
    "parent_1",
    "parent_2",
)

STUDENT = StudentModel(0.2, 0.2, 0.1, 0.3, 0.02, "hard", 0.0, False, 4, exact=True)


class OneDraw:
    """Random numbers that depend on nothing: each row is given the same ones."""

    def random(self, size: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to((0.37 + 0.618 * np.arange(size[1])) % 1.0, size).copy()

    def integers(self, low: int, high: int, size: int) -> np.ndarray:
        return np.full(size, (low + high) // 2)


def with_one_draw(tutor: Any) -> Any:
    """Let a tutor that draws choose alike whatever the size of its batch."""
    if hasattr(tutor, "rng"):
        tutor.rng = OneDraw()
    return tutor


class Desk:
    """A batch of students on paper: answers go in, observations come out."""

    def __init__(
        self,
        parents: Any,
        needed: Any = None,
        lanes: int = 1,
        shown: bool = True,
        days: bool = False,
    ):
        pairs = np.array([(*p, -1, -1)[:2] for p in parents])
        self.n, self.a = lanes, len(pairs)
        features = SHOWN if shown else BLIND
        self.layout = ActivityLayout(self.a, (*features, "days") if days else features)
        shape = (self.n, self.a)
        self.parents = np.broadcast_to(pairs, (*shape, 2)).copy()
        self.needed = np.ones(shape) if needed is None else np.zeros(shape)
        if needed is not None:
            self.needed[:, needed] = 1
        self.belief, self.joint = np.full(shape, 0.3), np.full(shape, 0.15)
        self.blank()

    def blank(self) -> None:
        """Forget all answers: every lane at the start of an episode."""
        self.attempts = np.zeros((self.n, self.a), int)
        self.last = np.zeros((self.n, self.a, 4))
        self.streak = np.zeros((self.n, self.a), int)
        self.t = np.zeros(self.n)
        self.given_at = np.zeros((self.n, self.a))
        self.day = np.zeros(self.n)
        self.given_on = np.zeros((self.n, self.a))

    def answer(self, activity: Any, right: Any) -> None:
        lanes = np.arange(self.n)
        mark = np.where(np.broadcast_to(right, self.n), 1, -1)
        self.attempts[lanes, activity] += 1
        self.last[lanes, activity, 1:] = self.last[lanes, activity, :-1]
        self.last[lanes, activity, 0] = mark
        streak = self.streak[lanes, activity]
        self.streak[lanes, activity] = np.where(mark > 0, streak + 1, 0)
        self.t += 1
        self.given_at[lanes, activity] = self.t
        self.given_on[lanes, activity] = self.day

    def obs(self) -> np.ndarray:
        seen = self.attempts > 0
        away = np.where(seen, self.day[:, None] - self.given_on, 0)
        columns = {
            "attempts": np.log1p(self.attempts) / 2,
            **{f"last_{i + 1}": self.last[..., i] for i in range(4)},
            "recency": np.where(seen, 0.9 ** (self.t[:, None] - self.given_at), 0),
            "days": np.log1p(away) / 4,
            "streak": np.minimum(self.streak, 5) / 5,
            "success_slow": self.belief,
            "belief": self.belief,
            "joint_belief": self.joint,
            "needed": self.needed,
            "parent_1": (self.parents[..., 0] + 1) / self.a,
            "parent_2": (self.parents[..., 1] + 1) / self.a,
        }
        zero = np.zeros((self.n, self.a))
        block = np.stack([columns.get(f, zero) for f in self.layout.features], axis=-1)
        left = (1 - self.t / 500)[:, None]
        return np.concatenate([block.reshape(self.n, -1), left], 1).astype(np.float32)

    def tutor(self, name: str, seed: int = 0, **settings: Any) -> Tutor:
        tutor = make_tutor(name, self.layout, seed, **settings)
        tutor.reset(self.obs(), {})
        return tutor

    def ask(self, tutor: Tutor) -> np.ndarray:
        action = tutor.act(self.obs(), {})
        assert action.dtype == np.int64
        assert action.shape == (self.n,)
        return action

    def teach(self, tutor: Tutor, answers: str) -> list[int]:
        """Give exercises answered by `+` and `-` (lane 0); return what was proposed."""
        proposed = []
        for sign in answers:
            action = self.ask(tutor)
            self.answer(action, sign == "+")
            proposed.append(int(action[0]))
        return proposed


CHAIN = [(2,), (0,), ()]  # 2 -> 0 -> 1
DIAMOND = [(1, 2), (3,), (3,), ()]  # 3 -> 1, 2 -> 0
