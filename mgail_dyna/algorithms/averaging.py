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
        noise_std: of `exploring`, where actions are continuous; the learned policy's own if None. Replay records
            the same draws, but learning reparameterises with the policy's own. Eq. 7 then judges another action than
            the one taken, and nu absorbs the difference.

    Attributes:
        iterations: how many averages `acting` has seen.
    """

    def __init__(self, acting: NumpyPolicy, noise_std: float | None = None) -> None:
        self.acting, self.noise_std, self.iterations = acting, noise_std, 0
        self.exploring = NumpyPolicy.from_state(acting.state())
        self.explore(acting.weights)

    def explore(self, weights: Mapping[str, Array]) -> None:
        """Explores with `weights` from now on."""
        if self.noise_std is not None and "log_std" in weights:
            with np.errstate(divide="ignore"):  # no noise: log 0
                weights = {**weights, "log_std": np.full_like(weights["log_std"], np.log(self.noise_std))}
        self.exploring.load(weights)

    def update(self, weights: Mapping[str, Array], decay: float) -> None:
        """Explores with `weights` from now on, and averages them into `acting`.

        The average is over few iterations at first, as untrained weights are worth nothing.

        Args:
            weights: of the policy that learns.
            decay: share of itself that `acting` keeps.
        """
        self.iterations += 1
        kept = np.float32(min(decay, self.iterations / (4.0 + self.iterations)))
        before = self.acting.weights
        self.explore(weights)
        self.acting.load({name: kept * before[name] + (1 - kept) * weights[name] for name in weights})
