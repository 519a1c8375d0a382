"""The discriminator's gradient steps (Eq. 6), and the reward it gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.config.imitation import DiscriminatorConfig
from mgail_dyna.learners.compiled import compiled
from mgail_dyna.learners.variables import restore_variables, variable_state
from mgail_dyna.learners.views import Pairs
from mgail_dyna.networks.discriminator import DiscriminatorModel
from mgail_dyna.ops.losses import IMITATION_COSTS, discriminator_loss, gradient_penalty
from mgail_dyna.types import FloatArray


class DiscriminatorLearner:
    """Gradient steps on D, one per minibatch, all in one compiled call."""

    def __init__(self, network: DiscriminatorModel, config: DiscriminatorConfig) -> None:
        self.network, self.config = network, config
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(network.trainable_variables)

    def __call__(self, agent: Pairs, expert: Pairs, mix: FloatArray, learning_rate: float) -> dict[str, float]:
        """Takes `K` steps.

        Args:
            agent: states `[K, B, d]` and actions `[K, B, a]`, or what else D sees beside states.
            expert: the same.
            mix: `[K, B, 1]` uniform in [0, 1], for the gradient penalty.
            learning_rate: factor on the configured one.

        Returns:
            Means over the steps: `loss`, `penalty`, `accuracy_agent`, `accuracy_expert`.
        """
        self.optimizer.learning_rate.assign(self.config.learning_rate * learning_rate)
        means = self._update(*agent, *expert, mix)
        return {name: float(number) for name, number in means.items()}

    def mean_logit(self, pairs: Pairs) -> float:
        """D's mean logit on `pairs`; above 0 where it sees the agent's."""
        return float(np.mean(self.network(*(array.reshape(-1, array.shape[-1]) for array in pairs))))

    @compiled
    def _update(
        self,
        agent_states: tf.Tensor,
        agent_beside: tf.Tensor,
        expert_states: tf.Tensor,
        expert_beside: tf.Tensor,
        mix: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        discriminator, variables = self.network, self.network.trainable_variables
        steps = agent_states.shape[0]
        totals = tf.zeros(4)
        for k in tf.range(steps):
            agent = discriminator.inputs(agent_states[k], agent_beside[k])
            expert = discriminator.inputs(expert_states[k], expert_beside[k])
            with tf.GradientTape() as tape:
                on_agent, on_expert = tf.split(discriminator.logits(tf.concat([agent, expert], axis=0)), 2)
                loss = discriminator_loss(on_agent, on_expert)
                penalty = tf.constant(0.0)
                if self.config.gradient_penalty:
                    penalty = gradient_penalty(discriminator.logits, agent, expert, mix[k], self.config.gradient_target)
                total = loss + self.config.gradient_penalty * penalty
            self.optimizer.apply(tape.gradient(total, variables), variables)
            accuracies = [tf.reduce_mean(tf.cast(right, tf.float32)) for right in (on_agent > 0, on_expert < 0)]
            totals += tf.stack([loss, penalty, *accuracies])
        names = ("loss", "penalty", "accuracy_agent", "accuracy_expert")
        return dict(zip(names, tf.unstack(totals / float(steps)), strict=True))

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return variable_state(network=self.network, optimizer=self.optimizer)

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, network=self.network, optimizer=self.optimizer)


class ImitationReward:
    """The discriminator's reward for recorded steps: the negative of one of `ops.losses.IMITATION_COSTS`.

    Its sign matters on tasks whose episodes can end. "saturating" pays -log D >= 0 per step and rewards long episodes,
    as in Ho & Ermon 2016. "nonsaturating" pays log(1 - D) <= 0 and rewards short ones. "logit", their sum, has either
    sign: it is positive only while D takes the agent for the expert.

    Args:
        discriminator: read at each call.
        cost: name in `ops.losses.IMITATION_COSTS`.
    """

    def __init__(self, discriminator: DiscriminatorModel, cost: str) -> None:
        self.discriminator, self.cost = discriminator, IMITATION_COSTS[cost]

    def __call__(self, pairs: Pairs) -> FloatArray:
        """Rewards `[T, N]` for `pairs [T, N, ...]`."""
        rewards: FloatArray = self._rewards(*pairs).numpy()
        return rewards

    @compiled
    def _rewards(self, states: tf.Tensor, beside: tf.Tensor) -> tf.Tensor:
        flat = (tf.reshape(array, [-1, array.shape[-1]]) for array in (states, beside))
        return -tf.reshape(self.cost(self.discriminator(*flat)), states.shape[:-1])


def mixing(rng: np.random.Generator, steps: int, batch: int) -> FloatArray:
    """Where between agent and expert the gradient penalty is taken, `[steps, batch, 1]`."""
    return rng.random((steps, batch, 1), np.float32)
