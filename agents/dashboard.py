"""The dashboard: TensorBoard over all runs, started and told where it is."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from curiosity_rl.agents.endings import guarded
from curiosity_rl.agents.flags import parse

HOST, PORT, LARGEST_PORT = "127.0.0.1", 6006, 65_535
EVENTS = "events.out.tfevents.*"
_DASHBOARD = """Show runs in a browser: curves, pictures and settings, by TensorBoard.

Open the printed address; Custom Scalars is the page to begin with. docs/tensorboard.md
says what everything on it means. Only this machine can see it. Ctrl-C ends it."""


def dashboard_main(args: Sequence[str] | None = None) -> int:
    """Start TensorBoard and wait; returns the exit code."""
    return guarded(_dashboard, args)


def _dashboard(args: Sequence[str]) -> None:
    given = vars(parse(_parser(), args, defaults=True))
    server = start(Path(given["logdir"]), given["port"])
    print(f"dashboard: {server}#custom_scalars (Ctrl-C ends it)", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)


def start(folder: Path, port: int) -> str:
    """Start TensorBoard in threads of this process; return its address.

    Args:
        folder: Where runs are, at any depth.
        port: Port to listen on, at this machine only; 0 for any that is free.

    Raises:
        ValueError: If there are no logs in the folder, or the port cannot be had.
    """
    if not folder.is_dir():
        raise ValueError(
            f"--logdir is {str(folder)!r}, which is no folder; give the --log-folder "
            "of your runs, or train one first: curiosity-rl train"
        )
    if next(folder.rglob(EVENTS), None) is None:
        raise ValueError(
            f"no run has logged anything below {str(folder)!r} yet; train one first, "
            f"for example: curiosity-rl train --log-folder {folder}"
        )
    if not 0 <= port <= LARGEST_PORT:
        raise ValueError(
            f"--port is {port}; give a number from 1 to {LARGEST_PORT}, or 0 for any "
            "that is free"
        )
    _check_port(port)
    from tensorboard import program

    board: Any = program.TensorBoard()
    flags = ["--logdir", str(folder), "--host", HOST, "--port", str(port)]
    if find_spec("tensorboard_data_server") is not None:
        flags += ["--load_fast", "true"]  # as by default, but without a note about it
    board.configure(argv=["tensorboard", *flags])
    try:
        return str(board.launch())
    except program.TensorBoardServerException as error:
        raise _taken(port) from error


def _check_port(port: int) -> None:
    """Raise a ValueError for a port that cannot be had, before anything is started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a second run
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise _taken(port) from error


def _taken(port: int) -> ValueError:
    return ValueError(
        f"port {port} cannot be had, since another program uses it or the system "
        "forbids it; give another with --port, or --port 0 for any that is free"
    )


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="dashboard",
        description=_DASHBOARD,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--logdir", type=str, default="runs", help="folder of runs")
    parser.add_argument(
        "--port", type=int, default=PORT, help="port of the address; 0: any free one"
    )
    return parser
