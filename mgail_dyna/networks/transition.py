"""The transition model, called forward model in the papers: f(s, a) predicts the change of state."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from mgail_dyna.networks.encoders import ActionEncoder, StateEncoder
from mgail_dyna.types import FloatArray

# Normalised states beyond this many standard deviations of the expert's are cut off, observed and predicted alike.
STATE_LIMIT = 10.0


class TransitionModel(keras.Model):
    """State embedding times action embedding (Hadamard product), then a head for the change of state (paper sec. 3, 4).

    s_pred = s + change_scale * f(s, a): the network's output is the change in units of its own size, so
    that every coordinate weighs alike in the loss; an untrained model predicts hardly any change.

    Args:
        observation_size: `d`.
        action_size: `a`.
        units: of both embeddings, of the recurrent state and of the head's hidden layer (MGAIL: 100).
        change_scale: `[d]`, size of one step's change of the normalised state; may be assigned later.
        seed: of the initial weights.
    """

    def __init__(
        self, observation_size: int, action_size: int, units: int, change_scale: FloatArray | None = None, seed: int = 0
    ) -> None:
        super().__init__(name="transition")
        self.units = units
        scale = np.ones(observation_size) if change_scale is None else change_scale
        self.change_scale = self.add_weight(
            shape=(observation_size,),
            initializer=lambda shape, dtype: np.asarray(scale, np.float32),
            trainable=False,
            name="change_scale",
        )
        seeds = keras.random.SeedGenerator(seed + 2)
        self.state_encoder = StateEncoder(units, seed)
        self.action_encoder = ActionEncoder(units, seed + 1)
        self.fused = keras.layers.Dense(
            units, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed=seeds), name="fused"
        )
        self.change = keras.layers.Dense(
            observation_size, kernel_initializer=keras.initializers.Orthogonal(0.1, seed=seeds), name="change"
        )
        self.state_encoder.build((None, observation_size))
        self.action_encoder.build((None, action_size))
        self.fused.build((None, units))
        self.change.build((None, units))
        self.built = True

    def initial_state(self, batch: int) -> tf.Tensor:
        """The recurrent state `[batch, units]` before anything was seen."""
        return tf.zeros((batch, self.units))

    def call(self, states: tf.Tensor, actions: tf.Tensor, recurrent_state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """f(s, a) in units of `change_scale`, `[n, d]`, and the recurrent state to carry on."""
        embedded, recurrent_state = self.state_encoder(states, recurrent_state)
        return self.change(self.fused(embedded * self.action_encoder(actions))), recurrent_state

    def along(
        self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor, recurrent_state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `call`, for sequences of observed steps.

        Args:
            states: `[T, n, d]`.
            actions: `[T, n, a]`.
            mask: `[T, n]`; where it is 0 the recurrent state passes the step by.
            recurrent_state: `[n, h]` before them.

        Returns:
            f(s, a) `[T, n, d]`, and the recurrent state after the last step.
        """
        embedded, recurrent_state = self.state_encoder.along(states, mask, recurrent_state)
        return self.change(self.fused(embedded * self.action_encoder(actions))), recurrent_state

    def warmed(self, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """The recurrent state `[n, h]` after `states [W, n, d]`, of which those count that `mask [W, n]` keeps."""
        start = self.initial_state(mask.shape[1])
        return self.state_encoder.along(states, mask, start)[1] if states.shape[0] else start

    def predict_state(
        self, states: tf.Tensor, actions: tf.Tensor, recurrent_state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """s_pred `[n, d]`, normalised, and the recurrent state to carry on."""
        change, recurrent_state = self(states, actions, recurrent_state)
        predicted = states + self.change_scale * change
        return tf.clip_by_value(predicted, -STATE_LIMIT, STATE_LIMIT), recurrent_state
