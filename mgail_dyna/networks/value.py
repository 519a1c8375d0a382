"""The value network of TRPO and GAIL."""

from __future__ import annotations

from collections.abc import Sequence

from mgail_dyna.backend import keras


def value_network(
    observation_size: int, hidden: Sequence[int] = (64, 64), activation: str = "tanh", seed: int = 0
) -> keras.Model:
    """Multilayer perceptron from states `[n, d]` to values `[n, 1]`.

    Args:
        observation_size: `d`.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        seed: of the initial weights.
    """
    seeds = keras.random.SeedGenerator(seed)
    layers: list[keras.layers.Layer] = [keras.layers.Input((observation_size,))]
    for units in hidden:
        initializer = keras.initializers.Orthogonal(2**0.5, seed=seeds)
        layers.append(keras.layers.Dense(units, activation, kernel_initializer=initializer))
    layers.append(keras.layers.Dense(1, kernel_initializer=keras.initializers.Orthogonal(1.0, seed=seeds)))
    return keras.Sequential(layers, name="value")
