"""The policies that explore and act: averages of the one that learns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.types import Array


class WeightAverager:
    """Keeps two NumPy policies: `exploring` follows the average over gradient steps, `acting` averages those.

    The learned policy swings from one iteration to the next; the average over iterations does not.

    Args:
        acting: evaluated; holds the initial weights.
        decay: share of itself `acting` keeps per iteration.

    Attributes:
        iterations: how many averages `acting` has seen.
    """

    def __init__(self, acting: NumpyPolicy, decay: float) -> None:
        self.acting, self.decay, self.iterations = acting, decay, 0
        self.exploring = NumpyPolicy.from_state(acting.state())

    def update(self, weights: Mapping[str, Array], *, warm: bool) -> None:
        """Averages `weights` into `acting`: over few iterations at first, unless the run is `warm` (from a clone)."""
        self.iterations += 1
        kept = np.float32(min(self.decay, 1.0 if warm else self.iterations / (4.0 + self.iterations)))
        before = self.acting.weights
        self.acting.load({name: kept * before[name] + (1 - kept) * weights[name] for name in weights})
