"""Rollouts of a policy in the transition model, in place of the environment (Algorithm 1, line 8)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mgail_dyna.distributions import rebuild_for, sample_for
from mgail_dyna.losses import IMITATION_COSTS
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.networks.transition import TransitionModel
from mgail_dyna.replay import Windows
from mgail_dyna.types import ActionSpec, FloatArray, Rollout
from mgail_dyna.unroll import Imagined, unroll


class Imagination:
    """Imagines rollouts in one compiled call. Nothing is trained by it and no gradient flows through the model.

    Args:
        policy: samples the actions, as it is at each call.
        transition: says where they lead.
        discriminator: what it costs is judged by.
        action: what the policy is over.
        cost: name in `losses.IMITATION_COSTS`; the reward is its negative.
        warmup: observed steps at the head of every window, that warm the GRU.
    """

    def __init__(
        self,
        policy: PolicyNetwork,
        transition: TransitionModel,
        discriminator: Discriminator,
        action: ActionSpec,
        cost: str,
        warmup: int,
    ) -> None:
        self.policy, self.transition, self.discriminator = policy, transition, discriminator
        self.cost, self.warmup = IMITATION_COSTS[cost], warmup
        self.rebuild, self.sample = rebuild_for(action), sample_for(action)

    def __call__(self, windows: Windows, noise: FloatArray) -> Rollout:
        """Imagines `T` steps from the last states of one batch of windows.

        The model knows no end of an episode, so that no step terminates: all end together after the last, and whatever
        comes beyond is the value network's to say.

        Args:
            windows: `[1, W, B, ...]`.
            noise: `[T + 1, B, n]`, fresh; the last row decides nothing, as an unroll writes down states only
                where it acts.

        Returns:
            `[T, B]` steps with the discriminator's rewards.
        """
        states, actions, rewards = (part.numpy() for part in self._imagine(windows.states[0], windows.mask[0], noise))
        ended = np.zeros(rewards.shape, bool)
        ended[-1] = True
        return Rollout(states[:-1], states[1:], actions, rewards, terminated=np.zeros_like(ended), ended=ended)

    @tf.function(jit_compile=True)
    def _imagine(self, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, ...]:
        trace = unroll(
            act=lambda state, noise: self.rebuild(self.policy(state), noise),
            cost=lambda state, action: self.cost(self.discriminator(state, action)),
            predict=self.transition.predict_state,
            follow=Imagined(),
            start=states[self.warmup],
            recurrent_state=self.transition.warmed(states[: self.warmup], mask[: self.warmup]),
            noise=noise,
        )
        return trace.states, self.sample(self.policy(trace.states[:-1]), noise[:-1]), -trace.costs[:-1]
