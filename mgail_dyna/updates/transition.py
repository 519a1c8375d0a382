"""The transition model's update (Eq. 5)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgail_dyna.config.imitation import TransitionConfig
from mgail_dyna.losses import transition_loss
from mgail_dyna.networks.transition import TransitionModel
from mgail_dyna.replay import Replay, Windows
from mgail_dyna.types import FloatArray
from mgail_dyna.updates.variables import restore_variables, variable_state

# Of a coordinate that hardly changes in a step, in units of its standard deviation over states.
LEAST_CHANGE = 1e-3


class TransitionUpdate:
    """Gradient steps on f, as many as there are minibatches, in one compiled call.

    The GRU runs along each window from the zero state; every step it sees counts, warm-up included.
    """

    def __init__(self, model: TransitionModel, config: TransitionConfig) -> None:
        self.model, self.config = model, config
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(model.trainable_variables)

    def scale(self, *sources: Replay) -> None:
        """Tells the model how much states change in a step: each coordinate as in the first of `sources` where it does.

        That is their standard deviation, or their mean where it is larger: a clock's changes do not vary. One that
        changes in none of them keeps the unit it is seen in: were it to change after all, the smallest unit would leave
        the loss nothing else to look at.
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
        """How far predictions are from what happened, along one batch of recorded windows `[1, W + T, B, ...]`.

        Returns:
            `error_1` and `error_T` (T = the windows' length): root mean square over coordinates of the normalised
            state, one and T steps after the last observed one; NaN where no window goes so far. Only windows whose
            episode lasted are in the latter.
        """
        first, last = self._errors(windows.states[0], windows.actions[0], windows.mask[0])
        horizon = windows.actions.shape[1] - self.config.warmup
        return {"error_1": float(first), f"error_{horizon}": float(last)}

    @tf.function(jit_compile=True)
    def _errors(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        warmup, predict = self.config.warmup, self.model.predict_state
        memory = self.model.warmed(states[:warmup], mask[:warmup])
        first, memory = predict(states[warmup], actions[warmup], memory)
        last = first
        for t in tf.range(warmup + 1, actions.shape[0]):
            last, memory = predict(last, actions[t], memory)

        def error(predicted: tf.Tensor, step: int) -> tf.Tensor:
            squared = tf.reduce_mean(tf.square(predicted - states[step + 1]), axis=-1)
            return tf.sqrt(tf.reduce_sum(squared * mask[step]) / tf.reduce_sum(mask[step]))

        return error(first, warmup), error(last, actions.shape[0] - 1)

    def loss(self, states: FloatArray, actions: FloatArray, mask: FloatArray) -> tf.Tensor:
        """Eq. 5 along windows: `states [L + 1, B, d]`, `actions [L, B, a]`, `mask [L, B]`."""
        predicted, _ = self.model.along(states[:-1], actions, mask, self.model.initial_state(states.shape[1]))
        observed = (states[1:] - states[:-1]) / self.model.change_scale
        return transition_loss(predicted, observed, mask)

    @tf.function(jit_compile=True)
    def _update(self, states: tf.Tensor, actions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        steps = states.shape[0]
        total = tf.constant(0.0)
        for k in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = self.loss(states[k], actions[k], mask[k])
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss
        return total / float(steps)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return variable_state(model=self.model, optimizer=self.optimizer)

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, model=self.model, optimizer=self.optimizer)
