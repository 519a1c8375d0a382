"""The discriminator: D(s, a) is the probability that (s, a) came from the agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.normalization import Whitening


class DiscriminatorModel(Protocol):
    """What updates ask of a discriminator."""

    @property
    def variables(self) -> list[Any]:
        """All variables, in a fixed order."""

    @property
    def trainable_variables(self) -> list[Any]:
        """Those that gradient steps change."""

    def __call__(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """`agent_logits [n]` for `states [n, d]` and `actions [n, a]`: `logits` of `inputs`."""

    def inputs(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """What `logits` takes, `[n, k]`; the gradient penalty is taken with respect to it."""

    def logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """`agent_logits [n]`, high = agent, for inputs `[n, k]`."""


def relu(inputs: tf.Tensor) -> tf.Tensor:
    """ReLU, with a slope that is a constant: the gradient penalty then takes no second derivative of it, which is 0."""
    return inputs * tf.stop_gradient(tf.cast(inputs > 0, inputs.dtype))


class Discriminator(keras.Model):
    """Multilayer perceptron from normalised states and actions to `agent_logits` (high = agent).

    D = sigmoid(agent_logits). The paper's is 200-100 with ReLU (sec. 4). Here the inputs can be whitened: a small
    deviation in a direction where the expert hardly varies then counts as much as a large one where it varies a lot.

    Args:
        observation_size: `d`.
        action_size: `a`; one-hot width where discrete.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        seed: of the initial weights.
        whitening: of the inputs; None: none.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden: Sequence[int] = (200, 100),
        activation: str = "relu",
        seed: int = 0,
        whitening: Whitening | None = None,
    ) -> None:
        super().__init__(name="discriminator")
        seeds = keras.random.SeedGenerator(seed)

        def dense(units: int, activation: str | None) -> keras.layers.Dense:
            initializer = keras.initializers.GlorotUniform(seed=seeds)
            function = relu if activation == "relu" else activation
            return keras.layers.Dense(units, function, kernel_initializer=initializer)

        self.perceptron = keras.Sequential([*(dense(units, activation) for units in hidden), dense(1, None)])
        size = observation_size + action_size
        self.perceptron.build((None, size))
        own = Whitening(np.zeros(size, np.float32), np.eye(size, dtype=np.float32))
        self.whitening = Whitening(*map(tf.constant, whitening or own))
        self.built = True

    def call(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """`agent_logits [n]` for `states [n, d]` and `actions [n, a]`."""
        return self.logits(self.inputs(states, actions))

    def inputs(self, states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """The perceptron's inputs, `[n, d + a]`."""
        return (tf.concat([states, actions], axis=-1) - self.whitening.centre) @ self.whitening.matrix

    def logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """`agent_logits [n]` for inputs `[n, d + a]`."""
        return self.perceptron(inputs)[..., 0]
