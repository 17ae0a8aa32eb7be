"""The settings of a run: `ExperimentConfig`, its presets and its checks."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from curiosity_rl.registry import REWARDS, unknown_name

ALGORITHMS: dict[str, str] = {
    "a2c": "stable_baselines3:A2C",
    "ddpg": "stable_baselines3:DDPG",
    "dqn": "stable_baselines3:DQN",
    "intrinsic-a2c": "curiosity_rl.agents.a2c:IntrinsicA2C",
    "intrinsic-ppo": "curiosity_rl.agents.ppo:IntrinsicPPO",
    "intrinsic-recurrent-ppo": (
        "curiosity_rl.agents.recurrent_ppo:IntrinsicRecurrentPPO"
    ),
    "ppo": "stable_baselines3:PPO",
    "qrdqn": "sb3_contrib:QRDQN",
    "recurrent-ppo": "sb3_contrib:RecurrentPPO",
    "sac": "stable_baselines3:SAC",
    "td3": "stable_baselines3:TD3",
    "tqc": "sb3_contrib:TQC",
    "trpo": "sb3_contrib:TRPO",
}
"""Algorithms by name; those of `sb3_contrib` need the extra `contrib`.

Those named `intrinsic-...` have a value head of its own for the bonus."""

REPLAY_BUFFERS: dict[str, str] = {"her": "stable_baselines3:HerReplayBuffer"}
"""Replay buffers by name, for `algo_kwargs.replay_buffer_class`; without it, the one
that the algorithm takes for the observations."""

DOORS = ("auto", "wrapper", "replay")
"""How the bonus reaches any other algorithm: added to the reward at every step, or, for
algorithms with a replay buffer, scored anew at every sample; `auto` takes the second
where there is one."""

POLICIES: dict[str, str | None] = {
    "auto": None,
    "equivariant": "curiosity_rl.agents.policies:EquivariantPolicy",
    "MlpPolicy": None,
    "CnnPolicy": None,
    "MultiInputPolicy": None,
}
"""Policies by name; `auto` takes Stable-Baselines3's for the observation space."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PARTS = {
    "env": "env_kwargs",
    "algo": "algo_kwargs",
    "policy": "policy_kwargs",
    "intrinsic": "intrinsic_kwargs",
}


class _Loader(yaml.SafeLoader):
    """Reads plain values only; unlike its base it takes `1e-3` for a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class ExperimentConfig:
    """Everything that determines a run; equal settings give equal results.

    `ExperimentConfig.load(env=...)` starts from the preset of that world. Constructing
    it checks names, types and ranges, and raises a ValueError that says what is wrong.
    """

    env: str = _setting("tutor-v0", "Gymnasium id of the world")
    env_kwargs: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "settings of the world"}
    )
    gym_packages: str = _setting("", "packages that register worlds: a,b")
    algo: str = _setting("intrinsic-ppo", f"algorithm: {', '.join(ALGORITHMS)}")
    algo_kwargs: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "settings of the algorithm"}
    )
    policy: str = _setting("auto", f"network: {', '.join(POLICIES)}")
    policy_kwargs: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "settings of the network"}
    )
    intrinsic: str = _setting("none", f"bonus: none, {', '.join(REWARDS)}")
    intrinsic_kwargs: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "settings of the bonus"}
    )
    coef: float = _setting(1.0, "weight of the bonus")
    extrinsic: bool = _setting(True, "learn from the world's reward too")
    door: str = _setting("auto", f"how the bonus is added: {', '.join(DOORS)}")
    normalize: bool = _setting(False, "scale observations and rewards (VecNormalize)")
    n_envs: int = _setting(8, "lanes: episodes played at the same time")
    n_timesteps: int = _setting(100_000, "training steps, over all lanes")
    seed: int = _setting(0, "seed of the run")
    stagger: bool = _setting(False, "cut first episodes short, to spread lanes' phases")
    eval_students: int = _setting(2000, "held-out students (episodes) per evaluation")
    eval_freq: int = _setting(0, "steps between evaluations in training; 0: only after")
    save_freq: int = _setting(0, "steps between checkpoints; 0: at the end or stop")
    log_folder: str = _setting("runs", "folder of all runs")
    name: str = _setting("", "name of the run; empty: algorithm and bonus")
    num_threads: int = _setting(1, "torch threads; 1 is fastest for small networks")
    device: str = _setting("cpu", "torch device: cpu, cuda, auto")
    progress: bool = _setting(True, "show progress and tables")
    track: bool = _setting(False, "copy the logs to Weights & Biases (needs wandb)")

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            object.__setattr__(self, item.name, _typed(item.name, value, hints))
        if not self.env:
            raise ValueError("env is empty; give a Gymnasium id such as tutor-v0")
        _known("algorithm", self.algo, ALGORITHMS)
        _known("policy", self.policy, POLICIES)
        _known("bonus", self.intrinsic, ["none", *REWARDS])
        _known("door", self.door, DOORS)
        for name in ("n_envs", "n_timesteps", "eval_students", "num_threads"):
            _at_least(name, getattr(self, name), 1)
        for name in ("seed", "eval_freq", "save_freq"):
            _at_least(name, getattr(self, name), 0)
        if not math.isfinite(self.coef):
            raise ValueError(f"coef is {self.coef}; it must be a finite number")
        if not self.extrinsic and (self.intrinsic == "none" or self.coef == 0):
            raise ValueError(
                "extrinsic is false and there is no bonus: nothing would be learnt; "
                "choose a bonus, with coef above 0"
            )
        if not self.name:
            bonus = "" if self.intrinsic == "none" else f"-{self.intrinsic}"
            object.__setattr__(self, "name", f"{self.algo}{bonus}")
        if not NAME.fullmatch(self.name) or ".." in self.name or len(self.name) > 80:
            raise ValueError(
                f"name is {self.name!r}; a run's name has at most 80 letters, digits, "
                "'-', '_' and '.', and is no path"
            )
        if not self.log_folder:
            raise ValueError("log_folder is empty; give a folder such as runs")

    @classmethod
    def load(cls, **given: Any) -> ExperimentConfig:
        """Return the preset of `given["env"]` with the given settings over it.

        Dicts such as `env_kwargs` are merged key by key, unless what they belong to is
        changed too: another bonus does not inherit the preset's `intrinsic_kwargs`.

        Raises:
            ValueError: If a setting is unknown or not allowed.
        """
        check_keys(given, "setting")
        env = given.get("env", cls.env)
        return cls(**merge(load_preset(str(env)), given))

    def to_yaml(self) -> str:
        """Write all settings as YAML, in the order of the fields."""
        return yaml.safe_dump(dataclasses.asdict(self), sort_keys=False)


def without_bonus(config: ExperimentConfig) -> ExperimentConfig:
    """Return the same run without a bonus, all else equal."""
    # With one stream of rewards there is nothing to weigh it against.
    kwargs = {k: v for k, v in config.algo_kwargs.items() if k != "extrinsic_coef"}
    return dataclasses.replace(
        config,
        intrinsic="none",
        intrinsic_kwargs={},
        coef=0.0,
        algo_kwargs=kwargs,
        name="",
    )


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Put the settings `above` over those `below`; see `ExperimentConfig.load`."""
    merged = dict(below)
    for part, kwargs in _PARTS.items():
        if part in above and above[part] != below.get(part, above[part]):
            merged.pop(kwargs, None)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = {**old, **value}
        else:
            merged[key] = value
    return merged


def load_preset(env: str) -> dict[str, Any]:
    """Return the preset of a world: its own file, or `default.yaml` for any other."""
    plain = env.rpartition(":")[2].removeprefix("curiosity_rl/")
    folder = resources.files("curiosity_rl.agents.presets")
    known = {item.name for item in folder.iterdir()}
    file = f"{plain}.yaml"
    text = folder.joinpath(file if file in known else "default.yaml").read_text("utf-8")
    return {**parse(text, f"preset {file}"), "env": env}


def read_config(path: Path) -> dict[str, Any]:
    """Read settings from a YAML file.

    Raises:
        ValueError: If it cannot be read, is no YAML mapping or has an unknown key.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read config {str(path)!r}: {reason}") from error
    return parse(text, f"config {str(path)!r}")


def parse(text: str, source: str) -> dict[str, Any]:
    """Read settings from YAML text; `source` names it in errors.

    Raises:
        ValueError: As `read_config`.
    """
    try:
        settings = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "not a plain value"
        raise ValueError(f"{source} is not readable YAML{where}: {reason}") from error
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ValueError(
            f"{source} holds a {type(settings).__name__}; it must be lines such as "
            "'env: tutor-v0'"
        )
    check_keys(settings, f"key in {source}")
    return settings


def check_keys(settings: Mapping[Any, Any], kind: str) -> None:
    """Raise a ValueError, with suggestions, if a key is no setting."""
    known = [item.name for item in dataclasses.fields(ExperimentConfig)]
    for key in settings:
        if key not in known:
            raise ValueError(unknown_name(kind, str(key), known))


def _typed(name: str, value: Any, hints: Mapping[str, Any]) -> Any:
    """Check a value against its annotation; whole floats count as ints."""
    wanted: type = dict if hints[name] == dict[str, Any] else hints[name]
    if wanted is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if wanted is float and type(value) is int:
        value = float(value)
    wrong = isinstance(value, bool) and wanted is not bool
    if wrong or not isinstance(value, wanted):
        what = {dict: "a mapping", int: "a whole number", float: "a number"}
        raise ValueError(
            f"{name} is {value!r}; it must be {what.get(wanted, wanted.__name__)}"
        )
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"{name} has the key {key!r}; keys are names")
        return dict(value)
    return value


def _known(kind: str, given: str, names: Any) -> None:
    if given not in names:
        raise ValueError(unknown_name(kind, given, names))


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")
