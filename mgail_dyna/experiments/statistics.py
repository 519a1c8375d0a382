"""Statistics over seeds: interquartile means with bootstrap intervals, and curves on a common grid.

The measures are those rliable made customary (interquartile mean, percentile intervals of a bootstrap stratified by
task). They are computed here with NumPy and SciPy: rliable would bring arch, statsmodels, pandas and seaborn along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 2_000


class Estimate(NamedTuple):
    """An interquartile mean with its 95% interval; numbers, or `[n]` arrays for `n` points of a curve.

    `low` and `high` are NaN where there is one seed: nothing is known of the spread then.
    """

    value: Array
    low: Array
    high: Array


def interquartile_mean(values: ArrayLike, axis: int = 0) -> Array:
    """The mean of the middle half along `axis`: a quarter of the values (rounded down) is left out at either end.

    With fewer than four values none is left out: it is their mean. Infinite values are ordinary ones.
    """
    return np.asarray(stats.trim_mean(np.asarray(values, np.float64), 0.25, axis=axis))


def estimate(tasks: Sequence[ArrayLike], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Interquartile mean over all seeds of all tasks, with a bootstrap interval stratified by task.

    Each resample draws, within each task, as many seeds as there are, with replacement; a seed brings the whole of its
    curve. The interval spans the middle 95% of the resamples' interquartile means. Its ends are two of these, never a
    number between them, so that infinite values ("never reached") do no harm.

    Args:
        tasks: for each task `[seeds, ...]`: a number a seed, or a curve on a grid that all share.
        resamples: how many.
        seed: of the resampling; the same records give the same interval.

    Raises:
        ValueError: no task, or one without seeds.
    """
    samples = [np.asarray(task, np.float64) for task in tasks]
    if not samples or any(len(sample) == 0 for sample in samples):
        raise ValueError("expected one or more tasks, each with at least one seed")
    value = interquartile_mean(np.concatenate(samples))
    if max(len(sample) for sample in samples) == 1:
        return Estimate(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    rng = np.random.default_rng(seed)
    drawn = [sample[rng.integers(len(sample), size=(resamples, len(sample)))] for sample in samples]
    means = np.sort(interquartile_mean(np.concatenate(drawn, axis=1), axis=1), axis=0)
    tail = (1.0 - CONFIDENCE) / 2.0 * (resamples - 1)
    return Estimate(value, means[int(np.floor(tail))], means[int(np.ceil(resamples - 1 - tail))])


def resampled(positions: ArrayLike, values: ArrayLike, grid: ArrayLike) -> Array:
    """A run's curve on a grid: at each point the last evaluation so far.

    Steps rather than straight lines: between two evaluations nothing newer is known, and a line would show a rise
    before it was seen.

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


def first_reached(positions: ArrayLike, values: ArrayLike, level: float) -> float:
    """The position of the first evaluation of at least `level`; infinity if there is none."""
    reached = np.flatnonzero(np.asarray(values, np.float64) >= level)
    return float(np.asarray(positions, np.float64)[reached[0]]) if reached.size else np.inf
