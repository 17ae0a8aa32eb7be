"""Policies that know the shape of a tutor world's observation."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

from curiosity_rl.protocols import ActivityLayout

Insight = Literal["none", "odds", "gates"]
PARENT = "parent_"
KNOWLEDGE = ("graph_known", "joint_belief", "belief", "success_fast")
"""How well an activity's skill is known, best source first."""
CHOSEN = ("graph_needed", "needed", "goal")
"""Which activities the exam rests on, best source first."""
THRESHOLDS = (0.80, 0.90, 0.95, 0.98)
"""Beliefs at which soft gates between "unknown" and "known" stand."""
GATE_SLOPE = 3.0
CRITIC_WIDTH = 64
NO_PARENT = 7.0  # log-odds of a parent that is not there: known
ODDS_SCALE = 4.0  # brings log-odds to the scale of the other features


class ActivityNet(nn.Module):
    """Embeds every activity with the same weights; pools them for what is common.

    An activity is described by its own features and by what `insight` adds to them, see
    `EquivariantPolicy`. Features are looked up by name; what a layout does not hold is
    left out.

    The actor's output is one logit per activity and mode, `(B, modes * A)`, all
    activities of the first mode first; the critic's is a pooled embedding, `(B, 64)`.
    Permuting the activities permutes the logits and leaves the embedding as it is
    (Zaheer et al. 2017, "Deep Sets").
    """

    def __init__(
        self,
        layout: ActivityLayout,
        hidden: int,
        logit_scale: float,
        insight: Insight,
        modes: int = 1,
    ) -> None:
        super().__init__()
        self.layout, self.logit_scale, self.insight = layout, logit_scale, insight
        names = layout.features
        self._knowledge = None
        if insight != "none":
            self._knowledge = next((n for n in KNOWLEDGE if n in names), None)
        self._chosen = next((n for n in CHOSEN if n in names), None)
        self._parents = [name for name in names if name.startswith(PARENT)]
        own = [names.index(name) for name in _weighted(layout)]
        self._second = [n for n in ("belief",) if n in names and n != self._knowledge]
        self.own: th.Tensor
        self.register_buffer("own", th.tensor(own), persistent=False)
        self.centres: th.Tensor
        centres = th.logit(th.tensor(THRESHOLDS))
        self.register_buffer("centres", centres, persistent=False)
        size = len(own)
        if self._knowledge is not None:
            size += 3 + len(self._second) + 3 * (insight == "gates") * len(THRESHOLDS)
        self.first = nn.Linear(size, hidden)
        self.time = nn.Linear(1, hidden, bias=False)
        self.second = nn.Linear(hidden, hidden)
        self.common = nn.Linear(2 * hidden, hidden, bias=False)
        self.actor_deep = nn.Linear(hidden, modes)
        self.actor_skip = nn.Linear(size, modes, bias=False)
        self.critic = nn.Linear(4 * hidden + 4, CRITIC_WIDTH)
        for parameter in (*self.actor_deep.parameters(), self.actor_skip.weight):
            nn.init.zeros_(parameter)  # the first policy is uniform
        self.latent_dim_pi = modes * layout.activities
        self.latent_dim_vf = CRITIC_WIDTH

    def forward(self, obs: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
        """Return logits `(B, modes * A)` and the critic's embedding `(B, 64)`."""
        described, weights, summary, time = self._describe(obs)
        early = th.relu(self.first(described) + self.time(time)[:, None])
        pooled = (weights @ early).flatten(1)
        late = th.relu(self.second(early) + self.common(pooled)[:, None])
        logits = self.actor_deep(late) + self.actor_skip(described)
        judged = th.cat([pooled, (weights @ late).flatten(1), summary], dim=-1)
        logits = self.logit_scale * logits.transpose(1, 2).flatten(1)
        return logits, th.tanh(self.critic(judged))

    def forward_actor(self, obs: th.Tensor) -> th.Tensor:
        """Return the logits alone."""
        return self(obs)[0]

    def forward_critic(self, obs: th.Tensor) -> th.Tensor:
        """Return the critic's embedding alone."""
        return self(obs)[1]

    @th.no_grad()
    def _describe(self, obs: th.Tensor) -> tuple[th.Tensor, ...]:
        """Describe activities `(B, A, D)`, how to pool them `(B, 2, A)`, and the rest.

        The rest is a summary `(B, 4)` and the time left `(B, 1)`. Nothing here is
        learnt.
        """
        features, time = self.layout.split(obs)
        chosen = (
            th.ones_like(features[..., 0])
            if self._chosen is None
            else self._column(features, self._chosen)
        )
        parts = [features[..., self.own]]
        summary = features.new_zeros(len(features), 4)
        if self._knowledge is not None:
            known = self._column(features, self._knowledge)
            odds = th.logit(known, 1e-3)
            parts += self._knowledge_of(features, odds, chosen)
            summary = self._summary(features, known, odds, chosen)
        among = chosen / chosen.sum(dim=1, keepdim=True).clamp(min=1e-6)
        everywhere = th.full_like(among, 1 / among.shape[1])
        weights = th.stack([among, everywhere], dim=1)
        return th.cat(parts, dim=-1), weights, summary, time[:, None]

    def _knowledge_of(
        self, features: th.Tensor, odds: th.Tensor, chosen: th.Tensor
    ) -> list[th.Tensor]:
        """Log-odds `(B, A, 3 or 4)` and, if wanted, soft gates `(B, A, J)` each."""
        parent = self._least_known_parent(features, odds)
        others = [th.logit(self._column(features, n), 1e-3) for n in self._second]
        plain = th.stack([odds, parent, chosen * odds, *others], dim=-1) / ODDS_SCALE
        if self.insight != "gates":
            return [plain]
        known = th.sigmoid(GATE_SLOPE * (odds[..., None] - self.centres))
        opened = th.sigmoid(GATE_SLOPE * (parent[..., None] - self.centres))
        return [plain, known, opened, chosen[..., None] * opened * (1 - known)]

    def _least_known_parent(self, features: th.Tensor, odds: th.Tensor) -> th.Tensor:
        """Log-odds of the least known parent, `(B, A)`."""
        if not self._parents:
            return th.full_like(odds, NO_PARENT)
        size, activities = odds.shape
        # (slot + 1) / A, and 0 for none: 0 picks the column put in front.
        columns = [self._column(features, name) for name in self._parents]
        slots = th.stack(columns, dim=-1)
        slots = (slots * activities).round().long().reshape(size, -1)
        padded = th.cat([th.full_like(odds[:, :1], NO_PARENT), odds], dim=1)
        return padded.gather(1, slots).reshape(size, activities, -1).amin(dim=2)

    def _summary(
        self,
        features: th.Tensor,
        known: th.Tensor,
        odds: th.Tensor,
        chosen: th.Tensor,
    ) -> th.Tensor:
        """What the exam's value rests on, `(B, 4)`."""
        goals = self._column(features, "goal")
        passing = th.where(goals > 0, known, 1.0).prod(dim=1)
        share = chosen.mean(dim=1)
        level = _mean(known[..., None], chosen[..., None])[:, 0]
        depth = _mean(odds[..., None], chosen[..., None])[:, 0] / ODDS_SCALE
        return th.stack([level, passing, share, depth], dim=-1)

    def _column(self, features: th.Tensor, name: str) -> th.Tensor:
        return features[..., self.layout.features.index(name)]


class EquivariantPolicy(ActorCriticPolicy):
    """Actor-critic for tutor worlds that treats all activities alike.

    Works under `PPO` and, with a second value head, `IntrinsicPPO`. Observations must
    reach it as the world gives them: `VecNormalize(norm_obs=True)` would destroy the
    parents' indices.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *args: Any,
        layout: ActivityLayout,
        hidden: int = 32,
        logit_scale: float = 5.0,
        insight: Insight = "odds",
        ortho_init: bool = False,
        **kwargs: Any,
    ) -> None:
        """Build the policy; pass `policy_kwargs={"layout": world.layout}`.

        Args:
            observation_space: `Box` of shape `(layout.size,)`.
            action_space: `Discrete(layout.activities)`, or several modes of them (see
                the tutor's world: representations and probes).
            lr_schedule: As in `ActorCriticPolicy`.
            *args: As in `ActorCriticPolicy`.
            layout: Where the features stand.
            hidden: Width of an activity's embedding.
            logit_scale: Factor on the logits: how fast the policy can become sure.
            insight: What the network works out from the features before it learns:
                `none`; `odds`: log-odds of each skill and of its least known parent,
                and for the critic how far the exam is; `gates`: soft gates too (known?
                parents known? needed, open and unfinished?), which is most of a good
                hand-made rule.
            ortho_init: As in `ActorCriticPolicy`; orthogonal weights would also
                overwrite the uniform first policy.
            **kwargs: As in `ActorCriticPolicy`.

        Raises:
            ValueError: If the spaces are not those of the layout, or `insight` is
                none of these.
        """
        if observation_space.shape != (layout.size,):
            raise ValueError(
                f"the layout has observations of shape ({layout.size},), the "
                f"environment of shape {observation_space.shape}; pass the layout of "
                'this environment, env.get_attr("layout")[0]'
            )
        if not isinstance(action_space, spaces.Discrete) or (
            action_space.n % layout.activities
        ):
            raise ValueError(
                f"the layout has {layout.activities} activities, the action space is "
                f"{action_space}; it must be Discrete({layout.activities}), or a "
                "multiple"
            )
        if insight not in get_args(Insight):
            raise ValueError(
                f"insight is {insight!r}; allowed are {', '.join(get_args(Insight))}"
            )
        self.layout, self.hidden = layout, hidden
        self.logit_scale = logit_scale
        self.insight: Insight = insight
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            *args,
            ortho_init=ortho_init,
            **kwargs,
        )

    def _build_mlp_extractor(self) -> None:
        actions: Any = self.action_space
        modes = int(actions.n) // self.layout.activities
        net: Any = ActivityNet(
            self.layout, self.hidden, self.logit_scale, self.insight, modes
        )
        self.mlp_extractor = net

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()  # the net's output already is the logits
        optimizer: Any = self.optimizer_class  # torch's base class knows of no lr
        self.optimizer = optimizer(
            self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )

    def for_course(self, layout: ActivityLayout) -> EquivariantPolicy:
        """Return this policy, with copies of its weights, for a course of another size.

        No weight belongs to one activity, so who has learnt to teach a dozen skills can
        teach sixty.

        Args:
            layout: That of the other course; its activities have the same features, but
                for how many prerequisites one can have.

        Raises:
            ValueError: If they have not.
        """
        mine, theirs = _weighted(self.layout), _weighted(layout)
        if mine != theirs:
            lost, new = (
                ", ".join(n for n in a if n not in b) or "none"
                for a, b in ((mine, theirs), (theirs, mine))
            )
            raise ValueError(
                "this policy reads other features than the world's observation has: "
                f"missing are {lost}; unknown to it are {new}; make the world with the "
                "settings of its training, apart from the course"
            )
        actions: Any = self.action_space
        modes = int(actions.n) // self.layout.activities
        settings = self._get_constructor_parameters() | {
            "layout": layout,
            "observation_space": spaces.Box(-np.inf, np.inf, (layout.size,)),
            "action_space": spaces.Discrete(modes * layout.activities),
        }
        policy = type(self)(**settings)
        policy.load_state_dict(self.state_dict())
        return policy.to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **super()._get_constructor_parameters(),
            "layout": self.layout,
            "hidden": self.hidden,
            "logit_scale": self.logit_scale,
            "insight": self.insight,
        }


def _weighted(layout: ActivityLayout) -> tuple[str, ...]:
    """Features that a network has weights for; parents are slots to look up."""
    return tuple(n for n in layout.features if not n.startswith(PARENT))


def _mean(values: th.Tensor, weights: th.Tensor) -> th.Tensor:
    """Weighted mean over activities: `(B, A, H)`, `(B, A, 1)` -> `(B, H)`."""
    return (values * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
