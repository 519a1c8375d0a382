"""Variables of networks and optimizers: read, flatten, save, restore."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from mgail_dyna.backend import keras


def read_once(*models: keras.Model) -> keras.StatelessScope:
    """A context in which the variables of `models` are read once; gradients still reach the variables.

    A differentiated loop that reads a variable at every step keeps a copy of it for every step.
    """
    variables = [variable for model in models for variable in model.variables]
    return keras.StatelessScope([(variable, tf.convert_to_tensor(variable)) for variable in variables])


def flatten(tensors: list[Any]) -> tf.Tensor:
    """All `tensors` as one vector `[p]`."""
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)


def unflatten(vector: tf.Tensor, like: list[Any]) -> list[tf.Tensor]:
    """`vector [p]` cut into tensors of the shapes of `like`."""
    parts = tf.split(vector, [int(np.prod(tensor.shape)) for tensor in like])
    return [tf.reshape(part, tensor.shape) for part, tensor in zip(parts, like, strict=True)]


def variable_state(**owners: Any) -> dict[str, list[np.ndarray]]:
    """The variables of Keras models and optimizers, by the names given."""
    return {name: [np.array(variable) for variable in owner.variables] for name, owner in owners.items()}


def restore_variables(state: dict[str, Any], **owners: Any) -> None:
    """Takes back what `variable_state` gave."""
    for name, owner in owners.items():
        for variable, value in zip(owner.variables, state[name], strict=True):
            variable.assign(value)
