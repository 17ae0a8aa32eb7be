"""What every registered world promises of its state, its copies and its names."""

from __future__ import annotations

import copy
import hashlib
import inspect
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from world_play import (
    EVERY_WORLD,
    HORIZON,
    LANES,
    SEED,
    actions_for,
    arrays_in,
    assert_same,
    batch,
    fresh,
    is_objects,
    play,
    saved,
    scribble,
    short,
    single,
)

from curiosity_rl.registry import WORLDS, load


@EVERY_WORLD
def test_state_round_trip(name: str):
    """A state taken in the middle and restored elsewhere gives the same 200 steps."""
    actions = actions_for(name, 207)
    env = batch(name)
    env.reset(seed=SEED)
    play(env, actions[:7])
    state = env.get_state()
    kept = saved(state)
    first = play(env, actions[7:])
    assert_same(state, kept)  # a snapshot does not move on
    other = batch(name)
    other.reset(seed=99)
    play(other, actions[:3])
    for target in (other, batch(name), env):
        target.set_state(kept)
        assert_same(first, play(target, actions[7:]))
    assert_same(kept, saved(state))  # restoring takes a copy


@EVERY_WORLD
def test_state_round_trip_of_the_single_environment(name: str):
    actions = actions_for(name, 4 + HORIZON - 5, 1)[:, 0]
    env, other = single(name).unwrapped, single(name).unwrapped
    env.reset(seed=SEED)
    play(env, actions[:4])
    state = saved(env.get_state())
    other.set_state(state)
    runs = [
        [*play(e, actions[4:]), *[e.reset() for _ in range(5)]] for e in (env, other)
    ]
    assert_same(runs[0], runs[1])


@EVERY_WORLD
def test_states_of_other_settings_are_refused(name: str):
    other = settings_of_another(name)
    sources = [batch(name, LANES + 1), batch(name, **other), single(name).unwrapped]
    for source in sources:
        source.reset(seed=SEED)
        env = batch(name)
        env.reset(seed=SEED)
        before = env.get_state()
        with pytest.raises(ValueError, match="settings"):
            env.set_state(source.get_state())
        assert_same(before, env.get_state())
    lonely = batch(name, 1)
    lonely.reset(seed=SEED)
    with pytest.raises(ValueError, match="settings"):
        lonely.set_state(sources[-1].get_state())


def settings_of_another(name: str) -> dict[str, Any]:
    """Return settings that differ in the rules, not in the shape of a state."""
    mine = short(name)
    for key, setting in inspect.signature(load(WORLDS[name].world)).parameters.items():
        value = mine.get(key, setting.default)
        if type(value) is int:
            return {key: value + 1}
    pytest.skip("this world has no setting that is a number")


@EVERY_WORLD
def test_returned_arrays_are_never_reused(name: str):
    """Whatever was handed out may be kept, and may be written to."""
    env, spoilt = batch(name), batch(name)
    held, copies = [], []
    assert_same(env.reset(seed=SEED), fine := spoilt.reset(seed=SEED))
    scribble(fine)
    for action in actions_for(name, 2 * HORIZON + 1):
        given = action.copy()
        result = env.step(given), env.get_state(), env.coverage()
        assert_same(given, action)
        held.append(result)
        copies.append(copy.deepcopy(result))
        twin = spoilt.step(given), spoilt.get_state(), spoilt.coverage()
        given[:] = -1
        assert_same(result, twin)
        scribble(twin)
    assert_same(held, copies)
    numbers = [a for a in arrays_in(held[HORIZON - 1]) if not is_objects(a)]
    pairs = itertools.combinations(numbers, 2)
    assert not any(np.may_share_memory(a, b) for a, b in pairs)
    one = single(name).unwrapped
    start = one.reset(seed=SEED)
    kept = copy.deepcopy(start)
    play(one, actions_for(name, 3)[:, 0])
    assert_same(start, kept)


@EVERY_WORLD
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))]
)
@pytest.mark.parametrize("build", [batch, single])
def test_copies_go_on_alike_and_apart(
    name: str, build: Callable[..., Any], copied: Callable[[Any], Any]
):
    env = build(name)
    lanes = LANES if build is batch else 1
    actions = actions_for(name, HORIZON, lanes)
    actions = actions if build is batch else actions[:, 0]
    env.reset(seed=SEED)
    play(env, actions[:4])
    twin, later = copied(env), copied(env)
    first = [*play(env, actions[4:]), env.reset()]
    assert_same(first, [*play(twin, actions[4:]), twin.reset()])
    assert_same(first, [*play(later, actions[4:]), later.reset()])


def digest(name: str) -> str:
    """Return a hash over everything that a seeded run of a world gives."""
    env = batch(name)
    total = hashlib.sha256()
    for part in [env.reset(seed=SEED), *play(env, actions_for(name, 3 * HORIZON))]:
        for array in arrays_in(part):
            if not is_objects(array):
                total.update(array.tobytes())
    return total.hexdigest()


def test_equal_seeds_give_equal_runs_in_another_process():
    code = """
import sys
import test_world_state as here
for name in sys.argv[1:]:
    print(here.digest(name))
"""
    names = sorted(WORLDS)
    assert fresh(code, *names).split() == [digest(name) for name in names]
    assert len({digest(name) for name in names}) == len(names)


def test_every_id_is_found_by_its_names():
    code = """
import sys
import gymnasium as gym
for name in sys.argv[1:]:
    assert name not in gym.registry
first = gym.make(f"curiosity_rl:{sys.argv[1]}")
for name in sys.argv[1:]:
    forms = [f"curiosity_rl:{name}", name, f"curiosity_rl/{name}"]
    spaces = [gym.make(form).observation_space for form in forms]
    spaces += [gym.make_vec(form, 2).single_observation_space for form in forms]
    assert spaces == spaces[:1] * 6
    print(name)
"""
    assert fresh(code, *sorted(WORLDS)).split() == sorted(WORLDS)
