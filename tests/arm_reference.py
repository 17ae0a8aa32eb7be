"""The arm's world in plain Python, from its docstring, and a script that solves it."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np

import curiosity_rl  # noqa: F401  registers the world

BONES, STICK = (0.5, 0.3, 0.2), 0.5
LIMITS = ((0.0, math.pi), (-2.5, 2.5), (-2.0, 2.0))
NEAR, ZONE, TABLE = 0.15, 0.2, 2.0
ZONE_MIDDLE = (math.cos(0.7), math.sin(0.7))
Point = tuple[float, float]


def chain(joints: list[float], last: float = BONES[2]) -> Point:
    """Return where the arm ends whose last part is so long."""
    x = y = angle = 0.0
    for joint, length in zip(joints, (*BONES[:2], last), strict=True):
        angle += joint
        x += length * math.cos(angle)
        y += length * math.sin(angle)
    return x, y


class Table:
    """One episode; the walker's steps are told, everything else is worked out.

    Args:
        handle: Where the handle lies; so `tip`, `toy` and the goal zone's middle.
    """

    def __init__(self, handle: Point, tip: Point, toy: Point, zone: Point) -> None:
        self.joints = [math.pi / 2, 0.0, 0.0]
        self.handle, self.tip, self.toy, self.zone = handle, tip, toy, zone
        self.closed = self.held = self.hooked = False
        self.stick_path = self.toy_path = 0.0

    @property
    def hand(self) -> Point:
        return chain(self.joints)

    @property
    def success(self) -> bool:
        return math.dist(self.toy, self.zone) <= ZONE

    def step(self, action: Any) -> None:
        for k, (low, high) in enumerate(LIMITS):
            turned = self.joints[k] + 0.15 * float(action[k])
            self.joints[k] = min(max(turned, low), high)
        self.closed = float(action[3]) > 0
        if not self.closed:
            self.held = self.hooked = False
            return
        if math.dist(self.hand, self.handle) <= NEAR:
            self.held = True
        if not self.held:
            return
        tip = chain(self.joints, BONES[2] + STICK)
        middle = [(a + b) / 2 for a, b in zip(self.handle, self.tip, strict=True)]
        self.handle, self.tip = self.hand, tip
        now = [(a + b) / 2 for a, b in zip(self.handle, self.tip, strict=True)]
        self.stick_path += math.dist(middle, now)
        if self.hooked or math.dist(tip, self.toy) <= NEAR:
            self.hooked = True
            self.toy_path += math.dist(tip, self.toy)
            self.toy = tip

    def observation(self, walker: Point, far: Point) -> list[float]:
        angles = [
            -1 + 2 * (joint - low) / (high - low)
            for joint, (low, high) in zip(self.joints, LIMITS, strict=True)
        ]
        palm = sum(self.joints)
        flags = [float(self.closed), float(self.held), float(self.hooked)]
        things = (self.hand, self.handle, self.tip, self.toy, walker, far)
        places = [c / TABLE for thing in things for c in thing]
        return [*angles, math.cos(palm), math.sin(palm), *flags, *places]


def postures(target: Point, last: float) -> np.ndarray:
    """Return joints `(k, 3)` that end the arm at a point: inverse kinematics.

    Args:
        target: Where it should end.
        last: Length of its last part.
    """
    heading = np.linspace(-math.pi, math.pi, 361)
    x, y = target[0] - last * np.cos(heading), target[1] - last * np.sin(heading)
    bend = (x * x + y * y - BONES[0] ** 2 - BONES[1] ** 2) / (2 * BONES[0] * BONES[1])
    possible = np.abs(bend) <= 1
    x, y, heading = x[possible], y[possible], heading[possible]
    found = []
    for sign in (-1, 1):
        elbow = sign * np.arccos(bend[possible])
        inner = np.arctan2(
            BONES[1] * np.sin(elbow), BONES[0] + BONES[1] * np.cos(elbow)
        )
        shoulder = np.arctan2(y, x) - inner
        joints = np.stack([shoulder, elbow, heading - shoulder - elbow], axis=1)
        found.append((joints + math.pi) % (2 * math.pi) - math.pi)
    joints = np.concatenate(found)
    low, high = np.array(LIMITS).T
    return joints[((joints >= low) & (joints <= high)).all(axis=1)]


def solve(obs: np.ndarray, zone: Any) -> np.ndarray:
    """Return the action of a script that takes the stick, the toy, and brings it home.

    Each joint turns to the nearest fitting posture as fast as it may.

    Args:
        obs: What the arm sees, `(20,)`.
        zone: Middle of the goal zone.
    """
    low, high = np.array(LIMITS).T
    joints = low + (obs[:3].astype(float) + 1) / 2 * (high - low)
    handle, toy = TABLE * obs[10:12].astype(float), TABLE * obs[14:16].astype(float)
    held, hooked = obs[6] == 1, obs[7] == 1
    target, last = (zone if hooked else toy, 0.7) if held else (handle, 0.2)
    ways = postures((float(target[0]), float(target[1])), last) - joints
    assert len(ways), f"no posture reaches {target}"
    way = ways[np.abs(ways).max(axis=1).argmin()]
    return np.append(np.clip(way / 0.15, -1, 1), 1.0).astype(np.float32)


def arms(lanes: int, **settings: Any) -> Any:
    return gym.make_vec("arm-v0", lanes, **settings)


def seen(obs: Any) -> Any:
    return obs["observation"] if isinstance(obs, dict) else obs


def places(env: Any) -> np.ndarray:
    """Return what lies where, `(n, 6, 2)`, to the last digit."""
    return env.unwrapped.get_state()["fields"]["places"]


def scripted(obs: Any) -> np.ndarray:
    """Return the script's actions, `(n, 4)`."""
    rows = seen(obs)
    wanted = [ZONE_MIDDLE] * len(rows)
    if isinstance(obs, dict):
        wanted = TABLE * obs["desired_goal"].astype(float)
    return np.stack([solve(*pair) for pair in zip(rows, wanted, strict=True)])


def babble(rng: np.random.Generator, lanes: int, steps: int, kind: str) -> np.ndarray:
    """Return random actions `(steps, lanes, 4)`; `held` ones last and keep hold."""
    actions = rng.uniform(-1, 1, (steps, lanes, 4))
    if kind == "held":
        for t in range(1, steps):
            same = rng.random(lanes) < 0.85
            actions[t, same] = actions[t - 1, same]
        shut = rng.random((steps, lanes)) < 0.97
        actions[..., 3] = np.where(shut, np.abs(actions[..., 3]), actions[..., 3])
    return actions.astype(np.float32)


def assert_equals_reference(
    env: Any, lanes: int, steps: int, seed: int, policy: Any
) -> dict[str, int]:
    """Play all lanes beside the reference; return how often things happened."""
    obs, _ = env.reset(seed=seed)
    goals = isinstance(obs, dict)
    paid, goes_on = env.unwrapped.world.params[2:]

    def tables(chosen: Any, obs: Any) -> dict[int, Table]:
        lie = places(env)
        zone = TABLE * obs["desired_goal"].astype(float) if goals else None
        found = {}
        for i in chosen:
            handle, tip, toy = lie[i, 1:4].tolist()
            middle = ZONE_MIDDLE if zone is None else zone[i]
            found[i] = Table(handle, tip, toy, middle)
        return found

    playing = tables(range(lanes), obs)
    happened = {"held": 0, "hooked": 0, "let go": 0, "success": 0, "ends": 0}
    for t in range(steps):
        action = policy(t, obs)
        was = {i: (table.held, table.hooked) for i, table in playing.items()}
        obs, reward, terminated, truncated, info = env.step(action)
        lie = places(env)
        over = terminated | truncated
        told = info.get("final_info", info)
        for i, table in playing.items():
            table.step(action[i])
            now = info["final_obs"][i] if over[i] else None
            if now is None:
                now = {k: v[i] for k, v in obs.items()} if goals else obs[i]
            row = seen(now)
            source = told if over[i] else info
            expected = table.observation(TABLE * row[16:18], TABLE * row[18:20])
            np.testing.assert_allclose(row, expected, atol=2e-6, err_msg=f"step {t}")
            success = table.success
            assert source["is_success"][i] == success
            assert reward[i] == (1.0 if success and paid else 0.0)
            assert terminated[i] == (success and paid and not goes_on)
            np.testing.assert_allclose(
                source["moved"][i], [table.stick_path, table.toy_path, 0, 0], rtol=1e-5
            )
            happened["held"] += table.held
            happened["hooked"] += table.hooked and not was[i][1]
            happened["let go"] += was[i][1] and not table.hooked
            happened["success"] += success
            if not over[i]:
                np.testing.assert_allclose(lie[i, 1], table.handle, atol=1e-12)
                np.testing.assert_allclose(lie[i, 3], table.toy, atol=1e-12)
        happened["ends"] += int(over.sum())
        playing |= tables(np.flatnonzero(over), obs)
    return happened
