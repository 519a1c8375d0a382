"""What is known about a run, and how the numbers that `doctor` looks at are measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reference import FAILURE

Column = NDArray[np.float64]
# Evaluations that "the last ones" are.
LAST = 10
# A run that ends below this percentage of its expert has not learned.
LEARNED = 80.0
# So many percent of its final episodes may fail.
FEW_FAIL = 3.0
# A clone's learning rate below this share of the full one is all but zero.
STOPPED = 0.02
# A run that ends below this percentage of its expert has something left to learn.
NEAR = 90.0
# D that sees no difference is a fault only below this percentage of the expert.
LOW = 50.0


@dataclass(frozen=True)
class Evidence:
    """What is known about a run.

    Attributes:
        config: of the run.
        columns: of its `progress.csv` by name, `[n]` each, one entry per iteration.
        expert_return: mean return of the demonstrations; NaN if it cannot be compared.
        size: coordinates of an observation; None if unknown.
        demo_length: steps that an episode should have, by the demonstrations; None if unknown.
        demo_std: standard deviation of their returns; None if unknown.
        final: percent of the expert that each of the final episodes returns, `[n]`; None if there are none, or if
            nothing is compared.
        unseen: observations that never vary in the demonstrations and do at resets of the environment; None if unknown.
        expert_failures: share of the expert's own episodes that return less than half of its mean; None if unknown.
        at_bounds: share of the policy's actions at the bounds of the action space, in the demonstrated states, minus
            that of the demonstrations' actions; None if unknown.
    """

    config: ImitationConfig
    columns: Mapping[str, Column]
    expert_return: float
    size: int | None = None
    demo_length: float | None = None
    demo_std: float | None = None
    at_bounds: float | None = None
    final: Column | None = None
    expert_failures: float | None = None
    unseen: int | None = None

    def evaluated(self, name: str) -> Column:
        """A column at the evaluations."""
        return self.columns[name][np.isfinite(self.columns["return_mean"])]

    @property
    def percents(self) -> Column:
        """The evaluations in percent of the expert; empty if nothing is compared."""
        percents = self.columns["expert_percent"]
        return percents[np.isfinite(percents)]

    @property
    def end(self) -> float:
        """How the run ended, in percent of the expert: the final episodes, or if there are none the last evaluation;
        NaN if nothing is compared."""
        if self.final is not None and self.final.size:
            return float(self.final.mean())
        return float(self.percents[-1]) if self.percents.size else math.nan

    @property
    def starts_as_clone(self) -> bool:
        """Whether it starts from a clone that was not thrown away."""
        return self.config.warm_start == "bc" and 0 not in self.columns.get("cloning/kept", ())

    def late(self, name: str, share: float = 0.25) -> Column:
        """The last `share` of a column, without NaN; empty if it is not recorded."""
        column = self.columns.get(name, np.zeros(0))
        last = column[-max(1, math.ceil(share * len(column))) :]
        return last[np.isfinite(last)]

    def mean(self, name: str) -> float | None:
        """The mean of the last quarter of a column; None if it is not recorded."""
        late = self.late(name)
        return float(late.mean()) if late.size else None


def highest(run: Evidence) -> float | None:
    """The highest evaluation, or the end if that is higher, in percent of the expert."""
    return max(float(run.percents.max()), run.end) if run.percents.size else None


def held_still(run: Evidence) -> float | None:
    """Observations that only the environment varies; 0 where the run is near the expert all the same."""
    return None if run.unseen is None else 0.0 if run.end >= NEAR else float(run.unseen)


def rising(run: Evidence) -> float | None:
    """How much higher the last fifth of the evaluations is than the fifth before, in points; 0 where it has learned."""
    size = max(2, len(run.percents) // 5)
    if len(run.percents) < 2 * size:
        return None
    last, before = run.percents[-size:], run.percents[-2 * size : -size]
    return float(last.mean() - before.mean()) if run.end < LEARNED else 0.0


def fallen(run: Evidence) -> float | None:
    """How far the end is below the highest evaluation, in points."""
    return float(run.percents.max() - run.end) if run.percents.size else None


def below_clone(run: Evidence) -> float | None:
    """How far the end is below the clone that the run started from, in points; None without one that was kept."""
    steps = run.columns["env_steps"]
    if not run.starts_as_clone or not run.percents.size or steps[0] > 0 or steps[-1] == 0:
        return None
    return float(run.percents[0] - run.end)


def swing(run: Evidence) -> float | None:
    """How much successive evaluations differ, beyond a steady rise or fall, in points."""
    changes = np.diff(run.percents[-LAST:])
    return float(np.abs(changes).mean() - abs(changes.mean())) if changes.size > 1 else None


def spread(run: Evidence) -> float | None:
    """How much the last evaluation's episodes differ, beyond the demonstrations', in percent of the expert's return."""
    if not math.isfinite(run.expert_return) or not run.percents.size or run.demo_std is None:
        return None
    spread = float(run.evaluated("return_std")[-1]) - run.demo_std
    return 100.0 * spread / abs(run.expert_return)


def stopped(run: Evidence) -> float | None:
    """The factor on a clone's learning rate, see `WarmStart.rate`; 1 where nothing is left to learn."""
    rate, failures = run.mean("cloning/rate"), final_failures(run)
    if not run.starts_as_clone or rate is None or math.isnan(run.end):
        return None
    left = run.end < NEAR or (failures is not None and failures > FEW_FAIL)
    return rate if left else 1.0


def final_failures(run: Evidence) -> float | None:
    """Percent of the final episodes that return less than half of the expert, beyond those of the expert's own."""
    if run.final is None or not run.final.size:
        return None
    return 100.0 * (float(np.mean(run.final < FAILURE)) - (run.expert_failures or 0.0))


def length(run: Evidence) -> float | None:
    """Length of the last evaluations' episodes, as a share of the demonstrations'."""
    steps, episodes = run.columns.get("evaluation_steps"), run.config.evaluation_episodes
    seen = np.isfinite(run.columns["return_mean"])
    if steps is None or not episodes or not run.demo_length or not seen.any():
        return None
    lengths = np.diff(steps, prepend=0.0)[seen] / episodes
    return float(lengths[-LAST:].mean()) / run.demo_length


def recognised(run: Evidence) -> float | None:
    """Share of the pairs of either kind that D recognises at least."""
    shares = [run.mean(f"discriminator/accuracy_{whose}") for whose in ("agent", "expert")]
    known = [share for share in shares if share is not None]
    modelled = "dynamics/loss" in run.columns  # without a model D can be ahead for long, and the agent learns
    return min(known) if len(known) == 2 and modelled else None


def blind(run: Evidence) -> float | None:
    """D's loss if the return is low, else 0."""
    loss = run.mean("discriminator/loss")
    if loss is None or math.isnan(run.end):
        return None
    return loss if run.end < LOW else 0.0


def model_loss(run: Evidence) -> float | None:
    """The model's loss, 1 where it predicts no change."""
    loss = run.mean("dynamics/loss")
    return None if loss is None or not run.size else loss / (run.size / 2)


def exploding(run: Evidence) -> float | None:
    """Norm of planning gradients where it is far above that of learning, else 0."""
    plan, learn = run.mean("plan/gradient_norm"), run.mean("learn/gradient_norm")
    return None if plan is None or learn is None else plan if plan > 10 * learn else 0.0
