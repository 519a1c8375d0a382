"""The dynamics model (the papers' forward model): f(s, a) predicts the change of state."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.networks.encoders import ActionEncoder, StateEncoder
from mgail_dyna.normalization import STATE_LIMIT
from mgail_dyna.ops.losses import dynamics_loss
from mgail_dyna.ops.unroll import Prediction
from mgail_dyna.types import FloatArray


class DynamicsModel(Protocol):
    """What the graph, planning and training ask of a dynamics model, be it one network or an ensemble."""

    change_scale: Any  # variable [d], the size of one step's change of the normalised state

    @property
    def variables(self) -> list[Any]:
        """All variables, in a fixed order."""

    @property
    def trainable_variables(self) -> list[Any]:
        """Those that gradient steps change."""

    def initial_state(self, batch: int) -> tf.Tensor:
        """The memory `[batch, h]` before anything was observed."""

    def observe(self, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Burn-in: the memory `[n, h]` after `states [W, n, d]`, counting those that `mask [W, n]` keeps."""

    def predict(self, states: tf.Tensor, actions: tf.Tensor, memory: tf.Tensor) -> Prediction:
        """s_pred `[n, d]`, the memory to pass on, and the disagreement `[n]`."""

    def loss(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Eq. 5 along windows: `states [L + 1, B, d]`, `actions [L, B, a]`, `mask [L, B]`; a scalar."""


class GRUDynamics(keras.layers.Layer):
    """State embedding times action embedding (Hadamard product), then a head for the change of state (paper sec. 3, 4).

    s_pred = s + change_scale * f(s, a). The network predicts the change in units of its own size, so every coordinate
    weighs the same in the loss, and an untrained model predicts almost no change.

    Args:
        observation_size: `d`.
        action_size: `a`.
        units: of both embeddings, of the GRU and of the head's hidden layer (MGAIL: 100).
        change_scale: `[d]`, size of one step's change of the normalised state; can be assigned later.
        seed: of the initial weights.
    """

    def __init__(
        self, observation_size: int, action_size: int, units: int, change_scale: FloatArray | None = None, seed: int = 0
    ) -> None:
        super().__init__(name="dynamics")
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
        return tf.zeros((batch, self.units))

    def call(self, states: tf.Tensor, actions: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """f(s, a) in units of `change_scale`, `[n, d]`, and the memory to pass on."""
        embedded, memory = self.state_encoder(states, memory)
        return self.change(self.fused(embedded * self.action_encoder(actions))), memory

    def unroll(
        self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor, memory: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `call`, along sequences of observed steps.

        Args:
            states: `[T, n, d]`.
            actions: `[T, n, a]`.
            mask: `[T, n]`; where it is 0 the memory does not change.
            memory: `[n, h]` before the first step.

        Returns:
            f(s, a) `[T, n, d]`, and the memory after the last step.
        """
        embedded, memory = self.state_encoder.unroll(states, mask, memory)
        return self.change(self.fused(embedded * self.action_encoder(actions))), memory

    def observe(self, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        start = self.initial_state(mask.shape[1])
        return self.state_encoder.unroll(states, mask, start)[1] if states.shape[0] else start

    def predict(self, states: tf.Tensor, actions: tf.Tensor, memory: tf.Tensor) -> Prediction:
        change, memory = self(states, actions, memory)
        predicted = tf.clip_by_value(states + self.change_scale * change, -STATE_LIMIT, STATE_LIMIT)
        return Prediction(predicted, memory, tf.zeros(states.shape[:1]))

    def loss(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        predicted, _ = self.unroll(states[:-1], actions, mask, self.initial_state(states.shape[1]))
        observed = (states[1:] - states[:-1]) / self.change_scale
        return dynamics_loss(predicted, observed, mask)
