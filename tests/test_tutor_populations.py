"""Populations from a file: what is read, what is refused, and who comes of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml
from bkt_students import play
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats
from tutor_reference import lanes_of

from curiosity_rl.agents.answer_log import from_answers
from curiosity_rl.agents.calibration import calibrate, to_yaml
from curiosity_rl.envs.tutor import population_file, populations
from curiosity_rl.envs.tutor.population import Population
from curiosity_rl.envs.tutor.world import Tutor

DATA: dict[str, Any] = {
    "kind": "bkt",
    "version": 1,
    "prior": 0.25,
    "ability_sd": 0.5,
    "ability_on_learn": 0.5,
    "ability_on_answers": 0.2,
    "jitter_sd": [0.1, 0.2, 0.3],
    "clips": [0.01, 0.9, 0.02, 0.5, 0.03, 0.4],
    "skills": [
        {"name": "add", "learn": 0.1, "guess": 0.2, "slip": 0.3, "prior": 0.6},
        {"learn": 1, "guess": 0, "slip": 0.25},
    ],
    "refused": {"read": "12 students, fewer than 100"},
}


def written(folder: Path, data: Any) -> str:
    path = folder / "population.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return str(path)


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """The data with one value replaced."""
    data = copy.deepcopy(DATA)
    part: Any = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return data


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in DATA.items() if name != key}


def test_every_setting_is_read(tmp_path: Path):
    found = populations.parse(written(tmp_path, DATA))
    assert isinstance(found, Population)
    assert found.ability_sd == 0.5
    assert found.ability_on_learn == 0.5
    assert found.ability_on_answers == 0.2
    assert found.jitter_sd == (0.1, 0.2, 0.3)
    assert found.clips == (0.01, 0.9, 0.02, 0.5, 0.03, 0.4)
    assert found.table.shape == (2, 3)
    # none differ: the median student is the mean one
    same = DATA | {"ability_sd": 0, "jitter_sd": [0, 0, 0]}
    found = populations.parse(written(tmp_path, same))
    assert isinstance(found, Population)
    assert found.prior == pytest.approx(0.25)
    np.testing.assert_allclose(found.table, [[0.1, 0.2, 0.3], [1 - 1e-4, 1e-4, 0.25]])


@pytest.mark.parametrize("mean", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("deviation", [0.0, 0.3, 1.1])
def test_students_are_on_average_as_the_file_says(mean: float, deviation: float):
    middle = population_file.median(np.array(mean), np.array(deviation))
    x = np.log(middle / (1 - middle))
    z = stats.norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    drawn = 1 / (1 + np.exp(-(x + deviation * z)))
    assert drawn.mean() == pytest.approx(mean, abs=0.006)


def test_ability_on_answers_lifts_guesses_and_lowers_slips(tmp_path: Path):
    data = DATA | {"jitter_sd": [0, 0, 0], "clips": [0, 1, 0, 1, 0, 1]}
    data |= {"skills": DATA["skills"][:1], "ability_sd": 1.0, "prior": 0.0}
    found = {}
    for weight in (0.0, 0.6):
        file = written(tmp_path, data | {"ability_on_answers": weight})
        _, info = lanes_of(Tutor(population=file), 2000)
        truth = info["truth"]
        skill = ~truth["distractor"]
        one = np.argmax(skill, axis=1)
        found[weight] = [
            np.log(rate / (1 - rate))
            for rate in (
                truth[n][np.arange(2000), one].astype(float)
                for n in ("learn", "guess", "slip")
            )
        ]
    learn, guess, slip = found[0.6]
    np.testing.assert_array_equal(learn, found[0.0][0])
    assert np.ptp(found[0.0][1]) < 1e-5
    # the same ability moves all three: .5 of it learn, .6 guess, -.6 slip
    ability = (learn - np.median(learn)) / 0.5
    assert ability.std() == pytest.approx(1.0, abs=0.05)
    for logits, weight in ((guess, 0.6), (slip, -0.6)):
        moved = logits - np.median(logits)
        np.testing.assert_allclose(moved, weight * ability, atol=1e-3)


def test_a_calibrated_population_enters_the_world(tmp_path: Path):
    thetas = [(0.3, 0.2, 0.15, 0.1, 0.0), (0.5, 0.1, 0.3, 0.2, 0.0)]
    users, names, right = [], [], []
    for k, theta in enumerate(thetas):
        rows = play(theta, 500, 10, k)
        users += [f"u{n}" for n in range(500) for _ in range(10)]
        names += [f"skill {k}"] * 5000
        right += rows.ravel().tolist()
    calibrated = calibrate(from_answers(users, names, right))
    file = written(tmp_path, to_yaml(calibrated))
    people = populations.parse(file)
    assert isinstance(people, Population)
    assert people.ability_sd == pytest.approx(calibrated.ability.sd, abs=1e-6)
    assert people.ability_on_answers == calibrated.ability.on_answers
    # without jitter or ability, the students drawn have exactly these parameters
    data = yaml.safe_load(Path(file).read_text())
    file = written(tmp_path, data | {"ability_sd": 0, "jitter_sd": [0, 0, 0]})
    _, info = lanes_of(Tutor(population=file), 500)
    skill = ~info["truth"]["distractor"]
    for c, name in enumerate(("learn", "guess", "slip")):
        drawn = np.unique(info["truth"][name][skill])
        expected = np.sort(calibrated.table()[:, 1 + c])
        np.testing.assert_allclose(drawn, expected, atol=1e-5)
    env = gym.make("tutor-v0", population=file, budget=5)
    env.reset(seed=0)
    env.close()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "the file is no mapping of settings"),
        ("[1, 2]", "the file is no mapping of settings"),
        ("{", "is no YAML file"),
        ("\x07", "is no YAML file"),
        ("prior: 2026-99-99", "is no YAML file"),
        ("[" * 1500, "is no YAML file"),
        ("a: !!python/object/apply:os.getcwd []", "is no YAML file"),
        (without("prior"), "the file has no 'prior'"),
        (without("skills"), "the file has no 'skills'"),
        (DATA | {"prioor": 1}, "unknown setting 'prioor': did you mean prior?"),
        (changed("kind", to="irt"), "got kind 'irt', version 1"),
        (changed("version", to=2), "got kind 'bkt', version 2"),
        (changed("prior", to=1.5), "got prior=1.5; it is a number from 0"),
        (changed("prior", to="much"), "got prior='much'"),
        (changed("ability_sd", to=-1), "got ability_sd=-1"),
        (changed("ability_on_learn", to=None), "got ability_on_learn=None"),
        (changed("jitter_sd", to=0.2), "jitter_sd is no list of 3 numbers"),
        (changed("jitter_sd", to=[0.2] * 4), "jitter_sd is no list of 3 numbers"),
        (changed("jitter_sd", 1, to=True), "got jitter_sd=True"),
        (changed("clips", 0, to=0.95), "clips of learn: 0.95 to 0.9 is no range"),
        (changed("clips", 5, to=7), "got clips=7"),
        (changed("skills", to=[]), "skills is no list of skills"),
        (changed("skills", to={"a": 1}), "skills is no list of skills"),
        (changed("skills", 0, to=3), "skill 1 is no mapping of settings"),
        (changed("skills", 1, to={"learn": 0.1}), "skill 2 has no 'guess'"),
        (changed("skills", 0, "learn", to=float("nan")), "got learn of skill 1=nan"),
        (changed("skills", 0, "sleep", to=0.1), "unknown setting 'sleep'"),
    ],
)
def test_wrong_files_get_a_sentence(tmp_path: Path, data: Any, sentence: str):
    file = written(tmp_path, data)
    with pytest.raises(ValueError, match="population") as error:
        populations.parse(file)
    assert sentence in str(error.value)
    assert file in str(error.value)


def test_files_that_cannot_be_read_get_a_sentence(tmp_path: Path):
    with pytest.raises(ValueError, match=r"cannot read population .* No such file"):
        populations.parse(str(tmp_path / "none.yaml"))
    (tmp_path / "folder.yml").mkdir()
    with pytest.raises(ValueError, match="cannot read population"):
        populations.parse(str(tmp_path / "folder.yml"))
    long = written(tmp_path, "#" * (population_file.MOST_BYTES + 1))
    with pytest.raises(ValueError, match="more than 10,000,000 bytes"):
        populations.parse(long)


@given(text=some.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_no_text_does_worse_than_a_sentence(tmp_path_factory: Any, text: str):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, "utf-8", errors="replace")
    with pytest.raises(ValueError, match="population"):
        populations.parse(str(path))


def test_unknown_names_get_the_nearest():
    with pytest.raises(ValueError, match="did you mean textbook"):
        populations.parse("texbook")
