"""The dynamics model (the papers' forward model): f(s, a) predicts the change of state."""

from __future__ import annotations

from collections.abc import Sequence
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

    def observe(self, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Burn-in: the memory `[n, h]` after `states [W, n, d]`, counting those that `mask [W, n]` keeps."""

    def predict(self, states: tf.Tensor, actions: tf.Tensor, memory: tf.Tensor) -> Prediction:
        """s_pred `[n, d]`, the memory to pass on, and the disagreement `[n]`."""

    def loss(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Eq. 5 along windows: `states [L + 1, B, d]`, `actions [L, B, a]`, `mask [L, B]`; a scalar."""


class ChangeNetwork(keras.layers.Layer):
    """f(s, a): state embedding times action embedding (Hadamard product), then a head for the change of state (paper
    sec. 3, 4).

    Args:
        observation_size: `d`.
        action_size: `a`.
        units: of both embeddings, of the GRU and of the head's hidden layer (MGAIL: 100).
        seed: of the initial weights.
        recurrent: as of `StateEncoder`.
    """

    def __init__(
        self, observation_size: int, action_size: int, units: int, seed: int = 0, recurrent: bool = True
    ) -> None:
        super().__init__()
        seeds = keras.random.SeedGenerator(seed + 2)
        self.state_encoder = StateEncoder(units, seed, recurrent)
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

    def call(self, states: tf.Tensor, actions: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """f(s, a) `[n, d]`, and the memory `[n, units]` to pass on."""
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
            memory: `[n, units]` before the first step.

        Returns:
            f(s, a) `[T, n, d]`, and the memory after the last step.
        """
        embedded, memory = self.state_encoder.unroll(states, mask, memory)
        return self.change(self.fused(embedded * self.action_encoder(actions))), memory


class GRUDynamics(keras.layers.Layer):
    """s_pred = s + change_scale * f(s, a), where f is the mean of the members' networks; the papers have one.

    The networks predict the change in units of its own size, so every coordinate weighs the same in the loss, and an
    untrained model predicts almost no change. Members differ in their initial weights alone.

    Args:
        observation_size: `d`.
        action_size: `a`.
        units: of each member's network.
        change_scale: `[d]`, size of one step's change of the normalised state; can be assigned later.
        seed: of the initial weights.
        members: number of networks.
        recurrent: remember earlier states; otherwise a single state and action are all that a prediction is made of.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        units: int,
        change_scale: FloatArray | None = None,
        seed: int = 0,
        members: int = 1,
        recurrent: bool = True,
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
        more = (np.random.SeedSequence([seed, number]).generate_state(1)[0] for number in range(1, members))
        seeds = [seed, *(int(each) // 2 for each in more)]  # below 2^31
        self.members = [ChangeNetwork(observation_size, action_size, units, each, recurrent) for each in seeds]
        self.built = True

    def initial_state(self, batch: int) -> tf.Tensor:
        """The memory `[batch, h]` before anything was observed."""
        return tf.zeros((batch, self.units * len(self.members)))

    def observe(self, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        start = self.initial_state(mask.shape[1])
        if not states.shape[0]:
            return start
        parts = zip(self.members, self._parts(start), strict=True)
        return tf.concat([member.state_encoder.unroll(states, mask, part)[1] for member, part in parts], axis=-1)

    def predict(self, states: tf.Tensor, actions: tf.Tensor, memory: tf.Tensor) -> Prediction:
        parts = zip(self.members, self._parts(memory), strict=True)
        changes, after = zip(*(member(states, actions, part) for member, part in parts), strict=True)
        mean = tf.add_n(changes) / float(len(changes))
        predicted = tf.clip_by_value(states + self.change_scale * mean, -STATE_LIMIT, STATE_LIMIT)
        return Prediction(predicted, tf.concat(after, axis=-1), self._disagreement(changes, mean))

    def loss(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        observed = (states[1:] - states[:-1]) / self.change_scale
        parts = zip(self.members, self._parts(self.initial_state(states.shape[1])), strict=True)
        losses = [
            dynamics_loss(member.unroll(states[:-1], actions, mask, part)[0], observed, mask) for member, part in parts
        ]
        return tf.add_n(losses) / float(len(losses))

    def _parts(self, memory: tf.Tensor) -> list[tf.Tensor]:
        """Each member's part `[n, units]` of the memory."""
        return list(tf.split(memory, len(self.members), axis=-1))

    def _disagreement(self, changes: Sequence[tf.Tensor], mean: tf.Tensor) -> tf.Tensor:
        """Root mean square, over members and coordinates, of how far a prediction is from the mean one; no gradient."""
        squares = [tf.square(self.change_scale * (change - mean)) for change in changes]
        return tf.stop_gradient(tf.sqrt(tf.reduce_mean(tf.add_n(squares) / float(len(squares)), axis=-1)))
