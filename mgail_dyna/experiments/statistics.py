"""Statistics over seeds, and curves on common positions.

With five seeds or more: the interquartile mean and a 95% percentile bootstrap interval, stratified by task, as in
rliable (Agarwal et al. 2021). With fewer seeds a bootstrap can only return the range, so the mean and the range are
given and called that. Computed with NumPy and SciPy; rliable would add arch, statsmodels, pandas and seaborn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
Spread = Literal["interval", "range", "none"]

CONFIDENCE = 0.95
RESAMPLES = 2_000
# Fewest seeds that get a bootstrap interval.
INTERVAL_SEEDS = 5


class Estimate(NamedTuple):
    """A mean over seeds with its spread: numbers, or `[n]` arrays for `n` points of a curve.

    Attributes:
        value: the interquartile mean if `spread` is "interval", else the mean.
        low: lower end of the spread; NaN if there is none.
        high: upper end.
        spread: "interval": a 95% bootstrap interval; "range": lowest and highest seed; "none": there is one seed.
    """

    value: Array
    low: Array
    high: Array
    spread: Spread


def interquartile_mean(values: ArrayLike, axis: int = 0) -> Array:
    """The mean of the middle half along `axis`: a quarter of the values (rounded down) is left out at either end.

    With fewer than four values none is left out: it is their mean. Infinite values are ordinary ones.
    """
    return np.asarray(stats.trim_mean(np.asarray(values, np.float64), 0.25, axis=axis))


def estimate(tasks: Sequence[ArrayLike], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The mean over all seeds of all tasks, with its spread.

    Five seeds or more in every task: interquartile mean and 95% bootstrap interval. Fewer in some task: mean and range
    over all seeds. One seed in all: the number alone.

    Each resample draws, within each task, that task's number of seeds with replacement; a seed brings its whole curve.
    The ends of the interval are two of the resamples' interquartile means, never a number between them, so that
    infinite values ("never reached") cause no NaN.

    Args:
        tasks: for each task `[seeds, ...]`: a number per seed, or a curve on a grid that all share.
        resamples: number of bootstrap resamples.
        seed: of the resampling; the same records give the same interval.

    Raises:
        ValueError: no task, or one without seeds.
    """
    samples = [np.asarray(task, np.float64) for task in tasks]
    if not samples or any(len(sample) == 0 for sample in samples):
        raise ValueError("expected one or more tasks, each with at least one seed")
    pooled = np.concatenate(samples)
    if min(len(sample) for sample in samples) < INTERVAL_SEEDS:
        return _mean_and_range(pooled)
    rng = np.random.default_rng(seed)
    drawn = [sample[rng.integers(len(sample), size=(resamples, len(sample)))] for sample in samples]
    means = np.sort(interquartile_mean(np.concatenate(drawn, axis=1), axis=1), axis=0)
    tail = (1.0 - CONFIDENCE) / 2.0 * (resamples - 1)
    low, high = means[math.floor(tail)], means[math.ceil(resamples - 1 - tail)]
    return Estimate(interquartile_mean(pooled), low, high, "interval")


def _mean_and_range(seeds: Array) -> Estimate:
    value = np.asarray(seeds.mean(axis=0))
    if len(seeds) == 1:
        return Estimate(value, np.full_like(value, np.nan), np.full_like(value, np.nan), "none")
    return Estimate(value, np.asarray(seeds.min(axis=0)), np.asarray(seeds.max(axis=0)), "range")


def spread_note(spreads: Sequence[Spread], drawn: str) -> str:
    """What lines and `drawn` ("bands" or "bars") stand for, as a sentence below a figure."""
    found = set(spreads) - {"none"}
    if found == {"interval", "range"}:
        return (
            f"{INTERVAL_SEEDS} seeds or more: interquartile mean, {drawn} are 95% bootstrap intervals. "
            f"Fewer seeds: mean, {drawn} are ranges from the lowest to the highest seed."
        )
    if found == {"interval"}:
        return f"Lines are interquartile means over seeds; {drawn} are 95% bootstrap intervals."
    if found == {"range"}:
        return f"Lines are means over seeds; {drawn} are ranges from the lowest to the highest seed."
    return "One seed of each kind."


def resampled(positions: ArrayLike, values: ArrayLike, grid: ArrayLike) -> Array:
    """A run's curve on a grid: at each point the last evaluation so far.

    Between two evaluations nothing newer is known; a straight line would show a rise before it was seen.

    Args:
        positions: `[n]` env steps or trajectories of the evaluations, never falling.
        values: `[n]` what was seen there.
        grid: `[m]`.

    Returns:
        `[m]`; NaN before the first evaluation.
    """
    at = np.searchsorted(np.asarray(positions, np.float64), np.asarray(grid, np.float64), side="right") - 1
    return np.where(at < 0, np.nan, np.asarray(values, np.float64)[np.maximum(at, 0)])


def common_grid(positions: Sequence[ArrayLike], points: int = 200) -> Array:
    """`[points]` positions from where every run has been evaluated to where the last of them ends.

    A run that ended before stays where it was, so that a curve ends where the runs did.
    """
    ends = [np.asarray(one, np.float64)[[0, -1]] for one in positions]
    return np.linspace(max(first for first, _ in ends), max(last for _, last in ends), points)


def evaluation_spacing(runs: Sequence[ArrayLike]) -> float:
    """Mean env steps between two evaluations of the same kind of runs.

    The last interval of a run is left out: a run is evaluated at its end, whenever that comes.

    Args:
        runs: for each run `[n]` env steps of its evaluations; the first interval begins at 0.

    Returns:
        0 if the runs take no env steps, as behavioural cloning does.
    """

    def spacing(steps: Array) -> float:
        return float(steps[-2] / (len(steps) - 1) if len(steps) > 1 else steps[-1])

    return float(np.mean([spacing(np.asarray(steps, np.float64)) for steps in runs])) if runs else 0.0


def first_reached(positions: ArrayLike, values: ArrayLike, level: float, spacing: float) -> float:
    """Env steps until a level is reached, read at a common spacing.

    Kinds of runs that are evaluated often have more chances to be seen at the level than kinds that are evaluated
    rarely. So every run is read at the same places: at the multiples of `spacing`, the largest mean spacing among the
    kinds that are compared (see `tables.common_spacings`). At each, the last evaluation so far counts. A run that has
    ended keeps its last evaluation until the next multiple.

    The rule does not remove all of the difference where evaluations are irregular: at a multiple, the newest evaluation
    of the sparsest kind can be older than that of the others.

    Args:
        positions: `[n]` env steps of the evaluations, never falling.
        values: `[n]` what was seen there.
        level: to reach.
        spacing: env steps from one reading to the next; 0: every evaluation is a reading.

    Returns:
        The first multiple of `spacing` at which the last evaluation so far is at least `level`; infinity if there is
        none.
    """
    positions = np.asarray(positions, np.float64)
    places = spacing * np.arange(math.ceil(positions[-1] / spacing) + 1) if spacing else positions
    reached = np.flatnonzero(resampled(positions, values, places) >= level)
    return float(places[reached[0]]) if reached.size else math.inf


def share_after(values: ArrayLike, level: float) -> float:
    """Share of evaluations at `level` or more, from the first one there on; 0 if there is none.

    Args:
        values: `[n]` evaluations in order.
        level: to stay at.
    """
    values = np.asarray(values, np.float64)
    reached = np.flatnonzero(values >= level)
    return float(np.mean(values[reached[0] :] >= level)) if reached.size else 0.0


def lowest_after(values: ArrayLike, level: float) -> float:
    """The lowest evaluation from the first one at `level` on; minus infinity if none is there.

    Args:
        values: `[n]` evaluations in order.
        level: to stay at.
    """
    values = np.asarray(values, np.float64)
    reached = np.flatnonzero(values >= level)
    return float(values[reached[0] :].min()) if reached.size else -math.inf
