"""Point maze: the published formula played slowly, walls, maps, goals and pictures."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from curiosity_rl.envs.point_maze import maps
from curiosity_rl.envs.point_maze.world import PointMaze
from curiosity_rl.envs.rng import lane_words

PUBLISHED = {  # layouts and time limits of Gymnasium-Robotics; 1 is wall
    "u": (["11111", "10001", "11101", "10001", "11111"], 300),
    "medium": (
        [
            "11111111",
            "10011001",
            "10010001",
            "11000111",
            "10010001",
            "10100101",
            "10001001",
            "11111111",
        ],
        600,
    ),
    "large": (
        [
            "111111111111",
            "100001000001",
            "101101010101",
            "100000010001",
            "101111011101",
            "100101000001",
            "110101010111",
            "100100010001",
            "111111111111",
        ],
        800,
    ),
}
HALL = "\n".join(["##########", "#S.......#", "#......G.#", "##########"])
DIAGONAL = "\n".join(
    ["#######", "#S#...#", "#...#.#", "#.#...#", "#..#.##", "##...G#", "#######"]
)
MAZES = ["u", "medium", "large", "spiral", HALL, DIAGONAL]
HALF = 0.125


class Slow:
    """A mass in a maze, as the docstring of `PointMaze` tells it, cell by cell."""

    def __init__(self, maze: str, x: float, y: float, vx: float = 0, vy: float = 0):
        rows = maps.MAZES.get(maze, maze).split("\n")
        self.rows = [row.strip() for row in rows if row.strip()]
        self.p, self.v = [x, y], [vx, vy]

    def touched(self) -> set[tuple[int, int]]:
        """Cells (x, y) that the open square of the body overlaps."""
        spans = []
        for middle in self.p:
            cells = range(math.floor(middle) - 1, math.floor(middle) + 2)
            spans.append(
                [c for c in cells if middle + HALF > c and middle - HALF < c + 1]
            )
        return {(x, y) for x in spans[0] for y in spans[1]}

    def in_wall(self) -> list[tuple[int, int]]:
        return [(x, y) for x, y in self.touched() if self.rows[y][x] == "#"]

    def step(self, action: Any) -> bool:
        """Move; return whether the mass is at a goal."""
        for axis in (0, 1):
            v, a = self.v[axis], float(action[axis])
            self.v[axis] = min(max(v + 0.1 * (5.0 * a - 2.0 * v), -2.0), 2.0)
        for axis in (0, 1):
            self.p[axis] += 0.1 * self.v[axis]
            ahead = self.v[axis] > 0
            for cell in self.in_wall():
                side = cell[axis] - HALF if ahead else cell[axis] + 1 + HALF
                self.p[axis], self.v[axis] = side, 0.0
        x, y = (math.floor(p) for p in self.p)
        apart = [p - cell - 0.5 for p, cell in zip(self.p, (x, y), strict=True)]
        inside = apart[0] * apart[0] + apart[1] * apart[1] <= 0.45 * 0.45
        return self.rows[y][x] == "G" and inside

    def observation(self) -> np.ndarray:
        width, height = len(self.rows[0]), len(self.rows)
        side = max(width, height)
        x, y = self.p
        rows = [(2 * x - width) / side, (2 * y - height) / side]
        return np.array([*rows, self.v[0] / 2, self.v[1] / 2], dtype=np.float32)


def lanes_of(maze: str, lanes: int, seed: int = 0, **kwargs: Any) -> tuple[Any, Any]:
    world = PointMaze(maze, **kwargs)
    state = world.allocate(lanes)
    state.rng[:] = lane_words(np.arange(lanes) + seed)
    world.reset(state, np.arange(lanes))
    return world, state


def out_for(world: Any, lanes: int) -> Any:
    if world.goal_conditioned:
        return {
            key: np.full((lanes, *space.shape), np.nan, np.float32)
            for key, space in world.observation_space.items()
        }
    return np.full((lanes, 4), np.nan, np.float32)


def forces(lanes: int, steps: int, seed: int) -> np.ndarray:
    """Random forces, forces held for long, and full forces along all diagonals."""
    rng = np.random.default_rng(seed)
    plays = rng.uniform(-1, 1, (steps, lanes, 2))
    held = np.repeat(rng.choice([-1.0, 0.0, 1.0], (steps // 20 + 1, lanes, 2)), 20, 0)
    third = lanes // 3
    plays[:, :third] = held[:steps, :third]
    plays[:, third : 2 * third] = np.sign(plays[:, third : 2 * third])
    return plays.astype(np.float32)


@pytest.mark.parametrize("maze", MAZES)
@pytest.mark.parametrize("goal_conditioned", [False, True])
def test_plays_equal_the_slow_reference(maze: str, goal_conditioned: bool):
    """Bit for bit, over plays along walls, into corners and at full speed."""
    lanes, steps = 12, 250
    world, state = lanes_of(maze, lanes, 5, goal_conditioned=goal_conditioned)
    slow = [Slow(maze, *state.position[i]) for i in range(lanes)]
    out, top, stops, corners = out_for(world, lanes), 0.0, 0, 0
    for action in forces(lanes, steps, 1):
        rewards, terminated = world.step(state, action, out)
        seen = out["observation"] if goal_conditioned else out
        success = world.step_info(state)["is_success"]
        ends = [one.step(force) for one, force in zip(slow, action, strict=True)]
        np.testing.assert_array_equal(state.position, [one.p for one in slow])
        np.testing.assert_array_equal(state.velocity, [one.v for one in slow])
        np.testing.assert_array_equal(seen, [one.observation() for one in slow])
        if not goal_conditioned:
            for told in (rewards, terminated, success):
                np.testing.assert_array_equal(told, ends)
        assert terminated.dtype == np.bool_
        top = max(top, np.abs(state.velocity).max())
        still = state.velocity == 0
        stops, corners = stops + still.sum(), corners + still.all(1).sum()
    assert top == 2.0
    assert stops > 100
    assert corners > 10


@given(
    maze=some.sampled_from(MAZES),
    seed=some.integers(0, 2**32),
    cell=some.integers(0, 10**6),
    place=some.tuples(*[some.floats(-0.375, 0.375)] * 2),
    speed=some.tuples(*[some.floats(-2, 2)] * 2),
    moves=some.lists(some.tuples(*[some.floats(-1, 1, width=32)] * 2), max_size=60),
    repeat=some.integers(1, 15),
)
@settings(max_examples=80, deadline=None)
def test_no_play_leaves_the_free_cells(
    maze: str, seed: int, cell: int, place: Any, speed: Any, moves: Any, repeat: int
):
    """From any place and speed; neither the body nor the way between two steps."""
    world, state = lanes_of(maze, 1, seed)
    free = np.argwhere(~maps.parse(maze).walls)
    y, x = free[cell % len(free)]
    state.position[0] = x + 0.5 + place[0], y + 0.5 + place[1]
    state.velocity[0] = speed
    body, out = Slow(maze, *state.position[0]), out_for(world, 1)
    assert not body.in_wall()
    for move in moves:
        for _ in range(repeat):
            x, y = state.position[0]
            world.step(state, np.array([move], np.float32), out)
            (to_x, to_y), v = state.position[0], state.velocity[0]
            assert max(abs(to_x - x), abs(to_y - y)) <= 0.2 + 1e-12
            assert np.abs(v).max() <= 2
            for share in (0, 0.25, 0.5, 0.75, 1):  # along x first, then along y
                body.p = [x + share * (to_x - x), y]
                assert not body.in_wall()
                body.p = [to_x, y + share * (to_y - y)]
                assert not body.in_wall()
            assert np.abs(out).max() <= 1


def test_a_push_by_hand():
    """v: 0 -> .5 -> .9 at full force; p by .1 v; then the wall: v = 0, p exact."""
    world, state = lanes_of(HALL, 1)
    state.position[0], out = (1.5, 1.5), out_for(world, 1)
    right_up = np.array([[1, -1]], np.float32)
    world.step(state, right_up, out)
    np.testing.assert_allclose(state.velocity, [[0.5, -0.5]])
    np.testing.assert_allclose(state.position, [[1.55, 1.45]])
    np.testing.assert_allclose(out, [[-0.69, -0.11, 0.25, -0.25]], rtol=1e-6)
    for _ in range(3):
        world.step(state, right_up, out)
    np.testing.assert_allclose(state.velocity[0, 0], 0.5 * (1 + 0.8 + 0.64 + 0.512))
    assert (state.position[0, 1], state.velocity[0, 1]) == (1.125, 0)  # slides on x
    for _ in range(80):
        world.step(state, right_up, out)
    assert state.position.tolist() == [[8.875, 1.125]]
    assert state.velocity.tolist() == [[0, 0]]


def test_only_the_goal_is_rewarded_and_it_ends_the_episode():
    world, state = lanes_of(HALL, 5)
    state.position[:] = [(7.5, 2.5), (7.94, 2.5), (7.96, 2.5), (7.2, 2.2), (7.1, 2.1)]
    assert world.step(state, np.zeros((5, 2), np.float32), out_for(world, 5))[
        0
    ].tolist() == [1, 1, 0, 1, 0]
    assert state.reached.tolist() == [True, True, False, True, False]


def test_starts_and_desired_goals_are_drawn_alike():
    text = "\n".join(["######", "#SS..#", "#.##.#", "#G.G.#", "######"])
    lanes = 6000
    _, state = lanes_of(text, lanes, goal_conditioned=True, goal_cells="free")
    for places in (state.position, state.goal):
        away = places - np.floor(places) - 0.5
        assert np.abs(away).max() <= 0.25
        assert np.abs(away.mean(0)).max() < 0.01
        assert np.abs(away).max() > 0.24
    cells = [tuple(cell) for cell in np.floor(state.position).astype(int).tolist()]
    goals = [tuple(cell) for cell in np.floor(state.goal).astype(int).tolist()]
    assert set(cells) == {(1, 1), (2, 1)}
    free = {(x, y) for y in (1, 2, 3) for x in (1, 2, 3, 4)} - {(2, 2), (3, 2)}
    assert set(goals) == free
    assert not any(a == b for a, b in zip(cells, goals, strict=True))
    assert abs(cells.count((1, 1)) / lanes - 0.5) < 0.03
    for cell in free - {(1, 1), (2, 1)}:
        assert abs(goals.count(cell) / lanes - 1 / 9) < 0.02
    _, marked = lanes_of(text, lanes, goal_conditioned=True)
    assert set(map(tuple, np.floor(marked.goal).tolist())) == {(1, 3), (3, 3)}


def test_desired_goals_are_shown_and_rewarded_without_an_end():
    world, state = lanes_of("medium", 64, goal_conditioned=True, goal_cells="free")
    out, paid = out_for(world, 64), 0
    for t, action in enumerate(forces(64, 600, 2)):
        if t % 50 == 0:  # now and then close to what is desired
            state.position[:] = state.goal
            state.velocity[:] = 0
        before = state.goal.copy()
        rewards, terminated = world.step(state, action, out)
        assert not terminated.any()
        np.testing.assert_array_equal(before, state.goal)
        np.testing.assert_array_equal(out["achieved_goal"], out["observation"][:, :2])
        np.testing.assert_allclose(4 * out["desired_goal"] + 4, state.goal, rtol=1e-6)
        judged = world.compute_reward(out["achieved_goal"], out["desired_goal"], {})
        np.testing.assert_array_equal(judged, rewards)
        np.testing.assert_array_equal(world.step_info(state)["is_success"], rewards > 0)
        apart = np.hypot(*(state.position - state.goal).T)
        sure = np.abs(apart - 0.45) > 1e-5
        np.testing.assert_array_equal(rewards[sure], apart[sure] < 0.45)
        paid += rewards.sum()
    assert paid > 64 * 12
    assert world.truncated(state).all()


def test_compute_reward_takes_any_batch():
    world = PointMaze("u", goal_conditioned=True)  # 1 on the scale is 2.5 m
    achieved = np.zeros((3, 4, 2), np.float32)
    desired = achieved.copy()
    desired[0, 0], desired[1, 1] = (0.179, 0), (0.13, 0.13)
    desired[2, 2], desired[2, 3] = (0.181, 0), (-0.12, 0.12)
    expected = np.ones((3, 4))
    expected[1, 1] = expected[2, 2] = 0
    np.testing.assert_array_equal(
        world.compute_reward(achieved, desired, [{}] * 3), expected
    )
    assert world.compute_reward(achieved[0, 0], desired[0, 0], {}).shape == ()
    assert not hasattr(PointMaze("u"), "compute_reward")  # SB3 asks just that


@pytest.mark.parametrize("maze", PUBLISHED)
def test_layouts_and_limits_are_the_published_ones(maze: str):
    rows, limit = PUBLISHED[maze]
    walls = np.array([[letter == "1" for letter in row] for row in rows])
    np.testing.assert_array_equal(maps.parse(maze).walls, walls)
    assert PointMaze(maze).max_steps == limit


def test_maps_as_text():
    """Indented or not, spaces for free cells, 50 steps per cell of the longest way."""
    found = maps.parse("  #####\n  #S G#\n  #####")
    assert found.steps == 100
    assert (found.starts.tolist(), found.goals.tolist()) == ([6], [8])
    assert found.reachable.tolist() == [6, 7, 8]
    assert maps.parse("\n#####\n#S.G#\n#####\n\n").walls.tolist() == (
        found.walls.tolist()
    )
    assert maps.parse("spiral").steps == 50 * 30
    hidden = maps.parse("#######\n#SG#..#\n#######")
    assert hidden.reachable.tolist() == [8, 9]
    assert PointMaze("#####\n#S.G#\n#####", max_steps=7).max_steps == 7
    world = gym.make("point-maze-v0", maze=HALL).unwrapped
    assert world.observation_space.shape == (4,)


FAULTS = {
    "#####\n#S.G#\n####": "not rectangular: row 2 has 4 cells, row 0 has 5",
    "#####\n#S.G.\n#####": "border of the maze is open in row 1, column 4",
    "##.##\n#S.G#\n#####": "border of the maze is open in row 0, column 2",
    "#####\n#SxG#\n#####": "unknown letter 'x' in row 1, column 2",
    "#####\n#..G#\n#####": "no start; mark a free cell with 'S'",
    "#####\n#S..#\n#####": "no goal; mark a free cell with 'G'",
    "#####\n#S#G#\n#####": "goal in row 1, column 3 cannot be reached from the start",
    "######\n#S#GS#\n######": "cannot be reached from the start in row 1, column 1",
    "#" * 5: "each side is 3 to 100 cells long",
    "\n".join(["#" * 101] * 4): "each side is 3 to 100 cells long",
    "": "unknown maze ''",
    "medum": "did you mean medium",
}


@pytest.mark.parametrize("maze", FAULTS)
def test_faulty_maps_are_refused_with_a_sentence(maze: str):
    with pytest.raises(ValueError, match=FAULTS[maze]):
        PointMaze(maze)


def test_wrong_settings_are_refused():
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"max_steps": 0}, "max_steps=0"),
        ({"goal_conditioned": 1}, "True or False"),
        ({"goal_conditioned": True, "goal_cells": "fre"}, "did you mean free"),
        ({"goal_cells": "free"}, "without goal_conditioned=True"),
        ({"maze": 3}, "unknown maze '3'"),
    ]
    for kwargs, sentence in wrong:
        with pytest.raises(ValueError, match=sentence):
            PointMaze(**kwargs)


@pytest.mark.parametrize("maze", ["u", "medium", "large"])
def test_episodes_last_as_long_as_the_maze_says(maze: str):
    limit = PUBLISHED[maze][1]
    env = gym.make_vec("point-maze-v0", 2, maze=maze)
    env.reset(seed=1)
    idle, info = np.zeros((2, 2), np.float32), {}
    for t in range(1, limit + 1):
        _, _, terminated, truncated, info = env.step(idle)
        assert not terminated.any()
        assert truncated.tolist() == [t == limit] * 2
    assert info["final_info"]["is_success"].tolist() == [False] * 2


def test_coverage_has_16_bins_per_cell():
    world, state = lanes_of("u", 3)
    assert world.coverage_shape == (20, 20)
    state.position[:] = [(1.2, 1.2), (1.26, 1.2), (3.8, 3.7)]
    assert world.coverage(state).tolist() == [4 * 20 + 4, 4 * 20 + 5, 14 * 20 + 15]


def test_a_planner_of_cells_reaches_every_goal():
    """The mazes can be solved in the time they give: steer along the shortest way."""
    for maze in MAZES:
        world, state = lanes_of(maze, 32, 9)
        ways = {
            int(g): maps.distances(maps.parse(maze).walls, int(g))
            for g in maps.parse(maze).goals
        }
        goal, away = next(iter(ways.items()))
        width, out = world.params.width, out_for(world, 32)
        arrived = np.zeros(32, bool)
        for _ in range(world.max_steps):
            x, y = np.floor(state.position).astype(int).T
            here = y * width + x
            near = here[:, None] + np.array([1, -1, width, -width])
            ahead = np.where(away[near] < 0, 10**6, away[near])
            to = np.where(here == goal, here, near[np.arange(32), ahead.argmin(1)])
            aim = np.stack([to % width + 0.5, to // width + 0.5], 1)
            push = 4 * (aim - state.position) - 2 * state.velocity
            action = np.clip(push, -1, 1).astype(np.float32)
            arrived |= world.step(state, action, out)[1]
        assert arrived.all(), maze


def test_the_picture_shows_walls_mass_and_goal():
    env: Any = gym.make("point-maze-v0", maze="u", render_mode="rgb_array")
    obs, _ = env.reset(seed=2)
    picture = env.render()
    assert picture.shape == (200, 200, 3)
    wall, goal, free = picture[20, 20], picture[140, 60], picture[60, 140]
    x, y = (100 * obs[:2] + 100).astype(int)
    colours = {tuple(colour.tolist()) for colour in (wall, goal, free, picture[y, x])}
    assert len(colours) == 4
    assert wall.max() < 90
    assert free.min() > 240


def test_a_lane_is_small():
    _, state = lanes_of("large", 1)
    assert sum(field.nbytes for field in state) < 1000
