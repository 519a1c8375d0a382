"""The expert's return, and when it can be compared with an agent's."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mgail_dyna.demonstrations.dataset import Demonstrations

# In `provenance`: numbers of the episodes that the task ended with a step the file does not hold.
ENDED = "ended_by_task"
# Share of the demonstrations that may be cut, or one: what is left of more is a choice, of failures for instance.
MOST_CUT = 0.1
# An episode that returns less, in percent of the expert, is a failure.
FAILURE = 50.0
# If a length is one of fewer, by their number to the power of the other demonstrations, all may have it by chance.
LENGTHS_BY_CHANCE = 20
# A standard error of the mean above this share of it is worth a note.
DOUBT = 0.03


@dataclass(frozen=True)
class Reference:
    """What 100% of the expert stands for.

    Attributes:
        mean: undiscounted return of a whole episode; NaN if returns cannot be compared.
        episode_limit: longest episode in steps, of the expert and of the agent compared with it.
        reason: why they cannot be compared, in one line; None if they can.
        failures: share of the expert's own episodes below half of its mean; None if unknown.
        doubt: how well the mean is known, in one line, if it is not known well.
        error: standard error of the mean; 0 if unknown.
    """

    mean: float
    episode_limit: int
    reason: str | None = None
    failures: float | None = None
    doubt: str | None = None
    error: float = 0.0

    def percent(self, mean_return: float) -> float:
        """`mean_return` in percent of `mean`; if that is negative, 100 at `mean` and 0 at twice `mean`; NaN without."""
        share = mean_return / self.mean if self.mean else math.nan
        return 100.0 * (share if self.mean > 0 else 2.0 - share)


def ended_by_task(demos: Demonstrations) -> set[int]:
    """Numbers of the episodes that the task ended, also where that step was left out in reading."""
    noted = demos.provenance.get(ENDED)
    known = noted if isinstance(noted, list) and all(isinstance(n, int) for n in noted) else []
    count = len(demos.trajectories)
    return {n for n, each in enumerate(demos.trajectories) if each.terminated} | {n for n in known if 0 <= n < count}


def reference(demos: Demonstrations, limit: int) -> Reference:
    """The mean return of complete demonstrations: those the task ended, and those as long as the limit.

    Of demonstrations longer than the limit the first `limit` steps count, so that returns are of equally many steps.
    An episode one step short of the limit counts as complete, as files without next observations lose that step.

    There is none, with a reason, where a percentage would mean nothing: without rewards, where more than a tenth of the
    demonstrations and more than one, or all, are or seem to be cut, and where the mean lies within two standard errors
    of 0.

    Args:
        demos: all demonstrations of the expert, not the imitated ones alone.
        limit: longest episode in steps (`compatibility.episode_limit`).
    """

    def none(reason: str) -> Reference:
        return Reference(math.nan, limit, reason)

    if not demos.has_rewards:
        return none("the demonstrations' rewards are all 0, or there are none; returns cannot be compared")
    ended = ended_by_task(demos)
    episodes = list(enumerate(demos.trajectories))
    complete = [
        float(trajectory.rewards[:limit].sum())
        for n, trajectory in episodes
        if n in ended or len(trajectory) >= limit - 1
    ]
    if cut := _cut(demos, ended, len(complete), limit):
        return none(f"{cut}; returns cannot be compared")
    returns = np.array(complete)
    mean = float(returns.mean())
    error = float(returns.std(ddof=1) / math.sqrt(len(returns))) if len(returns) > 1 else 0.0
    if abs(mean) <= 2 * error or mean == 0.0:
        return none(
            f"the expert's mean return of {_plain(mean)} is within two standard errors ({_plain(error)} each) "
            "of 0; a percentage of it would say nothing"
        )
    known = Reference(mean, limit)
    failures = float(np.mean([known.percent(value) < FAILURE for value in complete]))
    doubt = None
    if error > DOUBT * abs(mean):
        doubt = (
            f"the demonstrations' returns vary (mean {_plain(mean)}, standard deviation {_plain(returns.std())}, "
            f"{len(returns)} episodes), so every percentage of the expert is uncertain by "
            f"{100 * error / abs(mean):.0f} points"
        )
    return replace(known, failures=failures, doubt=doubt, error=error)


def _plain(value: float) -> str:
    """A return without an exponent, as tables have it; a small one with two digits that are not 0."""
    if value == 0 or abs(value) >= 1:
        return f"{value:,.1f}"
    return f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"


def _cut(demos: Demonstrations, ended: set[int], complete: int, limit: int) -> str | None:
    """Why the demonstrations seem to be cut short, in one line; None if they do not."""
    count, longest = len(demos.trajectories), max(len(trajectory) for trajectory in demos.trajectories)
    if not complete:
        return f"the demonstrations are cut at {longest:,} steps where the environment's episodes last {limit:,}"
    if count - complete > max(MOST_CUT * count, 1):
        return f"only {complete:,} of {count:,} demonstrations are complete, and the others are cut"
    if _cut_alike(demos, ended, limit):
        return (
            f"all {count:,} demonstrations are marked as ended by the task after exactly {longest:,} steps, where the "
            f"environment's episodes last up to {limit:,}: they seem to be cut there"
        )
    return None


def _cut_alike(demos: Demonstrations, ended: set[int], limit: int) -> bool:
    """Whether episodes that are all marked as ended by the task seem to be cut at one length.

    Episodes that start in the same state may well end after the same number of steps; others hardly do by chance.
    """
    lengths = {len(trajectory) for trajectory in demos.trajectories}
    starts = np.stack([trajectory.observations[0] for trajectory in demos.trajectories])
    marked = len(ended) == len(demos.trajectories)
    if len(lengths) > 1 or not marked or (starts == starts[0]).all():
        return False
    steps = lengths.pop()
    return steps < limit - 1 and steps ** (len(starts) - 1) >= LENGTHS_BY_CHANCE
