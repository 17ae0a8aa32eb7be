"""Checkpoints that survive a crash and never run code: safetensors, JSON and sha256.

A checkpoint is a folder: `state.json` (structure and primitives), `tensors.safetensors`
and `arrays.safetensors` (torch and NumPy leaves), `manifest.json` (format, size and
sha256 of each file). It is written under a temporary name, flushed to disk and renamed,
so a folder with its final name is complete. Loading reads JSON and safetensors only;
nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import operator
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

FORMAT = 1
_FILES = ("state.json", "tensors.safetensors", "arrays.safetensors")
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
        CheckpointError: If `path` exists or `state` holds anything else.
    """
    if path.exists():
        raise CheckpointError(f"{path} exists already; a checkpoint is never replaced")
    tensors: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    tree = _pack(state, "", tensors, arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        contents = (json.dumps(tree).encode(), _tensor_bytes(tensors), _bytes(arrays))
        files = {}
        for name, content in zip(_FILES, contents, strict=True):
            files[name] = {"bytes": len(content), "sha256": _sha256(content)}
            _write(partial / name, content)
        manifest = {"format": FORMAT, "files": files}
        _write(partial / "manifest.json", json.dumps(manifest, indent=1).encode())
        _sync_folder(partial)
        partial.rename(path)
        _sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return path


def load(path: Path) -> dict[str, Any]:
    """Read the state that `save` wrote, after checking every sha256.

    Raises:
        CheckpointError: If a file is missing, damaged or not of this format.
    """
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        if manifest["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has checkpoint format {manifest['format']!r}; this version "
                f"of curiosity_rl reads format {FORMAT}"
            )
        contents = []
        for name in _FILES:
            content = (path / name).read_bytes()
            if _sha256(content) != manifest["files"][name]["sha256"]:
                raise CheckpointError(
                    f"{path / name} is damaged: its sha256 is not the one in "
                    "manifest.json; use another checkpoint"
                )
            contents.append(content)
        import safetensors.numpy
        import safetensors.torch

        tree = json.loads(contents[0])
        tensors = safetensors.torch.load(contents[1])
        arrays = safetensors.numpy.load(contents[2])
        return _unpack(tree, tensors, arrays)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(
            f"{path} is not a readable checkpoint: {error.strerror or error} "
            f"({Path(error.filename or path).name})"
        ) from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of curiosity_rl: {error}"
        ) from error


def latest(folder: Path) -> Path:
    """Return the newest complete checkpoint in `folder`, by the order of names.

    Raises:
        CheckpointError: If there is none.
    """
    found = sorted(
        item
        for item in (folder.iterdir() if folder.is_dir() else ())
        if not item.name.startswith(_TEMPORARY) and (item / "manifest.json").is_file()
    )
    if not found:
        raise CheckpointError(f"{folder} holds no checkpoint")
    return found[-1]


def model_state(model: Any) -> dict[str, Any]:
    """Collect the learned part of a Stable-Baselines3 algorithm.

    Weights and optimizers of `get_parameters`, loose tensors such as SAC's log
    entropy coefficient, and the number of steps.
    """
    _, loose = model._get_torch_save_params()
    return {
        "parameters": model.get_parameters(),
        "tensors": {name: operator.attrgetter(name)(model) for name in loose},
        "num_timesteps": int(model.num_timesteps),
    }


def load_model_state(model: Any, state: Mapping[str, Any]) -> None:
    """Put what `model_state` returned into an algorithm built from the same config.

    Raises:
        CheckpointError: If the weights do not fit the algorithm.
    """
    try:
        model.set_parameters(
            dict(state["parameters"]), exact_match=True, device=model.device
        )
    except (RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"the checkpoint's weights do not fit this algorithm: {error}"
        ) from error
    for name, value in state["tensors"].items():
        if value is not None:
            operator.attrgetter(name)(model).data.copy_(value)
    model.num_timesteps = state["num_timesteps"]


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


def _sync_folder(path: Path) -> None:
    if os.name != "nt":  # Windows cannot open a folder
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
