"""The page that TensorBoard opens on: its charts, and the table of settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from torch.utils.tensorboard.summary import hparams as hparams_summaries
from torch.utils.tensorboard.writer import SummaryWriter

_BONUS = "rollout/intrinsic_reward_"
PAGE: dict[str, dict[str, tuple[str, ...]]] = {
    "Exploration": {
        "Cells seen": ("coverage/cells", "coverage/cells_this_period"),
        "Entropy of visits, bits": ("coverage/entropy",),
        "Landmarks: frame of the first visit": ("landmark/.+",),
        "Bonus of a step, mean": (f"{_BONUS}mean",),
        "Bonus: deviation of steps, and of lanes": (
            f"{_BONUS}std",
            f"{_BONUS}lane_std",
        ),
        "Bonus: share of all reward": (f"{_BONUS}share",),
        "Scale of the bonus": ("intrinsic/(bonus|neighbour|unscaled)_.*",),
    },
    "Learning progress": {
        "Error of the bonus's model": ("intrinsic/.*(loss|surprise).*",),
        "Progress of the model or the pupil": ("intrinsic/progress.*",),
        "Spread of the ensemble": ("intrinsic/spread.*",),
        "Information and entropy, nats": ("intrinsic/.*(information|entropy).*",),
        "States and transitions known": ("intrinsic/.+_(counted|remembered).*",),
        "Of a running episode": ("intrinsic/(states_in_episode|skills_followed).*",),
        "Regions of the model": ("intrinsic/regions.*",),
        "Explained variance of the values": ("train/explained_variance.*",),
    },
    "Curriculum": {
        "Students who pass the exam": ("tutor/pass_rate", "tutor/goals_known"),
        "Skills known at the exam": ("tutor/skills_known",),
    },
    "Returns": {
        "Return of an episode, extrinsic": ("rollout/ep_rew_mean",),
        "Episodes that end in success": ("rollout/success_rate",),
        "Steps of an episode": ("rollout/ep_len_mean",),
        "Evaluations on held-out episodes": ("eval/.*",),
    },
    "Speed": {
        "Steps per second": ("time/steps_per_second",),
        "Where the time goes": ("time/share_.+",),
    },
}
"""Category -> chart -> expressions of the tags in it. TensorBoard merges the pages of
all runs of a folder by these titles, so a chart is alike in every run that has it."""

METRICS = (
    "rollout/ep_rew_mean",
    "rollout/success_rate",
    "tutor/pass_rate",
    "coverage/cells",
    f"{_BONUS}mean",
    "time/steps_per_second",
)
"""What stands beside the settings of a run, where it is logged."""


def charts(tags: Iterable[str]) -> dict[str, dict[str, list[Any]]]:
    """Return the charts that show any of these tags, as `add_custom_scalars` takes it.

    Args:
        tags: Tags that the run has or will have.
    """
    known = list(tags)
    found: dict[str, dict[str, list[Any]]] = {}
    for category, titles in PAGE.items():
        for title, patterns in titles.items():
            if any(re.fullmatch(p, tag) for p in patterns for tag in known):
                shown = ["Multiline", [f"^{pattern}$" for pattern in patterns]]
                found.setdefault(category, {})[title] = shown
    return found


def write_page(
    logger: Logger, tags: Iterable[str], settings: Mapping[str, Any]
) -> None:
    """Write the charts and the settings of a run, where it logs to TensorBoard.

    Args:
        logger: Logger of the run.
        tags: Tags that the run has or will have.
        settings: What the table of settings is to show.
    """
    known = list(tags)
    plain = {key: _plain(value) for key, value in settings.items()}
    metrics: dict[str, float] = {tag: 0.0 for tag in METRICS if tag in known}
    for writer in writers(logger):
        writer.add_custom_scalars(charts(known))
        assert writer.file_writer is not None
        for summary in hparams_summaries(plain, metrics):
            writer.file_writer.add_summary(summary)
        writer.flush()


def writers(logger: Logger) -> list[SummaryWriter]:
    """Return the TensorBoard writers of a logger."""
    return [
        form.writer
        for form in logger.output_formats
        if isinstance(form, TensorBoardOutputFormat)
    ]


def _plain(value: Any) -> Any:
    """Return what TensorBoard's table can show."""
    return value if isinstance(value, bool | int | float | str) else str(value)
