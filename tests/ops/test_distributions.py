"""Losses of action distributions at numbers worked out by hand."""

import math

import pytest
import tensorflow as tf

from mgail_dyna.ops.distributions import cross_entropy, squared_error


def test_cloning_losses_on_known_numbers():
    parameters = tf.constant([[0.5, 0.0, -3.0, 9.0], [0.0, 1.0, -3.0, 9.0]])  # means, then log standard deviations
    assert float(squared_error(parameters, tf.constant([[0.5, 1.0], [0.0, 0.0]]))) == pytest.approx(0.5)
    logits = tf.math.log(tf.constant([[0.25, 0.75], [0.5, 0.5]]))
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert float(cross_entropy(logits, tf.constant([[0.0, 1.0], [1.0, 0.0]]))) == pytest.approx(expected)
