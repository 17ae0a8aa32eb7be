"""Run folders: where a run keeps its settings, logs, checkpoints and results.

`LOG_FOLDER/WORLD/NAME_K/` holds `config.yaml`, TensorBoard events, `progress.csv`,
`checkpoints/`, `result.json` (equal for equal settings) and `timing.json` (what is
never equal twice). A folder is made for one run and never used again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from curiosity_rl import checkpoint
from curiosity_rl.agents.config import ExperimentConfig, read_config

KEPT = 2
"""Checkpoints of a run that are kept: the newest, and one more should it break."""


class RunLocked(ValueError):  # noqa: N818
    """Another process is training this run."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints, one folder each."""
        return self.path / "checkpoints"

    def config(self) -> ExperimentConfig:
        """Read the settings of the run.

        Raises:
            ValueError: If there are none or they are not allowed.
        """
        settings = read_config(self.path / "config.yaml")
        if not settings:  # a run that was killed before it began
            raise ValueError(f"{str(self.path / 'config.yaml')!r} holds no settings")
        return ExperimentConfig(**settings)

    def write_config(self, config: ExperimentConfig) -> None:
        """Keep the settings of the run."""
        write_text(self.path / "config.yaml", config.to_yaml())

    def result(self) -> dict[str, Any] | None:
        """Read `result.json`; None if the run has not ended."""
        file = self.path / "result.json"
        return json.loads(file.read_text("utf-8")) if file.is_file() else None

    def write_result(self, result: dict[str, Any], timing: dict[str, Any]) -> None:
        """Keep what the run found, and apart from it how long that took."""
        write_text(self.path / "timing.json", json.dumps(timing, indent=1) + "\n")
        write_text(self.path / "result.json", json.dumps(result, indent=1) + "\n")

    def save_checkpoint(self, steps: int, state: dict[str, Any]) -> Path:
        """Write a checkpoint, if this number of steps has none yet; keep `KEPT`."""
        path = self.checkpoints / f"step_{steps:012d}"
        if not path.exists():
            checkpoint.save(path, state)
            checkpoint.keep_newest(self.checkpoints, KEPT)
        return path

    def checkpoint(self, name: str | None = None) -> dict[str, Any]:
        """Load the newest checkpoint, or the one called `name`.

        Raises:
            ValueError: If there is no such checkpoint or it is damaged.
        """
        if name is None:
            return checkpoint.load(checkpoint.latest(self.checkpoints))
        known = sorted(p.name for p in self.checkpoints.glob("step_*"))
        if name not in known:
            raise ValueError(
                f"{self.path} has no checkpoint {name!r}; it has {', '.join(known)}"
            )
        return checkpoint.load(self.checkpoints / name)

    def drop_after(self, name: str) -> None:
        """Remove the checkpoints that are newer than the one called `name`."""
        for path in sorted(self.checkpoints.glob("step_*")):
            if path.name > name:
                checkpoint.remove(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training the same run; a kill lets go of it.

        Raises:
            RunLocked: If another process does.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunLocked(
                f"{str(self.path)!r} is being trained by another process; wait for it, "
                "or stop it first"
            ) from error
        try:
            yield
        finally:
            lock.release()


def begin(config: ExperimentConfig) -> RunFolder:
    """Make the folder of a new run, with its settings in it.

    Raises:
        ValueError: If it cannot be written.
    """
    folder = create_run(config.log_folder, config.env, config.name)
    try:
        folder.write_config(config)
    except OSError as error:
        raise _not_writable(config.log_folder, error) from error
    return folder


def create_run(log_folder: str | Path, env: str, name: str) -> RunFolder:
    """Make the folder of a new run, `LOG_FOLDER/WORLD/NAME_K` with the next free K.

    Args:
        log_folder: Folder of all runs; made if missing.
        env: The world's id; what is no letter, digit, `.`, `_` or `-` becomes `-`.
        name: The run's name, as `ExperimentConfig` checks it.

    Raises:
        ValueError: If the folder cannot be written.
    """
    parent = Path(log_folder) / folder_name(env)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number(p.name, name) for p in parent.iterdir()), default=0)
        while True:
            path = parent / f"{name}_{number}"
            try:
                path.mkdir()
            except FileExistsError:  # another process was faster
                number += 1
                continue
            write_text(path / "config.yaml", "")
            return RunFolder(path)
    except OSError as error:
        raise _not_writable(log_folder, error) from error


def check_writable(log_folder: str | Path) -> None:
    """Raise a ValueError if no run can be made in `log_folder`; leaves no trace."""
    folder = Path(log_folder).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    probe = folder / f".probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise _not_writable(log_folder, error) from error


def open_run(path: str | Path) -> RunFolder:
    """Return the finished or stopped run at `path`.

    Raises:
        ValueError: If there is no run.
    """
    run = RunFolder(Path(path))
    if not (run.path / "config.yaml").is_file():
        raise ValueError(
            f"{str(path)!r} is no run: it has no config.yaml; give a folder such as "
            "runs/tutor-v0/intrinsic-ppo-belief-progress_1"
        )
    return run


def folder_name(env: str) -> str:
    """Turn a world's id into one folder name, which is never a path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", env).strip(".-")[:80] or "world"


def write_text(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _number(folder: str, name: str) -> int:
    match = re.fullmatch(rf"{re.escape(name)}_(\d{{1,9}})", folder)
    return int(match[1]) if match else 0


def _not_writable(log_folder: str | Path, error: OSError) -> ValueError:
    return ValueError(
        f"cannot write runs to {str(log_folder)!r}: {error.strerror or error}; give "
        "another folder with --log-folder"
    )
