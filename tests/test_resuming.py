"""Runs that stop and go on: as if they had never stopped, bit for bit."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import FULL, long_form
from resumed_runs import (
    assert_same_run,
    cuts,
    first_difference,
    resumed,
    scalars,
    table,
    uncut,
)
from stable_baselines3 import TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.vec_env import VecMonitor

from curiosity_rl import checkpoint
from curiosity_rl.adapters.algorithm_state import (
    GoOn,
    algorithm_state,
    load_algorithm_state,
)
from curiosity_rl.adapters.sb3 import VectorEnvAdapter
from curiosity_rl.agents.cli import main, train_main
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build, finish
from curiosity_rl.agents.interrupts import Stopped, StopRequest
from curiosity_rl.agents.resuming import reopen, resume
from curiosity_rl.agents.runs import RunFolder, begin
from curiosity_rl.agents.worlds import make_lanes

ROOT = Path(__file__).parents[1]
SMALL = {"policy": "auto", "policy_kwargs": {"net_arch": [8]}}
ROLLOUT = {"n_steps": 16, "batch_size": 16, "n_epochs": 2}
REPLAY: dict[str, Any] = {
    "learning_starts": 20,
    "batch_size": 8,
    "train_freq": 16,
    "buffer_size": 120,  # the rows run over
}
HINDSIGHT = {"replay_buffer_class": "her", "learning_starts": 32, "buffer_size": 160}
WORLDS: dict[str, dict[str, Any]] = {
    "river-swim-v0": {},
    "deep-sea-v0": {"env_kwargs": {"size": 5}},
    "empty-v0": {"env_kwargs": {"size": 5, "obs": "onehot"}},
    "tutor-chain-v0": {"env_kwargs": {"budget": 9}, "stagger": True},
    "point-maze-v0": {"env_kwargs": {"max_steps": 20}},
    "point-maze-goal-v0": {"env_kwargs": {"max_steps": 12}},
}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "ppo": {"algo_kwargs": ROLLOUT, "n_timesteps": 128},
    "intrinsic-ppo": {"algo_kwargs": ROLLOUT, "n_timesteps": 128},
    "intrinsic-recurrent-ppo": {"algo_kwargs": ROLLOUT, "n_timesteps": 96},
    "a2c": {"algo_kwargs": {"n_steps": 8}, "n_timesteps": 64},
    "intrinsic-a2c": {"algo_kwargs": {"n_steps": 8}, "n_timesteps": 64},
    "dqn": {
        "algo_kwargs": {**REPLAY, "target_update_interval": 20},
        "n_timesteps": 320,
    },
    "sac": {"algo_kwargs": REPLAY, "n_timesteps": 192},
    "td3": {"algo_kwargs": REPLAY, "n_timesteps": 192},
}
BONUSES = {
    "none": "none",
    "prediction": "rnd",
    "forward model": "icm",
    "ensemble": "disagreement",
    "counts": "count",
    "episodes": "e3b",
    "episode counts": "episodic-count",
    "regions": "region-progress",
    "pupil": "skill-progress",
}
CONTINUOUS = {"sac", "td3"}


def case(
    algo: str, world: str, bonus: str, normalize: bool, **more: Any
) -> dict[str, Any]:
    """Settings of a small run."""
    settings = {**SMALL, **WORLDS[world], **ALGORITHMS[algo], **more}
    kwargs = {**ALGORITHMS[algo]["algo_kwargs"], **more.get("algo_kwargs", {})}
    settings |= {"env": world, "algo": algo, "intrinsic": BONUSES[bonus]}
    settings |= {"normalize": normalize, "n_envs": 2, "algo_kwargs": kwargs}
    if bonus == "none":
        settings["coef"] = 0.0
    settings.setdefault("intrinsic_kwargs", {})
    return settings


CHOSEN = [
    case("ppo", "river-swim-v0", "prediction", False, eval_freq=50),
    case("intrinsic-ppo", "tutor-chain-v0", "pupil", True),
    case("intrinsic-recurrent-ppo", "empty-v0", "episodes", False),
    case("intrinsic-a2c", "deep-sea-v0", "counts", True),
    case("a2c", "river-swim-v0", "none", True),
    case("dqn", "deep-sea-v0", "forward model", False),
    case("dqn", "river-swim-v0", "ensemble", True, algo_kwargs={"n_steps": 3}),
    case("sac", "point-maze-v0", "regions", True, algo_kwargs={"use_sde": True}),
    case("ppo", "point-maze-v0", "regions", False, algo_kwargs={"use_sde": True}),
    case("dqn", "empty-v0", "episode counts", True),
    case("sac", "point-maze-goal-v0", "none", True, algo_kwargs=HINDSIGHT),
    case("td3", "point-maze-goal-v0", "prediction", False, algo_kwargs=HINDSIGHT),
]
"""What the short form cuts once each; the long form cuts each at every rollout."""


def every_case() -> list[dict[str, Any]]:
    """All algorithms with all bonuses in all worlds, where these go together."""
    found = []
    for algo, world, bonus, normalize in itertools.product(
        ALGORITHMS, WORLDS, BONUSES, (False, True)
    ):
        continuous = world.startswith("point-maze")
        if algo in ("dqn", *CONTINUOUS) and continuous != (algo in CONTINUOUS):
            continue
        if world == "point-maze-goal-v0" and bonus in ("regions", "pupil"):
            continue
        if bonus == "pupil" and world != "tutor-chain-v0":
            continue
        if bonus == "none" and algo.startswith("intrinsic"):
            continue
        # The preset of the goals replays in hindsight: whole episodes first.
        her = algo == "sac" and world == "point-maze-goal-v0"
        more = {"algo_kwargs": HINDSIGHT} if her else {}
        found.append(case(algo, world, bonus, normalize, **more))
    return found


def label(settings: dict[str, Any]) -> str:
    scaled = "normalized" if settings["normalize"] else "plain"
    parts = (settings["algo"], settings["env"], settings["intrinsic"], scaled)
    return ", ".join(parts)


@pytest.mark.promise("A resumed run equals the uncut one, bit for bit")
@pytest.mark.parametrize("settings", CHOSEN, ids=label)
def test_a_resumed_run_is_the_uncut_one(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    run = uncut(tmp_path, settings)
    found = cuts(run)
    assert len(found) >= 2
    for cut in found if FULL else found[len(found) // 2 :][:1]:
        assert_same_run(run, resumed(run, cut, tmp_path / "cut"))


@pytest.mark.promise("A resumed run equals the uncut one, bit for bit")
def test_who_logs_now_and_then_does_so_at_the_same_iterations(tmp_path: Path) -> None:
    """A2C logs every 100 iterations, of the whole run."""
    settings = case("a2c", "river-swim-v0", "none", False)
    settings |= {"n_timesteps": 2 * 2 * 250, "save_freq": 2 * 2 * 40}
    run = uncut(tmp_path, {**settings, "algo_kwargs": {"n_steps": 2}})
    iterations = [row["time/iterations"] for row in table(run)]
    assert iterations == ["100", "200", "250"]
    for cut in cuts(run)[2:5:2]:  # after 120 and 200 of them
        assert_same_run(run, resumed(run, cut, tmp_path / "cut"))


if FULL:

    @pytest.mark.promise("A resumed run equals the uncut one, bit for bit")
    @pytest.mark.parametrize("settings", every_case(), ids=label)
    def test_every_combination_resumes(
        settings: dict[str, Any], tmp_path: Path
    ) -> None:
        run = uncut(tmp_path, settings)
        for cut in cuts(run):
            assert_same_run(run, resumed(run, cut, tmp_path / "cut"))


class Taken(BaseCallback):
    """Takes the state of an algorithm before its third rollout."""

    state: Any = None

    def _on_rollout_start(self) -> None:
        if self.num_timesteps == 2 * 16 * 2:
            self.state = algorithm_state(self.model)

    def _on_step(self) -> bool:
        return True


@pytest.mark.promise("A resumed run equals the uncut one, bit for bit")
def test_algorithms_with_correlated_noise_resume_without_a_run_folder() -> None:
    def make() -> TD3:
        lanes = make_lanes("point-maze-v0", {"max_steps": 20}, 2)
        zero = np.zeros(2)
        return TD3(
            "MlpPolicy",
            VecMonitor(VectorEnvAdapter(lanes, [5, 9])),
            action_noise=OrnsteinUhlenbeckActionNoise(zero, zero + 0.3),
            policy_kwargs={"net_arch": [4]},
            seed=1,
            device="cpu",
            **REPLAY,
        )

    taken, whole = Taken(), make()
    whole.learn(192, callback=taken)
    other = make()
    assert load_algorithm_state(other, taken.state)
    other.learn(128, callback=GoOn(taken.state), reset_num_timesteps=False)
    one, two = algorithm_state(whole), algorithm_state(other)
    for state in (one, two):
        state["episodes"] = [e["r"] for e in state["episodes"]]
    assert first_difference(one, two) is None
    assert one["random"]["action_noise"][0].any()


KILLED: dict[str, Any] = {
    **case("intrinsic-ppo", "river-swim-v0", "prediction", True),
    "n_timesteps": 3200,
    "save_freq": 300,
    "eval_students": 2,
    "progress": False,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run that is killed in other processes, to its end."""
    folder = str(tmp_path_factory.mktemp("whole"))
    config = ExperimentConfig.load(**KILLED, log_folder=folder)
    return finish(build(config), begin(config), baselines=False).folder


def start(settings: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """Begin to train in another process; return once a checkpoint is there."""
    file = folder / "settings.yaml"
    file.write_text(json.dumps({**settings, "log_folder": str(folder)}))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train.py"), "--config", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not has_checkpoint(folder):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def has_checkpoint(folder: Path) -> bool:
    try:
        return any(folder.glob("*/*/checkpoints/step_*/manifest.json"))
    except FileNotFoundError:  # an old one was deleted just when it was looked into
        return True


@pytest.mark.promise("A resumed run equals the uncut one, also after SIGKILL")
@pytest.mark.parametrize("trial", range(long_form(1, 20)))
def test_a_killed_run_resumes_and_logs_no_step_twice(
    trial: int, tmp_path: Path, whole: RunFolder
) -> None:
    with start(KILLED, tmp_path) as process:
        time.sleep(np.random.default_rng(trial).uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL)
    (path,) = (tmp_path / "river-swim-v0").iterdir()
    assert not (path / "result.json").exists()
    stopped = reopen(path)
    assert 0 < stopped.steps < 3200
    run = finish(stopped.experiment, stopped.folder, stopped.state, False).folder
    shutil.copy(whole.path / "config.yaml", path)  # other log folders
    assert_same_run(run, whole)
    for points in scalars(run).values():
        steps = [step for step, _ in points]
        assert steps == sorted(set(steps))
    steps = [int(row["time/total_timesteps"]) for row in table(run)]
    assert steps == list(range(160, 3201, 160))


@pytest.mark.promise("Ctrl-C saves, exits with 130 and says how to go on")
def test_ctrl_c_saves_and_says_how_to_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], whole: RunFolder
) -> None:
    with start(KILLED, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    (path,) = (tmp_path / "river-swim-v0").iterdir()
    last = err.splitlines()[-1]
    newest = sorted(p.name for p in (path / "checkpoints").iterdir())[-1]
    assert last.startswith(f"stopped after {int(newest[5:]):,} steps; saved: {newest}")
    command = last.partition("go on: curiosity-rl ")[2].split()
    assert command == ["train", "--resume", str(path)]
    assert main(command) == 0
    assert f"goes on from {newest}" in capfd.readouterr().out
    for name in ("weights_sha256", "steps"):
        one, other = whole.result(), RunFolder(path).result()
        assert one is not None
        assert other is not None
        assert one[name] == other[name]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_stops_between_rollouts(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    config = ExperimentConfig.load(
        **case("a2c", "river-swim-v0", "none", False),
        progress=False,
        log_folder=str(tmp_path),
    )
    experiment = build(config)
    train: Any = experiment.model.train  # type: ignore[attr-defined]
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def stop() -> None:
        train()
        if experiment.model.num_timesteps == 32:
            os.kill(os.getpid(), number)

    experiment.model.train = stop  # type: ignore[attr-defined]
    with pytest.raises(Stopped) as raised:
        finish(experiment, begin(config), baselines=False)
    assert (raised.value.exit_code, raised.value.steps) == (code, 32)
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    assert after == handlers
    (path,) = (tmp_path / "river-swim-v0").iterdir()
    assert reopen(path).steps == 32


def test_a_second_ctrl_c_stops_at_once() -> None:
    request = StopRequest()
    with request.noted():
        os.kill(os.getpid(), signal.SIGINT)
        assert request.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    settings = {
        **SMALL,
        "env": "CartPole-v1",
        "algo": "dqn",
        "algo_kwargs": REPLAY,
        "intrinsic": "e3b",
        "n_envs": 2,
        "n_timesteps": 128,
    }
    return uncut(tmp_path_factory.mktemp("cartpole"), settings)


@pytest.mark.promise("A world without get_state goes on with new episodes, and says so")
def test_a_world_that_tells_no_state_begins_new_episodes(
    cartpole: RunFolder, tmp_path: Path
) -> None:
    cut = cuts(cartpole)[1]
    copy = RunFolder(tmp_path / "run")
    shutil.copytree(cartpole.checkpoints / cut, copy.checkpoints / cut)
    shutil.copy(cartpole.path / "config.yaml", copy.path)
    stopped = reopen(copy.path)
    assert stopped.steps == int(cut[5:])
    assert any("cannot tell its state" in note for note in stopped.notes)
    model: Any = stopped.experiment.model
    buffer = model.replay_buffer
    ended = buffer.dones[buffer.pos - 1]
    assert ended.tolist() == [1, 1]
    before = checkpoint.load(cartpole.checkpoints / cuts(cartpole)[0])
    obs: Any = model.env.reset()
    assert not np.array_equal(obs, before["model"]["last"]["obs"])
    first: Any = build(stopped.experiment.config).model.env
    assert not np.array_equal(obs, first.reset())  # other episodes than the first
    again: Any = reopen(copy.path).experiment.model.env
    np.testing.assert_array_equal(again.reset(), obs)
    result = finish(stopped.experiment, copy, stopped.state, False)
    assert result.data["steps"] == 128


def copied(run: RunFolder, path: Path) -> Path:
    """Copy a run as it would be, had it not come to its end."""
    shutil.copytree(run.path, path)
    (path / "result.json").unlink()
    return path


@pytest.mark.promise("A broken newest checkpoint gives way to the one before")
def test_a_broken_checkpoint_is_left_out_and_made_again(
    cartpole: RunFolder, tmp_path: Path
) -> None:
    path = copied(cartpole, tmp_path / "run")
    names = sorted(p.name for p in (path / "checkpoints").iterdir())
    file = path / "checkpoints" / names[-1] / "arrays.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    stopped = reopen(path)
    assert f"{names[-1]}/arrays.safetensors is damaged" in stopped.notes[0]
    assert stopped.notes[1] == f"goes on from {names[-2]}"
    finish(stopped.experiment, stopped.folder, stopped.state, False)
    assert checkpoint.newest_whole(stopped.folder.checkpoints)[2] == []


def test_what_cannot_be_resumed_is_named(
    cartpole: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="has finished"):
        resume(cartpole.path)
    with pytest.raises(ValueError, match="is no run"):
        resume(tmp_path)
    path = copied(cartpole, tmp_path / "run")
    config = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(config.replace("seed: 0", "seed: 1"))
    with pytest.raises(ValueError, match="made with: seed differ"):
        resume(path)
    (path / "config.yaml").write_text("")
    with pytest.raises(ValueError, match="holds no settings"):
        resume(path)
    (path / "config.yaml").write_text(config.replace("name: ", "name: other"))
    assert reopen(path).steps == 128
    with (
        RunFolder(path).locked(),
        pytest.raises(ValueError, match="being trained by another process"),
    ):
        resume(path)
    assert train_main(["--resume", str(path), "--seed", "3", "-n", "5"]) == 2
    assert "leave out --seed, --n-timesteps" in capsys.readouterr().err
    for left in (path / "checkpoints").iterdir():
        (left / "manifest.json").unlink()
    with pytest.raises(ValueError, match="holds no checkpoint"):
        resume(path)
    shutil.rmtree(path / "checkpoints")
    stopped = reopen(path)
    assert stopped.steps == 0
    assert "begins again at step 0" in stopped.notes[0]
    finish(stopped.experiment, stopped.folder, stopped.state, False)
    assert table(RunFolder(path)) == table(cartpole)


def test_a_run_of_other_versions_says_so(cartpole: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(tmp_path / "run")
    cut = cuts(cartpole)[0]
    state = checkpoint.load(cartpole.checkpoints / cut)
    state["versions"]["torch"] = "1.0"
    checkpoint.save(copy.checkpoints / cut, state)
    shutil.copy(cartpole.path / "config.yaml", copy.path)
    assert any("torch 1.0, now " in note for note in reopen(copy.path).notes)
