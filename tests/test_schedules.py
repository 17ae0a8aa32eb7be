import pytest

from curiosity_rl.agents.schedules import scheduled


def test_a_line_to_zero():
    settings = scheduled({"learning_rate": "lin_2e-3", "clip_range": 0.2, "a": "lin_1"})
    line = settings["learning_rate"]
    assert [line(1.0), line(0.5), line(0.0)] == pytest.approx([2e-3, 1e-3, 0.0])
    assert settings["clip_range"] == 0.2
    assert settings["a"] == "lin_1"


@pytest.mark.parametrize("text", ["fast", "lin_", "lin_x", "exp_1"])
def test_refuses_other_texts(text):
    with pytest.raises(ValueError, match="lin_X"):
        scheduled({"learning_rate": text})
