"""Train one configuration: build, learn, keep, evaluate."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from curiosity_rl.adapters.intrinsic import IntrinsicVecEnv
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.config import ALGORITHMS, POLICIES, ExperimentConfig
from curiosity_rl.agents.evaluation import Row, TutorRow, as_data, evaluate
from curiosity_rl.agents.runs import RunFolder, check_writable, create_run
from curiosity_rl.agents.schedules import scheduled
from curiosity_rl.agents.worlds import episode_limit, make_lanes
from curiosity_rl.checkpoint import load_model_state, model_state, weights_sha256
from curiosity_rl.protocols import IntrinsicReward
from curiosity_rl.registry import load, unknown_name
from curiosity_rl.rewards import make_reward
from curiosity_rl.seeding import lane_seeds, stream_seed
from curiosity_rl.tracking.callback import Every, ProgressCallback, TrackingCallback
from curiosity_rl.tracking.progress import Progress

__all__ = [
    "Experiment",
    "ExperimentConfig",
    "Result",
    "build",
    "prepare",
    "run",
    "train",
]

_OWN_SETTINGS = frozenset(
    {"policy", "policy_kwargs", "env", "intrinsic", "coef", "seed", "device"}
    | {"verbose", "tensorboard_log", "_init_setup_model"}
)
"""Arguments of algorithms that the run sets itself."""
_SHARES = frozenset({"gamma", "gae_lambda", "tau", "exploration_fraction"})
_COUNTS = frozenset({"n_steps", "n_epochs", "batch_size", "buffer_size"})


@dataclass(frozen=True)
class Result:
    """What a finished run found.

    Attributes:
        config: Its settings.
        folder: Where it is kept.
        rows: The evaluation, as `agents.evaluation.evaluate` returns it.
        model: The trained algorithm.
        data: What `result.json` holds; equal for equal settings.
        timing: Seconds and steps per second of the parts.
    """

    config: ExperimentConfig
    folder: RunFolder
    rows: list[Row]
    model: BaseAlgorithm
    data: dict[str, Any]
    timing: dict[str, float]


@dataclass(frozen=True)
class Experiment:
    """A configuration, built and checked, not yet trained."""

    config: ExperimentConfig
    model: BaseAlgorithm
    reward: IntrinsicReward | None

    @property
    def label(self) -> str:
        """Name of the trained agent in tables."""
        if self.config.intrinsic == "none":
            return self.config.algo
        return f"{self.config.algo} + {self.config.intrinsic}"

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "config": dataclasses.asdict(self.config),
            "model": model_state(self.model),
            "reward": None if self.reward is None else self.reward.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over weights and bonus of a checkpoint of the same configuration."""
        load_model_state(self.model, state["model"])
        if self.reward is not None and state["reward"] is not None:
            self.reward.load_state_dict(state["reward"])

    def evaluate(
        self, episodes: int, baselines: bool = True, show: bool = False
    ) -> list[Row]:
        """Evaluate the model on held-out episodes, see `agents.evaluation.evaluate`."""
        config = self.config
        with Progress("evaluating", 100, "%", show) as progress:
            return evaluate(
                config.env,
                config.env_kwargs,
                self.model,  # type: ignore[arg-type]
                self.label,
                episodes,
                baselines,
                lambda label, share: progress.update(int(100 * share), now=label),
            )


def build(config: ExperimentConfig, lanes: VectorEnv | None = None) -> Experiment:
    """Build worlds, bonus and algorithm.

    Args:
        config: The settings.
        lanes: Lanes to train on instead of those that the settings name.

    Raises:
        ValueError: If anything in the configuration is not possible.
    """
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
    venv: VecEnv = VecMonitor(
        VectorEnvAdapter(
            lanes,
            seed=lane_seeds(config.seed, "training", config.n_envs),
            stagger=stagger,
            stagger_seed=stream_seed(config.seed, "stagger"),
        )
    )
    reward = None if config.intrinsic == "none" else _make_bonus(config)
    algorithm = _load_algorithm(config.algo)
    settings = scheduled(config.algo_kwargs)
    _check_settings(config.algo, algorithm, settings)
    if config.algo == "intrinsic-ppo":
        settings |= {"intrinsic": reward, "coef": config.coef}
    elif reward is not None:
        seed = stream_seed(config.seed, "reward")
        venv = IntrinsicVecEnv(venv, reward, config.coef, seed=seed)
    policy_kwargs = _policy_kwargs(config, lanes)
    with _as_sentence(f"{config.algo} on {config.env}"):
        model = algorithm(
            _policy(config, venv),
            venv,
            policy_kwargs=policy_kwargs,
            seed=stream_seed(config.seed, "algorithm"),
            device=config.device,
            **settings,
        )
    return Experiment(config, model, reward)


def train(config: ExperimentConfig) -> Result:
    """Train and evaluate; everything is kept in a new run folder.

    Raises:
        ValueError: If the configuration is not possible; nothing is written then.
    """
    return run(prepare(config))


def prepare(config: ExperimentConfig) -> Experiment:
    """Build a configuration and try it for one step, so that training can start.

    Raises:
        ValueError: If anything in the configuration is not possible.
    """
    check_writable(config.log_folder)
    experiment = build(config)
    lanes: VecEnv = VectorEnvAdapter(make_lanes(config.env, config.env_kwargs, 1), [0])
    if config.intrinsic != "none":
        lanes = IntrinsicVecEnv(lanes, _make_bonus(config))
    with _as_sentence(f"cannot train on {config.env}"):
        lanes.reset()
        lanes.step(np.array([lanes.action_space.sample()]))
    lanes.close()
    return experiment


def run(experiment: Experiment, baselines: bool = True) -> Result:
    """Train and evaluate what `prepare` returned, in a new run folder.

    Args:
        experiment: What to train.
        baselines: Evaluate what to compare with too.
    """
    config, model = experiment.config, experiment.model
    folder = create_run(config.log_folder, config.env, config.name)
    folder.write_config(config)
    threads = th.get_num_threads()
    th.set_num_threads(config.num_threads)
    try:
        start = time.monotonic()
        _learn(experiment, folder)
        learnt = time.monotonic()
        rows = experiment.evaluate(config.eval_students, baselines, config.progress)
        end = time.monotonic()
    finally:
        th.set_num_threads(threads)
    data = {
        "env": config.env,
        "env_kwargs": config.env_kwargs,
        "algo": config.algo,
        "intrinsic": config.intrinsic,
        "coef": config.coef,
        "seed": config.seed,
        "steps": model.num_timesteps,
        "weights_sha256": weights_sha256(model),
        "evaluation": as_data(rows),
    }
    timing = {
        "training_seconds": learnt - start,
        "evaluation_seconds": end - learnt,
        "steps_per_second": model.num_timesteps / (learnt - start),
    }
    folder.write_result(data, timing)
    return Result(config, folder, rows, model, data, timing)


def _learn(experiment: Experiment, folder: RunFolder) -> None:
    """Train, with logs and checkpoints; a run that is stopped keeps its last state."""
    config, model = experiment.config, experiment.model

    def save(steps: int) -> None:
        folder.save_checkpoint(steps, experiment.state())

    def test(steps: int) -> None:
        row = experiment.evaluate(config.eval_students, baselines=False)[0]
        name = "pass_rate" if isinstance(row, TutorRow) else "mean_return"
        model.logger.record(f"eval/{name}", getattr(row, name))

    tracking = TrackingCallback()
    callbacks: list[BaseCallback] = [tracking]
    progress = ProgressCallback(config.n_timesteps, tracking)
    if config.progress:
        callbacks.append(progress)
    if config.save_freq:
        callbacks.append(Every(config.save_freq, save))
    if config.eval_freq:
        callbacks.append(Every(config.eval_freq, test))
    model.set_logger(configure(str(folder.path), ["csv", "tensorboard"]))
    try:
        model.learn(config.n_timesteps, callback=callbacks)
        save(model.num_timesteps)
        model.logger.dump(model.num_timesteps)
    except KeyboardInterrupt:
        save(model.num_timesteps)
        raise
    finally:
        progress.close()
        model.logger.close()


def _make_bonus(config: ExperimentConfig) -> IntrinsicReward:
    with _as_sentence(f"bonus {config.intrinsic}"):
        return make_reward(config.intrinsic, **config.intrinsic_kwargs)


def _load_algorithm(name: str) -> type[BaseAlgorithm]:
    module, _, cls = ALGORITHMS[name].partition(":")
    return getattr(importlib.import_module(module), cls)


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
    if isinstance(space, spaces.Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if is_image_space(space) else "MlpPolicy"


def _policy_kwargs(config: ExperimentConfig, lanes: Any) -> dict[str, Any] | None:
    """Settings of the network: names become classes, a tutor's layout is added."""
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
    return settings or None


@contextmanager
def _as_sentence(what: str) -> Iterator[None]:
    """Turn the errors of a set-up into a ValueError that says where it was."""
    try:
        yield
    except (ValueError, TypeError, AssertionError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{what}: {text}") from error
