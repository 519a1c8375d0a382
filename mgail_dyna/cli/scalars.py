"""Scalars for TensorBoard, in groups."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgail_dyna import runtime
from mgail_dyna.runs.directory import SCALARS

MISSING = (
    "TensorBoard is not installed, so this run writes nothing for it; progress.csv has all numbers "
    f"(to install it: {runtime.installing('tensorboard')})"
)
# Columns of `progress.csv` without a group, and what TensorBoard calls them. All others are named `group/what`.
GROUPED = {
    "return_mean": "evaluation/return_mean",
    "return_std": "evaluation/return_std",
    "expert_percent": "evaluation/expert_percent",
    "evaluation_steps": "evaluation/env_steps",
    "env_steps": "rollout/env_steps",
    "real_trajectories": "rollout/trajectories",
    "iteration": "time/iteration",
    "cpu_seconds": "time/cpu_seconds",
    "wall_seconds": "time/wall_seconds",
}


class Scalars:
    """Writes the rows of a run for TensorBoard. Where that is not installed it does nothing.

    Args:
        directory: of the run.

    Attributes:
        installed: whether TensorBoard is.
    """

    def __init__(self, directory: Path) -> None:
        self.installed, self._writer, self._place = importlib.util.find_spec("tensorboard") is not None, None, directory

    def write(self, row: Mapping[str, float]) -> None:
        """Writes a row of the run's history."""
        if not self.installed:
            return
        import tensorflow as tf

        with self._opened().as_default(step=int(row.get("cloning/steps", row["env_steps"]))):
            for name, value in row.items():
                if not math.isnan(value):
                    tf.summary.scalar(GROUPED.get(name, name), value)

    def flush(self) -> None:
        """Has everything written to the disk."""
        if self._writer is not None:
            self._writer.flush()

    def _opened(self) -> Any:
        if self._writer is None:
            import tensorflow as tf

            # TensorBoard calls a run by its directory below --logdir. Old runs have a directory of their own for it.
            old = self._place / SCALARS
            self._writer = tf.summary.create_file_writer(str(old if old.is_dir() else self._place))
        return self._writer
