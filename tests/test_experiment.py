from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch as th
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from curiosity_rl.agents.config import (
    ALGORITHMS,
    ExperimentConfig,
    load_preset,
    merge,
    parse,
    read_config,
)
from curiosity_rl.agents.evaluation import as_data
from curiosity_rl.agents.experiment import build, prepare, run, train
from curiosity_rl.registry import WORLDS

TUTOR: dict[str, Any] = {
    "env": "tutor-v0",
    "env_kwargs": {"budget": 12},
    "policy": "auto",
    "algo_kwargs": {"n_steps": 8, "batch_size": 32},
    "n_envs": 8,
    "n_timesteps": 512,
    "eval_students": 40,
    "save_freq": 200,
    "progress": False,
}
CARTPOLE: dict[str, Any] = {
    "env": "CartPole-v1",
    "algo_kwargs": {"n_steps": 32, "batch_size": 32},
    "n_envs": 4,
    "n_timesteps": 512,
    "eval_students": 5,
    "progress": False,
}


def _train(folder: Path, settings: dict[str, Any], **more: Any) -> Any:
    config = ExperimentConfig.load(**{**settings, **more}, log_folder=str(folder))
    return train(config)


def test_equal_seeds_give_equal_results_and_weights(tmp_path: Path) -> None:
    one, two, other = (
        _train(tmp_path, TUTOR, seed=seed, name=name)
        for seed, name in ((3, "one"), (3, "two"), (4, "other"))
    )
    texts = [(r.folder.path / "result.json").read_bytes() for r in (one, two, other)]
    assert texts[0] == texts[1] != texts[2]
    a, b, c = (r.model.policy.state_dict() for r in (one, two, other))
    assert all(th.equal(a[key], b[key]) for key in a)
    assert not all(th.equal(a[key], c[key]) for key in a)
    assert one.data["weights_sha256"] != other.data["weights_sha256"]
    assert one.folder.path != two.folder.path


def test_a_run_folder_holds_what_the_readme_says(tmp_path: Path) -> None:
    result = _train(tmp_path, TUTOR, eval_freq=300)
    path = result.folder.path
    assert path == tmp_path / "tutor-v0" / "intrinsic-ppo-belief-progress_1"
    names = {p.name for p in path.iterdir()}
    assert {"config.yaml", "result.json", "timing.json", "progress.csv"} <= names
    assert result.folder.config() == result.config
    steps = [int(p.name[5:]) for p in sorted(result.folder.checkpoints.iterdir())]
    assert steps == [256, 512]
    assert json.loads((path / "result.json").read_text()) == result.data
    for clue in (str(tmp_path), "seconds"):
        assert clue not in (path / "result.json").read_text()
    events = EventAccumulator(str(path)).Reload()
    tags = set(events.Tags()["scalars"])
    assert {
        "coverage/cells",
        "coverage/entropy",
        "eval/pass_rate",
        "rollout/ep_rew_mean",
        "rollout/intrinsic_reward_mean",
        "time/steps_per_second",
        "tutor/goals_known",
        "tutor/pass_rate",
    } <= tags
    cells = [e.value for e in events.Scalars("coverage/cells")]
    assert cells == sorted(cells)
    assert cells[-1] > 1
    header = (path / "progress.csv").read_text().splitlines()[0]
    assert "tutor/pass_rate" in header


def test_weights_and_bonus_come_back_from_a_checkpoint(tmp_path: Path) -> None:
    result = _train(tmp_path, CARTPOLE)
    again = build(result.folder.config())
    before = again.model.policy.state_dict()["value_net.extrinsic.weight"].clone()
    again.load_state(result.folder.checkpoint())
    after = again.model.policy.state_dict()
    trained = result.model.policy.state_dict()
    assert not th.equal(before, after["value_net.extrinsic.weight"])
    assert all(th.equal(after[key], trained[key]) for key in trained)
    assert again.model.num_timesteps == 512
    assert as_data(again.evaluate(5)) == result.data["evaluation"]


@pytest.mark.parametrize("algo", sorted(ALGORITHMS))
def test_every_algorithm_trains_with_a_bonus(tmp_path: Path, algo: str) -> None:
    discrete = algo not in ("ddpg", "sac", "td3", "tqc")
    settings: dict[str, Any] = {
        "env": "CartPole-v1" if discrete else "Pendulum-v1",
        "algo": algo,
        "intrinsic": "rnd",
        "n_envs": 2,
        "n_timesteps": 64 if "ppo" in algo else 160,  # replay pays after 64 steps
        "eval_students": 2,
        "progress": False,
        "algo_kwargs": {
            "dqn": {"learning_starts": 10},
            "sac": {"learning_starts": 10},
            "td3": {"learning_starts": 10},
            "ddpg": {"learning_starts": 10},
            "ppo": {"n_steps": 16, "batch_size": 16},
            "intrinsic-ppo": {"n_steps": 16, "batch_size": 16},
        }.get(algo, {}),
    }
    if not discrete:  # gradient steps on the default 256 x 256 nets are slow
        settings["policy_kwargs"] = {"net_arch": [8]}
    result = _train(tmp_path, settings)
    events = EventAccumulator(str(result.folder.path)).Reload()
    assert "rollout/intrinsic_reward_mean" in events.Tags()["scalars"]
    again = build(result.folder.config())
    again.load_state(result.folder.checkpoint())
    assert as_data(again.evaluate(2)) == result.data["evaluation"]


def test_training_leaves_torch_threads_alone(tmp_path: Path) -> None:
    before = th.get_num_threads()
    th.set_num_threads(3)
    try:
        seen = []
        experiment = prepare(
            ExperimentConfig.load(**CARTPOLE, log_folder=str(tmp_path), num_threads=1)
        )
        predict = experiment.model.predict

        def spy(*args: Any, **kwargs: Any) -> Any:
            seen.append(th.get_num_threads())
            return predict(*args, **kwargs)

        experiment.model.predict = spy  # type: ignore[method-assign]
        run(experiment)
        assert set(seen) == {1}
        assert th.get_num_threads() == 3
    finally:
        th.set_num_threads(before)


@pytest.mark.xdist_group("kernels")  # two workers would compile the same ones
@pytest.mark.parametrize("world", [*WORLDS, "CartPole-v1"])
def test_presets_are_complete_and_possible(world: str, tmp_path: Path) -> None:
    config = ExperimentConfig.load(env=world, log_folder=str(tmp_path))
    assert config.env == world
    goals = "replay_buffer_class" in config.algo_kwargs
    assert (config.intrinsic == "none") == goals  # hindsight stands in for a bonus
    assert prepare(config).model.n_envs == config.n_envs
    namespaced = load_preset(f"curiosity_rl/{world}") | {"env": world}
    assert namespaced == load_preset(world)


def test_settings_merge_key_by_key_unless_their_owner_changes() -> None:
    below = {"env": "e", "env_kwargs": {"a": 1, "b": 2}, "intrinsic": "rnd"}
    below |= {"intrinsic_kwargs": {"x": 1}}
    same = merge(below, {"env_kwargs": {"b": 3}, "intrinsic": "rnd"})
    assert same["env_kwargs"] == {"a": 1, "b": 3}
    assert same["intrinsic_kwargs"] == {"x": 1}
    other = merge(below, {"intrinsic": "count", "intrinsic_kwargs": {"y": 2}})
    assert other["intrinsic_kwargs"] == {"y": 2}
    assert "intrinsic_kwargs" not in merge(below, {"intrinsic": "count"})


def test_config_survives_yaml(tmp_path: Path) -> None:
    config = ExperimentConfig.load(env="tutor-v0", coef=1e-5, seed=2**31)
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert ExperimentConfig(**read_config(file)) == config
    assert dataclasses.asdict(config) == yaml.safe_load(config.to_yaml())


def test_yaml_numbers_in_powers_of_ten_are_numbers() -> None:
    kwargs = parse("algo_kwargs: {a: 1e-3, b: 2.5E4, c: e3, d: '1e3'}", "text")
    assert kwargs["algo_kwargs"] == {"a": 1e-3, "b": 2.5e4, "c": "e3", "d": "1e3"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_timestep: 3", "did you mean n_timesteps"),
        ("[1", "not readable YAML in line"),
        ("- a", "holds a list"),
        ("env: !!python/object/apply:os.getcwd []", "not readable YAML"),
        ("7: 3", "unknown key"),
    ],
)
def test_wrong_yaml_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text, "config 'x.yaml'")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": ""}, "env is empty"),
        ({"env": 3}, "env is 3"),
        ({"algo": "ppoo"}, "did you mean ppo"),
        ({"intrinsic": "rnnd"}, "did you mean rnd"),
        ({"policy": "MLP"}, "unknown policy"),
        ({"n_envs": 0}, "n_envs is 0; it must be at least 1"),
        ({"n_envs": True}, "n_envs is True"),
        ({"n_timesteps": -5}, "n_timesteps is -5"),
        ({"n_timesteps": 10.5}, "whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"coef": float("nan")}, "coef is nan"),
        ({"env_kwargs": [1]}, "a mapping"),
        ({"env_kwargs": {1: 2}}, "keys are names"),
        ({"name": "../x"}, "is no path"),
        ({"name": "a/b"}, "is no path"),
        ({"name": "..."}, "is no path"),
        ({"log_folder": ""}, "log_folder is empty"),
        ({"n_timestep": 5}, "did you mean n_timesteps"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExperimentConfig.load(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": "CartPol-v1"}, "did you mean CartPole-v1"),
        ({"env": "tutor-v"}, "did you mean tutor-v0"),
        ({"env": "nomodule:x-v0"}, "cannot import 'nomodule'"),
        ({"env": "tutor-v0", "env_kwargs": {"budget": -1}}, "budget"),
        ({"env": "tutor-v0", "env_kwargs": {"goals": 99}}, "goals"),
        ({"env": "tutor-v0", "env_kwargs": {"bugdet": 9}}, "did you mean budget"),
        (
            {"env": "tutor-v0", "env_kwargs": {"curriculum": {"a": ["b"], "b": ["a"]}}},
            "cycle",
        ),
        ({"env_kwargs": {"foo": 1}}, "foo"),
        ({"algo_kwargs": {"gama": 0.9}}, "did you mean gamma"),
        ({"algo_kwargs": {"gamma": 9}}, "gamma is 9; it must lie in 0..1"),
        ({"algo_kwargs": {"gamma": "x"}}, "gamma is 'x'"),
        ({"algo_kwargs": {"n_epochs": 0}}, "n_epochs is 0"),
        ({"algo_kwargs": {"seed": 1}}, "unknown setting"),
        ({"algo": "sac"}, "action spaces"),
        ({"intrinsic_kwargs": {"x": 1}}, "unknown setting"),
        ({"intrinsic": "belief-progress"}, "belief"),
        ({"policy": "equivariant"}, "world of activities"),
        ({"policy_kwargs": {"activation_fn": "rellu"}}, "did you mean relu"),
        ({"coef": -1.0}, "coef"),
    ],
)
def test_impossible_experiments_are_named_and_leave_no_run(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    config = ExperimentConfig.load(
        **{"env": "CartPole-v1", **settings}, log_folder=str(tmp_path / "runs")
    )
    with pytest.raises(ValueError, match=message):
        prepare(config)
    assert not (tmp_path / "runs").exists()
