"""Running statistics of observations and of the scale of returns (NumPy)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mgail_dyna.types import FloatArray

# States are clipped to so many units, observed and predicted alike.
STATE_LIMIT = 10.0
# A coordinate is constant if it varies by less than this share of its size (float32 has seven digits), or by less than
# this in all (rounding in sums of doubles).
LEAST_VARIATION = 1e-6
LEAST_STD = 1e-10


def statistics(observations: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean `[d]` and unit `[d]` of `observations [n, d]`.

    The unit is the standard deviation. Where the largest deviation is more than `STATE_LIMIT` times that, as in a task
    that is still nearly always, it is such that none of `observations` is cut off there. It is 1 where a coordinate is
    `constant`: it keeps its own.
    """
    observations = observations.astype(np.float64)  # sums of many float32 lose small values
    mean = observations.mean(axis=0)
    unit = np.maximum(observations.std(axis=0), np.abs(observations - mean).max(axis=0) / STATE_LIMIT)
    return mean, np.where(constant(observations), 1.0, unit)


def constant(observations: NDArray[Any]) -> NDArray[np.bool_]:
    """Which coordinates, `[d]`, do not vary over `observations [n, d]`, in any unit."""
    observations = observations.astype(np.float64)
    least = np.maximum(LEAST_VARIATION * np.abs(observations).max(axis=0), LEAST_STD)
    return np.asarray(observations.std(axis=0) <= least)


class Whitening(NamedTuple):
    """Other coordinates, `(points - centre [k]) @ matrix [k, k]`."""

    centre: FloatArray
    matrix: FloatArray


def whitening(points: NDArray[Any], power: float, least: float) -> Whitening:
    """Coordinates in which each principal direction of `points`, of standard deviation s, is divided by s^`power`.

    With power 1 the coordinates are uncorrelated with equal variance, and distances are Mahalanobis distances. With
    power 0 nothing changes. It is ZCA: among all such coordinates, the ones nearest to the original.

    Args:
        points: `[n, k]`.
        power: 0 to 1.
        least: smaller standard deviations are raised to this.
    """
    variances, directions = np.linalg.eigh(np.cov(points, rowvar=False, bias=True))
    deviations = np.maximum(np.sqrt(np.maximum(variances, 0.0)), least)
    matrix = (directions * deviations**-power) @ directions.T
    return Whitening(points.mean(axis=0, dtype=np.float64).astype(np.float32), matrix.astype(np.float32))


class RunningMoments:
    """Mean and variance of a stream, merged batch by batch (Chan, Golub and LeVeque 1979).

    Args:
        shape: of one item, `()` for scalars.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.mean = np.zeros(shape, np.float64)
        self.variance = np.ones(shape, np.float64)
        self.count = 0.0

    def update(self, items: ArrayLike) -> None:
        """Adds `items`, `[n, *shape]` with any number of leading axes."""
        items = np.asarray(items, np.float64).reshape(-1, *self.mean.shape)
        count = self.count + len(items)
        delta = items.mean(axis=0) - self.mean
        squares = self.variance * self.count + items.var(axis=0) * len(items)
        squares += delta**2 * self.count * len(items) / count
        # NumPy makes a number of what is computed from an array without axes; a restored one is an array.
        self.mean, self.variance = np.asarray(self.mean + delta * len(items) / count), np.asarray(squares / count)
        self.count = count

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"mean": self.mean, "variance": self.variance, "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.mean, self.variance = np.array(state["mean"]), np.array(state["variance"])
        self.count = float(state["count"])


class ReturnScale:
    """Standard deviation of the running discounted return; rewards are divided by it.

    Args:
        environments: how many run side by side.
        discount: of the return.
    """

    def __init__(self, environments: int, discount: float) -> None:
        self.moments = RunningMoments()
        self.discount = discount
        self.returns = np.zeros(environments, np.float64)

    def update(self, rewards: NDArray[Any], ended: NDArray[np.bool_]) -> None:
        """Adds `rewards [T, N]`; `ended [T, N]` marks the ends of episodes."""
        seen = np.empty(rewards.shape, np.float64)
        for step, (reward, end) in enumerate(zip(rewards, ended, strict=True)):
            self.returns = self.returns * self.discount + reward
            seen[step] = self.returns
            self.returns = np.where(end, 0.0, self.returns)
        self.moments.update(seen)

    @property
    def scale(self) -> float:
        """What to divide rewards by; never zero."""
        return float(np.sqrt(self.moments.variance) + 1e-8)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"moments": self.moments.state(), "returns": self.returns}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.moments.restore(state["moments"])
        self.returns = np.array(state["returns"])
