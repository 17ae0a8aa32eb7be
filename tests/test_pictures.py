"""Maps of visits: each cell is drawn by how often it was seen."""

from __future__ import annotations

import numpy as np
import pytest

from curiosity_rl.canvas import PAPER, ramp
from curiosity_rl.tracking.pictures import MARGIN, WIDEST, visit_map


def cell(picture: np.ndarray, row: int, column: int, size: int) -> np.ndarray:
    """Colour in the middle of a cell of the map."""
    at = MARGIN + size // 2
    return picture[at + size * row, at + size * column]


def test_cells_are_coloured_by_the_logarithm_of_visits() -> None:
    visits = np.array([[0, 1, 9], [99, 9, 0]])
    picture = visit_map(visits)
    size = WIDEST // 3
    assert picture.dtype == np.uint8
    for (row, column), count in np.ndenumerate(visits):
        share = np.log(1 + count) / np.log(100)
        expected = np.rint(ramp(share)) if count else PAPER
        np.testing.assert_array_equal(cell(picture, row, column, size), expected)


def test_a_row_of_cells_and_stacked_tables_are_laid_out_flat() -> None:
    row = visit_map(np.array([1, 0, 5]))
    assert (cell(row, 0, 1, WIDEST // 3) == PAPER).all()
    assert (cell(row, 0, 2, WIDEST // 3) != PAPER).any()
    stacked = np.zeros((2, 3, 4), int)
    stacked[1, 2, 0] = 7
    picture = visit_map(stacked)
    size = WIDEST // 9  # 4 columns, a gap, 4 columns
    assert (cell(picture, 2, 5, size) != PAPER).any()
    assert (cell(picture, 2, 0, size) == PAPER).all()


def test_large_tables_are_added_up_into_fewer_cells() -> None:
    visits = np.zeros((3, 4 * WIDEST), int)
    visits[2, -1] = 3
    picture = visit_map(visits)
    assert picture.shape[1] <= WIDEST + 2 * MARGIN
    np.testing.assert_array_equal(
        picture[MARGIN, MARGIN + WIDEST - 1], ramp(1.0).round()
    )
    assert (picture[MARGIN, MARGIN : MARGIN + WIDEST - 1] == PAPER).all()


@pytest.mark.parametrize("most", [0, 1, 2, 10**9])
def test_the_legend_fits(most: int) -> None:
    picture = visit_map(np.array([[most, 0]]))
    assert (picture[:, : MARGIN // 2] == PAPER).all()
    assert (picture[:, -MARGIN // 2 :] == PAPER).all()
    assert (picture[-MARGIN // 2 :] == PAPER).all()
