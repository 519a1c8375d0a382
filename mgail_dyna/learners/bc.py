"""Behavioural cloning's gradient steps: regression of the expert's actions on its states."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.learners.compiled import compiled
from mgail_dyna.learners.variables import restore_variables, variable_state
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import cloning_loss_for
from mgail_dyna.types import ActionSpec, FloatArray


class BCLearner:
    """Gradient steps on a policy's mean action, or its choice, one per minibatch, all in one compiled call.

    Standard deviations of continuous actions do not change.

    Args:
        network: the policy.
        action: what it acts with.
        config: of the regression.
    """

    def __init__(self, network: PolicyNetwork, action: ActionSpec, config: CloningConfig) -> None:
        self.network, self.config, self.error = network, config, cloning_loss_for(action)
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(network.trainable_variables)

    def __call__(self, states: FloatArray, actions: FloatArray, learning_rate: float) -> float:
        """Takes `K` steps.

        Args:
            states: `[K, B, d]`, normalised.
            actions: `[K, B, a]`, in their unit or one-hot.
            learning_rate: factor on the configured one.

        Returns:
            Mean loss over the steps: squared error in units of the action, or cross-entropy in nats.
        """
        self.optimizer.learning_rate.assign(self.config.learning_rate * learning_rate)
        return float(self._update(states, actions))

    @compiled
    def _update(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        variables = self.network.trainable_variables
        steps = states.shape[0]
        total = tf.constant(0.0)
        for k in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = self.error(self.network(states[k]), actions[k])
            gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            self.optimizer.apply(gradients, variables)
            total += loss
        return total / float(steps)

    def loss(self, states: FloatArray, actions: FloatArray) -> float:
        """The loss on `states [n, d]` and `actions [n, a]`, without learning from them."""
        return float(self._loss(states, actions))

    @compiled
    def _loss(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        return self.error(self.network(states), actions)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return variable_state(network=self.network, optimizer=self.optimizer)

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, network=self.network, optimizer=self.optimizer)
