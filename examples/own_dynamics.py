"""A dynamics model of your own, linear and without memory. It has what `DynamicsModel` asks for and no more.

pip install -e .    # once, in the checkout
python examples/own_dynamics.py --env cartpole --mode dyna-linear
"""

import sys
from dataclasses import replace

import keras
import tensorflow as tf

from mgail_dyna import Networks, register
from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.cli.main import main
from mgail_dyna.ops.losses import dynamics_loss
from mgail_dyna.ops.unroll import Prediction


class LinearDynamics(keras.layers.Layer):
    """s_pred = s + change_scale * f(s, a). Keras adds `variables` and `trainable_variables`."""

    def __init__(self, size, action_size):
        super().__init__()
        self.change_scale = self.add_weight(shape=(size,), initializer="ones", trainable=False)
        self.linear = keras.layers.Dense(size, kernel_initializer="zeros")
        self.linear.build((None, size + action_size))

    def observe(self, states, mask):
        return tf.zeros((mask.shape[1], 1))  # it has no memory

    def predict(self, states, actions, memory):
        change = self.linear(tf.concat([states, actions], axis=-1))
        return Prediction(states + self.change_scale * change, memory, tf.zeros(states.shape[:1]))

    def loss(self, states, actions, mask):  # Eq. 5
        change = self.linear(tf.concat([states[:-1], actions], axis=-1))
        return dynamics_loss(change, (states[1:] - states[:-1]) / self.change_scale, mask)


def build(demos, config, seed):
    """From a replay of the demonstrations as networks see them, and a `DynamicsConfig`."""
    states, actions = demos.all_pairs()
    return LinearDynamics(states.shape[1], actions.shape[1])


networks = Networks(dynamics=build)
register(replace(algorithm_named("dyna"), name="dyna-linear", summary="Dyna-AIL with a linear f", networks=networks))

if __name__ == "__main__":
    sys.exit(main())
