"""Compile kernels with numba, cached on disk under a key that can never go stale.

Numba invalidates a cached kernel when its own file changes, but not when a kernel that
it calls from another file does. So the cache directory is named by a hash of all
sources that its kernels can see: those of the ground and of their own room. A change
there starts a fresh cache; one in another room starts none. Where the package lies is
no part of the key: another environment with the same sources compiles nothing anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import numba
import platformdirs
from numba.core import caching, config, event

F = TypeVar("F", bound=Callable[..., Any])
_GROUND = "", "rewards"
_SEEN = {
    "envs": (*_GROUND, "envs"),
    "agents": (*_GROUND, "adapters", "tracking", "agents"),
}
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "forceinline": True,
    "_nrt": False,
}


_BLAS = "scipy.linalg.cython_blas"


def _import_numba_without_scipy() -> None:
    """Import the part of numba that asks whether there is a BLAS, and answer yes.

    Before its first kernel runs, numba imports all of `scipy.linalg` to see whether it
    is there: a sixth of the CPU time to the first step of a world, for nothing that our
    kernels use. Kernels that multiply matrices import it when they are compiled. So an
    empty module stands in for the question, and is gone before anybody else looks.
    """
    if "scipy.linalg" in sys.modules or find_spec("scipy") is None:
        return
    sys.modules[_BLAS] = ModuleType(_BLAS)
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules[_BLAS]


_import_numba_without_scipy()


def source_hash(root: Path, folders: Iterable[str] | None = None) -> str:
    """Return a short hash over Python sources.

    Args:
        root: Folder.
        folders: Folders below it, links among them, each with all folders below it but
            `""`: the sources in `root` itself. None: all below `root`.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    chosen = [root] if folders is None else [root / name for name in folders]
    for top in chosen:
        walk = sorted(os.walk(top, followlinks=True))
        if folders is not None and top == root:
            walk = walk[:1]
        for folder, _, files in walk:
            for name in sorted(files):
                if name.endswith(".py"):
                    path = Path(folder, name)
                    digest.update(str(path.relative_to(root)).encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def seen_by(module: str) -> tuple[str, ...] | None:
    """Return the folders of the package that a module's kernels can call into.

    What those import lies in them too (tests/test_layout.py holds that). None, for
    modules of others: all.
    """
    package, _, inside = module.partition(".")
    if package != __package__:
        return None
    return _SEEN.get(inside.partition(".")[0], _GROUND)


def _private(folder: Path) -> bool:
    """Whether nobody else can write there: numba unpickles what it finds."""
    status = folder.lstat()
    mine = os.name == "nt" or status.st_uid == os.getuid()
    return mine and not stat.S_ISLNK(status.st_mode) and not status.st_mode & 0o022


@cache
def cache_dir(folders: tuple[str, ...] | None = None) -> str:
    """Return a writable directory for compiled kernels of exactly these sources.

    Args:
        folders: See `source_hash`; None: the whole package.
    """
    key = "kernels-" + source_hash(Path(__file__).parent, folders)
    shared = tempfile.gettempdir()
    for base in (platformdirs.user_cache_dir("curiosity_rl"), shared):
        folder = Path(base, key)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if base == shared and not _private(folder):
                continue
            with tempfile.TemporaryFile(dir=folder):
                return str(folder)
        except OSError:
            continue
    return tempfile.mkdtemp(prefix=key)


_KNOWN: Any = caching  # older releases call it by another name, and ask for no class
_BASE: Any = getattr(
    _KNOWN,
    "UserProvidedCacheLocator",
    getattr(_KNOWN, "_UserProvidedCacheLocator", object),
)


class BySource(_BASE):
    """Tells numba where a kernel of ours is kept: by its module, wherever that lies.

    The cache's folder is named by the sources, so that they cannot be stale in it.
    Kernels of other packages are kept by path and content, as numba does it.
    """

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Return the name of the folder for kernels of a file."""
        inside = _inside(py_file)
        if inside is None:
            return super().get_suitable_cache_subpath(py_file)
        return "-".join(("ours", *inside.parent.parts))

    def get_source_stamp(self) -> Any:
        """Return what tells an older content of the same file."""
        return "" if _inside(self._py_file) else super().get_source_stamp()


def _inside(file: str) -> Path | None:
    """Return where a file lies within this package, or None."""
    path, package = Path(file).absolute(), Path(__file__).absolute().parent
    return path.relative_to(package) if path.is_relative_to(package) else None


class _Announcement(event.Listener):
    """Says, once, that time goes into compiling our kernels."""

    def __init__(self) -> None:
        self.made = False

    def on_start(self, event: event.Event) -> None:
        details: Any = event.data
        module = details["dispatcher"].py_func.__module__
        if module.startswith("curiosity_rl.") and not self.made:
            self.made = True
            print(
                "curiosity_rl: compiling kernels for this machine; they are kept for "
                "the next time (up to a minute)",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _Announcement())


def kernel(function: F) -> F:
    """Compile a function in nopython mode, cached, with NumPy's error model.

    Kernels may not allocate arrays: the caller passes scratch space. In return they
    are free of reference counting, whose atomic operations cost ten times the rules of
    a world, and calls between them are always inlined. The setting of the user's own
    numba cache is left as it was.
    """
    return _compiled(function, _OPTIONS)


def routine(function: F) -> F:
    """Compile like `kernel`, but as a function of its own that is called.

    For long code used in many places, which would take minutes to compile inlined. A
    call costs some ten nanoseconds: pass views of arrays, not whole states.
    """
    return _compiled(function, _OPTIONS | {"forceinline": False})


def _compiled(function: F, options: dict[str, Any]) -> F:
    settings: Any = config  # its names are made at run time
    folder = cache_dir(seen_by(function.__module__))
    before = settings.CACHE_DIR, getattr(settings, "CACHE_LOCATOR_CLASSES", "")
    settings.CACHE_DIR = folder
    settings.CACHE_LOCATOR_CLASSES = f"{BySource.__module__}.{BySource.__name__}"
    try:
        return cast(F, numba.njit(**options)(function))
    finally:
        settings.CACHE_DIR, settings.CACHE_LOCATOR_CLASSES = before
