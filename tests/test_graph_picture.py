"""Pictures: shapes cover what they should, graphs stand in layers."""

from __future__ import annotations

import numpy as np
import pytest

from curiosity_rl.canvas import GOLD, INK, Canvas, ramp
from curiosity_rl.graph_picture import draw_graph, layered_positions

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def ink(canvas: Canvas) -> float:
    """Area drawn in black on white, in pixels."""
    return float((1.0 - canvas.pixels[..., 0] / 255).sum())


def test_shapes_have_the_area_of_geometry() -> None:
    disc, ring, line, box = (Canvas(80, 100, WHITE) for _ in range(4))
    disc.disc(50.3, 40.2, 20, BLACK)
    assert ink(disc) == pytest.approx(np.pi * 20**2, rel=0.01)
    ring.ring(50, 40, 20, 4, BLACK)
    assert ink(ring) == pytest.approx(2 * np.pi * 20 * 4, rel=0.01)
    line.line((20, 20), (60, 50), 6, BLACK)
    assert ink(line) == pytest.approx(50 * 6 + np.pi * 3**2, rel=0.02)
    box.box(10, 10, 70, 30, BLACK)
    assert ink(box) == pytest.approx(60 * 20)


def test_shapes_may_stand_outside_the_picture() -> None:
    canvas = Canvas(20, 30, WHITE)
    canvas.disc(-50, -50, 10, BLACK)
    canvas.line((100, 100), (200, 90), 3, BLACK)
    assert ink(canvas) == 0
    canvas.disc(0, 10, 5, BLACK)
    assert ink(canvas) == pytest.approx(np.pi * 25 / 2, rel=0.02)


def test_numbers_differ_and_are_centred() -> None:
    drawn = set()
    for digit in range(10):
        canvas = Canvas(11, 11, WHITE)
        canvas.number(5.5, 5.5, digit, 1, BLACK)
        drawn.add(canvas.image().tobytes())
        ys, xs = np.nonzero(canvas.pixels[..., 0] < 255)
        assert (ys.min(), ys.max()) == (3, 7)
        assert xs.min() >= 4
        assert xs.max() <= 6
    assert len(drawn) == 10


def test_ramp_darkens_and_clips() -> None:
    shades = ramp(np.linspace(0, 1, 30)).sum(-1)
    assert (np.diff(shades) < 0).all()
    np.testing.assert_array_equal(ramp([-3.0, 7.0]), ramp([0.0, 1.0]))


def test_layers_follow_the_deepest_parent() -> None:
    parents = np.array([[-1, -1], [0, -1], [0, 1], [-1, -1], [2, 0]])
    apart = np.array([False, False, False, True, False])
    place = layered_positions(parents, apart)
    np.testing.assert_allclose(place[:, 1], np.array([0, 1, 2, 4, 3]) / 4)
    assert len(np.unique(place, axis=0)) == 5
    assert ((place >= 0) & (place <= 1)).all()


def test_parallel_chains_do_not_cross() -> None:
    parents = np.array([[-1], [-1], [-1], [2], [0], [1]])
    place = layered_positions(parents)
    np.testing.assert_allclose(place[[3, 4, 5], 0], place[[2, 0, 1], 0])


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        layered_positions(np.array([[1], [2], [0]]))


def test_graph_shows_goals_activity_and_budget() -> None:
    place = layered_positions(np.array([[-1], [0], [1]]))
    edges, fill = np.array([[0, 1], [1, 2]]), ramp([0.1, 0.5, 0.9])

    def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
        return int((picture == colour).all(-1).sum())

    plain = draw_graph(place, edges, fill)
    assert plain.shape == (400, 520, 3)
    assert plain.dtype == np.uint8
    assert count(plain, GOLD) == count(plain, INK) == 0
    goals = draw_graph(place, edges, fill, ringed=np.array([False, True, True]))
    one = draw_graph(place, edges, fill, ringed=np.array([False, True, False]))
    assert count(goals, GOLD) > 1.8 * count(one, GOLD) > 0
    assert count(draw_graph(place, edges, fill, active=1), INK) > 0
    full, half, empty = (
        count(draw_graph(place, edges, fill, left=left), INK) for left in (1, 0.5, 0)
    )
    assert full > 1.8 * half > 0
    assert empty == 0
