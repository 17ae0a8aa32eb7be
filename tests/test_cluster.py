"""Runs on a Ray cluster of three simulated machines, of which one is lost."""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curiosity_rl.agents import cluster
from curiosity_rl.agents.cluster import play_on_cluster
from curiosity_rl.agents.outcomes import chosen_backend, play_all

RUNS = 6


def noted(folder: str, number: int) -> tuple[int, int, str]:
    """Note that a run begins, wait, and return where it was played."""
    import ray

    place = ray.get_runtime_context().get_node_id()
    with Path(folder, str(number)).open("a", encoding="utf-8") as file:
        file.write(f"{place}\n")
    time.sleep(0.2 if number == 0 else 3.0)
    if number == 0:
        raise ValueError("run 0 cannot be played")
    return number, os.getpid(), place


def begun(folder: Path) -> dict[int, list[str]]:
    return {int(f.name): f.read_text("utf-8").split() for f in folder.iterdir()}


def test_without_ray_a_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'curiosity-rl\[ray\]'"):
        chosen_backend("ray")
    assert chosen_backend("processes") is play_all
    with pytest.raises(ValueError, match=r"backend.*'rays'.*did you mean ray"):
        chosen_backend("rays")


@pytest.mark.xdist_group("cluster")
def test_every_result_arrives_once_though_a_machine_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        "ray", reason="needs Ray: pip install -c constraints.txt -e '.[ray]'"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(_paths()))  # of the workers
    with warnings.catch_warnings():  # Ray's own, of its future defaults
        warnings.simplefilter("ignore")
        import ray
        from ray.cluster_utils import Cluster

        lost = _played_with_a_loss(ray, Cluster, tmp_path)
    # The lost machine had begun runs, and those were begun again on others.
    again = {n: places for n, places in begun(tmp_path).items() if len(places) > 1}
    assert again
    assert all(places[0] == lost != places[-1] for places in again.values())


def _played_with_a_loss(ray: Any, cluster_type: Any, folder: Path) -> str:
    """Play on three machines, end one of them; return its name."""
    quick = {"health_check_period_ms": 500, "health_check_initial_delay_ms": 500}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": quick}
    machines = cluster_type(initialize_head=True, head_node_args=head)
    lost = ""
    try:
        others = [machines.add_node(num_cpus=1) for _ in range(2)]
        ray.init(machines.address, log_to_driver=False, logging_level="ERROR")
        results: dict[int, Any] = {}
        arrived: Counter[int] = Counter()
        runs = [(str(folder), number) for number in range(RUNS)]
        for (_, number), result in play_on_cluster(noted, runs, 3):
            arrived[number] += 1
            results[number] = result
            if not lost:
                lost = _busy(folder, [node.node_id for node in others], set(results))
                if lost:
                    node = next(n for n in others if n.node_id == lost)
                    machines.remove_node(node, allow_graceful=False)
        assert arrived == dict.fromkeys(range(RUNS), 1)
        error = results.pop(0)
        assert isinstance(error, ValueError)
        assert "run 0 cannot be played" in str(error)
        assert [results[number][0] for number in sorted(results)] == sorted(results)
        processes = [process for _, process, _ in results.values()]
        assert len(set(processes)) == len(processes)  # a fresh one for every run
    finally:
        ray.shutdown()
        machines.shutdown()
    assert lost
    return lost


def _busy(folder: Path, places: list[str], ended: set[int]) -> str:
    """Return a machine on which a run is being played, if there is one."""
    begun_runs = begun(folder).items()
    running = [
        place for number, ps in begun_runs if number not in ended for place in ps
    ]
    return next((place for place in places if place in running), "")


def _paths() -> list[str]:
    """Return where workers find this module and the package."""
    import curiosity_rl

    package = Path(curiosity_rl.__file__).parents[1]
    assert Path(cluster.__file__).exists()
    return [str(Path(__file__).parent), str(package)]
