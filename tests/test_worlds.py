"""Lanes of worlds that nobody here wrote: observations made fit for SB3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import register, registry

from curiosity_rl.agents.experiment import ExperimentConfig, build
from curiosity_rl.agents.worlds import import_packages, make_lanes

CAMERA, ICON = (
    spaces.Box(0, 255, (40, 36, 3), np.uint8),
    spaces.Box(0, 255, (7, 7, 3), np.uint8),
)
COMPASS, WORDS = spaces.Discrete(4), spaces.Text(9)
PLACE = spaces.Box(-1, 1, (2,), np.float32)
SHOWN: dict[str, tuple[spaces.Space, spaces.Space]] = {
    "words left out, the rest flat": (
        spaces.Dict({"compass": COMPASS, "place": PLACE, "words": WORDS}),
        spaces.Box(-1, 1, (6,), np.float32),
    ),
    "icon flat": (ICON, spaces.Box(0, 255, (147,), np.uint8)),
    "a camera stays": (CAMERA, CAMERA),
    "a dict with a camera stays": (
        spaces.Dict({"camera": CAMERA, "compass": COMPASS, "words": WORDS}),
        spaces.Dict({"camera": CAMERA, "compass": COMPASS}),
    ),
    "a box stays": (PLACE, PLACE),
    "a number stays": (COMPASS, COMPASS),
}


class Show(gym.Env):
    """Shows samples of a space."""

    def __init__(self, space: spaces.Space) -> None:
        self.observation_space, self.action_space = space, spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        return self.observation_space.sample(), 0.0, False, False, {}


@pytest.fixture
def show() -> Iterator[str]:
    register(
        "Show-v0",
        Show,  # type: ignore[arg-type]
        max_episode_steps=5,
        disable_env_checker=True,
    )
    yield "Show-v0"
    registry.pop("Show-v0")


@pytest.mark.parametrize("case", SHOWN)
def test_observations_are_made_fit(show: str, case: str) -> None:
    space, expected = SHOWN[case]
    lanes = make_lanes(show, {"space": space}, 3)
    seen = lanes.single_observation_space
    assert type(seen) is type(expected)
    if isinstance(expected, spaces.Box):
        assert seen.shape == expected.shape
    else:
        assert seen == expected
    lanes.reset(seed=1)
    for _ in range(7):  # over an end
        obs, *_ = lanes.step(np.zeros(3, np.int64))
        assert lanes.observation_space.contains(obs)
    lanes.close()


def test_flat_values_are_those_of_the_parts(show: str) -> None:
    space = SHOWN["words left out, the rest flat"][0]
    lanes = make_lanes(show, {"space": space}, 1)
    obs, _ = lanes.reset(seed=3)
    inner = gym.make(show, space=space)
    parts, _ = inner.reset(seed=3)
    np.testing.assert_array_equal(obs[0, :4], np.eye(4)[parts["compass"]])
    np.testing.assert_array_equal(obs[0, 4:], parts["place"])


def test_minigrid_is_flat_without_its_mission() -> None:
    import_packages("minigrid")
    lanes = make_lanes("MiniGrid-DoorKey-5x5-v0", {}, 2)
    obs, _ = lanes.reset(seed=0)
    assert obs.shape == (2, 4 + 7 * 7 * 3)
    config = ExperimentConfig.load(
        env="MiniGrid-DoorKey-5x5-v0",
        gym_packages="minigrid",
        algo_kwargs={"n_steps": 8, "batch_size": 16},
        n_envs=2,
        progress=False,
    )
    assert config.intrinsic == "rnd"  # the default of a world without a preset
    experiment = build(config)
    experiment.model.learn(32)
    assert experiment.model.num_timesteps == 32


def test_packages_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="gym_packages: cannot import 'no_such_pack'"):
        import_packages("minigrid, no_such_pack")
