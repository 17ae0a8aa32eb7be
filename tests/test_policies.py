"""EquivariantPolicy: one logit per activity, whatever order they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO

from curiosity_rl.agents.policies import EquivariantPolicy
from curiosity_rl.agents.ppo import IntrinsicPPO
from curiosity_rl.agents.two_streams import two_headed
from curiosity_rl.protocols import ActivityLayout, Transitions

A = 6
BLIND = ("attempts", "last_1", "success_fast", "goal", "belief")
SHOWN = (*BLIND, "needed", "joint_belief", "child_stuck", "parent_1", "parent_2")
LAYOUTS = {
    "shown": SHOWN,
    "blind": BLIND,
    "blind without belief": tuple(n for n in BLIND if n != "belief"),
    "shown without belief": tuple(n for n in SHOWN if "belief" not in n),
    "nothing known": ("attempts", "last_1"),
}


def observations(layout: ActivityLayout, parents: np.ndarray) -> np.ndarray:
    """Random observations `(B, A * F + 1)` with the given parents `(A, P)`, -1 none."""
    rng, size, many = np.random.default_rng(0), 7, layout.activities
    features = rng.random((size, many, len(layout.features)), np.float32)
    for name in ("goal", "needed"):
        if name in layout.features:
            features[..., layout.features.index(name)] = rng.random((size, many)) < 0.5
    for column in range(parents.shape[1]):
        name = f"parent_{column + 1}"
        if name in layout.features:
            index = layout.features.index(name)
            features[..., index] = (parents[:, column] + 1) / many
    time = rng.random((size, 1), np.float32)
    return np.concatenate([features.reshape(size, -1), time], axis=1)


def policy(
    layout: ActivityLayout,
    kind: type = EquivariantPolicy,
    modes: int = 1,
    **kwargs: Any,
) -> Any:
    th.manual_seed(0)
    net = kind(
        spaces.Box(-20, 20, (layout.size,), np.float32),
        spaces.Discrete(modes * layout.activities),
        lambda _: 1e-3,
        layout=layout,
        **kwargs,
    )
    with th.no_grad():  # away from the uniform start, where all logits are 0
        for parameter in net.parameters():
            parameter.add_(0.3 * th.randn_like(parameter))
    return net


def outputs(net: Any, obs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with th.no_grad():
        tensor = th.as_tensor(obs)
        logits = net.get_distribution(tensor).distribution.logits
        _, values, _ = net(tensor)
    return logits.numpy(), values.numpy()


PARENTS = np.array([[-1, -1], [0, -1], [0, 1], [2, -1], [2, 1], [-1, -1]])


@pytest.mark.parametrize("kind", [EquivariantPolicy, two_headed(EquivariantPolicy)])
@pytest.mark.parametrize("features", LAYOUTS.values(), ids=LAYOUTS)
def test_permuted_activities_permute_the_logits_and_leave_the_value(
    features: tuple[str, ...], kind: type
) -> None:
    layout = ActivityLayout(A, features)
    net = policy(layout, kind)
    order = np.array([3, 0, 5, 1, 4, 2])  # new slot j shows old activity order[j]
    place = np.argsort(order)
    moved = np.where(PARENTS < 0, -1, place[PARENTS])[order]
    obs = observations(layout, PARENTS)
    blocks, _ = layout.split(observations(layout, moved[place]))
    permuted = np.concatenate([blocks[:, order].reshape(len(obs), -1), obs[:, -1:]], 1)
    logits, values = outputs(net, obs)
    logits_, values_ = outputs(net, permuted)
    np.testing.assert_allclose(logits_, logits[:, order], atol=1e-5)
    np.testing.assert_allclose(values_, values, atol=1e-5)
    assert logits.std(axis=1).min() > 1e-3  # they do tell the activities apart
    assert values.shape == (7, 1 if kind is EquivariantPolicy else 2)


@pytest.mark.parametrize("kind", [EquivariantPolicy, two_headed(EquivariantPolicy)])
def test_a_course_that_holds_all_activities_twice_is_taught_alike(kind: type) -> None:
    layout = ActivityLayout(A, SHOWN)
    twice = ActivityLayout(2 * A, (*SHOWN, "parent_3"))
    net = policy(layout, kind, modes=2)
    obs = observations(layout, PARENTS)
    blocks, time = layout.split(obs)
    blocks[..., SHOWN.index("goal")] = 0.0  # the chance to pass would be squared
    doubled = np.concatenate([blocks, blocks], axis=1)
    for name in ("parent_1", "parent_2"):
        doubled[..., SHOWN.index(name)] /= 2
    doubled = np.concatenate([doubled, np.zeros_like(doubled[..., :1])], axis=2)
    other = np.concatenate([doubled.reshape(len(obs), -1), time[:, None]], axis=1)
    logits, values = outputs(net, obs)
    again = net.for_course(twice)
    logits_, values_ = outputs(again, other)
    halves = logits_.reshape(-1, 2, 2, A)
    np.testing.assert_allclose(halves[:, :, 0], halves[:, :, 1], atol=1e-5)
    shift = halves[:, :, 0].reshape(logits.shape) - logits
    np.testing.assert_allclose(shift, np.log(0.5), atol=1e-5)
    np.testing.assert_allclose(values_, values, atol=1e-5)
    with th.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(outputs(net, obs)[0], logits)


def test_a_course_with_other_features_is_refused() -> None:
    net = policy(ActivityLayout(A, SHOWN))
    with pytest.raises(ValueError, match=r"missing are needed.*unknown to it are new"):
        net.for_course(ActivityLayout(A, (*BLIND, "new")))


def test_parents_matter() -> None:
    """Another graph over the same features gives other logits."""
    layout = ActivityLayout(A, SHOWN)
    net = policy(layout)
    other = PARENTS.copy()
    other[3] = [5, -1]
    logits, _ = outputs(net, observations(layout, PARENTS))
    logits_, _ = outputs(net, observations(layout, other))
    # Softmax moves all log-probabilities by one constant; row 3 moves besides.
    change = logits_ - logits
    assert np.abs(np.delete(change, 3, 1) - change[:, :1]).max() > 1e-4


def test_least_known_parent_by_hand() -> None:
    layout = ActivityLayout(A, SHOWN)
    net = policy(layout).mlp_extractor
    obs = th.as_tensor(observations(layout, PARENTS))
    features, _ = layout.split(obs)
    belief = features[..., layout.features.index("joint_belief")]
    odds = th.logit(belief, 1e-3)
    least = net._least_known_parent(features, odds)
    for slot, parents in enumerate(PARENTS):
        known = [odds[:, p] for p in parents if p >= 0]
        expected = th.stack(known).amin(0) if known else th.full((7,), 7.0)
        th.testing.assert_close(least[:, slot], expected)


@pytest.mark.parametrize("insight", ["none", "odds", "gates"])
def test_insight_keeps_the_symmetry(insight: str) -> None:
    layout = ActivityLayout(A, SHOWN)
    net = EquivariantPolicy(
        spaces.Box(-20, 20, (layout.size,), np.float32),
        spaces.Discrete(A),
        lambda _: 1e-3,
        layout=layout,
        insight=insight,  # type: ignore[arg-type]
    )
    first = net.mlp_extractor.first.in_features
    assert first == len(SHOWN) - 2 + {"none": 0, "odds": 4, "gates": 16}[insight]
    logits, values = outputs(net, observations(layout, PARENTS))
    assert logits.shape == (7, A)
    assert values.shape == (7, 1)


@pytest.mark.parametrize("insight", ["none", "odds"])
def test_two_activities_are_enough(insight: str) -> None:
    layout = ActivityLayout(2, SHOWN)
    net = EquivariantPolicy(
        spaces.Box(-20, 20, (layout.size,), np.float32),
        spaces.Discrete(2),
        lambda _: 1e-3,
        layout=layout,
        insight=insight,  # type: ignore[arg-type]
    )
    obs = observations(layout, np.array([[-1, -1], [0, -1]]))
    assert outputs(net, obs)[0].shape == (7, 2)


def test_three_parents_count() -> None:
    layout = ActivityLayout(A, (*SHOWN, "parent_3"))
    net = policy(layout).mlp_extractor
    parents = np.full((A, 3), -1)
    parents[5] = [0, 1, 2]
    obs = th.as_tensor(observations(layout, parents))
    features, _ = layout.split(obs)
    odds = th.arange(7.0 * A).reshape(7, A).flip(1)  # the last parent is least known
    least = net._least_known_parent(features, odds)
    th.testing.assert_close(least[:, 5], odds[:, 2])


def test_refuses_another_insight() -> None:
    layout = ActivityLayout(A, SHOWN)
    with pytest.raises(ValueError, match="none, odds, gates"):
        EquivariantPolicy(
            spaces.Box(-20, 20, (layout.size,), np.float32),
            spaces.Discrete(A),
            lambda _: 1e-3,
            layout=layout,
            insight="all",  # type: ignore[arg-type]
        )


def test_starts_uniform() -> None:
    layout = ActivityLayout(A, SHOWN)
    net = EquivariantPolicy(
        spaces.Box(-20, 20, (layout.size,), np.float32),
        spaces.Discrete(A),
        lambda _: 1e-3,
        layout=layout,
    )
    logits, _ = outputs(net, observations(layout, PARENTS))
    np.testing.assert_allclose(logits, np.log(1 / A), rtol=1e-6)


@pytest.mark.parametrize("hidden", [8, 16])
def test_hidden_and_save(hidden: int, tmp_path: Path) -> None:
    layout = ActivityLayout(A, SHOWN)
    net = policy(layout, hidden=hidden)
    assert net.mlp_extractor.second.weight.shape == (hidden, hidden)
    net.save(str(tmp_path / "policy.pt"))
    again = EquivariantPolicy.load(str(tmp_path / "policy.pt"))
    obs = observations(layout, PARENTS)
    for mine, theirs in zip(outputs(net, obs), outputs(again, obs), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Open(gym.Env):
    """Reward 1 for the one activity whose parent is known and which is not."""

    layout = ActivityLayout(A, SHOWN)
    observation_space = spaces.Box(-20, 20, (layout.size,), np.float32)
    action_space = spaces.Discrete(A)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self._draw(), {}

    def _draw(self) -> np.ndarray:
        order = self.np_random.permutation(A)  # a chain in random slots
        known = int(self.np_random.integers(A))
        features = np.zeros((A, len(SHOWN)), np.float32)
        features[:, SHOWN.index("needed")] = 1
        for depth, slot in enumerate(order):
            features[slot, SHOWN.index("joint_belief")] = 0.99 if depth < known else 0.1
            if depth:
                features[slot, SHOWN.index("parent_1")] = (order[depth - 1] + 1) / A
        self.answer = order[known]
        return np.append(features.ravel(), np.float32(1))

    def step(self, action: Any) -> Any:
        self.t += 1
        reward = float(action == self.answer)
        return self._draw(), reward, False, self.t >= 16, {}


class Nothing:
    def compute(self, batch: Transitions) -> np.ndarray:
        return np.zeros(batch.shape, np.float32)

    def update(self, batch: Transitions) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@pytest.mark.parametrize("more", [{}, {"intrinsic": Nothing()}], ids=["one", "two"])
def test_learns_to_propose_the_open_activity(more: dict[str, Any]) -> None:
    model = (IntrinsicPPO if more else PPO)(
        EquivariantPolicy,
        Open(),
        n_steps=128,
        batch_size=64,
        n_epochs=4,
        learning_rate=3e-3,
        gamma=0.0,
        seed=0,
        device="cpu",
        policy_kwargs={"layout": Open.layout, "hidden": 16},
        **more,
    )
    model.learn(2048)
    world, right = Open(), 0
    obs, _ = world.reset(seed=99)
    for _ in range(200):
        action, _ = model.predict(obs, deterministic=True)
        right += int(action == world.answer)
        obs = world._draw()
    assert right > 180  # chance: 33


def test_refuses_spaces_of_another_layout() -> None:
    layout = ActivityLayout(A, SHOWN)
    box = spaces.Box(-1, 1, (layout.size,), np.float32)
    with pytest.raises(ValueError, match="pass the layout of this environment"):
        EquivariantPolicy(
            spaces.Box(-1, 1, (5,), np.float32),
            spaces.Discrete(A),
            lambda _: 1e-3,
            layout=layout,
        )
    with pytest.raises(ValueError, match=r"must be Discrete\(6\)"):
        EquivariantPolicy(box, spaces.Discrete(5), lambda _: 1e-3, layout=layout)


def test_every_mode_of_an_activity_has_a_logit_of_its_own() -> None:
    layout = ActivityLayout(A, SHOWN)
    net = policy(layout, modes=3)
    obs = observations(layout, np.full((A, 2), -1))
    order = np.random.default_rng(1).permutation(A)
    features, time = layout.split(obs)
    mixed = np.concatenate([features[:, order].reshape(len(obs), -1), time[:, None]], 1)
    with th.no_grad():
        plain, shuffled = (
            net.mlp_extractor(th.as_tensor(x))[0].reshape(-1, 3, A)
            for x in (obs, mixed)
        )
    th.testing.assert_close(shuffled, plain[:, :, order], rtol=1e-4, atol=1e-5)
    assert not th.allclose(plain[:, 0], plain[:, 1])
