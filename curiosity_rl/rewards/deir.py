"""DEIR: episodic novelty that the agent's own actions brought about."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import torch as th

from curiosity_rl.jit import kernel
from curiosity_rl.protocols import Transitions
from curiosity_rl.rewards.discriminator import Discriminator, Queue, remember
from curiosity_rl.rewards.episodes import EpisodeRows, Lanes, Walk, pick
from curiosity_rl.rewards.networks import (
    Inputs,
    Trainer,
    Training,
    TrainingOptions,
    check_sizes,
    generator,
    in_chunks,
    pack,
    unpack,
)
from curiosity_rl.rewards.observations import flatten_actions

TINY = np.float32(1e-6)


class DEIR:
    """Discriminative-model-based episodic intrinsic reward.

    Formula: `min_{i <= t} |e_i - e_{t+1}|^2 / (|h_{i-1} - h_t| + 1e-6)`, over the
    observations o_i of this episode so far: e_i is the embedding of o_i, h_i that of
    the trajectory `o_0 .. o_i` (a GRU's), and h_{-1} = 0: each observation stands
    beside the trajectory that led to it. New observations pay; less if the trajectories
    had drifted apart anyway, which noise does alone. Staying where one is pays nothing.

    The model is trained to tell, from the trajectory up to o_t, from a_t and from a
    next observation, whether that is the true one, so embeddings keep what actions do
    and drop what is the same whatever one does. Every next observation is the true one,
    also at an end. Fakes are drawn from a queue of past observations. In `update` the
    memory of the episodes under way is embedded anew: old and new embeddings are never
    compared. Trajectories are not differentiated further back than one observation.

    Shapes: observations and actions `(T, N, ...)` of any space; bonus `(T, N)`. A
    replayed transition is scored as an episode of one step.

    Memory: weights; `queue` observations; per lane the last `capacity` observations of
    the episode, as numbers and embedded: `capacity * (D + 2 * features)` float32 for
    observations of D numbers.

    Args:
        features: Length F of the embeddings.
        hidden: Width of the hidden layers.
        capacity: See above.
        queue: See above; an update replaces at most an eighth of it.
        **training: See `networks.TrainingOptions`.

    Source: Wan et al. 2023, "DEIR: efficient and robust exploration through
    discriminative-model-based episodic intrinsic rewards", equation 4; which trajectory
    stands beside which observation, and h_{-1} = 0, as in swan-utokyo/deir. There, the
    queue takes observations of more than the mean bonus only, and ends of episodes are
    left out of training.
    """

    scaled_by_default = True
    per_transition = False

    def __init__(
        self,
        features: int = 32,
        hidden: int = 128,
        capacity: int = 512,
        queue: int = 2048,
        **training: Unpack[TrainingOptions],
    ) -> None:
        check_sizes(features=features, hidden=hidden, capacity=capacity, queue=queue)
        self.features, self.hidden = features, hidden
        self.training = Training(**training)
        self.inputs = Inputs(self.training.device)
        self.queue = Queue(queue)
        self.memory = EpisodeRows(capacity)
        self._action_space: Any = None
        self._seed = 0
        self._reset()

    def setup(self, observation_space: Any, action_space: Any, seed: int) -> None:
        """Take the spaces, and the seed of weights, minibatches and fakes."""
        self.inputs.setup(observation_space)
        self._action_space = action_space
        self._seed = seed

    def forget(self) -> None:
        """Begin new episodes in all lanes."""
        self.memory.forget()
        self._learnt.forget()

    def compute(self, batch: Transitions) -> np.ndarray:
        """Return the bonus, `(T, N)` float32, and remember the observations."""
        rows, _ = self._prepare(batch)
        walk = self.memory.walk(batch)
        begun = self.inputs.rows(pick(batch.obs, walk.begin >= 0))
        if not len(self._seen):
            self._begin()
        if not len(self._learnt.count):
            self._begin_learning(len(self._seen))
        seen, begun_seen, led = self._embed_walk(walk, rows, begun, self._trajectory)
        self.memory.keep(walk, rows, begun)
        known = (self._seen, self._led, self.memory.count)
        out = np.empty(batch.shape, np.float32)
        scratch = np.empty((2, self.memory.capacity), np.float32)
        _pay(*walk, seen, begun_seen, led, *known, scratch, out)
        return out

    def score(self, batch: Transitions) -> np.ndarray:
        """Return the bonus of replayed transitions, `(T, N)` float32."""
        rows, _ = self._prepare(batch)
        pair = in_chunks(
            lambda before, after: th.cat(
                [
                    (self.model.trunk(before) - self.model.trunk(after)).square(),
                    self.model.cell(self.model.trunk(before)).square(),
                ],
                1,
            ),
            self.inputs.normalised(self.inputs.rows(batch.obs)),
            self.inputs.normalised(rows),
        )
        moved, led = pair.split(self.features, 1)
        bonus = moved.sum(1) / (led.sum(1).sqrt() + float(TINY))
        return bonus.cpu().numpy().reshape(batch.shape)

    def update(self, batch: Transitions) -> dict[str, float]:
        """Train the discriminator, and embed the memory anew; return the loss."""
        rows, actions = self._prepare(batch)
        self.inputs.learn(rows)
        self.queue.put(rows, self.trainer.generator)
        walk = self._learnt.walk(batch)
        begun = self.inputs.rows(pick(batch.obs, walk.begin >= 0))
        if not len(self._learnt_trajectory):
            self._begin_learning(len(self._learnt.count))
        led = self._embed_walk(walk, rows, begun, self._learnt_trajectory)[2]
        self._learnt.count[walk.lanes] = ~batch.done[-1]
        device = self.training.device
        before = th.as_tensor(led[:, :, 0].reshape(len(rows), -1), device=device)
        obs = self.inputs.normalised(self.inputs.rows(batch.obs))
        true = self.inputs.normalised(rows)
        action = th.tensor(actions, device=device)
        fakes = self.inputs.normalised(self.queue.filled())

        def loss(part: th.Tensor) -> th.Tensor:
            drawn = th.randint(
                len(fakes), (len(part),), generator=self.trainer.generator
            )
            fake = fakes[drawn.to(device)]
            return self.model.loss(
                before[part], obs[part], action[part], true[part], fake
            )

        value = self.trainer.fit(len(rows), loss)
        self._embed_anew()
        return {"discriminator_loss": value}

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments, statistics, queue and memory."""
        if not self._built:
            return {}
        lanes, slots = self.memory.held()
        return {
            "inputs": self.inputs.state_dict(),
            "actions": self._actions,
            "model": pack(self.model),
            "trainer": self.trainer.state_dict(),
            "queue": self.queue.state_dict(),
            "memory": self.memory.state_dict(),
            "seen": self._seen[lanes, :, slots],
            "led": self._led[lanes, :, slots],
            "trajectory": self._trajectory.copy(),
            "learnt": self._learnt.count.copy(),
            "learnt_trajectory": self._learnt_trajectory.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._reset()
        if not state:
            return
        self.inputs.load_state_dict(state["inputs"])
        self._build(int(state["actions"]))
        unpack(self.model, state["model"])
        self.trainer.load_state_dict(state["trainer"])
        self.queue.load_state_dict(state["queue"])
        self.memory.load_state_dict(state["memory"])
        self._begin()
        lanes, slots = self.memory.held()
        self._seen[lanes, :, slots] = state["seen"]
        self._led[lanes, :, slots] = state["led"]
        self._trajectory = np.array(state["trajectory"], np.float32)
        self._learnt.count = np.array(state["learnt"], np.int64)
        self._learnt_trajectory = np.array(state["learnt_trajectory"], np.float32)

    def _reset(self) -> None:
        """Know nothing: no weights, no statistics, no lanes."""
        space = self.inputs.space
        self.inputs = Inputs(self.training.device)
        self.inputs.setup(space)
        self.queue = Queue(self.queue.size)
        self.memory = EpisodeRows(self.memory.capacity)
        self._learnt = Lanes()  # where the episodes stand that `update` was shown
        self._begin_learning(0)
        self._built = False
        self._begin()

    def _build(self, actions: int) -> None:
        draw = generator(self._seed)
        sizes = (self.hidden, self.features, actions, draw)
        model = Discriminator(self.inputs.blocks(), *sizes)
        self.model = model.to(self.training.device)
        self.trainer = Trainer(self.model, draw, self.training)
        self._actions = actions
        self._built = True

    def _begin(self) -> None:
        """Make the embeddings of all lanes, empty."""
        lanes = len(self.memory.count)
        # of what was seen, and of what led there; slots are innermost, for speed
        shape = (lanes, self.features, self.memory.capacity)
        self._seen = np.zeros(shape, np.float32)
        self._led = np.zeros(shape, np.float32)
        self._trajectory = self._no_trajectories(lanes)

    def _begin_learning(self, lanes: int) -> None:
        self._learnt.count = np.zeros(lanes, np.int64)
        self._learnt_trajectory = self._no_trajectories(lanes)

    def _no_trajectories(self, lanes: int) -> np.ndarray:
        """Return memories before the last observation and after it: zeros."""
        return np.zeros((lanes, 2, self.features), np.float32)

    def _prepare(self, batch: Transitions) -> tuple[np.ndarray, np.ndarray]:
        """Return next observations `(T * N, D)` and actions `(T * N, A)` as rows."""
        rows = self.inputs.rows(batch.next_obs)
        actions = flatten_actions(batch.action, self._action_space)
        if not self._built:
            self._build(actions.shape[1])
        return rows, actions

    def _embed(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return embeddings `(B, F)` of rows `(B, D)`, and gates `(B, 3F)`."""
        inputs = self.inputs.normalised(rows)
        both = in_chunks(self.model.embed, inputs).cpu().numpy()
        parts = np.split(both, [self.features], 1)
        return np.ascontiguousarray(parts[0]), np.ascontiguousarray(parts[1])

    def _embed_walk(
        self, walk: Walk, rows: np.ndarray, begun: np.ndarray, trajectory: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return embeddings of rows and starts, and trajectories `(T, N, 2, F)`.

        The trajectories are those before the observation of a step and after it;
        `trajectory` moves on to those of the last step.
        """
        seen, gates = self._embed(rows)
        begun_seen, begun_gates = self._embed(begun)
        led = np.empty((*walk.done.shape, 2, self.features), np.float32)
        scratch = np.empty(3 * self.features, np.float32)
        recurrent = self.model.recurrent()
        remember(*walk, gates, begun_gates, *recurrent, trajectory, scratch, led)
        return seen, begun_seen, led

    def _embed_anew(self) -> None:
        """Embed the episodes under way with today's model.

        A trajectory whose first observations are forgotten begins with the oldest that
        is left.
        """
        kept = np.minimum(self.memory.count, self.memory.capacity)
        lanes, longest = len(kept), int(kept.max(initial=0))
        if not longest:
            return
        # in order of time; one step more, and the memory of the last one is told too
        times = np.arange(longest + 1)[:, None]
        slots = (self.memory.count - kept + times) % self.memory.capacity
        who = np.arange(lanes)
        rows = np.where((times < kept)[..., None], self.memory.rows[who, slots], 0)
        none = np.full(times.shape + who.shape, -1)[:, 0]
        walk = Walk(who, none, none >= 0)
        empty = rows[:0, 0]
        seen, _, led = self._embed_walk(
            walk, rows.reshape(-1, rows.shape[-1]), empty, self._no_trajectories(lanes)
        )
        step, lane = np.nonzero(times < kept)
        slot = slots[step, lane]
        self._seen[lane, :, slot] = seen.reshape(*slots.shape, -1)[step, lane]
        self._led[lane, :, slot] = led[step, lane, 1]
        self._trajectory = led[kept, who]


@kernel
def _pay(lanes, begin, done, reached, begun, led, seen, ways, count, scratch, out):
    """Walk the lanes through time; pay for what is reached, then remember it.

    `reached` and `begun` are embeddings, `led` the trajectories; `seen` and `ways` are
    the memory of both.
    """
    columns, size, capacity = len(lanes), seen.shape[1], seen.shape[2]
    for column in range(columns):
        lane = lanes[column]
        for t in range(len(done)):
            if begin[t, column] >= 0:
                for f in range(size):
                    seen[lane, f, 0] = begun[begin[t, column], f]
                    ways[lane, f, 0] = 0
                count[lane] = 1
            known = min(count[lane], capacity)
            for i in range(known):
                scratch[0, i] = 0
                scratch[1, i] = 0
            for f in range(size):
                here, way = reached[t * columns + column, f], led[t, column, 1, f]
                for i in range(known):
                    moved = here - seen[lane, f, i]
                    scratch[0, i] += moved * moved
                for i in range(known):
                    moved = way - ways[lane, f, i]
                    scratch[1, i] += moved * moved
            least = scratch[0, 0] / (np.sqrt(scratch[1, 0]) + TINY)
            for i in range(1, known):
                least = min(least, scratch[0, i] / (np.sqrt(scratch[1, i]) + TINY))
            out[t, column] = least
            slot = count[lane] % capacity
            for f in range(size):
                seen[lane, f, slot] = reached[t * columns + column, f]
                ways[lane, f, slot] = led[t, column, 1, f]
            count[lane] += 1
            if done[t, column]:
                count[lane] = 0
