"""Resets inside what a file gives as one episode, as far as the observations show them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mgail_dyna.types import BOUNDLESS, Array

# A jump ends near the first state if it is so many times as far as what is left of the way there. In the shipped
# demonstrations most resets are, and no step that surprises. Others are jumps if they surprise so many times as much as
# the next smaller one.
_NEARER, _BEYOND = 2.5, 3.0
# Fewest that are worth a note: one may be a rare event of the simulation.
_FEWEST = 2


def surprise(arrays: Mapping[str, Array]) -> Array:
    """`[n - 1]` how badly each row is predicted, linearly from the row before and its action; zeros if unknown.

    Steps of most simulators are nearly linear, and a reset is not: this tells it from a fast step, which also jumps.
    """
    observations, actions = arrays["observations"], arrays["actions"]
    if observations.ndim != 2 or observations.dtype.kind not in "fiu" or actions.dtype.kind not in "biuf":
        return np.zeros(max(len(observations) - 1, 0))
    rows, given = _scaled(observations), _scaled(actions.reshape(len(actions), -1))
    inputs = np.concatenate([rows, given, np.ones((len(rows), 1))], axis=1)[:-1]
    square = inputs.T @ inputs + 1e-6 * len(inputs) * np.eye(inputs.shape[1])
    changes = np.diff(rows, axis=0)
    left = np.abs(changes - inputs @ np.linalg.solve(square, inputs.T @ changes))
    return np.asarray((left / (np.sqrt(np.square(left).mean(axis=0)) + 1e-9)).max(axis=1, initial=0.0))


def resets_inside(arrays: Mapping[str, Array], last: Array) -> Array:
    """Rows inside an episode after which the state seems to be reset.

    They surprise more than the steps do, of which the largest are left aside, two for each episode: as many resets may
    be among them. And they either end near the file's first row, or lie far beyond all others.

    Args:
        arrays: one row a step, without next_observations.
        last: rows that end an episode.
    """
    surprising = surprise(arrays)
    inside = np.setdiff1d(np.arange(len(surprising)), last)
    if len(inside) < 10 * len(last) or not surprising.any():
        return np.empty(0, np.int64)
    rows = _scaled(arrays["observations"])
    ordered = inside[np.argsort(-surprising[inside])]
    most = surprising[ordered[2 * len(last)]]
    far = np.linalg.norm(rows[inside + 1] - rows[inside], axis=1)
    left = np.linalg.norm(rows[inside + 1] - rows[0], axis=1)
    home = inside[(surprising[inside] > most) & (far > _NEARER * left)]
    top = surprising[ordered[: 2 * len(last) + 1]]
    beyond = np.flatnonzero(top[:-1] > _BEYOND * top[1:])
    found = np.union1d(home, ordered[: beyond[-1] + 1] if beyond.size else ordered[:0])
    return found if len(found) >= _FEWEST else found[:0]


def _scaled(rows: Array) -> Array:
    finite = np.nan_to_num(rows.astype(np.float64)).clip(-BOUNDLESS, BOUNDLESS)
    return np.asarray((finite - finite.mean(axis=0)) / (finite.std(axis=0) + 1e-12))
