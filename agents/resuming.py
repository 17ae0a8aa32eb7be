"""Go on with a run that was stopped or killed, as if it had never been."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curiosity_rl.adapters.algorithm_state import load_algorithm_state
from curiosity_rl.adapters.lanes_state import begin_anew
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import Experiment, Result, build, finish
from curiosity_rl.agents.runs import RunFolder, open_run
from curiosity_rl.agents.syncing import check_track
from curiosity_rl.agents.training import versions
from curiosity_rl.checkpoint import CheckpointError, newest_whole
from curiosity_rl.seeding import resumed_seeds

_NO_MATTER = {"log_folder", "name", "progress", "save_freq", "track"}
"""Settings that change nothing of what is learnt."""


@dataclass(frozen=True)
class StoppedRun:
    """A run that can go on.

    Attributes:
        experiment: What was being trained, in the state of the checkpoint.
        folder: The run's folder.
        state: The checkpoint; None if there was none yet, so that it begins anew.
        notes: What a user should know of how it goes on.
    """

    experiment: Experiment
    folder: RunFolder
    state: Mapping[str, Any] | None
    notes: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Training steps that are done."""
        return self.experiment.model.num_timesteps


def resume(path: str | Path) -> Result:
    """Go on with a run from its newest whole checkpoint, to the end of its plan.

    Raises:
        ValueError: If there is no such run, it has finished, or it cannot go on.
    """
    return go_on(reopen(path))


def go_on(run: StoppedRun) -> Result:
    """Train what `reopen` returned to the end of its plan."""
    return finish(run.experiment, run.folder, run.state)


def reopen(path: str | Path, progress: bool | None = None) -> StoppedRun:
    """Build a stopped run from its settings and its newest whole checkpoint.

    Args:
        path: The run's folder.
        progress: Show progress; None: as its settings say.

    Raises:
        ValueError: If there is no such run, it has finished, or its checkpoints are
            broken or of other settings.
    """
    folder = open_run(path)
    config = folder.config()
    if folder.result() is not None:
        raise ValueError(
            f"{str(path)!r} has finished: it has a result.json; evaluate it, or train "
            "another run"
        )
    if progress is not None:
        config = dataclasses.replace(config, progress=progress)
    check_track(config)
    experiment = build(config)
    if not _has_checkpoint(folder):
        note = "no checkpoint was saved: it begins again at step 0"
        return StoppedRun(experiment, folder, None, (note,))
    with folder.locked():
        found, state, broken = newest_whole(folder.checkpoints)
        notes = [f"{text}; it is left out" for text in broken]
        notes.append(f"goes on from {found.name}")
        try:
            _check_settings(config, state["config"])
            notes += _of_versions(state["versions"])
            goes_on = load_algorithm_state(experiment.model, state["model"])
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{found} is no checkpoint of a run: {error!r}"
            ) from error
        folder.drop_after(found.name)
    if not goes_on:
        steps = experiment.model.num_timesteps
        assert experiment.model.env is not None
        seeds = resumed_seeds(config.seed, steps, config.n_envs)
        begin_anew(experiment.model.env, seeds)
        notes.append(
            f"{config.env} cannot tell its state: its lanes begin new episodes, and "
            "what follows is not bit for bit what it would have been"
        )
    return StoppedRun(experiment, folder, state, tuple(notes))


def _has_checkpoint(folder: RunFolder) -> bool:
    return any(folder.checkpoints.glob("step_*"))


def _check_settings(config: ExperimentConfig, saved: Mapping[str, Any]) -> None:
    now = dataclasses.asdict(config)
    other = [
        name
        for name, value in now.items()
        # As text: a setting that is NaN equals itself then.
        if name not in _NO_MATTER and _text(saved.get(name)) != _text(value)
    ]
    if other:
        raise CheckpointError(
            f"config.yaml is not what the checkpoint was made with: {', '.join(other)} "
            "differ; undo the changes, or train another run"
        )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _of_versions(saved: Mapping[str, str]) -> list[str]:
    now = versions()
    other = [
        f"{name} {saved.get(name)}, now {now[name]}"
        for name in now
        if saved.get(name) != now[name]
    ]
    if not other:
        return []
    return [
        f"it was made with {'; '.join(other)}: what follows may differ in the last bits"
    ]
