"""Build the algorithm, lanes and bonus that settings name, or say why not."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch as th
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize

from curiosity_rl.adapters.gradients import refuse_bad_gradients
from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.replay import RelabelledReplay, relabelled
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.config import ALGORITHMS, POLICIES, ExperimentConfig
from curiosity_rl.agents.extractors import SharedLayers
from curiosity_rl.agents.hindsight import with_replay_buffer
from curiosity_rl.agents.schedules import scheduled
from curiosity_rl.agents.worlds import episode_limit, import_packages, make_lanes
from curiosity_rl.protocols import IntrinsicReward
from curiosity_rl.registry import load, unknown_name
from curiosity_rl.rewards import make_reward
from curiosity_rl.seeding import lane_seeds, stream_seed

_OWN_SETTINGS = frozenset(
    {"policy", "policy_kwargs", "env", "intrinsic", "coef", "extrinsic"}
    | {"seed", "device", "verbose", "tensorboard_log", "_init_setup_model"}
)
"""Arguments of algorithms that the run sets itself."""
_SHARES = frozenset({"gamma", "gae_lambda", "tau", "exploration_fraction"})
_COUNTS = frozenset({"n_steps", "n_epochs", "batch_size", "buffer_size"})


def make_model(
    config: ExperimentConfig, lanes: VectorEnv | None = None
) -> tuple[BaseAlgorithm, IntrinsicReward | None]:
    """Build the algorithm on its lanes, and the bonus it learns with.

    Args:
        config: The settings.
        lanes: Lanes to train on instead of those that the settings name.

    Raises:
        ValueError: If anything in the configuration is not possible.
    """
    import_packages(config.gym_packages)
    if lanes is None:
        lanes = make_lanes(config.env, config.env_kwargs, config.n_envs)
    stagger = 0
    if config.stagger:
        limit = episode_limit(lanes)
        if limit is None:
            raise ValueError(
                f"stagger needs a longest episode, and {config.env} has no time limit; "
                "leave stagger off"
            )
        stagger = limit
    adapter = VectorEnvAdapter(
        lanes,
        seed=lane_seeds(config.seed, "training", config.n_envs),
        stagger=stagger,
        stagger_seed=stream_seed(config.seed, "stagger"),
        refuse_nan=True,
    )
    venv: VecEnv = VecMonitor(adapter)
    reward = None if config.intrinsic == "none" else make_bonus(config)
    algorithm = _load_algorithm(config.algo)
    settings = scheduled(config.algo_kwargs)
    _check_settings(config.algo, algorithm, settings)
    settings = with_replay_buffer(config, settings, lanes)
    replay = issubclass(algorithm, OffPolicyAlgorithm)
    if config.door == "replay" and not replay:
        raise ValueError(
            f"{config.algo} has no replay buffer; use door wrapper or auto"
        )
    if config.algo.startswith("intrinsic-"):
        settings |= {
            "intrinsic": reward,
            "coef": config.coef,
            "extrinsic": config.extrinsic,
        }
    elif reward is not None:
        given = {
            "coef": config.coef,
            "extrinsic": config.extrinsic,
            "seed": stream_seed(config.seed, "reward"),
        }
        if replay and config.door != "wrapper":
            settings |= _relabelled(venv, settings, {"intrinsic": reward, **given})
        else:
            venv = IntrinsicVecEnv(venv, reward, **given)
    if config.normalize:
        with as_sentence(f"normalize on {config.env}"):
            venv = VecNormalize(venv, gamma=settings.get("gamma", 0.99))
    policy_kwargs = _policy_kwargs(config, lanes)
    with as_sentence(f"{config.algo} on {config.env}"):
        model = algorithm(
            _policy(config, venv),
            venv,
            policy_kwargs=policy_kwargs,
            seed=stream_seed(config.seed, "algorithm"),
            device=config.device,
            **settings,
        )
    if isinstance(model, OffPolicyAlgorithm):
        buffer = model.replay_buffer
        if isinstance(buffer, RelabelledReplay):
            buffer.report_from(adapter)
    refuse_bad_gradients(model)
    return model, reward


def _relabelled(
    venv: VecEnv, settings: Mapping[str, Any], bonus: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings of an algorithm whose replay buffer scores the bonus at every sample."""
    chosen = dict(settings.get("replay_buffer_kwargs") or {})
    steps = settings.get("n_steps", 1)
    base: type[ReplayBuffer] = ReplayBuffer
    if "replay_buffer_class" in settings:
        base = settings["replay_buffer_class"]
    elif isinstance(venv.observation_space, spaces.Dict):
        base = DictReplayBuffer
        if steps > 1:
            raise ValueError(
                f"n_steps is {steps}, and Stable-Baselines3 has no n-step replay for "
                "Dict observations; use n_steps 1 or door wrapper"
            )
    elif steps > 1:
        base = NStepReplayBuffer
        chosen |= {"n_steps": steps, "gamma": settings.get("gamma", 0.99)}
    return {
        "n_steps": 1,  # those of the buffer count; SB3 warns of more here
        "replay_buffer_class": relabelled(base),
        "replay_buffer_kwargs": {**chosen, **bonus},
    }


def make_bonus(config: ExperimentConfig) -> IntrinsicReward:
    """Build the bonus that the settings name.

    Raises:
        ValueError: If its settings are not possible.
    """
    with as_sentence(f"bonus {config.intrinsic}"):
        return make_reward(config.intrinsic, **config.intrinsic_kwargs)


def _load_algorithm(name: str) -> type[BaseAlgorithm]:
    try:
        return load(ALGORITHMS[name])
    except ImportError as error:
        raise ValueError(
            f"algorithm {name} needs sb3-contrib ({error}); pip install sb3-contrib, "
            'or curiosity-rl with its extra "contrib"'
        ) from error


def _check_settings(
    name: str, algorithm: type[BaseAlgorithm], settings: Mapping[str, Any]
) -> None:
    """Raise a ValueError for what the algorithm would stumble over in training."""
    hints = _parameters(algorithm)
    for key, value in settings.items():
        if key not in hints:
            raise ValueError(unknown_name(f"setting of {name}", key, hints))
        if isinstance(value, str) and not _takes_text(hints[key]):
            raise ValueError(f"{name}: {key} is {value!r}; it must be a number")
        if not isinstance(value, int | float):
            continue
        if key in _SHARES and not 0 <= value <= 1:
            raise ValueError(f"{name}: {key} is {value}; it must lie in 0..1")
        if key in _COUNTS and value < 1:
            raise ValueError(f"{name}: {key} is {value}; it must be at least 1")


def _parameters(algorithm: type[BaseAlgorithm]) -> dict[str, Any]:
    """What the constructor takes, through `*args, **kwargs`: name -> annotation."""
    found: dict[str, Any] = {}
    for cls in algorithm.__mro__:
        parameters = inspect.signature(cls.__init__).parameters
        found = {p.name: p.annotation for p in parameters.values()} | found
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    own = _OWN_SETTINGS | {"self", "args", "kwargs"}
    return {name: hint for name, hint in found.items() if name not in own}


def _takes_text(annotation: Any) -> bool:
    text = annotation if isinstance(annotation, str) else str(annotation)
    return re.search(r"str|type|Any", text) is not None


def _policy(config: ExperimentConfig, venv: VecEnv) -> Any:
    """The policy class or SB3's name of it."""
    entry = POLICIES[config.policy]
    if entry is not None:
        return load(entry)
    if config.policy != "auto":
        return config.policy
    space = venv.observation_space
    kind = "CnnPolicy" if is_image_space(space) else "MlpPolicy"
    if isinstance(space, spaces.Dict):
        kind = "MultiInputPolicy"
    recurrent = config.algo in ("recurrent-ppo", "intrinsic-recurrent-ppo")
    return kind.replace("Policy", "LstmPolicy") if recurrent else kind


def _policy_kwargs(config: ExperimentConfig, lanes: Any) -> dict[str, Any] | None:
    """Settings of the network: names become classes, a tutor's layout is added.

    `shared_arch` lists the units of layers that actor and critic share.
    """
    settings: dict[str, Any] = dict(config.policy_kwargs)
    if config.policy == "equivariant":
        layout = getattr(lanes.unwrapped, "layout", None)
        if layout is None:
            raise ValueError(
                f"policy equivariant needs a world of activities, and {config.env} is "
                "none; use policy auto"
            )
        settings["layout"] = layout
    activation = settings.get("activation_fn")
    if isinstance(activation, str):
        known = {"elu": th.nn.ELU, "relu": th.nn.ReLU, "tanh": th.nn.Tanh}
        if activation not in known:
            raise ValueError(unknown_name("activation_fn", activation, known))
        settings["activation_fn"] = known[activation]
    if "shared_arch" in settings:
        sizes = settings.pop("shared_arch")
        whole = isinstance(sizes, list) and all(type(size) is int for size in sizes)
        if not whole or not sizes or min(sizes) < 1:
            raise ValueError(
                f"shared_arch is {sizes!r}; it lists the units of layers, such as [128]"
            )
        given = {"sizes": sizes}
        if "activation_fn" in settings:
            given["activation_fn"] = settings["activation_fn"]
        settings["features_extractor_class"] = SharedLayers
        settings["features_extractor_kwargs"] = given
    return settings or None


@contextmanager
def as_sentence(what: str) -> Iterator[None]:
    """Turn an error of the set-up into a ValueError that says where it was."""
    try:
        yield
    except (ValueError, TypeError, AssertionError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{what}: {text}") from error
