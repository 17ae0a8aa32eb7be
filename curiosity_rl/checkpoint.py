"""Checkpoints that survive a crash and never run code: safetensors, JSON and sha256.

A checkpoint is a folder: `state.json` (structure and primitives), `tensors.safetensors`
and `arrays.safetensors` (torch and NumPy leaves), `manifest.json` (format, size and
sha256 of each file). It is written under a temporary name, flushed to disk and renamed,
so a folder with its final name is complete. Loading reads JSON and safetensors only,
of these four files and no others; nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

FORMAT = 1
MOST_JSON = 2**28
"""Bytes of `state.json` that are read, at most; a state of a run has about 2**14."""
_FILES = ("state.json", "tensors.safetensors", "arrays.safetensors")
_MANIFEST = "manifest.json"
_TEMPORARY = ".partial-"


class CheckpointError(ValueError):
    """A checkpoint cannot be written or read; the message says which and why."""


def save(path: Path, state: Mapping[str, Any]) -> Path:
    """Write `state` to the new folder `path`, all or nothing.

    Args:
        path: Folder to create; its parent is made if missing.
        state: Nested mappings, lists and tuples of torch tensors, NumPy arrays and
            scalars, str, bytes-free primitives and None.

    Raises:
        CheckpointError: If `path` exists, `state` holds anything else, or the disk is
            full or not writable. Nothing is left behind then.
    """
    if path.exists():
        raise CheckpointError(f"{path} exists already; a checkpoint is never replaced")
    tensors: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    tree = _pack(state, "", tensors, arrays)
    contents = (json.dumps(tree).encode(), _tensor_bytes(tensors), _bytes(arrays))
    partial = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        files = {}
        for name, content in zip(_FILES, contents, strict=True):
            files[name] = {"bytes": len(content), "sha256": _sha256(content)}
            _write(partial / name, content)
        manifest = {"format": FORMAT, "files": files}
        _write(partial / _MANIFEST, json.dumps(manifest, indent=1).encode())
        sync_folder(partial)
        partial.rename(path)
        sync_folder(path.parent)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise CheckpointError(
            f"cannot write the checkpoint {path}: {error.strerror or error}; what was "
            "saved before is untouched"
        ) from error
    return path


def load(path: Path) -> dict[str, Any]:
    """Read the state that `save` wrote, after checking every sha256.

    Raises:
        CheckpointError: If a file is missing, damaged, too many, no plain file or not
            of this format.
    """
    try:
        sizes = _members(path)
        manifest = json.loads(_read(path / _MANIFEST, sizes[_MANIFEST]))
        if manifest["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has checkpoint format {manifest['format']!r}; this version "
                f"of curiosity_rl reads format {FORMAT}"
            )
        contents = []
        for name in _FILES:
            told = manifest["files"][name]
            if sizes[name] != told["bytes"]:
                raise _damaged(path / name, "size")
            content = _read(path / name, sizes[name])
            if _sha256(content) != told["sha256"]:
                raise _damaged(path / name, "sha256")
            contents.append(content)
        import safetensors.numpy
        import safetensors.torch

        tree = json.loads(contents[0])
        tensors = safetensors.torch.load(contents[1])
        arrays = safetensors.numpy.load(contents[2])
        state = _unpack(tree, tensors, arrays)
        if not isinstance(state, dict):
            raise TypeError(f"state.json holds a {type(state).__name__}, no mapping")
        return state
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(
            f"{path} is not a readable checkpoint: {error.strerror or error} "
            f"({Path(error.filename or path).name})"
        ) from error
    except RecursionError as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of curiosity_rl: it is nested too deeply"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of curiosity_rl: {error}"
        ) from error


def newest_whole(folder: Path) -> tuple[Path, dict[str, Any], list[str]]:
    """Load the newest checkpoint of a folder that is whole.

    Returns:
        Where it is, its state, and of each newer one what is wrong with it.

    Raises:
        CheckpointError: If there is none; says what is wrong with those there are.
    """
    broken: list[str] = []
    for path in reversed(_finished(folder)):
        try:
            return path, load(path), broken
        except CheckpointError as error:
            broken.append(str(error))
    if broken:
        raise CheckpointError(
            f"{folder} holds no whole checkpoint: {'; '.join(broken)}"
        )
    raise CheckpointError(f"{folder} holds no checkpoint")


def keep_newest(folder: Path, number: int) -> None:
    """Remove all but the newest checkpoints, and what killed writers left behind.

    Only for the one process that writes here.
    """
    for path in _finished(folder)[:-number]:
        remove(path)
    for left in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a checkpoint, under a temporary name: a kill leaves no half of it."""
    if path.is_symlink():
        path.unlink()
        return
    gone = path.with_name(f"{_TEMPORARY}{path.name}-old")
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def latest(folder: Path) -> Path:
    """Return the newest complete checkpoint in `folder`, by the order of names.

    Raises:
        CheckpointError: If there is none.
    """
    found = _finished(folder)
    if not found:
        raise CheckpointError(f"{folder} holds no checkpoint")
    return found[-1]


def _finished(folder: Path) -> list[Path]:
    """Folders with a manifest, in the order of their names: the newest last."""
    return sorted(
        item
        for item in (folder.iterdir() if folder.is_dir() else ())
        if not item.name.startswith(_TEMPORARY) and (item / _MANIFEST).is_file()
    )


def weights_sha256(model: Any) -> str:
    """Return one hash over all weights of the policy, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.policy.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()


def _pack(
    value: Any, where: str, tensors: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Any:
    """Turn a state into JSON; tensors and arrays go to the tables, by their path."""
    torch: Any = sys.modules.get("torch")  # not loaded: no value is a tensor
    if torch is not None and torch.is_tensor(value):
        tensors[where] = torch.clone(value.detach().cpu().contiguous())
        return {"tensor": where}
    if value is None or isinstance(value, bool | int | float | str):
        if isinstance(value, np.generic):  # np.float64 is a float, np.str_ a str
            arrays[where] = np.asarray(value)
            return {"scalar": where}
        return value
    if isinstance(value, np.generic):
        arrays[where] = np.asarray(value)
        return {"scalar": where}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[where] = np.ascontiguousarray(value).reshape(value.shape)
        return {"array": where}
    if isinstance(value, Mapping):
        items = [
            [key, _pack(item, f"{where}/{key}", tensors, arrays)]
            for key, item in value.items()
            if _is_key(key, where)
        ]
        return {"mapping": items}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {
            kind: [
                _pack(item, f"{where}/{i}", tensors, arrays)
                for i, item in enumerate(value)
            ]
        }
    raise CheckpointError(
        f"state{where} is a {type(value).__name__}; a checkpoint holds only tensors, "
        "numeric arrays and primitives"
    )


def _is_key(key: Any, where: str) -> bool:
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise CheckpointError(
            f"state{where} has the key {key!r}; keys are text or whole numbers"
        )
    return True


def _unpack(tree: Any, tensors: Mapping[str, Any], arrays: Mapping[str, Any]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return arrays[content]
    if kind == "scalar":
        return arrays[content][()]
    if kind == "mapping":
        return {key: _unpack(item, tensors, arrays) for key, item in content}
    items = [_unpack(item, tensors, arrays) for item in content]
    return {"list": items, "tuple": tuple(items)}[kind]


def _members(path: Path) -> dict[str, int]:
    """Return the sizes of a checkpoint's files, or say what is there besides."""
    sizes = {}
    if path.is_symlink():
        raise CheckpointError(f"{path} is a link; a checkpoint is a plain folder")
    for name in sorted(os.listdir(path)):
        if name not in (*_FILES, _MANIFEST):
            raise CheckpointError(
                f"{path} holds {name!r}, which is no part of a checkpoint; it may not "
                "be what it claims to be, so nothing of it is read"
            )
        found = os.lstat(path / name)
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{path / name} is no plain file; it is not followed")
        most = _memory() if name.endswith(".safetensors") else MOST_JSON
        if found.st_size > most:
            raise CheckpointError(
                f"{path / name} has {found.st_size:,} bytes; at most {most:,} are read"
            )
        sizes[name] = found.st_size
    for name in (*_FILES, _MANIFEST):
        if name not in sizes:
            raise CheckpointError(
                f"{path} is not a readable checkpoint: it has no {name}"
            )
    return sizes


def _memory() -> int:
    """Bytes of memory of this machine."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 2**36


def _read(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged: its {what} is not the one in {_MANIFEST}; use another "
        "checkpoint"
    )


def _tensor_bytes(tensors: dict[str, Any]) -> bytes:
    import safetensors.torch

    return safetensors.torch.save(tensors)


def _bytes(arrays: dict[str, np.ndarray]) -> bytes:
    import safetensors.numpy

    return safetensors.numpy.save(arrays)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the disk remember what a folder holds."""
    if os.name != "nt":  # Windows cannot open a folder
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
