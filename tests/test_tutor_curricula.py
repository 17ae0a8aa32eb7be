"""Curricula: skills and prerequisites."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from curiosity_rl.envs.tutor import curricula
from curiosity_rl.envs.tutor.curricula import from_graph, parse

# Clement, Oudeyer & Lopes, EDM 2016: D_kj by skill, T where there is none (released
# code of the authors).
EDM2016 = (
    {2: {1: 0.2}, 3: {2: 0.2}, 4: {3: 0.2}, 5: {4: 0.2}, 6: {5: 0.2}},
    {3: {1: 0.1, 2: 0.1}, 4: {3: 0.2}, 5: {4: 0.2}, 6: {5: 0.2}},
    {2: {1: 0.2}, 4: {2: 0.2}, 6: {4: 0.2}, 5: {3: 0.2}},
    {2: {1: 0.2}, 3: {2: 0.2}, 5: {3: 0.2}, 4: {5: 0.2}, 6: {4: 0.2}},
    {2: {1: 0.2}, 4: {2: 0.2}, 3: {4: 0.2}, 5: {3: 0.2}, 6: {5: 0.2}},
)


@pytest.mark.parametrize("model", range(5))
def test_edm2016_graphs(model: int):
    c = parse(f"edm2016-{model}")
    assert c.skills == 6
    assert c.learn_first
    assert sorted(c.names) == [f"KC{k}" for k in range(1, 7)]
    assert c.parents is not None
    assert c.learn is not None
    for skill in range(6):
        number = int(c.names[skill][2:])
        links = EDM2016[model].get(number, {})
        assert {int(c.names[p][2:]) for p in c.parents[skill]} == set(links)
        assert c.learn[skill] == (0.0 if links else 0.2)
        for d in links.values():
            assert c.boost[skill] == pytest.approx(d)
        assert all(p < skill for p in c.parents[skill])


def test_chain_and_layered():
    c = parse("chain-4")
    assert c.parents == ((), (0,), (1,), (2,))
    assert c.learn is None
    assert not c.learn_first
    np.testing.assert_array_equal(
        c.parent_table(), [[-1, -1], [0, -1], [1, -1], [2, -1]]
    )
    layers = parse("layered-12")
    assert (layers.skills, layers.parents, layers.max_parents) == (12, None, 2)
    assert np.all(layers.parent_table() == -1)


def test_from_graph_puts_parents_first():
    c = from_graph({"d": ["b", "c", "a"], "c": ["a"], "b": ["a"], "a": []})
    assert c.names[0] == "a"
    assert c.names[3] == "d"
    assert c.max_parents == 3
    assert c.parents is not None
    assert c.parents[3] == (0, 1, 2)
    assert c.parent_table().shape == (4, 3)
    # said twice, meant once
    assert from_graph({"a": [], "b": ["a", "a"]}).parents == ((), (0,))


@given(some.integers(2, 20), some.randoms(use_true_random=False))
@settings(deadline=None)
def test_from_graph_keeps_every_link(count: int, random):
    order = list(range(count))
    random.shuffle(order)
    graph = {
        f"s{k}": [f"s{j}" for j in order[:n] if random.random() < 0.3]
        for n, k in enumerate(order)
    }
    items = list(graph.items())
    random.shuffle(items)
    c = from_graph(dict(items))
    assert c.parents is not None
    assert sorted(c.names) == sorted(graph)
    for skill, parents in enumerate(c.parents):
        assert all(p < skill for p in parents)
        assert {c.names[p] for p in parents} == set(graph[c.names[skill]])


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "form a cycle: .* -> .*remove one"),
        ({"a": ["a"], "b": []}, "form a cycle: a -> a"),
        ({"a": [], "b": ["x"]}, "skill 'b' needs 'x', which is not a skill.*'a', 'b'"),
        ({"a": []}, "got 1 skills; a curriculum has 2 to 256"),
        ({}, "got 0 skills; a curriculum has 2 to 256"),
        ({i: [] for i in range(257)}, "got 257 skills; a curriculum has 2 to 256"),
        ({"a": [], "b": 3}, "prerequisites of skill 'b'.*3.*list"),
        ({"a": [], "b": None}, "prerequisites of skill 'b'.*None.*list"),
        ({"ab": [], "c": "ab"}, "prerequisites of skill 'c'.*'ab'.*list"),
        ({"a": [], "b": [["a"]]}, r"skill 'b' needs \['a'\], which is not a skill"),
        ("chain-1", "got 1 skills; a curriculum has 2 to 256"),
        ("layered-257", "got 257 skills; a curriculum has 2 to 256"),
        ("edm2016-5", "unknown curriculum 'edm2016-5'; use .*edm2016-0 to edm2016-4"),
        ("chain", "unknown curriculum 'chain'; use layered-K or chain-K"),
        ("chain-3x", "unknown curriculum"),
        ("", "unknown curriculum ''"),
        (12, "unknown curriculum 12"),
        (None, "unknown curriculum None"),
    ],
)
def test_refused_curricula_say_why(bad, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        parse(bad)


@given(some.text(max_size=12) | some.from_regex(r"(layered|chain|edm2016)-\d+"))
@settings(deadline=None)
def test_any_name_is_parsed_or_refused(name: str):
    try:
        c = parse(name)
    except ValueError:
        return
    assert 2 <= c.skills <= curricula.MAX_SKILLS
    assert re.match("layered|chain|edm2016", name)


def test_the_order_within_a_list_of_prerequisites_means_nothing():
    graph = {"c": ["b", "a"], "d": ["a", "c"], "a": [], "b": []}
    turned = {skill: parents[::-1] for skill, parents in graph.items()}
    sets = {skill: set(parents) for skill, parents in graph.items()}
    assert from_graph(graph) == from_graph(turned)
    assert from_graph(graph) == from_graph(sets)  # type: ignore[arg-type]
