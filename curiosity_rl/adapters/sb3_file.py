"""Take weights out of a Stable-Baselines3 `.zip` without running what else is in it.

`PPO.load` unpickles whatever the file's `data` holds, which runs code. Here nothing but
the tensors is read, into an algorithm that was built from settings of one's own.
"""

from __future__ import annotations

import io
import operator
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm

MOST_BYTES = 2**32
"""Bytes of one member that are read, unpacked."""
_UNREADABLE = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
_DAMAGED = (
    pickle.UnpicklingError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
_LOOSE = "pytorch_variables"


class ImportFileError(ValueError):
    """A file of weights cannot be used; the message says which and why."""


def import_weights(model: BaseAlgorithm, path: str | Path) -> None:
    """Set an algorithm's weights and optimizers to those of an SB3 `.zip`.

    Args:
        model: An algorithm of the same kind, with the same network.
        path: What `model.save` of Stable-Baselines3 wrote, here or elsewhere.

    Raises:
        ImportFileError: If it is no such file, is damaged or too large, holds anything
            but plain tensors, weights that are not finite, or those of another network.
            The algorithm's weights are then as before.
    """
    names, loose = model._get_torch_save_params()
    try:
        with zipfile.ZipFile(path) as file:
            parameters = {name: _tensors(file, f"{name}.pth") for name in names}
            variables = _tensors(file, f"{_LOOSE}.pth") if loose else {}
    except _UNREADABLE as error:
        raise ImportFileError(f"{path} is no readable SB3 .zip: {error}") from error
    _check_finite(path, {**parameters, _LOOSE: variables})
    before = _copied(model.get_parameters())
    try:
        model.set_parameters(parameters, exact_match=True, device=model.device)
        for name in loose:
            found: Any = operator.attrgetter(name)(model)
            if found is not None:
                found.data.copy_(variables[name])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        model.set_parameters(before, exact_match=True, device=model.device)
        text = " ".join(str(error).split())
        raise ImportFileError(
            f"{path} does not fit this algorithm: {text}; build one with the settings "
            "that the file was trained with"
        ) from error


def _tensors(file: zipfile.ZipFile, name: str) -> Any:
    """Read one member, tensors and plain containers only."""
    content = _member(file, name)
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ImportFileError(f"{file.filename}: {name} is no file of torch tensors")
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        total = sum(item.file_size for item in inner.infolist())
        packed = any(i.compress_type != zipfile.ZIP_STORED for i in inner.infolist())
    if packed or total > MOST_BYTES:
        raise ImportFileError(
            f"{file.filename}: {name} would unpack to {total:,} bytes; torch writes "
            f"plain members of at most {MOST_BYTES:,}"
        )
    try:
        return th.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (*_UNREADABLE, *_DAMAGED) as error:
        raise ImportFileError(
            f"{file.filename}: {name} is no file of plain tensors, and nothing else of "
            f"it is run: {' '.join(str(error).split())[:200]}"
        ) from error


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = file.getinfo(name)
    except KeyError:
        raise ImportFileError(
            f"{file.filename} has no {name}: it is no model of this algorithm"
        ) from None
    if info.file_size > MOST_BYTES:
        raise ImportFileError(
            f"{file.filename}: {name} would unpack to {info.file_size:,} bytes; at "
            f"most {MOST_BYTES:,} are read"
        )
    with file.open(info) as member:
        content = member.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise ImportFileError(f"{file.filename}: {name} is not as long as it claims")
    return content


def _check_finite(path: str | Path, parameters: dict[str, Any]) -> None:
    for kind, group in parameters.items():
        if not isinstance(group, dict):
            raise ImportFileError(f"{path}: {kind} holds no weights by name")
        for name, value in group.items():
            if th.is_tensor(value) and not bool(th.isfinite(value).all()):
                raise ImportFileError(f"{path}: {kind}/{name} holds NaN or infinity")


def _copied(value: Any) -> Any:
    if th.is_tensor(value):
        return value.detach().clone()
    if isinstance(value, dict):
        return type(value)((key, _copied(item)) for key, item in value.items())
    return [_copied(item) for item in value] if isinstance(value, list) else value
