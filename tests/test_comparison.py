"""Comparisons of bonuses: real runs, resumed files, and the arithmetic of the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from curiosity_rl.agents.comparison import (
    VARIANTS,
    Outcome,
    chosen,
    compare,
    markdown,
    variant_config,
)
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.outcomes import append, read
from curiosity_rl.rewards import make_reward

OUTCOME = Outcome("tutor-v0", "odds", "rnd", 0.2, 1000, 0, 0.25, 0.5, 0.125, 4000.0)


def test_outcomes_survive_the_file(tmp_path):
    file = tmp_path / "new" / "outcomes.csv"
    assert read(file, Outcome) == []
    other = replace(OUTCOME, variant="belief-progress, needed", seed=1)
    append(file, OUTCOME)
    append(file, other)
    assert read(file, Outcome) == [OUTCOME, other]


def test_table_golden():
    # Rates .1, .2, .3: mean .2, standard error .1 / sqrt(3), t(.975, 2) = 4.3027.
    group = [
        replace(OUTCOME, seed=s, pass_rate=r) for s, r in enumerate((0.1, 0.2, 0.3))
    ]
    best = replace(OUTCOME, variant="count", pass_rate=0.4)
    lines = markdown([*reversed(group), best]).splitlines()
    assert lines[2].startswith("| count | 0.400 | - | 0.400 |")
    assert lines[3] == (
        "| rnd | 0.200 | 0.000 to 0.448 | 0.100 0.200 0.300 | 0.500 | 0.125 |"
    )


def test_every_variant_can_be_made():
    base = ExperimentConfig.load(env="tutor-v0")
    for variant in VARIANTS.values():
        config = variant_config(base, variant, coef=0.5, seed=3)
        assert config.seed == 3
        assert config.coef == (0.5 if config.intrinsic != "none" else 0.0)
        if config.intrinsic != "none":
            make_reward(config.intrinsic, **config.intrinsic_kwargs)


def test_masks_stay_out_of_the_blind_world():
    assert chosen([], "tutor-v0") == VARIANTS
    blind = chosen([], "tutor-blind-v0")
    assert set(blind) < set(VARIANTS)
    assert "belief-progress" in blind
    assert all(v.kwargs.get("mask") != "needed" for v in blind.values())


def test_unknown_variant():
    with pytest.raises(ValueError, match="did you mean rnd"):
        chosen(["rn"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_runs_are_played_once(tmp_path, capsys):
    def again(labels, **settings):
        return compare(
            "tutor-v0",
            labels,
            n_timesteps=320,
            seeds=[0],
            file=tmp_path / "outcomes.csv",
            jobs=1,
            n_envs=16,
            eval_students=20,
            log_folder=str(tmp_path / "runs"),
            **settings,
        )

    first = again(["none"])
    found = [(o.variant, o.coef, o.steps, o.seed) for o in first]
    assert found == [("none", 0.0, 320, 0)]
    assert 0 <= first[0].pass_rate <= 1
    assert 0 < first[0].mastered < 1
    assert 0 < first[0].distractors < 1
    both = again(["none", "count"])
    assert both[0] == first[0]
    assert [o.variant for o in both] == ["none", "count"]
    assert capsys.readouterr().out.count("steps/s") == 2
    other = again(["count"], insight="odds")
    assert [(o.insight, o.variant) for o in other] == [("odds", "count")]
