"""Scalars for TensorBoard, in groups."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgail_dyna import runtime
from mgail_dyna.runs.directory import SCALARS

MISSING = (
    "TensorBoard {}, so this run writes nothing for it; progress.csv has all numbers "
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
    """Writes the rows of a run for TensorBoard. Where that cannot be used it does nothing.

    Args:
        directory: of the run.

    Attributes:
        missing: why it cannot be used; empty if it can.
    """

    def __init__(self, directory: Path) -> None:
        self.missing, self._writer, self._place = _missing(), None, directory

    def write(self, row: Mapping[str, float]) -> None:
        """Writes a row of the run's history."""
        if self.missing:
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


def _missing() -> str:
    try:
        importlib.import_module("tensorboard.summary.v2")
    except Exception as error:  # what a damaged installation raises differs with what is damaged
        absent = isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("tensorboard")
        return MISSING.format("is not installed" if absent else f"cannot be imported ({error})")
    return ""
