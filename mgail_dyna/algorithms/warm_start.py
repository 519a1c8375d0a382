"""`--warm-start bc`: a run that starts from a clone of the demonstrations, and what is different in it."""

from __future__ import annotations

import math

import numpy as np

from mgail_dyna.algorithms.bc import Cloner
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.learners.policy import BCRegularizer
from mgail_dyna.learners.variables import restore_variables, variable_state
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.replay import Replay
from mgail_dyna.types import Array, FloatArray


class WarmStart:
    """Trains the clone, and answers what depends on it; without one, as the rest of the configuration says.

    Args:
        config: `cloning`, and the fields it replaces.
        demos: the demonstrations as the networks see them.

    Attributes:
        overfit_ratio: of the clone: held-out loss / training loss; infinite before there is one.
    """

    def __init__(self, config: ImitationConfig, demos: Replay) -> None:
        self.config, self.demos = config, demos
        self.overfit_ratio = math.inf

    @property
    def wanted(self) -> bool:
        """Whether a clone was asked for."""
        return self.config.warm_start == "bc"

    @property
    def cloned(self) -> bool:
        """Whether the run started from a clone: one was asked for, and it did not overfit."""
        return self.wanted and self.overfit_ratio <= self.config.cloning.max_overfit_ratio

    def metrics(self) -> dict[str, float]:
        """How well the clone generalises; empty if none was asked for."""
        return {"cloning/overfit_ratio": self.overfit_ratio} if self.wanted else {}

    def clone(self, policy: PolicyNetwork, acting: NumpyPolicy, demos: Demonstrations) -> None:
        """Clones `demos` into `policy` and its copy `acting`, or leaves both untrained if the clone overfits.

        From few pairs a clone memorises each and is wrong in between; an untrained policy is a better start.
        """
        untrained = variable_state(policy=policy)
        self.overfit_ratio = Cloner(policy, acting, demos, self.config).finish()
        if not self.cloned:
            restore_variables(untrained, policy=policy)
            acting.load(policy.acting_weights())

    def lr_scale(self, iterations: int) -> float:
        """Factor on the policy's learning rate: a clone is frozen at first, then learns slowly."""
        if not self.cloned:
            return 1.0
        return 0.0 if iterations < self.config.cloning.freeze_iterations else self.config.cloning.lr_scale

    @property
    def plan_length(self) -> int:
        """Steps of a plan; a clone's may be longer, as its mistakes show late."""
        asked = self.config.cloning.plan_length if self.cloned else None
        return self.config.plan.length if asked is None else asked

    @property
    def plan_demo_fraction(self) -> float:
        """Fraction of plans that start in demonstrations; a clone's own states are worth planning from at once."""
        most = self.config.cloning.demo_fraction if self.cloned else 1.0
        return min(self.config.plan.demo_fraction, most)

    def exploration_weights(self, weights: dict[str, Array], left: float) -> dict[str, Array]:
        """Weights to explore with: a clone's with more noise at first, as it is too certain.

        Replay records the same draws, but learning reparameterises with the noise of plans. Eq. 7 then judges a smaller
        action than the one taken, and nu absorbs the difference.

        Args:
            weights: of the policy.
            left: share of the run's env steps that is left.
        """
        noise_std = self.config.cloning.initial_noise_std
        if not self.cloned or noise_std is None or "log_std" not in weights:
            return weights
        std = np.exp(weights["log_std"])
        return weights | {"log_std": np.log(std + (noise_std - std) * np.float32(left))}

    def regularizer(self, rng: np.random.Generator, steps: int, left: float) -> BCRegularizer | None:
        """Pairs for a cloning loss in `steps` gradient steps; its weight falls with the share of the run left."""
        config = self.config.cloning
        if not self.cloned or config.bc_weight == 0:
            return None
        weight: FloatArray = np.asarray(config.bc_weight * left, np.float32)
        return BCRegularizer(*self.demos.pairs(rng, (steps, config.batch)), weight)
