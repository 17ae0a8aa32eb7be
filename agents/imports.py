"""Where a command looks for the worlds of its user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def modules_of_this_folder() -> Iterator[None]:
    """Let modules in the current folder be imported, after all that is installed.

    An installed command, unlike `python -m`, does not look there by itself.
    """
    here = ""  # Python's own word for it
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)
