"""A tutor world's belief over graph and mastery, as the world uses it."""

from __future__ import annotations

import numpy as np

from curiosity_rl.envs.tutor import graph_belief as gb
from curiosity_rl.envs.tutor.expectations import expect
from curiosity_rl.envs.tutor.graph_answers import make_desk
from curiosity_rl.envs.tutor.state import Params, Sizes, State

INFERRED = gb.FEATURES


class Inference:
    """Begin and carry on the beliefs of all lanes; without particles, do nothing.

    Args:
        students: A sample of freshly drawn students: what the population is like.
        params: Settings of the world.
        sizes: Sizes of its states.
        modes: Ways in which an activity can be proposed.

    Raises:
        ValueError: If graphs of this world cannot be inferred.
    """

    def __init__(self, students: State, params: Params, sizes: Sizes, modes: int):
        self.model = None
        if sizes.particles == 0:
            return
        if modes > 1:
            raise ValueError(
                "belief='graph' knows exercises of one kind; use representations=1 and "
                "probe=False, or belief=True"
            )
        self.model = expect(students, params, sizes.particles)
        self._desk = make_desk(self.model, sizes.budget)

    def begin(self, state: State, lanes: np.ndarray) -> None:
        """Begin the belief about new students in these lanes.

        Raises:
            ValueError: If no student could have such goals and links.
        """
        if self.model is None:
            return
        failed = gb.begin_lanes(lanes, gb.of_state(state), self._desk, self.model)
        if failed >= 0:
            raise ValueError(
                f"no student was found who explains goals and links of lane {failed}; "
                "raise graph_noise or graph_dropped, or use belief=True"
            )

    def follow(self, state: State, out: np.ndarray) -> None:
        """Carry the last answers through the beliefs; write their features."""
        if self.model is not None:
            belief = gb.of_state(state)
            gb.follow_all(
                state.activity, state.outcome, belief, self._desk, self.model, out
            )

    def info(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Return what bonuses read: P(known) and P(needed), `(n, A)` float32."""
        if self.model is None:
            return {}
        first = features.shape[-1] - len(gb.FEATURES)
        return {
            "belief": features[..., first + gb.KNOWN].copy(),
            "needed": features[..., first + gb.NEEDED].copy(),
        }
