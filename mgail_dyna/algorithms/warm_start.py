"""A run that begins as a clone of the demonstrations (`--warm-start bc`), and what it does otherwise than others."""

from __future__ import annotations

import math

import numpy as np

from mgail_dyna.acting import NumpyPolicy
from mgail_dyna.algorithms.bc import Cloner
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.expert import Expert
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.replay import Replay
from mgail_dyna.types import Array, FloatArray
from mgail_dyna.updates.policy import Anchor
from mgail_dyna.updates.variables import restore_variables, variable_state


class WarmStart:
    """Makes the clone, and answers what depends on there being one: from scratch, as the rest of `config` says.

    Args:
        config: `cloning` and what it stands in for.
        demonstrations: as networks see them.

    Attributes:
        held_out_ratio: of the clone: its loss on held-out pairs by that on those it learned from, infinite before.
    """

    def __init__(self, config: ImitationConfig, demonstrations: Replay) -> None:
        self.config, self.demonstrations = config, demonstrations
        self.held_out_ratio = math.inf

    @property
    def wanted(self) -> bool:
        """Whether a clone was asked for."""
        return self.config.warm_start == "bc"

    @property
    def cloned(self) -> bool:
        """Whether the run began as a clone: asked to, and the clone did not know the demonstrations by heart."""
        return self.wanted and self.held_out_ratio <= self.config.cloning.held_out_ratio

    def clone(self, policy: PolicyNetwork, acting: NumpyPolicy, expert: Expert) -> None:
        """Clones `expert` into `policy` and its twin `acting`, or leaves both untrained.

        Of few pairs the clone knows each and nothing between; what it does there is worse to learn from than what an
        untrained policy does, so that it is forgotten again.
        """
        untrained = variable_state(policy=policy)
        self.held_out_ratio = Cloner(policy, acting, expert, self.config).finish()
        if not self.cloned:
            restore_variables(untrained, policy=policy)
            acting.load(policy.acting_weights())

    def pace(self, iterations: int) -> float:
        """Share of its learning rate the policy learns with: a clone waits at first, and then goes with care."""
        if not self.cloned:
            return 1.0
        return 0.0 if iterations < self.config.cloning.wait else self.config.cloning.pace

    @property
    def plan_length(self) -> int:
        """Steps of a plan; a clone's may be longer, as what it does wrong shows late."""
        asked = self.config.cloning.plan_length if self.cloned else None
        return self.config.plan.length if asked is None else asked

    @property
    def plan_expert_share(self) -> float:
        """Of plans that start in demonstrations; a clone's own states are worth planning from at once."""
        most = self.config.cloning.expert_share if self.cloned else 1.0
        return min(self.config.plan.expert_share, most)

    def exploring(self, weights: dict[str, Array], left: float) -> dict[str, Array]:
        """Weights to act in the environment with: a clone's with noise of its own at first, as it is too sure.

        The same draws are recorded, and learning rebuilds actions with the noise of plans: what a clone is judged by in
        Eq. 7 is where the bolder action led, nu making up the difference.

        Args:
            weights: to act with in plans.
            left: share of the run's env steps that is left.
        """
        noise_std = self.config.cloning.noise_std
        if not self.cloned or noise_std is None or "log_std" not in weights:
            return weights
        std = np.exp(weights["log_std"])
        return weights | {"log_std": np.log(std + (noise_std - std) * np.float32(left))}

    def anchor(self, rng: np.random.Generator, steps: int, left: float) -> Anchor | None:
        """What a clone goes on cloning in so many gradient steps, ever more lightly, as D and the model know more."""
        config = self.config.cloning
        if not self.cloned or config.anchor == 0:
            return None
        weight: FloatArray = np.asarray(config.anchor * left, np.float32)
        return Anchor(*self.demonstrations.pairs(rng, (steps, config.batch)), weight)
