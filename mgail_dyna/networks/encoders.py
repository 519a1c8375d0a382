"""Encoders of the dynamics model: states and actions, brought into one shared space (MGAIL sec. 3.2)."""

from __future__ import annotations

import tensorflow as tf

from mgail_dyna.backend import keras


class StateEncoder(keras.layers.Layer):
    """Embeds a state and its history through a GRU: the environment as an n-th order MDP.

    Args:
        units: of the embedding and of the memory.
        seed: of the initial weights.
        recurrent: remember earlier states; otherwise every state is as the first one.
    """

    def __init__(self, units: int, seed: int = 0, recurrent: bool = True) -> None:
        super().__init__(name="state_encoder")
        seeds = keras.random.SeedGenerator(seed)
        self.units, self.recurrent = units, recurrent
        self.inward = keras.layers.Dense(units, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed=seeds))
        self.cell = keras.layers.GRUCell(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seeds),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seeds),
            seed=seed,  # of dropout, of which there is none; Keras draws one otherwise, and saves it
        )
        self.outward = keras.layers.Dense(
            units, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed=seeds)
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.inward.build(input_shape)
        self.cell.build((None, self.units))
        self.outward.build((None, 2 * self.units))
        self.built = True

    def call(self, states: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The embedding `[n, units]` of `states [n, d]`, and the `memory [n, units]` to pass on."""
        features = self.inward(states)
        memory, _ = self.cell(features, [memory if self.recurrent else tf.zeros_like(memory)])
        return self._embedded(features, memory), memory

    def unroll(self, states: tf.Tensor, mask: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `call`, along sequences; everything but the memory is computed for all steps at once.

        Args:
            states: `[T, n, d]`.
            mask: `[T, n]`; where it is 0 the memory does not change.
            memory: `[n, units]` before the first step.

        Returns:
            Embeddings `[T, n, units]`, and the memory after the last step.
        """
        features = self.inward(states)
        history = []
        for t in range(states.shape[0]):
            after, _ = self.cell(features[t], [memory if self.recurrent else tf.zeros_like(memory)])
            memory = tf.where(mask[t][:, None] > 0, after, memory)
            history.append(memory)
        return self._embedded(features, tf.stack(history)), memory

    def _embedded(self, features: tf.Tensor, memory: tf.Tensor) -> tf.Tensor:
        # The features also bypass the memory: a Markov task does not need it.
        return self.outward(tf.concat([features, memory], axis=-1))


class ActionEncoder(keras.layers.Layer):
    """Embeds an action.

    Args:
        units: of the embedding.
        seed: of the initial weights.
    """

    def __init__(self, units: int, seed: int = 0) -> None:
        super().__init__(name="action_encoder")
        seeds = keras.random.SeedGenerator(seed)

        def dense(activation: str | None) -> keras.layers.Dense:
            return keras.layers.Dense(
                units, activation, kernel_initializer=keras.initializers.GlorotUniform(seed=seeds)
            )

        self.inward, self.outward = dense("relu"), dense(None)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.inward.build(input_shape)
        self.outward.build((None, self.inward.units))
        self.built = True

    def call(self, actions: tf.Tensor) -> tf.Tensor:
        """The embedding `[n, units]` of `actions [n, a]`."""
        return self.outward(self.inward(actions))
