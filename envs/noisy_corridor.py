"""Noisy corridor: the known, the unlearnable, the learnable and the hard, in a row."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from curiosity_rl.canvas import GOLD, INK, MUTED, PAPER, Canvas, ramp
from curiosity_rl.envs.rng import STEP, mix
from curiosity_rl.envs.settings import choice, whole
from curiosity_rl.envs.world import World
from curiosity_rl.jit import kernel

REGIONS = ("known", "unlearnable", "learnable", "hard")
KNOWN, UNLEARNABLE, LEARNABLE, HARD = range(4)
LEFT, RIGHT = range(2)
_WORD = np.uint64(64)


class State(NamedTuple):
    """Walkers of n lanes and the screens before them."""

    rng: np.ndarray  # (n,) uint64
    place: np.ndarray  # (n,) int64, 0 is the left wall
    picture: np.ndarray  # (n,) int64, one bit per pixel


class Params(NamedTuple):
    """Settings of a corridor, as the kernels read them."""

    width: int  # places of a region
    actions: int
    pixels: int
    pays: bool  # whether the far end is a door with a reward; else it is a wall


@kernel
def cut(word, pixels):
    """Return the first bits of a random word as a picture."""
    return np.int64(word >> (_WORD - np.uint64(pixels)))


@kernel
def screen(i, place, action, state, params):
    """Return what lane i is shown after this action, by the rule of this place."""
    region = place // params.width
    if region == KNOWN:
        return 0
    if region == UNLEARNABLE:
        state.rng[i] += STEP
        return cut(mix(state.rng[i]), params.pixels)
    if region == LEARNABLE:
        return 1 << (place + action) % params.pixels
    told = (place * params.actions + action << params.pixels) + state.picture[i]
    return cut(mix(np.uint64(told) * STEP), params.pixels)


@kernel
def act(i, action, state, params):
    """Do one action in lane i; return its reward and whether it ends the episode."""
    place, last = state.place[i], len(REGIONS) * params.width - 1
    opened = params.pays and action == RIGHT and place == last
    if action == LEFT:
        place = max(place - 1, 0)
    elif action == RIGHT:
        place = min(place + 1, last)
    state.picture[i] = screen(i, place, action, state, params)
    state.place[i] = place
    return 1.0 if opened else 0.0, opened


@kernel
def observe(i, state, params, out):
    """Write where walker i is and what its screen shows."""
    places = len(REGIONS) * params.width
    for place in range(places):
        out[i, place] = 0.0
    out[i, state.place[i]] = 1.0
    for pixel in range(params.pixels):
        out[i, places + pixel] = state.picture[i] >> pixel & 1


@kernel
def move_all(actions, state, params, rewards, terminated):
    """Let every walker act."""
    for i in range(actions.shape[0]):
        rewards[i], terminated[i] = act(i, actions[i], state, params)


@kernel
def step_all(actions, state, params, rewards, terminated, out):
    """Let every walker act and write what it then sees."""
    for i in range(actions.shape[0]):
        rewards[i], terminated[i] = act(i, actions[i], state, params)
        observe(i, state, params, out)


@kernel
def observe_lanes(lanes, state, params, out):
    """Write what the walkers of these lanes see into the same rows of `out`."""
    for i in lanes:
        observe(i, state, params, out)


class NoisyCorridor(World):
    """Walk past a screen of noise to what can be learnt, and on to a reward.

    ## Description
    A corridor of four regions of `width` places each; the walker starts at its left
    wall. In every place there are a screen and some buttons. After each action the
    screen of the place then reached shows a new picture:

    | places (`width=5`) | region | the next picture |
    |---|---|---|
    | 0 to 4 | 0 known | blank, always |
    | 5 to 9 | 1 unlearnable | every pixel a fresh coin, whatever is done |
    | 10 to 14 | 2 learnable | one pixel lit: number `(place + action) % pixels` |
    | 15 to 19 | 3 hard | a fixed table of place, action and the picture before |

    The table of the hard region has `width * (2 + buttons) * 2 ** pixels` entries
    (7,680) without any pattern: it can be learnt, but only entry by entry. The
    observation holds all that the next picture depends on, so what cannot be predicted
    is the unlearnable region alone. For a learner that wastes nothing, progress is to
    be had in the learnable region first, then in the hard one, and never in the other
    two; prediction error and novelty of pictures stay high at the noise, which stands
    in the way.
    ## Action
    `Discrete(2 + buttons)`: 0 left, 1 right, from 2 on the buttons, which leave the
    walker where it is. Both walls hold it; right in the last place opens the door.
    ## Observation
    Flat float32 `(4 * width + pixels,)`: 1 at the walker's place, else 0; then the
    pixels of the screen before it, 0 or 1.
    ## Reward
    1 for going right in the last place, else 0. With `reward="none"` there is no door,
    and never a reward.
    ## End
    Terminated at the door; truncated after 100 steps (`max_episode_steps`). Random
    play finds the door in one of 1,200 episodes.
    ## Info
    `region`: number of the region whose rule drew the picture on the screen.
    ## Registered ids
    `noisy-corridor-v0`.
    ## Source
    After Oudeyer, Kaplan & Hafner (2007), "Intrinsic motivation systems for autonomous
    mental development", and Schmidhuber (1991), "Curious model-building control
    systems".

    Args:
        width: Places of a region, 1 to 100.
        buttons: Buttons in every place, 1 to 100.
        pixels: Pixels of a screen, 1 to 16.
        reward: `"end"` or `"none"`, see above.

    Raises:
        ValueError: If a setting is not allowed.
    """

    coverage_axes = ("place",)
    region_names = REGIONS
    landmarks = REGIONS[1:]

    def __init__(
        self,
        width: int = 5,
        buttons: int = 4,
        pixels: int = 8,
        reward: Literal["end", "none"] = "end",
    ) -> None:
        width = whole("width", width, 1, 100)
        actions = 2 + whole("buttons", buttons, 1, 100)
        pixels = whole("pixels", pixels, 1, 16)
        pays = choice("reward", reward, ("end", "none")) == "end"
        self.params = Params(width, actions, pixels, pays)
        places = len(REGIONS) * width
        self.reward_range = (0.0, float(pays))
        self.action_space = Discrete(actions)
        self.observation_space = Box(0.0, 1.0, (places + pixels,), np.float32)
        self.coverage_shape = (places,)

    def allocate(self, lanes: int) -> State:
        return State(
            rng=np.zeros(lanes, dtype=np.uint64),
            place=np.zeros(lanes, dtype=np.int64),
            picture=np.zeros(lanes, dtype=np.int64),
        )

    def reset(self, state: State, lanes: np.ndarray) -> None:
        state.place[lanes] = state.picture[lanes] = 0

    def step(self, state: State, actions: np.ndarray, out: np.ndarray) -> Any:
        rewards = np.empty(len(actions))
        terminated = np.empty(len(actions), dtype=np.bool_)
        step_all(actions, state, self.params, rewards, terminated, out)
        return rewards, terminated

    def observe(self, state: State, lanes: np.ndarray, out: np.ndarray) -> None:
        observe_lanes(lanes, state, self.params, out)

    def step_info(self, state: State) -> dict[str, Any]:
        return {"region": state.place // self.params.width}

    def reset_info(self, state: State, lanes: np.ndarray) -> dict[str, Any]:
        return {"region": state.place[lanes] // self.params.width}

    def coverage(self, state: State) -> np.ndarray:
        return state.place.copy()

    def at_landmarks(self, state: State) -> np.ndarray:
        region = state.place // self.params.width
        return region[:, None] >= np.arange(1, len(REGIONS))

    def render(self, state: State, lane: int) -> np.ndarray:
        width, pixels, side = self.params.width, self.params.pixels, 32
        places = self.coverage_shape[0]
        span = side * places
        canvas = Canvas(4 * side, span)
        floor = 2.5 * side
        for place in range(places):
            colour = ramp(0.12 + 0.25 * (place // width))
            x = side * place
            canvas.box(x + 1, floor, x + side - 1, floor + side, colour)
        if self.params.pays:
            canvas.box(span - 6, floor, span, floor + side, GOLD)
        x, y = side * (int(state.place[lane]) + 0.5), floor + side / 2
        canvas.disc(x, y, 0.3 * side, INK)
        dot = min(0.75 * side, (span - 8) / pixels)
        left = min(max(x - dot * pixels / 2, 4.0), span - 4 - dot * pixels)
        top = 0.7 * side
        canvas.box(left - 4, top - 4, left + dot * pixels + 4, top + dot + 4, INK)
        for pixel in range(pixels):
            lit = int(state.picture[lane]) >> pixel & 1
            at = left + dot * pixel
            colour = PAPER if lit else 0.45 * np.asarray(MUTED, float)
            canvas.box(at + 1, top, at + dot - 1, top + dot, colour)
        canvas.line((x, top + dot + 4), (x, y), 2, INK)
        return canvas.image()
