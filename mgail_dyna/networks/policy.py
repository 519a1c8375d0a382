"""The policy network."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.types import ActionSpec, FloatArray


class PolicyNetwork(keras.Model):
    """Multilayer perceptron from states to the parameters of an action distribution.

    `[..., d]` states give `[..., n]` logits for discrete actions and `[..., 2 a]` means and log standard deviations
    for continuous ones. The standard deviations are one vector for all states (Schulman 2015, app. D).

    Args:
        action: the action space.
        observation_size: `d`.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        initial_log_std: of continuous actions.
        train_log_std: whether it is trained.
        squash: means are a hyperbolic tangent of the last layer, always inside the box.
        seed: of the initial weights.
    """

    def __init__(
        self,
        action: ActionSpec,
        observation_size: int,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        initial_log_std: float = 0.0,
        train_log_std: bool = True,
        squash: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(name="policy")
        self.squash = squash
        self.reach = tf.constant(action.reach) if squash else None
        seeds = keras.random.SeedGenerator(seed)
        self.hidden_layers = [
            keras.layers.Dense(units, activation, kernel_initializer=keras.initializers.Orthogonal(2**0.5, seed=seeds))
            for units in hidden
        ]
        self.output_layer = keras.layers.Dense(
            action.size, kernel_initializer=keras.initializers.Orthogonal(0.01, seed=seeds)
        )
        self.log_std = (
            self.add_weight(
                shape=(action.size,),
                initializer=keras.initializers.Constant(initial_log_std),
                trainable=train_log_std,
                name="log_std",
            )
            if action.kind == "continuous"
            else None
        )
        self.build((None, observation_size))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = input_shape[-1]
        for layer in [*self.hidden_layers, self.output_layer]:
            layer.build((None, width))
            width = layer.units
        self.built = True

    def call(self, states: tf.Tensor) -> tf.Tensor:
        hidden = states
        for layer in self.hidden_layers:
            hidden = layer(hidden)
        outputs = self.output_layer(hidden)
        if self.reach is not None:
            outputs = self.reach * tf.tanh(outputs / self.reach)
        if self.log_std is None:
            return outputs
        return tf.concat([outputs, tf.broadcast_to(self.log_std, tf.shape(outputs))], axis=-1)

    def acting_weights(self) -> dict[str, FloatArray]:
        """The weights, as `numpy_policy.NumpyPolicy` takes them."""
        weights = {}
        for i, layer in enumerate([*self.hidden_layers, self.output_layer]):
            weights[f"kernel_{i}"], weights[f"bias_{i}"] = layer.kernel.numpy(), layer.bias.numpy()
        if self.log_std is not None:
            weights["log_std"] = self.log_std.numpy()
        return weights
