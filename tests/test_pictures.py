"""Maps: each cell has the colour of its number, legends and axes tell what it means."""

from __future__ import annotations

import numpy as np
import pytest

from curiosity_rl.canvas import FIRE, PAPER, SEA, ramp
from curiosity_rl.tracking.pictures import (
    WIDEST,
    Axes,
    mean_map,
    pooled,
    region_history,
    visit_map,
)


def colours_of(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.unique(picture.reshape(-1, 3), axis=0)}


def inside(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Find the frame of the only table, and return the middle of each of its cells."""
    ink = (picture == (45, 52, 64)).all(axis=2)
    top, *_, bottom = np.flatnonzero(ink.sum(axis=1) > picture.shape[1] / 3)
    left, *_, right = np.flatnonzero(ink[top : bottom + 1].all(axis=0))
    tall, wide = (bottom - top - 1) // rows, (right - left - 1) // columns
    ys = top + 1 + tall // 2 + tall * np.arange(rows)
    xs = left + 1 + wide // 2 + wide * np.arange(columns)
    return picture[np.ix_(ys, xs)]


def rounded(share: float, stops: np.ndarray = SEA) -> np.ndarray:
    return np.rint(ramp(share, stops))


def test_visits_are_coloured_by_their_logarithm() -> None:
    visits = np.array([[0, 1, 9], [99, 9, 0]])
    cells = inside(visit_map(visits), 2, 3)
    for place, count in np.ndenumerate(visits):
        share = np.log(1 + count) / np.log(100)
        expected = rounded(share) if count else PAPER
        np.testing.assert_array_equal(cells[place], expected)


def test_means_end_at_the_largest_and_blank_is_no_visit() -> None:
    sums, counts = np.array([[1.0, 6.0], [0.0, 0.0]]), np.array([[2.0, 3.0], [0, 0.5]])
    cells = inside(mean_map("Bonus", "", sums, counts), 2, 2)
    for place, share in (((0, 0), 0.25), ((0, 1), 1.0), ((1, 1), 0.0)):
        np.testing.assert_array_equal(cells[place], rounded(share, FIRE))
    np.testing.assert_array_equal(cells[1, 0], PAPER)


def test_negative_means_have_the_other_colours() -> None:
    sums = np.array([[-2.0, 4.0]])
    cells = inside(mean_map("Progress", "", sums, np.ones((1, 2))), 1, 2)
    np.testing.assert_array_equal(cells[0, 0], rounded(0.5, SEA))
    np.testing.assert_array_equal(cells[0, 1], rounded(1.0, FIRE))


def test_a_few_cells_that_stand_out_do_not_bleach_the_others() -> None:
    """Of 100 means one is 50 and the others .5: at the 98th percentile ends the scale.

    That percentile lies between the places 97 and 98 of the sorted means, both .5.
    """
    sums = np.full((10, 10), 0.5)
    sums[3, 4] = 50.0
    cells = inside(mean_map("Bonus", "", sums, np.ones((10, 10))), 10, 10)
    np.testing.assert_array_equal(cells[0, 0], rounded(1.0, FIRE))
    np.testing.assert_array_equal(cells[3, 4], rounded(1.0, FIRE))


def test_one_row_of_cells_is_drawn_as_bars() -> None:
    picture = visit_map(np.array([0, 1, 99]), Axes(("place",)))
    tall = {}
    for count, share in ((1, np.log(2) / np.log(100)), (99, 1.0)):
        hit = (picture == rounded(share)).all(axis=2)
        columns = hit.sum(axis=0)
        tall[count] = columns[columns > 0].max()
    assert tall[1] / tall[99] == pytest.approx(np.log(2) / np.log(100), abs=0.02)


def test_axes_have_the_names_that_fit() -> None:
    arm = Axes((("hand", "toy"), "y", "x"))
    assert arm.named(3) == (("hand", "toy"), "y", "x")
    assert Axes(("depth", "column")).named(2) == ((), "depth", "column")
    assert Axes(("place",)).named(1) == ((), "", "place")
    assert Axes(("place",)).named(2) == ((), "row", "column")
    assert Axes().named(3) == ((), "row", "column")


def test_tables_of_a_third_axis_stand_side_by_side() -> None:
    visits = np.zeros((2, 3, 4), int)
    visits[1, 2, 3] = 7
    picture = visit_map(visits, Axes((("first", "second"), "y", "x")))
    _, xs = np.nonzero((picture == rounded(1.0)).all(axis=2))
    assert xs.min() > picture.shape[1] / 2
    assert picture.shape[1] < WIDEST + 200


@pytest.mark.parametrize(
    "shape", [(3, 4 * WIDEST), (2 * WIDEST, 5), (4 * WIDEST,), (3, 400, 400)]
)
def test_large_tables_are_added_up_and_no_visit_is_lost(shape: tuple[int, ...]) -> None:
    visits = np.random.default_rng(0).poisson(0.3, shape)
    few = pooled(visits)
    assert few.sum() == visits.sum()
    assert few.shape[-1] * (few.shape[0] if few.ndim > 2 else 1) <= WIDEST
    assert few.ndim == visits.ndim
    assert visit_map(visits).shape[1] <= WIDEST + 200


@pytest.mark.parametrize("most", [0, 1, 2, 10**9])
@pytest.mark.parametrize("shape", [(1,), (1, 1), (300,), (2, 200), (200, 2), (3, 2, 2)])
def test_all_words_fit(most: int, shape: tuple[int, ...]) -> None:
    picture = visit_map(np.full(shape, most), where="world-v0 after 1,000 steps. ")
    assert picture.dtype == np.uint8
    for edge in (picture[:, :4], picture[:, -4:], picture[:4], picture[-4:]):
        assert (edge == PAPER).all()


def test_regions_have_a_row_each_and_columns_are_slices_of_time() -> None:
    visits = np.array([[4.0, 0.0], [1.0, 3.0]])
    bonus = np.array([[2.0, 0.0], [0.0, 3.0]])
    picture = region_history(["known", "hard"], visits, bonus, 200)
    found = colours_of(picture)
    for share in (1.0, 0.0, 0.25, 0.75):  # of the steps
        assert tuple(rounded(share)) in found
    for share in (0.5, 0.0, 1.0):  # 2 / 4, 0 / 1 and 3 / 3 of the largest mean, 1
        assert tuple(rounded(share, FIRE)) in found
    alone = region_history(["known", "hard"], visits, None, 200)
    assert tuple(rounded(0.5, FIRE)) not in colours_of(alone)
    assert len(alone) < len(picture)
