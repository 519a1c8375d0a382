"""Rollouts of a policy in the dynamics model, in place of the environment (Algorithm 1, line 8)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mgail_dyna.learners.compiled import compiled
from mgail_dyna.learners.views import View, costs_along
from mgail_dyna.networks.discriminator import DiscriminatorModel
from mgail_dyna.networks.dynamics import DynamicsModel
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import reparameterize_for, sample_for
from mgail_dyna.ops.losses import IMITATION_COSTS
from mgail_dyna.ops.unroll import Imagined, unroll
from mgail_dyna.replay import Windows
from mgail_dyna.types import ActionSpec, FloatArray, Rollout


class Imagination:
    """Imagines rollouts in one compiled call. It trains nothing, and no gradient flows through the model.

    Args:
        policy: samples the actions.
        dynamics: predicts the next states.
        discriminator: judges them.
        action: what the policy acts with.
        cost: name in `ops.losses.IMITATION_COSTS`; the reward is its negative.
        burn_in: W, observed steps at the head of every window.
        view: what D judges.
    """

    def __init__(
        self,
        policy: PolicyNetwork,
        dynamics: DynamicsModel,
        discriminator: DiscriminatorModel,
        action: ActionSpec,
        cost: str,
        burn_in: int,
        view: View,
    ) -> None:
        self.policy, self.dynamics, self.burn_in = policy, dynamics, burn_in
        self.costs = costs_along(view, IMITATION_COSTS[cost], discriminator)
        self.reparameterize, self.sample = reparameterize_for(action), sample_for(action)

    def __call__(self, windows: Windows, noise: FloatArray) -> Rollout:
        """Imagines `T` steps from the last states of one batch of windows.

        The model knows no terminations. All rollouts are cut off after the last step; the value network stands for
        what would follow.

        Args:
            windows: `[1, W, B, ...]`.
            noise: `[T + 1, B, n]`, fresh; the last row only serves to reach the last next state.

        Returns:
            `[T, B]` steps with the discriminator's rewards.
        """
        states, actions, rewards = (part.numpy() for part in self._imagine(windows.states[0], windows.mask[0], noise))
        ended = np.zeros(rewards.shape, bool)
        ended[-1] = True
        return Rollout(states[:-1], states[1:], actions, rewards, terminated=np.zeros_like(ended), ended=ended)

    @compiled
    def _imagine(self, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, ...]:
        unrolled = unroll(
            act=lambda state, noise: self.reparameterize(self.policy(state), noise),
            cost=self.costs,
            predict=self.dynamics.predict,
            source=Imagined(),
            start=states[self.burn_in],
            memory=self.dynamics.observe(states[: self.burn_in], mask[: self.burn_in]),
            noise=noise,
        )
        actions = self.sample(self.policy(unrolled.states[:-1]), noise[:-1])
        return unrolled.states, actions, -unrolled.costs[: noise.shape[0] - 1]
