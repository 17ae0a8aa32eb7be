"""`evaluate` as a comparison: what the flags ask for, played once, then shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curiosity_rl.agents.bench import pictures, report
from curiosity_rl.agents.bench.compare import compare_tutors
from curiosity_rl.agents.bench.equity import check_students, divided
from curiosity_rl.agents.bench.matrix import as_matrix
from curiosity_rl.agents.bench.students import known_populations
from curiosity_rl.agents.runs import folder_name, open_run
from curiosity_rl.agents.worlds import find_world
from curiosity_rl.tracking.progress import Progress

FOLDER = "runs/bench"


def run_bench(name: str, given: Mapping[str, Any]) -> None:
    """Compare tutors as the flags of `evaluate` say, print and keep what is found.

    Args:
        name: A world's id, or the folder of a run: then its world, the run among the
            tutors.
        given: The flags.

    Raises:
        ValueError: If they are not possible.
    """
    if given["checkpoint"] is not None:
        raise ValueError(
            "--checkpoint goes with a run that is evaluated alone; tutors are compared "
            "at their newest checkpoint"
        )
    tutors = _parts(given["tutors"]) or ["all"]
    world, kwargs = name, given["env_kwargs"] or {}
    if Path(name).exists():
        if kwargs:
            raise ValueError("--env-kwargs goes with a world's id; a run has its own")
        config = open_run(name).config()
        world, kwargs = config.env, config.env_kwargs
        tutors = [*tutors, name]
    else:
        try:
            find_world(name)
        except ValueError as error:
            raise ValueError(f"{name!r} is no run folder, and {error}") from error
    if given["pictures"]:
        pictures.require()
    n = 2000 if given["n"] is None else given["n"]
    if given["equity"]:
        check_students(n)
    students = _parts(given["students"])
    if given["matrix"] and not students:
        students = known_populations(world, kwargs)
    with Progress("evaluating", 100, "%", given["progress"]) as progress:
        found = compare_tutors(
            tutors,
            students,
            world,
            n=n,
            seed=given["seed"] or 0,
            jobs=1 if given["jobs"] is None else given["jobs"],
            measure=given["measure"] or "pass",
            against=given["against"] or "",
            env_kwargs=kwargs,
            each=given["equity"],
            tick=lambda label, x: progress.update(int(100 * x), now=label),
        )
    out = Path(given["out"] or f"{FOLDER}/{folder_name(world)}")
    shown: list[report.Found] = [found]
    shown += [as_matrix(found)] if given["matrix"] else []
    shown += [divided(found)] if given["equity"] else []
    files = []
    for table in shown:
        report.show(table)
        files += report.save(table, out, given["pictures"])
    print(report.CAUTION)
    print(f"kept in {out}: {', '.join(file.name for file in files)}")


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
