"""How commands end before their end: a sentence, an exit code, a way on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curiosity_rl.agents.imports import modules_of_this_folder

if TYPE_CHECKING:
    from curiosity_rl.agents.runs import RunFolder

WRONG_INPUT = 2
"""Exit code for what cannot be done as it was asked for."""
FAILED = 1
"""Exit code of a run that its disk or its world's numbers ended."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class RunEnded(Exception):  # noqa: N818  # Ctrl-C is no error
    """A run ended before its time; the message says why and how to go on.

    Attributes:
        exit_code: What the process returns.
    """

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(" ".join(sentence.split()))
        self.exit_code = exit_code


@contextmanager
def told(folder: RunFolder) -> Iterator[None]:
    """Turn what ends a run from outside into `RunEnded`; defects stay what they are.

    Raises:
        RunEnded: If it was stopped, the disk was full, or numbers were not finite.
        RuntimeError: For a ValueError: the settings were right, so it is a defect.
    """
    from curiosity_rl.adapters.paying import NotFinite
    from curiosity_rl.agents.interrupts import Stopped
    from curiosity_rl.agents.runs import RunLocked
    from curiosity_rl.checkpoint import CheckpointError

    try:
        yield
    except Stopped as stop:
        sentence = f"stopped after {stop.steps:,} steps; {_way_on(folder)}"
        raise RunEnded(sentence, stop.exit_code) from stop
    except KeyboardInterrupt as stop:
        raise RunEnded(f"stopped at once; {_way_on(folder)}", INTERRUPTED) from stop
    except NotFinite as error:
        raise RunEnded(f"error: {error}; {_way_on(folder)}", FAILED) from error
    except (CheckpointError, OSError) as error:
        sentence = str(error)
        if isinstance(error, OSError):
            where = "" if error.filename is None else f" {error.filename}"
            sentence = f"cannot write{where}: {error.strerror or error}"
        raise RunEnded(f"error: {sentence}; {_way_on(folder)}", FAILED) from error
    except RunLocked:
        raise
    except ValueError as error:
        raise RuntimeError(f"training failed: {error}") from error


def _way_on(folder: RunFolder) -> str:
    saved = sorted(path.name for path in folder.checkpoints.glob("step_*"))
    kept = f"saved: {saved[-1]}" if saved else "nothing was saved yet"
    return f"{kept}; go on: curiosity-rl train --resume {folder.path}"


def guarded(
    command: Callable[[Sequence[str]], None], args: Sequence[str] | None
) -> int:
    """Run a command; wrong input becomes a sentence on stderr and an exit code."""
    try:
        with modules_of_this_folder():
            command(sys.argv[1:] if args is None else args)
    except ValueError as error:
        return refuse(" ".join(str(error).split()))
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    except RunEnded as end:
        print(end, file=sys.stderr)
        return end.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        return refuse(f"{where}{error.strerror or error}")
    return 0


def refuse(sentence: str) -> int:
    """Print an error; return the exit code of wrong input."""
    print(f"error: {sentence}", file=sys.stderr)
    return WRONG_INPUT
