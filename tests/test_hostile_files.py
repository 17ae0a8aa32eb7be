"""Files made to do harm: nothing in them runs, and each gets a sentence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch as th
import yaml
from hypothesis import strategies as st
from promises import long_form
from stable_baselines3 import PPO, SAC

from curiosity_rl import checkpoint
from curiosity_rl.adapters.algorithm_state import (
    algorithm_state,
    load_algorithm_state,
    load_weights,
)
from curiosity_rl.adapters.sb3_file import ImportFileError, import_weights
from curiosity_rl.agents import runs
from curiosity_rl.agents.config import ExperimentConfig, parse
from curiosity_rl.agents.experiment import build
from curiosity_rl.checkpoint import CheckpointError

SETTINGS: dict[str, Any] = {
    "env": "CartPole-v1",
    "algo": "ppo",
    "policy_kwargs": {"net_arch": [4]},
    "intrinsic": "none",
    "coef": 0.0,
    "n_envs": 2,
}


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def model() -> Any:
    return build(ExperimentConfig.load(**SETTINGS)).model


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint of an algorithm."""
    path = tmp_path_factory.mktemp("good") / "step_1"
    made = model()
    made._setup_learn(0)
    return checkpoint.save(path, {"model": algorithm_state(made)})


def rewrite(path: Path, name: str, content: bytes) -> None:
    """Change a member, and the manifest so that size and hash are right."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    told = {"bytes": len(content), "sha256": checkpoint._sha256(content)}
    manifest["files"][name] = told
    (path / "manifest.json").write_text(json.dumps(manifest))


def with_state(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    state = checkpoint.load(path)
    change(state["model"])
    shutil.rmtree(path)
    checkpoint.save(path, state)


def safetensors_file(header: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def pickled(name: str) -> Callable[[Path, Path], None]:
    return lambda path, target: rewrite(path, name, pickle.dumps(Payload(target)))


def extra(path: Path, target: Path) -> None:
    (path / "policy.pkl").write_bytes(pickle.dumps(Payload(target)))


def manifest_pickled(path: Path, target: Path) -> None:
    (path / "manifest.json").write_bytes(pickle.dumps(Payload(target)))


def wrong_hash(path: Path, target: Path) -> None:
    file = path / "arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")


def truncated(path: Path, target: Path) -> None:
    file = path / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:-9])


def linked(path: Path, target: Path) -> None:
    other = target.with_name("elsewhere")
    shutil.move(path / "state.json", other)
    (path / "state.json").symlink_to(other)


def folder_linked(path: Path, target: Path) -> None:
    other = target.with_name("elsewhere")
    shutil.move(path, other)
    path.symlink_to(other)


def pipe(path: Path, target: Path) -> None:
    (path / "state.json").unlink()
    os.mkfifo(path / "state.json")


def sparse(path: Path, target: Path) -> None:
    size = 2 * checkpoint.MOST_JSON  # a hole: it takes no room on the disk
    os.truncate(path / "state.json", size)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["state.json"]["bytes"] = size
    (path / "manifest.json").write_text(json.dumps(manifest))


def huge_shape(path: Path, target: Path) -> None:
    entry = {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 4]}
    rewrite(path, "arrays.safetensors", safetensors_file({"x": entry}, b"1234"))


def huge_header(path: Path, target: Path) -> None:
    rewrite(path, "arrays.safetensors", struct.pack("<Q", 2**62) + b"{}")


def outside(path: Path, target: Path) -> None:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [2**40, 2**40 + 4]}
    rewrite(path, "arrays.safetensors", safetensors_file({"x": entry}))


def paths_as_names(path: Path, target: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"] = {
        f"../../{name}": told for name, told in manifest["files"].items()
    }
    (path / "manifest.json").write_text(json.dumps(manifest))


def nested(path: Path, target: Path) -> None:
    rewrite(path, "state.json", b'{"list": [' * 100_000 + b"]}" * 100_000)


def no_mapping(path: Path, target: Path) -> None:
    rewrite(path, "state.json", b'{"list": [1, 2]}')


def unknown_leaf(path: Path, target: Path) -> None:
    rewrite(path, "state.json", b'{"mapping": [["a", {"object": "os.system"}]]}')


def unknown_array(path: Path, target: Path) -> None:
    rewrite(path, "state.json", b'{"mapping": [["a", {"array": "/../x"}]]}')


def nan_weights(path: Path, target: Path) -> None:
    def change(state: dict[str, Any]) -> None:
        state["parameters"]["policy"]["value_net.bias"][0] = np.nan

    with_state(path, change)


def other_shape(path: Path, target: Path) -> None:
    def change(state: dict[str, Any]) -> None:
        state["parameters"]["policy"]["value_net.bias"] = th.zeros(7)

    with_state(path, change)


def attribute(path: Path, target: Path) -> None:
    def change(state: dict[str, Any]) -> None:
        state["counters"]["policy_class"] = "os.system"

    with_state(path, change)


def weights_missing(path: Path, target: Path) -> None:
    with_state(path, lambda state: state["parameters"].pop("policy.optimizer"))


def wrong_types(path: Path, target: Path) -> None:
    with_state(path, lambda state: state.update(episodes=3, lanes="x"))


CORPUS: dict[Callable[[Path, Path], None], str] = {
    pickled("state.json"): "not a checkpoint",
    pickled("tensors.safetensors"): "not a checkpoint",
    pickled("arrays.safetensors"): "not a checkpoint",
    manifest_pickled: "not a checkpoint",
    extra: "'policy.pkl', which is no part",
    wrong_hash: "its sha256 is not the one",
    truncated: "its size is not the one",
    linked: "state.json is no plain file",
    folder_linked: "is a link",
    pipe: "state.json is no plain file",
    sparse: "bytes; at most",
    huge_shape: "not a checkpoint",
    huge_header: "not a checkpoint",
    outside: "not a checkpoint",
    paths_as_names: "not a checkpoint",
    nested: "nested too deeply",
    no_mapping: "holds a list, no mapping",
    unknown_leaf: "not a checkpoint",
    unknown_array: "not a checkpoint",
    nan_weights: "policy/value_net.bias holds NaN",
    other_shape: "does not fit this algorithm",
    attribute: "'policy_class'",
    weights_missing: "does not fit this algorithm",
    wrong_types: "does not fit this algorithm",
}


def everything(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


@pytest.mark.promise(
    "A hostile checkpoint runs nothing, writes nothing, gets a sentence"
)
@pytest.mark.parametrize(
    "harm", CORPUS, ids=lambda f: f.__name__.replace("<lambda>", "pickled")
)
def test_a_hostile_checkpoint_is_refused(
    harm: Callable[[Path, Path], None], good: Path, tmp_path: Path
) -> None:
    path, target = tmp_path / "runs" / "step_1", tmp_path / "touched"
    shutil.copytree(good, path)
    harm(path, target)
    there, victim = everything(tmp_path), model()
    before = checkpoint.weights_sha256(victim)
    with pytest.raises(CheckpointError, match=CORPUS[harm]) as raised:
        load_algorithm_state(victim, checkpoint.load(path)["model"])
    assert "\n" not in str(raised.value)
    assert everything(tmp_path) == there
    if harm is not wrong_types:  # found only after the weights were taken over
        assert checkpoint.weights_sha256(victim) == before


def test_the_whole_checkpoint_is_taken(good: Path) -> None:
    """What the corpus breaks works: each refusal above is about its harm."""
    state = checkpoint.load(good)["model"]
    load_weights(model(), state)
    assert not load_algorithm_state(model(), state)  # CartPole tells no state


@pytest.fixture(scope="module")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model saved by Stable-Baselines3."""
    path = tmp_path_factory.mktemp("zips") / "model.zip"
    settings = {"policy_kwargs": {"net_arch": [4]}, "seed": 5, "device": "cpu"}
    PPO("MlpPolicy", "CartPole-v1", **settings).save(path)
    return path


def with_member(path: Path, name: str, content: bytes, packed: bool = False) -> None:
    """Replace a member of a zip, or add one."""
    with zipfile.ZipFile(path) as file:
        members = {info.filename: file.read(info) for info in file.infolist()}
    members[name] = content
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as file:
        for member, value in members.items():
            file.writestr(member, value)


def tensor_file(value: Any, packed: bool = False) -> bytes:
    content = io.BytesIO()
    th.save(value, content)
    if not packed:
        return content.getvalue()
    again = io.BytesIO()
    with (
        zipfile.ZipFile(content) as file,
        zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as smaller,
    ):
        for info in file.infolist():
            smaller.writestr(info.filename, file.read(info))
    return again.getvalue()


def test_weights_of_an_sb3_model_come_over(zips: Path) -> None:
    ours = model()
    import_weights(ours, zips)
    theirs = PPO.load(zips, device="cpu")
    assert checkpoint.weights_sha256(ours) == checkpoint.weights_sha256(theirs)


def test_loose_tensors_of_an_sb3_model_come_over(tmp_path: Path) -> None:
    def make(seed: int) -> SAC:
        settings = {"policy_kwargs": {"net_arch": [4]}, "learning_starts": 4}
        return SAC("MlpPolicy", "Pendulum-v1", seed=seed, device="cpu", **settings)

    theirs, ours = make(1).learn(12), make(2)
    theirs.save(tmp_path / "sac.zip")
    import_weights(ours, tmp_path / "sac.zip")
    assert checkpoint.weights_sha256(ours) == checkpoint.weights_sha256(theirs)
    entropies = [m.log_ent_coef.item() for m in (ours, theirs)]  # type: ignore[union-attr]
    assert entropies[0] == entropies[1] != 0.0


@pytest.mark.promise("An SB3 .zip gives its weights and runs nothing")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pickle as weights", "policy.pth is no file of torch tensors"),
        ("torch pickle", "policy.pth is no file of plain tensors"),
        ("torch pickle, zipped", "policy.pth is no file of plain tensors"),
        ("no member", "has no policy.pth"),
        ("no zip", "is no readable SB3"),
        ("missing", "is no readable SB3"),
        ("truncated", "is no readable SB3"),
        ("bomb", "policy.pth would unpack to"),
        ("bomb of bombs", "policy.pth would unpack to"),
        ("NaN", "policy/value_net.bias holds NaN"),
        ("list", "policy holds no weights by name"),
        ("huge shape", "does not fit this algorithm"),
        ("other network", "does not fit this algorithm"),
    ],
)
def test_a_hostile_sb3_file_is_refused(
    name: str, message: str, zips: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    path, target = tmp_path / "model.zip", tmp_path / "touched"
    shutil.copy(zips, path)
    weights = dict(model().policy.state_dict())
    if name == "pickle as weights":
        with_member(path, "policy.pth", pickle.dumps(Payload(target)))
    elif name == "torch pickle":
        with_member(path, "policy.pth", tensor_file({"x": Payload(target)}))
    elif name == "torch pickle, zipped":
        with_member(path, "policy.pth", tensor_file([Payload(target)]), packed=True)
    elif name == "no member":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("data", pickle.dumps(Payload(target)))
    elif name == "no zip":
        path.write_bytes(pickle.dumps(Payload(target)))
    elif name == "missing":
        path.unlink()
    elif name == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif name == "bomb":
        monkeypatch.setattr("curiosity_rl.adapters.sb3_file.MOST_BYTES", 10**6)
        with_member(path, "policy.pth", bytes(2 * 10**6), packed=True)
        assert path.stat().st_size < 10**5
    elif name == "bomb of bombs":
        weights["x"] = th.zeros(10**6)
        with_member(path, "policy.pth", tensor_file(weights, packed=True))
        assert path.stat().st_size < 10**5
    elif name == "NaN":
        weights["value_net.bias"] = th.tensor([np.nan])
        with_member(path, "policy.pth", tensor_file(weights))
    elif name == "list":
        with_member(path, "policy.pth", tensor_file([1]))
    elif name == "huge shape":
        weights["value_net.bias"] = th.zeros(1).expand(2**10, 2**10)
        with_member(path, "policy.pth", tensor_file(weights))
    elif name == "other network":
        weights["value_net.bias"] = th.zeros(2)
        with_member(path, "policy.pth", tensor_file(weights))
    victim, there = model(), everything(tmp_path)
    before = checkpoint.weights_sha256(victim)
    with pytest.raises(ImportFileError, match=message) as raised:
        import_weights(victim, path)
    assert "\n" not in str(raised.value)
    assert everything(tmp_path) == there
    assert checkpoint.weights_sha256(victim) == before


def test_members_that_nobody_asked_for_are_never_read(
    zips: Path, tmp_path: Path
) -> None:
    path, target = tmp_path / "model.zip", tmp_path / "touched"
    shutil.copy(zips, path)
    for name in ("data", "../../escaped", "/etc/escaped", "extra.pth"):
        with_member(path, name, pickle.dumps(Payload(target)))
    import_weights(model(), path)
    assert everything(tmp_path) == {"model.zip"}


FLIPS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
    min_size=1,
    max_size=4,
)


@pytest.mark.promise("A damaged file gets a sentence, whatever the damage")
@hypothesis.settings(max_examples=long_form(60, 10_000), deadline=None)
@hypothesis.given(name=st.sampled_from(checkpoint._FILES), flips=FLIPS)
def test_any_damage_of_a_checkpoint_is_a_sentence(
    name: str, flips: list[tuple[float, int]], good: Path, victim: Any
) -> None:
    """The hash is right each time: what is read is what the harm made of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step_1"
        shutil.copytree(good, path)
        rewrite(path, name, flipped((path / name).read_bytes(), flips))
        with contextlib.suppress(CheckpointError):
            load_algorithm_state(victim, checkpoint.load(path)["model"])


@pytest.mark.promise("A damaged file gets a sentence, whatever the damage")
@hypothesis.settings(max_examples=long_form(60, 10_000), deadline=None)
@hypothesis.given(flips=FLIPS)
def test_any_damage_of_an_sb3_file_is_a_sentence(
    flips: list[tuple[float, int]], zips: Path, victim: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.zip"
        path.write_bytes(flipped(zips.read_bytes(), flips))
        with contextlib.suppress(ImportFileError):
            import_weights(victim, path)


@pytest.fixture(scope="module")
def victim() -> Any:
    return model()


def flipped(content: bytes, flips: list[tuple[float, int]]) -> bytes:
    """Change some bytes."""
    changed = bytearray(content)
    for where, bits in flips:
        changed[int(where * len(changed))] ^= bits
    return bytes(changed)


NAMES = st.one_of(
    st.text(max_size=100),
    st.from_regex(r"[./\\~A-Za-z0-9_\-]{0,40}"),
    st.sampled_from(["..", ".", "/", "a/../../b", "~root", "a\x00b", "CON", "a\n"]),
)


@pytest.mark.promise("No name leaves the folder of runs")
@hypothesis.settings(
    max_examples=long_form(60, 10_000),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(name=NAMES, env=NAMES)
def test_no_name_leaves_the_folder_of_runs(name: str, env: str, tmp_path: Path) -> None:
    try:
        config = ExperimentConfig(env=env, name=name, log_folder=str(tmp_path))
    except ValueError:
        return
    folder = runs.begin(config)
    assert folder.path.parent.parent == tmp_path
    inside = Path(os.path.realpath(folder.path)).relative_to(os.path.realpath(tmp_path))
    assert len(inside.parts) == 2
    shutil.rmtree(folder.path)


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(list(ExperimentConfig.__dataclass_fields__))
TAGS = st.sampled_from(
    [
        "!!python/object/apply:os.mkdir [harm]",
        "!!python/name:os.system ''",
        "!!python/module:this ''",
        "!!python/object/new:pathlib.Path [harm]",
        "&a [*a]",
        "{a: *unknown}",
    ]
)


@pytest.mark.promise("No YAML runs anything; each wrong one gets a sentence")
@hypothesis.settings(max_examples=long_form(150, 10_000), deadline=None)
@hypothesis.given(
    text=st.one_of(
        st.dictionaries(FIELDS, YAML, max_size=4).map(yaml.safe_dump),
        st.tuples(FIELDS, TAGS).map(": ".join),
        st.text(max_size=80),
    )
)
def test_no_yaml_runs_anything(text: str) -> None:
    there = set(os.listdir())
    with contextlib.suppress(ValueError):
        config = ExperimentConfig.load(**parse(text, "config"))
        assert parse(config.to_yaml(), "again")["env"] == config.env
    assert set(os.listdir()) == there
