"""The discriminator: D(s, a) is the probability that (s, a) came from the agent."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf


class Discriminator(keras.Model):
    """Multilayer perceptron from normalised states and actions to `agent_logits` (high = agent).

    D = sigmoid(agent_logits). The paper's is 200-100 with ReLU (sec. 4).

    Args:
        observation_size: `d`.
        action_size: `a`; one-hot width where discrete.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        seed: of the initial weights.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden: Sequence[int] = (200, 100),
        activation: str = "relu",
        seed: int = 0,
    ) -> None:
        super().__init__(name="discriminator")
        seeds = keras.random.SeedGenerator(seed)

        def dense(units: int, activation: str | None) -> keras.layers.Dense:
            initializer = keras.initializers.GlorotUniform(seed=seeds)
            return keras.layers.Dense(units, activation, kernel_initializer=initializer)

        self.perceptron = keras.Sequential([*(dense(units, activation) for units in hidden), dense(1, None)])
        self.perceptron.build((None, observation_size + action_size))
        self.built = True

    def call(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """`agent_logits [n]` for `states [n, d]` and `actions [n, a]`."""
        return self.perceptron(tf.concat([states, actions], axis=-1))[..., 0]
