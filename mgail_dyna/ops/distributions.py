"""Action distributions in TensorFlow Probability; `networks.numpy_policy` has the same in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from mgail_dyna.types import ActionSpec, FloatArray

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


Bound = float | FloatArray
# From the policy network's parameters [..., P] and noise [..., n] to actions.
ReparameterizeFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def sampled_gaussian(parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """mean + std * noise, not clipped, so that it has a likelihood.

    Args:
        parameters: `[..., 2 a]`.
        noise: `[..., a]` standard normal.
    """
    mean, log_std = tf.split(parameters, 2, axis=-1)
    return mean + tf.exp(log_std) * noise


def sampled_categorical(parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """The index `[...]` of the largest logit plus noise.

    Args:
        parameters: `[..., n]` logits.
        noise: `[..., n]` standard Gumbel.
    """
    return tf.argmax(parameters + noise, axis=-1)


def sample_for(spec: ActionSpec) -> ReparameterizeFn:
    """How actions of `spec` are sampled with noise, in the form whose likelihood `for_actions` gives."""
    return sampled_gaussian if spec.kind == "continuous" else sampled_categorical


def reparameterized_gaussian(
    parameters: tf.Tensor, noise: tf.Tensor, low: Bound = -1.0, high: Bound = 1.0
) -> tf.Tensor:
    """mean + std * noise, clipped to the box as when executed; the gradient passes the clipping unchanged.

    Args:
        parameters: `[..., 2 a]`.
        noise: `[..., a]` standard normal, recorded or fresh.
        low: lower bounds, a number or `[a]`.
        high: upper bounds, a number or `[a]`.
    """
    action = sampled_gaussian(parameters, noise)
    return tf.clip_by_value(tf.stop_gradient(action), low, high) + (action - tf.stop_gradient(action))


def reparameterized_categorical(parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Straight-through Gumbel-softmax (Jang et al. 2017) at temperature 1.

    The value is one-hot at the largest logit plus noise; the gradient is that of the softmax.

    Args:
        parameters: `[..., n]` logits.
        noise: `[..., n]` standard Gumbel, recorded or fresh.
    """
    perturbed = parameters + noise
    chosen = tf.one_hot(tf.argmax(perturbed, axis=-1), parameters.shape[-1], dtype=parameters.dtype)
    soft = tf.nn.softmax(perturbed)
    return chosen + (soft - tf.stop_gradient(soft))


def reparameterize_for(spec: ActionSpec) -> ReparameterizeFn:
    """How actions of `spec` are computed from noise, differentiably; in units of `spec.scale`, or one-hot."""
    if spec.kind == "discrete":
        return reparameterized_categorical
    assert spec.low is not None and spec.high is not None
    low, high = ((bound - spec.center) / spec.scale for bound in (spec.low, spec.high))
    return functools.partial(reparameterized_gaussian, low=low, high=high)


# From the policy network's parameters [n, P] and an expert's actions [n, a] to a loss.
CloningLossFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def squared_error(parameters: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    """Mean over pairs and coordinates of the squared distance of the means from `actions [n, a]`, in their unit.

    Args:
        parameters: `[n, 2 a]`; the standard deviations are not used.
        actions: `[n, a]`.
    """
    mean, _ = tf.split(parameters, 2, axis=-1)
    return tf.reduce_mean(tf.square(mean - actions))


def cross_entropy(parameters: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
    """Mean of -log p(a), in nats.

    Args:
        parameters: `[n, a]` logits.
        actions: `[n, a]`, one-hot.
    """
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(actions, parameters))


def cloning_loss_for(spec: ActionSpec) -> CloningLossFn:
    """What behavioural cloning minimises for actions of `spec`."""
    return squared_error if spec.kind == "continuous" else cross_entropy
