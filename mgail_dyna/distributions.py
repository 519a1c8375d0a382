"""Action distributions in TensorFlow Probability; the twins of the heads in `acting`.

The difference between continuous and discrete actions is made here (and in the NumPy twin) and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from mgail_dyna.types import ActionSpec

tfd: Any = tfp.distributions

# From the policy network's parameters [..., P] to a distribution over actions.
DistributionFn = Callable[[tf.Tensor], Any]


def gaussian(parameters: tf.Tensor) -> Any:
    """Diagonal Gaussian from `parameters [..., 2 a]`: the means, then the logarithms of the standard deviations."""
    mean, log_std = tf.split(parameters, 2, axis=-1)
    return tfd.MultivariateNormalDiag(mean, tf.exp(log_std))


def categorical(parameters: tf.Tensor) -> Any:
    """Categorical from `parameters [..., n]`, the logits."""
    return tfd.Categorical(logits=parameters)


def for_actions(spec: ActionSpec) -> DistributionFn:
    """The distribution that fits `spec`."""
    return gaussian if spec.kind == "continuous" else categorical
