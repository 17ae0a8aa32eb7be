"""The tables of names: worlds by id, intrinsic rewards and tutors by short name.

A new world is one module under `envs/` and one line in `WORLDS`; a new bonus is one
class under `curiosity_rl/rewards/` and one line in `REWARDS`; a new tutor is one class
under `agents/tutors/` and one line in `TUTORS`.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gymnasium.envs.registration import register, registry


@dataclass(frozen=True)
class WorldSpec:
    """One registered world: the class of its kernel and its settings.

    Attributes:
        world: `module:Class` of the world.
        kwargs: Settings that this id fixes; the user's override them.
        max_episode_steps: Time limit (truncation); None where the world ends itself, or
            sets its own limit from its settings.
    """

    world: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    max_episode_steps: int | None = None


_TUTOR = "curiosity_rl.envs.tutor.world:Tutor"
_POINT_MAZE = "curiosity_rl.envs.point_maze.world:PointMaze"
_ARM = "curiosity_rl.envs.arm.world:Arm"
WORLDS: dict[str, WorldSpec] = {
    "tutor-v0": WorldSpec(_TUTOR),
    "tutor-blind-v0": WorldSpec(_TUTOR, {"graph_shown": "none", "budget": 300}),
    "tutor-chain-v0": WorldSpec(
        _TUTOR,
        {
            "curriculum": "chain-10",
            "population": "textbook",
            "budget": 100,
            "goals": 10,
            "distractors": 0,
        },
    ),
    "tutor-edm2016-v0": WorldSpec(
        _TUTOR,
        {
            "curriculum": "edm2016-0",
            "population": "textbook",
            "budget": 100,
            "goals": 6,
            "distractors": 0,
        },
    ),
    "tutor-noisy-v0": WorldSpec(
        _TUTOR,
        {
            "graph_shown": "noisy",
            "graph_noise": 0.3,
            "graph_dropped": 0.3,
            "budget": 300,
        },
    ),
    "tutor-memory-v0": WorldSpec(
        _TUTOR,
        {
            "population": "fsrs",
            "budget": 240,
            "lesson": 20,
            "pause": 1.0,
            "exam_pause": 3.0,
            "goals": 1,
            "min_unknown": 4,
        },
    ),
    "tutor-dropout-v0": WorldSpec(_TUTOR, {"dropout": 1.0}),
    "river-swim-v0": WorldSpec(
        "curiosity_rl.envs.river_swim:RiverSwim", max_episode_steps=200
    ),
    "deep-sea-v0": WorldSpec("curiosity_rl.envs.deep_sea:DeepSea"),
    "noisy-corridor-v0": WorldSpec(
        "curiosity_rl.envs.noisy_corridor:NoisyCorridor", max_episode_steps=100
    ),
    "door-key-v0": WorldSpec("curiosity_rl.envs.grid.door_key:DoorKey"),
    "empty-v0": WorldSpec("curiosity_rl.envs.grid.empty:Empty"),
    "four-rooms-v0": WorldSpec("curiosity_rl.envs.grid.four_rooms:FourRooms"),
    "key-corridor-v0": WorldSpec("curiosity_rl.envs.grid.key_corridor:KeyCorridor"),
    "multi-room-v0": WorldSpec("curiosity_rl.envs.grid.multi_room:MultiRoom"),
    "obstructed-maze-v0": WorldSpec(
        "curiosity_rl.envs.grid.obstructed_maze:ObstructedMaze"
    ),
    "point-maze-v0": WorldSpec(_POINT_MAZE),
    "point-maze-goal-v0": WorldSpec(_POINT_MAZE, {"goal_conditioned": True}),
    "arm-v0": WorldSpec(_ARM),
    "arm-goal-v0": WorldSpec(_ARM, {"goal_conditioned": True}),
}

REWARDS: dict[str, str] = {
    # learning progress of the pupil, as the world reports it
    "belief-progress": "curiosity_rl.rewards.progress:BeliefProgress",
    "skill-progress": "curiosity_rl.rewards.progress:SkillProgress",
    # learning progress of the agent's own model
    "gamma-progress": "curiosity_rl.rewards.model_progress:GammaProgress",
    "prediction-gain": "curiosity_rl.rewards.model_progress:PredictionGain",
    "region-progress": "curiosity_rl.rewards.model_progress:RegionProgress",
    # information gain
    "bayes-linear": "curiosity_rl.rewards.information:BayesLinear",
    "belief-gain": "curiosity_rl.rewards.information:BeliefGain",
    "dirichlet": "curiosity_rl.rewards.information:Dirichlet",
    "disagreement": "curiosity_rl.rewards.ensembles:Disagreement",
    "jensen-renyi": "curiosity_rl.rewards.ensembles:JensenRenyi",
    # prediction error
    "forward-error": "curiosity_rl.rewards.prediction:ForwardError",
    "icm": "curiosity_rl.rewards.prediction:ICM",
    "rnd": "curiosity_rl.rewards.prediction:RND",
    # novelty in a lifetime
    "count": "curiosity_rl.rewards.novelty:Count",
    "knn-entropy": "curiosity_rl.rewards.neighbours:KNNEntropy",
    "pseudo-count": "curiosity_rl.rewards.neighbours:PseudoCount",
    "re3": "curiosity_rl.rewards.neighbours:RE3",
    # novelty in an episode
    "e3b": "curiosity_rl.rewards.episodic:E3B",
    "episodic-count": "curiosity_rl.rewards.episodic:EpisodicCount",
    "episodic-knn": "curiosity_rl.rewards.episodic:EpisodicKNN",
    # compositions
    "deir": "curiosity_rl.rewards.deir:DEIR",
    "ngu": "curiosity_rl.rewards.compositions:NGU",
    "noveld": "curiosity_rl.rewards.compositions:NovelD",
    "recurring-novelty": "curiosity_rl.rewards.recurring:RecurringNovelty",
    "ride": "curiosity_rl.rewards.compositions:RIDE",
}

TUTORS: dict[str, str] = {
    "random": "curiosity_rl.agents.tutors.simple:RandomTutor",
    "syllabus": "curiosity_rl.agents.tutors.fixed:Syllabus",
    "n-in-a-row": "curiosity_rl.agents.tutors.rules:InARow",
    "n-in-a-row-backtrack": "curiosity_rl.agents.tutors.rules:InARowBacktrack",
    "bkt-mastery": "curiosity_rl.agents.tutors.rules:BKTMastery",
    "lowest-mastery": "curiosity_rl.agents.tutors.rules:LowestMastery",
    "parent-inference": "curiosity_rl.agents.tutors.rules:ParentInference",
    "zpdes": "curiosity_rl.agents.tutors.zpdes:Zpdes",
    "graph-inference": "curiosity_rl.agents.tutors.inference:GraphInference",
    "zpdes-dag": "curiosity_rl.agents.tutors.zpdes_dag:ZpdesDag",
    "riarit": "curiosity_rl.agents.tutors.riarit:Riarit",
    "leitner": "curiosity_rl.agents.tutors.leitner:Leitner",
    "recall-threshold": "curiosity_rl.agents.tutors.recall:RecallThreshold",
    "zpdes-list": "curiosity_rl.agents.tutors.zpdes_list:ZpdesList",
    "qmdp": "curiosity_rl.agents.tutors.qmdp:Qmdp",
    "perseus": "curiosity_rl.agents.tutors.perseus:Perseus",
    "rotate": "curiosity_rl.agents.tutors.blind:Rotate",
    "stay": "curiosity_rl.agents.tutors.blind:Stay",
    "zpdes-blind": "curiosity_rl.agents.tutors.zpdes:ZpdesBlind",
    "wrong-order": "curiosity_rl.agents.tutors.blind:WrongOrder",
    "dynamic": "curiosity_rl.agents.tutors.dynamic:Dynamic",
    "omniscient": "curiosity_rl.agents.tutors.omniscient:Omniscient",
}


def load(entry_point: str) -> Any:
    """Import `module:name` and return what it names."""
    module, _, name = entry_point.partition(":")
    return getattr(importlib.import_module(module), name)


def unknown_name(kind: str, given: str, allowed: Iterable[str]) -> str:
    """Say that `given` is no such name, with the nearest suggestions."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown {kind} {given!r}: {hint}known: {', '.join(names)}"


def register_world(env_id: str, spec: WorldSpec) -> None:
    """Register a world with Gymnasium under both faces; one of another package too.

    Without Gymnasium's wrappers that check use and order: the faces do that themselves,
    and a wrapper costs as much as the rules of a step.
    """
    register(
        env_id,
        entry_point="curiosity_rl.envs.faces:SingleEnv",
        vector_entry_point="curiosity_rl.envs.faces:BatchEnv",
        max_episode_steps=spec.max_episode_steps,
        order_enforce=False,
        disable_env_checker=True,
        kwargs={"world": spec.world, **spec.kwargs},
    )


def register_worlds() -> None:
    """Register every world of this package, as `ID` and as `curiosity_rl/ID`."""
    for name, spec in WORLDS.items():
        for env_id in (name, f"curiosity_rl/{name}"):
            if env_id not in registry:
                register_world(env_id, spec)
