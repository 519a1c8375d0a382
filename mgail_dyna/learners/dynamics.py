"""The dynamics model's gradient steps (Eq. 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.config.imitation import DynamicsConfig
from mgail_dyna.learners.compiled import compiled
from mgail_dyna.learners.variables import restore_variables, variable_state
from mgail_dyna.networks.dynamics import DynamicsModel
from mgail_dyna.replay import Replay, Windows

# Smallest change per step that counts, in standard deviations of the coordinate over states.
LEAST_CHANGE = 1e-3


class DynamicsLearner:
    """Gradient steps on f, one per minibatch, all in one compiled call.

    The GRU runs along each window from the zero state; the loss covers every step it sees, burn-in included.
    """

    def __init__(self, model: DynamicsModel, config: DynamicsConfig) -> None:
        self.model, self.config = model, config
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(model.trainable_variables)

    def scale(self, *sources: Replay) -> None:
        """Sets the model's `change_scale`: each coordinate's from the first of `sources` where it changes.

        The scale is the standard deviation of the changes, or their mean where that is larger (a clock's changes do not
        vary). A coordinate that changes in no source keeps scale 1. With `LEAST_CHANGE`, a later change would
        dominate the loss.
        """
        found = np.zeros(self.model.change_scale.shape, np.float32)
        for changes in filter(len, (source.changes() for source in sources)):
            size = np.maximum(changes.std(axis=0), np.abs(changes.mean(axis=0)))
            found = np.where(found > LEAST_CHANGE, found, np.maximum(found, size))
        self.model.change_scale.assign(np.where(found > 0, np.maximum(found, LEAST_CHANGE), 1.0))

    def __call__(self, windows: Windows, learning_rate: float) -> dict[str, float]:
        """Takes `K` steps on windows `[K, L, B, ...]`.

        Returns:
            Means over the steps: `loss`, in units where predicting no change costs about d / 2.
        """
        self.optimizer.learning_rate.assign(self.config.learning_rate * learning_rate)
        return {"loss": float(self._update(windows.states, windows.actions, windows.mask))}

    def errors(self, windows: Windows) -> dict[str, float]:
        """How far predictions are from one batch of recorded windows `[1, W + T, B, ...]`.

        Returns:
            `error_1` and `error_T` (T = the windows' length): root mean square over coordinates of the normalised
            state, one and T steps after the last observed one. `error_T` covers only episodes that last so long; NaN
            if there is none.
        """
        first, last = self._errors(windows.states[0], windows.actions[0], windows.mask[0])
        horizon = windows.actions.shape[1] - self.config.burn_in
        return {"error_1": float(first), f"error_{horizon}": float(last)}

    def foreseen(self, windows: Windows) -> float:
        """How much of the change of state is foreseen, in one batch of windows `[1, W + T, B, ...]`.

        The change is that from the last observed state to each of the `T` after it. Returns 1 - (root mean square of
        the predictions' errors) / (root mean square of the changes), at least 0: 1 if all predictions are exact, 0 if
        they are no better than "nothing changes".
        """
        error, change = self._missed(windows.states[0], windows.actions[0], windows.mask[0])
        return max(1.0 - float(error) / max(float(change), LEAST_CHANGE), 0.0)

    @compiled
    def _missed(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Root mean squares of the errors and of the changes, over steps, windows and coordinates."""
        burn_in = self.config.burn_in
        memory = self.model.observe(states[:burn_in], mask[:burn_in])
        predicted, error, change = states[burn_in], tf.constant(0.0), tf.constant(0.0)
        for t in tf.range(burn_in, actions.shape[0]):
            predicted, memory, _ = self.model.predict(predicted, actions[t], memory)
            error += tf.reduce_sum(mask[t] * tf.reduce_mean(tf.square(predicted - states[t + 1]), axis=-1))
            change += tf.reduce_sum(mask[t] * tf.reduce_mean(tf.square(states[burn_in] - states[t + 1]), axis=-1))
        steps = tf.reduce_sum(mask[burn_in:])
        return tf.sqrt(error / steps), tf.sqrt(change / steps)

    @compiled
    def _errors(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        burn_in, predict = self.config.burn_in, self.model.predict
        memory = self.model.observe(states[:burn_in], mask[:burn_in])
        first, memory, _ = predict(states[burn_in], actions[burn_in], memory)
        last = first
        for t in tf.range(burn_in + 1, actions.shape[0]):
            last, memory, _ = predict(last, actions[t], memory)

        def error(predicted: tf.Tensor, step: int) -> tf.Tensor:
            squared = tf.reduce_mean(tf.square(predicted - states[step + 1]), axis=-1)
            return tf.sqrt(tf.reduce_sum(squared * mask[step]) / tf.reduce_sum(mask[step]))

        return error(first, burn_in), error(last, actions.shape[0] - 1)

    @compiled
    def _update(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        steps = states.shape[0]
        total = tf.constant(0.0)
        for k in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = self.model.loss(states[k], actions[k], mask[k])
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss
        return total / float(steps)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return variable_state(model=self.model, optimizer=self.optimizer)

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, model=self.model, optimizer=self.optimizer)
