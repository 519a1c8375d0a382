"""Where demonstrations disagree: other actions in states that are alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.normalization import statistics
from mgail_dyna.types import FloatArray

# States that are compared, and states that they are compared with, at most.
DRAWN, MOST = 2_000, 20_000
# Distances are computed for so many states at a time.
CHUNK = 256


class Disagreement(NamedTuple):
    """Of `n` demonstrated states, each with the nearest one of another demonstration.

    Attributes:
        steps: `[n]`, since the start of the episode.
        distances: `[n]` between the two states, in units of the standard deviation.
        actions: `[n]` root mean square difference of the two actions, as a share of the actions' own standard
            deviation; of choices, 0 or 1.
    """

    steps: FloatArray
    distances: FloatArray
    actions: FloatArray


def disagreement(demos: Demonstrations, seed: int = 0) -> Disagreement | None:
    """Compares states of the demonstrations with those of the others; None without actions or with one demonstration.

    Args:
        demos: whole or subsampled demonstrations.
        seed: of the draw, where there are many states.
    """
    if not demos.has_actions or len(demos.trajectories) < 2:
        return None
    rng, (mean, unit) = np.random.default_rng(seed), statistics(demos.observations)
    states = np.concatenate([(t.observations[:-1] - mean) / unit for t in demos.trajectories]).astype(np.float32)
    owners = np.repeat(np.arange(len(demos.trajectories)), [len(t) for t in demos.trajectories])
    steps = np.concatenate([t.subsample * np.arange(len(t)) for t in demos.trajectories])
    actions = np.concatenate(demos.actions)
    kept = np.sort(rng.permutation(len(states))[:MOST])
    drawn = np.sort(rng.permutation(kept)[:DRAWN])
    own = owners[drawn]
    rows, distances = nearest(states[drawn], states[kept], lambda chunk: own[chunk, None] == owners[kept])
    other = kept[rows]
    if actions.ndim == 1:
        differences = (actions[drawn] != actions[other]).astype(np.float32)
    else:
        spread = np.where((deviation := actions.std(axis=0)) > 0, deviation, 1.0)
        differences = np.sqrt(np.mean(np.square((actions[drawn] - actions[other]) / spread), axis=1))
    return Disagreement(steps[drawn].astype(np.float32), distances, differences.astype(np.float32))


def nearest(
    states: FloatArray, others: FloatArray, excluded: Callable[[slice], NDArray[np.bool_]] | None = None
) -> tuple[NDArray[np.int64], FloatArray]:
    """Row in `others [m, d]` of the one nearest to each of `states [n, d]`, and its distance.

    Args:
        states: to look from.
        others: to look among.
        excluded: of a slice of `states`, which of `others` do not count, `[rows, m]`; None: all count.
    """
    squares, rows, distances = (others**2).sum(axis=1), [], []
    for start in range(0, len(states), CHUNK):
        chunk = slice(start, start + CHUNK)
        part = states[chunk]
        found = (part**2).sum(axis=1)[:, None] + squares - 2.0 * part @ others.T
        if excluded is not None:
            found[excluded(chunk)] = np.inf
        rows.append(found.argmin(axis=1))
        distances.append(np.sqrt(np.maximum(found.min(axis=1), 0.0)))
    return np.concatenate(rows), np.concatenate(distances)
