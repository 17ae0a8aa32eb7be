"""What a tutor or agent reaches on held-out episodes, with intervals, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curiosity_rl.agents.bench.scores import wilson
from curiosity_rl.agents.bench.teach import BLOCK, LONGEST, Lessons, join, teach_blocks
from curiosity_rl.agents.tutors import Tutor, available_tutors, make_tutor
from curiosity_rl.agents.worlds import episode_limit, make_lanes
from curiosity_rl.protocols import ActivityLayout
from curiosity_rl.seeding import lane_seeds, stream_seed

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

GRAPH_TUTORS: dict[str, str] = {
    "random": "random",
    "3-in-a-row": "n-in-a-row",
    "3-in-a-row, backtracking": "n-in-a-row-backtrack",
    "BKT mastery .95": "bkt-mastery",
    "parent inference": "parent-inference",
    "ZPDES": "zpdes",
    "graph inference": "graph-inference",
    "fixed syllabus": "syllabus",
    "omniscient": "omniscient",
}
"""Rules to compare with where the graph is shown: label -> tutor."""
BLIND_TUTORS: dict[str, str] = {
    "random": "random",
    "rotate": "rotate",
    "stay": "stay",
    "ZPDES, blind": "zpdes-blind",
    "graph inference": "graph-inference",
    "3-in-a-row, wrong order": "wrong-order",
    "omniscient": "omniscient",
}
"""Rules to compare with where no graph is shown."""


@dataclass(frozen=True)
class TutorRow:
    """What one tutor reached.

    Attributes:
        name: Label of the tutor.
        students: Number of students, one episode each.
        pass_rate: Share that knew every goal at the exam, with a 95 % Wilson interval
            from `pass_low` to `pass_high`.
        mastered: Mean share of the needed skills known at the exam.
        exercises: Mean number of exercises until all goals were known first; the
            budget for students who never got there.
        distractors: Share of exercises on distractors.
    """

    name: str
    students: int
    pass_rate: float
    pass_low: float
    pass_high: float
    mastered: float
    exercises: float
    distractors: float


@dataclass(frozen=True)
class ReturnRow:
    """What one agent reached in a world that is no tutor world.

    Attributes:
        name: Label of the agent.
        episodes: Number of episodes.
        mean_return: Mean extrinsic return, with a 95 % t interval from `return_low` to
            `return_high`.
        length: Mean number of steps.
        success: Share of episodes that ended in success, see `succeeded`, with a 95 %
            Wilson interval from `success_low` to `success_high`.
    """

    name: str
    episodes: int
    mean_return: float
    return_low: float
    return_high: float
    length: float
    success: float
    success_low: float
    success_high: float


Row = TutorRow | ReturnRow
Agent = Callable[[Any, np.ndarray], np.ndarray]
Ticker = Callable[[str, float], None]
"""Called with a label and the share of all work that is done, 0 to 1."""


def evaluate(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    model: BaseAlgorithm | None,
    label: str = "trained",
    episodes: int = 2000,
    baselines: bool = True,
    tick: Ticker | None = None,
) -> list[Row]:
    """Evaluate a trained model, and what to compare it with, on held-out episodes.

    Args:
        env_id: The world.
        env_kwargs: Its settings.
        model: The trained model; None for the baselines alone.
        label: Name of the model's row.
        episodes: Held-out students or episodes; the same ones for every row.
        baselines: Evaluate hand-made tutors (a random agent in other worlds) too.
        tick: Told about progress.

    Returns:
        Rows, the privileged omniscient tutor last.
    """
    probe = make_lanes(env_id, env_kwargs, 1)
    layout = getattr(probe.unwrapped, "layout", None)
    probe.close()
    if layout is None:
        agents: dict[str, Agent | None] = {"random": None} if baselines else {}
        if model is not None:
            agents[label] = _agent(model)
        return list(evaluate_agents(env_id, env_kwargs, agents, episodes, tick=tick))
    tutors = standard_tutors(layout) if baselines else {}
    if model is not None:
        from curiosity_rl.agents.tutors.model import ModelTutor

        last = tutors.pop("omniscient", None)
        seed = stream_seed(0, "tutor")
        tutors[label] = ModelTutor(model, seed=seed)
        if last is not None:
            tutors["omniscient"] = last
    return list(evaluate_tutors(env_id, env_kwargs, tutors, episodes, tick=tick))


def standard_tutors(layout: ActivityLayout) -> dict[str, Tutor]:
    """Build the tutors to compare with in a world of this layout, by their labels."""
    table = GRAPH_TUTORS if "needed" in layout.features else BLIND_TUTORS
    possible = set(available_tutors(layout))
    seed = stream_seed(0, "tutor")
    return {
        label: make_tutor(name, layout, seed)
        for label, name in table.items()
        if name in possible
    }


def evaluate_tutors(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    tutors: Mapping[str, Tutor],
    students: int = 2000,
    seed: int = 0,
    tick: Ticker | None = None,
    lanes: int = BLOCK,
) -> list[TutorRow]:
    """Let every tutor teach the same held-out students, one episode each.

    Args:
        env_id: A tutor world.
        env_kwargs: Its settings.
        tutors: Tutors by label.
        students: Number of students.
        seed: Which held-out students; 0 are those of every table. No run trains on any.
        tick: Told about progress.
        lanes: Most students at the same time; changes no row.

    Returns:
        One row per tutor, in their order.
    """
    rows = []
    for number, (label, tutor) in enumerate(tutors.items()):
        watch = _watch(tick, label, number, len(tutors))
        blocks = teach_blocks(
            env_id, env_kwargs, tutor, students, seed, lanes=lanes, watch=watch
        )
        rows.append(_tutor_row(label, join(list(blocks))))
    return rows


def _tutor_row(name: str, lessons: Lessons) -> TutorRow:
    pass_rate, low, high = _share(lessons.passed)
    return TutorRow(
        name=name,
        students=len(lessons.passed),
        pass_rate=pass_rate,
        pass_low=low,
        pass_high=high,
        mastered=float(lessons.mastered.mean()),
        exercises=float(lessons.exercises.mean()),
        distractors=float(lessons.distractors.mean()),
    )


def _share(flags: np.ndarray) -> tuple[float, float, float]:
    """Return the share of flags that are set, with its 95 % Wilson interval."""
    return float(flags.mean()), *wilson(int(flags.sum()), len(flags))


def evaluate_agents(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    agents: Mapping[str, Agent | None],
    episodes: int = 100,
    seed: int = 0,
    tick: Ticker | None = None,
) -> list[ReturnRow]:
    """Let agents play the same held-out episodes of any world; None acts at random.

    Episodes of a world without a time limit are cut after `LONGEST` steps.
    """
    rows = []
    seeds: Any = lane_seeds(seed, "evaluation", episodes)  # vector worlds take a list
    for number, (label, agent) in enumerate(agents.items()):
        venv = make_lanes(env_id, env_kwargs, episodes)
        watch = _watch(tick, label, number, len(agents))
        limit = episode_limit(venv) or LONGEST
        venv.action_space.seed(stream_seed(seed, "tutor"))
        obs, _ = venv.reset(seed=seeds)
        returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
        playing, starts = np.ones(episodes, bool), np.ones(episodes, bool)
        success = np.zeros(episodes, bool)
        for t in range(limit):
            if agent is None:
                actions = venv.action_space.sample()
            else:
                actions = agent(obs, starts)
            obs, reward, terminated, truncated, info = venv.step(actions)
            starts = terminated | truncated
            success |= playing & starts & succeeded(reward, terminated, info)
            returns += np.where(playing, reward, 0.0)
            lengths += playing
            playing &= ~starts
            watch(max((t + 1) / limit, 1 - playing.mean()))
            if not playing.any():
                break
        venv.close()
        rows.append(_return_row(label, returns, lengths, success))
    return rows


def succeeded(
    reward: np.ndarray, terminated: np.ndarray, info: Mapping[str, Any]
) -> np.ndarray:
    """Tell which of the episodes that end in this step are successes, `(n,)` bool.

    What the world reports as `is_success` at the end of an episode counts; where it
    reports nothing, an episode is a success if it is terminated with a reward above 0.
    That says nothing in worlds that pay for every step, such as `CartPole-v1`.

    Args:
        reward: Extrinsic rewards of the step, `(n,)`.
        terminated: Which episodes the world ended, `(n,)` bool.
        info: Vector info of the step, of lanes that begin anew in the same step.
    """
    paid = terminated & (reward > 0)
    report = info.get("final_info", {})
    if "is_success" not in report:
        return paid
    told = report["_is_success"]
    return np.where(told, report["is_success"], paid).astype(bool)


def _return_row(
    name: str, returns: np.ndarray, lengths: np.ndarray, success: np.ndarray
) -> ReturnRow:
    from scipy.stats import t as student_t

    n, mean = len(returns), float(returns.mean())
    half = 0.0
    if n > 1:
        error = float(returns.std(ddof=1)) / n**0.5
        half = float(student_t.ppf(0.975, n - 1)) * error
    length = float(lengths.mean())
    return ReturnRow(name, n, mean, mean - half, mean + half, length, *_share(success))


def _agent(model: BaseAlgorithm) -> Agent:
    """Act as the model does, sampling without touching torch's global stream.

    State-dependent noise is drawn anew as often as in training: `predict` alone would
    lead all episodes astray in the same way.
    """
    import torch as th

    policy: Any = model.policy
    sampled = hasattr(policy, "get_distribution")  # others: their best action
    lasting = sampled and getattr(model, "use_sde", False)
    pause = getattr(model, "sde_sample_freq", -1)
    turn = [0]
    with th.random.fork_rng(devices=[]):
        th.manual_seed(stream_seed(0, "tutor"))
        stream = [th.get_rng_state()]
    memory: list[Any] = [None]  # of a recurrent policy
    scaler = model.get_vec_normalize_env()

    def act(obs: Any, starts: np.ndarray) -> np.ndarray:
        if scaler is not None:
            obs = scaler.normalize_obs(obs)
        with th.random.fork_rng(devices=[]):
            th.set_rng_state(stream[0])
            turn[0] = 0 if starts.all() else turn[0] + 1
            if lasting and (turn[0] == 0 or (pause > 0 and turn[0] % pause == 0)):
                policy.reset_noise(len(starts))
            actions, memory[0] = model.predict(
                obs,
                state=None if starts.all() else memory[0],
                episode_start=starts,
                deterministic=not sampled,
            )
            stream[0] = th.get_rng_state()
        return actions

    return act


def _watch(
    tick: Ticker | None, label: str, done: int, work: int
) -> Callable[[float], None]:
    def watch(share: float) -> None:
        if tick is not None:
            tick(label, (done + share) / work)

    return watch


def as_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as plain data, for `result.json`."""
    return [asdict(row) for row in rows]
