"""Information gain about the pupil."""

from __future__ import annotations

import numpy as np
import pytest
from reward_batches import batch_of, column, rows

from curiosity_rl.rewards import make_reward
from curiosity_rl.rewards.information import BeliefGain


def beliefs(before: list[float], after: list[float]) -> dict[str, np.ndarray]:
    return {
        "belief_before": np.array([[before]], np.float32),
        "belief": np.array([[after]], np.float32),
    }


def test_golden():
    # KL(.75 || .5) = .75 ln 1.5 + .25 ln .5 = .304099 - .173287 = .130812
    # KL(.2 || .4) = .2 ln .5 + .8 ln(4/3) = -.138629 + .230146 = .091516
    info = beliefs([0.5, 0.4, 0.3], [0.75, 0.2, 0.3])
    paid = BeliefGain().compute(batch_of(info))
    assert paid.dtype == np.float32
    assert paid.shape == (1, 1)
    assert paid[0, 0] == pytest.approx(0.130812 + 0.091516, abs=2e-6)
    info["needed"] = np.array([[[True, False, True]]])
    info["goal"] = np.array([[[False, True, True]]])
    needed = BeliefGain(mask="needed").compute(batch_of(info))
    assert needed[0, 0] == pytest.approx(0.130812, abs=2e-6)
    goal = BeliefGain(mask="goal").compute(batch_of(info))
    assert goal[0, 0] == pytest.approx(0.091516, abs=2e-6)


def test_certain_beliefs_are_clipped():
    # 0 -> 1 becomes .001 -> .999: .998 ln 999 = 6.892942
    paid = BeliefGain().compute(batch_of(beliefs([0.0], [1.0])))
    assert paid[0, 0] == pytest.approx(6.892942, abs=1e-5)
    # within the clipped ends nothing is left to learn
    assert BeliefGain().compute(batch_of(beliefs([0.9995], [1.0])))[0, 0] == 0


def test_never_negative_and_the_same_step_by_step():
    path = np.random.default_rng(0).random((81, 3, 5)).astype(np.float32)
    path[1:40, :, 0] = path[0, :, 0]
    path[1:] = path[:-1] + 0.01 * (path[1:] - path[:-1])  # small moves cancel most
    batch = batch_of({"belief_before": path[:-1], "belief": path[1:]})
    whole = BeliefGain().compute(batch)
    assert np.all(whole >= 0)
    assert whole.max() > 0
    steps = [BeliefGain().compute(rows(batch, t, t + 1)) for t in range(80)]
    np.testing.assert_array_equal(np.concatenate(steps), whole)


def test_refuses_what_the_world_does_not_show():
    with pytest.raises(ValueError, match="does not show the graph"):
        BeliefGain(mask="needed").compute(batch_of(beliefs([0.1], [0.2])))
    with pytest.raises(ValueError, match=r"no 'belief_before' .it has outcome"):
        BeliefGain().compute(batch_of({"outcome": column(1)}))
    with pytest.raises(ValueError, match="mask is 'target'"):
        BeliefGain(mask="target")  # type: ignore[arg-type]


def test_stateless():
    reward = make_reward("belief-gain", mask="goal")
    assert isinstance(reward, BeliefGain)  # in nats: not scaled unless asked for
    assert reward.update(batch_of(beliefs([0.1], [0.2]))) == {}
    assert reward.state_dict() == {}
    reward.load_state_dict({})
