"""Pictures of lessons: what was taught when, what was known when, and who knew what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curiosity_rl.canvas import GOLD, MUTED, PAPER, SEA, ramp
from curiosity_rl.graph_picture import layered_positions
from curiosity_rl.tracking.sheet import MARGIN, SMALL, SOFT, Sheet, length

WIDE, TALL = 448, 224
"""Pixels of a panel."""
LEFT, AXIS, SLICES = 76, 36, 48
UNKNOWN, BEFORE, LEARNT = 0.02, 0.42, 0.9
"""Shades of a skill that is not known at the exam, was known before, was learnt."""
STUDENTS = {"weak": 0.1, "middling": 0.5, "strong": 0.9}
"""Quantiles of the students who are drawn one by one."""
GRAPH = (240, 264)
"""Width and height of the graph of one student."""


@dataclass(frozen=True)
class Lessons:
    """Whole episodes of students of one tutor; every array has a row per student.

    Attributes:
        activity: Activity of the exercises `1, 1 + stride, ..`, `(n, P)`; -1 after the
            end of an episode.
        known: Skills known before these exercises, and at the end, `(n, P + 1, A)`; the
            last of an episode stays.
        attempts: Exercises of each activity, `(n, A)`.
        parents: Prerequisites, -1 for none, `(n, A, P)`.
        goal: Skills of the exam, `(n, A)` bool.
        distractor: Activities that nobody can learn, `(n, A)` bool.
        learn: Chance to learn each skill, `(n, A)`.
        budget: Exercises of the longest episode.
    """

    activity: np.ndarray
    known: np.ndarray
    attempts: np.ndarray
    parents: np.ndarray
    goal: np.ndarray
    distractor: np.ndarray
    learn: np.ndarray
    budget: int

    def layers(self) -> np.ndarray:
        """Return the layer of every skill, from 0; -1 for distractors, `(n, A)`.

        A skill stands one layer below its deepest prerequisite.
        """
        students, activities, _ = self.parents.shape
        depth = np.zeros((students, activities), np.int64)
        student = np.arange(students)[:, None, None]
        for _ in range(activities):
            above = np.where(self.parents >= 0, depth[student, self.parents] + 1, 0)
            deeper = above.max(axis=2, initial=0)
            if np.array_equal(deeper, depth):
                break
            depth = deeper
        depth[self.distractor] = -1
        return depth


def curriculum_shares(lessons: Lessons, slices: int) -> np.ndarray:
    """Return which layer the exercises were of, slice by slice, `(slices, L + 1)`.

    Shares add up to 1 over the layers and, last, the distractors; a slice in which
    there was no exercise any more is 0 throughout.
    """
    layers = lessons.layers()
    most = int(layers.max(initial=0)) + 1
    student, point = np.nonzero(lessons.activity >= 0)
    of = layers[student, lessons.activity[student, point]]
    slot = point * slices // lessons.activity.shape[1]
    counts = np.zeros((slices, most + 1))
    np.add.at(counts, (slot, np.where(of < 0, most, of)), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def layer_colours(layers: int) -> np.ndarray:
    """Return the colours of so many layers and of distractors, `(layers + 1, 3)`."""
    deep = ramp(np.linspace(0.12, 1.0, layers), SEA)
    return np.concatenate([deep, [np.asarray(MUTED, float)]])


def curriculum_picture(lessons: Lessons, where: str = "") -> np.ndarray:
    """Draw which layers the exercises were of over the episode, as a stacked area.

    The first layer stands at the bottom, distractors at the top; the heights of the
    colours in a column are shares and fill it.
    """
    slices = min(SLICES, lessons.activity.shape[1])
    shares = curriculum_shares(lessons, slices)
    colours = layer_colours(shares.shape[1] - 1)
    names = [f"layer {number + 1}" for number in range(len(colours) - 1)]
    if lessons.distractor.any():
        names.append("distractors")
    note = (
        f"{where}Share of the exercises at each time of the episode, of the latest "
        f"{len(lessons.activity)} training students. Layer 1 has no prerequisites; a "
        "skill stands one layer below its deepest one."
    )
    width = LEFT + WIDE + MARGIN
    rows = _key_rows(names, width)
    sheet = Sheet("Curriculum", note, TALL + AXIS + 22 * rows + 8, width)
    top = sheet.top
    height = (np.arange(TALL)[::-1] + 0.5) / TALL
    borders = np.cumsum(shares, axis=1)
    stacked = (height[:, None, None] > borders).sum(axis=2)  # (TALL, slices)
    picture = colours[np.minimum(stacked, len(colours) - 1)]
    picture[:, shares.sum(axis=1) == 0] = PAPER
    _panel(sheet, np.rint(picture).astype(np.uint8), top, lessons.budget)
    for share, text in ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")):
        y = top + 6 + (TALL - 12) * (1 - share)
        sheet.write(LEFT - 7, y, text, SMALL, SOFT, at="rm")
    sheet.write_up(LEFT - 54, top + TALL / 2, "share of exercises")
    x, y = float(MARGIN), top + TALL + AXIS + 8.0
    for name, colour in zip(names, colours, strict=False):
        if x > MARGIN and x + length(name, SMALL) + 18 > width - MARGIN:
            x, y = float(MARGIN), y + 22
        x = sheet.key(x, y, colour, name)
    return sheet.image()


def mastery_shares(lessons: Lessons) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of students who know each skill, and the skills' layers.

    Row r is every student's r-th skill, layer by layer (students may have graphs of
    their own); its layer is the one that the middle student has there.

    Returns:
        Shares `(K, P + 1)` and layers `(K,)`.
    """
    layers = lessons.layers()
    last = layers.max(initial=0) + 1
    keys = np.where(layers < 0, last, layers)
    order = np.argsort(keys, axis=1, kind="stable")
    skills = int((layers >= 0).sum(axis=1).min(initial=layers.shape[1]))
    order = order[:, :skills]
    known = np.take_along_axis(lessons.known, order[:, None, :], axis=2)
    rows = np.sort(np.take_along_axis(layers, order, axis=1), axis=0)
    return known.mean(axis=0).T, rows[(len(rows) - 1) // 2]


def mastery_picture(lessons: Lessons, where: str = "") -> np.ndarray:
    """Draw the share of students who know each skill, over the episode."""
    shares, layers = mastery_shares(lessons)
    row = max(1, min(22, 420 // len(shares)))
    tall = row * len(shares)
    note = (
        f"{where}Share of the latest {len(lessons.activity)} training students who "
        "know a skill; one row per skill, layer by layer. Skills that no goal needs "
        "may well stay pale."
    )
    sheet = Sheet("Mastery", note, tall + AXIS + 34, LEFT + WIDE + MARGIN)
    top = sheet.top
    at = np.linspace(0, shares.shape[1] - 1, min(shares.shape[1], 256)).round()
    cells = ramp(shares[:, at.astype(int)]).repeat(row, axis=0)
    _panel(sheet, np.rint(cells).astype(np.uint8), top, lessons.budget, first="0")
    begins = np.flatnonzero(np.diff(layers, prepend=-1))
    ends = np.append(begins[1:], len(layers))
    free = 0.0
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        y = top + row * (begin + end) / 2
        if begin:
            sheet.line(LEFT - 62, top + row * begin, LEFT - 2, top + row * begin, MUTED)
        if y - free >= SMALL + 1:
            name = f"layer {layers[begin] + 1}"
            sheet.write(LEFT - 8, y, name, SMALL, SOFT, at="rm")
            free = y
    x = LEFT + (WIDE - 360) // 2
    ends_of = ramp(np.linspace(0.0, 1.0, 128))
    sheet.scale(x, top + tall + AXIS + 8, 360, ends_of, "nobody", "all students")
    return sheet.image()


def chosen_students(lessons: Lessons) -> dict[str, int]:
    """Pick the rows of a weak, a middling and a strong student.

    They stand at the quantiles `STUDENTS` of the mean chance to learn a skill, and, of
    those who learn alike, of the number of skills known at the start.
    """
    skills = ~lessons.distractor
    total = np.maximum(skills.sum(axis=1), 1)
    rate = np.where(skills, lessons.learn, 0.0).sum(axis=1) / total
    start = (lessons.known[:, 0] & skills).sum(axis=1)
    order = np.lexsort((start, rate.round(6)))
    last = len(order) - 1
    return {name: int(order[round(part * last)]) for name, part in STUDENTS.items()}


def students_picture(lessons: Lessons, where: str = "") -> np.ndarray:
    """Draw the skill graphs of a weak, a middling and a strong student at the exam."""
    note = (
        f"{where}What three of the latest {len(lessons.activity)} training students "
        "know at the exam, and how many exercises of each skill they were given. They "
        "stand at the 10th, 50th and 90th percentile of the chance to learn."
    )
    wide, tall = GRAPH
    width = 2 * MARGIN + wide * len(STUDENTS)
    sheet = Sheet("Students", note, 44 + tall + 30, width)
    for number, (name, row) in enumerate(chosen_students(lessons).items()):
        left, top = MARGIN + number * wide, sheet.top
        skills = ~lessons.distractor[row]
        before, after = lessons.known[row, 0] & skills, lessons.known[row, -1] & skills
        goal = lessons.goal[row]
        rate = 100 * lessons.learn[row][skills].mean()
        told = f"{name}: learns with chance {rate:.0f} %"
        sheet.write(left + wide / 2, top + 6, told, 13)
        told = (
            f"knew {before.sum()}, knows {after.sum()} of {skills.sum()} skills, "
            f"{(after & goal).sum()} of {goal.sum()} goals"
        )
        sheet.write(left + wide / 2, top + 24, told, SMALL, SOFT)
        _graph(sheet, left, top + 40, lessons, row)
    x, y = MARGIN + 8.0, sheet.top + 44 + tall + 8
    shades = {"not known": UNKNOWN, "known before": BEFORE, "learnt": LEARNT}
    for text, shade in shades.items():
        x = sheet.key(x, y, ramp(shade), text)
    if lessons.distractor.any():
        x = sheet.key(x, y, MUTED, "distractor")
    sheet.key(x, y, GOLD, "ring: goal of the exam")
    return sheet.image()


def _graph(sheet: Sheet, x: float, y: float, lessons: Lessons, row: int) -> None:
    """Draw the graph of one student."""
    parents, distractor = lessons.parents[row], lessons.distractor[row]
    before, after = lessons.known[row, 0], lessons.known[row, -1]
    child, slot = np.nonzero(parents >= 0)
    fill = ramp(np.where(after, np.where(before, BEFORE, LEARNT), UNKNOWN))
    fill[distractor] = MUTED
    sheet.graph(
        x,
        y,
        GRAPH,
        layered_positions(parents, distractor),
        np.stack([parents[child, slot], child], axis=1),
        fill,
        lessons.goal[row],
        lessons.attempts[row],
    )


def _panel(
    sheet: Sheet, picture: np.ndarray, top: int, budget: int, first: str = "1"
) -> None:
    """Put a picture `(h, columns, 3)` over the whole width, with its axis of time."""
    edges = np.linspace(0, WIDE, picture.shape[1] + 1).round().astype(int)
    bottom = top + len(picture)
    sheet.frame(LEFT, top, LEFT + WIDE, bottom)
    sheet.paste(LEFT, top, picture.repeat(np.diff(edges), axis=1))
    sheet.write(LEFT, bottom + 11, first, SMALL, SOFT, at="lm")
    sheet.write(LEFT + WIDE / 2, bottom + 11, "exercises of the episode")
    sheet.write(LEFT + WIDE, bottom + 11, f"{budget:,}", SMALL, SOFT, at="rm")


def _key_rows(names: list[str], width: int) -> int:
    """Return in how many rows `curriculum_picture` writes its key."""
    rows, x = 1, float(MARGIN)
    for name in names:
        wide = length(name, SMALL) + 36
        if x > MARGIN and x + wide - 18 > width - MARGIN:
            rows, x = rows + 1, float(MARGIN)
        x += wide
    return rows
