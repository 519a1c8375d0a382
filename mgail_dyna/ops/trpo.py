"""Trust Region Policy Optimization, as pure functions of a flat parameter vector (Schulman et al. 2015).

The step solves  max_x g.x  subject to  x.F.x / 2 <= limit  for the surrogate's gradient g and the Fisher matrix F, then
walks back along x until the true surrogate rises and the true mean KL stays inside the limit. F is never built: its
product with a vector is J' M J v, where J is the Jacobian of the distribution's parameters and M the Hessian of the KL
in those parameters (Gauss-Newton form, exact at the point where both distributions agree).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from mgail_dyna.config.expert import TrustRegionConfig
from mgail_dyna.ops.distributions import DistributionFn

# From a flat parameter vector [p] to the distribution's parameters at the batch's states [n, P].
ParametersFn = Callable[[tf.Tensor], tf.Tensor]
MatrixVectorFn = Callable[[tf.Tensor], tf.Tensor]
# From parameters [p] to what is raised, and the mean KL from the policy as it was.
JudgeFn = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
# Ratio of a step size the line search tries to the one before.
SHRINK = 0.8


class Step(NamedTuple):
    """What a trust-region step did; every field a scalar but `parameters [p]`."""

    parameters: tf.Tensor
    kl: tf.Tensor
    before: tf.Tensor
    after: tf.Tensor
    accepted: tf.Tensor
    gradient_norm: tf.Tensor


def conjugate_gradient(product: MatrixVectorFn, b: tf.Tensor, iterations: int, tolerance: float = 1e-10) -> tf.Tensor:
    """Approximates `x` in `A x = b` for a symmetric positive definite `A` known by its `product`.

    Args:
        product: maps `[p]` to `A` times it.
        b: `[p]`.
        iterations: at most this many products.
        tolerance: stops once the residual's norm is below this share of `b`'s.
    """
    enough = tolerance**2 * tf.reduce_sum(b * b)

    def unfinished(i: tf.Tensor, x: tf.Tensor, r: tf.Tensor, d: tf.Tensor, rr: tf.Tensor) -> tf.Tensor:
        return tf.logical_and(i < iterations, rr > enough)

    def iterate(i: tf.Tensor, x: tf.Tensor, r: tf.Tensor, d: tf.Tensor, rr: tf.Tensor) -> tuple[tf.Tensor, ...]:
        a_d = product(d)
        alpha = rr / tf.reduce_sum(d * a_d)
        x, r = x + alpha * d, r - alpha * a_d
        rr_next = tf.reduce_sum(r * r)
        return i + 1, x, r, r + (rr_next / rr) * d, rr_next

    start = (tf.constant(0), tf.zeros_like(b), b, b, tf.reduce_sum(b * b))
    return tf.while_loop(unfinished, iterate, start)[1]


def mean_kl(distribution: DistributionFn, old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    """Mean of KL(old || new) over a batch of distribution parameters `[n, P]`."""
    return tf.reduce_mean(distribution(old).kl_divergence(distribution(new)))


def kl_hessian_product(distribution: DistributionFn, parameters: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    """The Hessian of `mean_kl(parameters, .)` at `parameters [n, P]` times `vector [n, P]`."""
    old = tf.stop_gradient(parameters)
    with tf.GradientTape() as outer:
        outer.watch(parameters)
        with tf.GradientTape() as inner:
            inner.watch(parameters)
            kl = mean_kl(distribution, old, parameters)
        slope = tf.reduce_sum(inner.gradient(kl, parameters) * tf.stop_gradient(vector))
    return outer.gradient(slope, parameters)


def fisher_product(
    parameters_fn: ParametersFn, distribution: DistributionFn, theta: tf.Tensor, damping: float
) -> MatrixVectorFn:
    """The product with `F + damping I` for the Fisher matrix F of the policy at `theta [p]`, averaged over the batch.

    The policy is linearised once, here; each product is then linear algebra alone. J v is had by differentiating
    J' u, which is linear in u, along v.
    """
    with tf.GradientTape(persistent=True) as of_pulled:
        with tf.GradientTape(persistent=True) as of_parameters:
            of_parameters.watch(theta)
            parameters = parameters_fn(theta)
        cotangent = tf.zeros_like(parameters)
        of_pulled.watch(cotangent)
        pulled = of_parameters.gradient(parameters, theta, output_gradients=cotangent)

    def product(vector: tf.Tensor) -> tf.Tensor:
        pushed = of_pulled.gradient(pulled, cotangent, output_gradients=vector)
        curved = kl_hessian_product(distribution, tf.stop_gradient(parameters), pushed)
        return of_parameters.gradient(parameters, theta, output_gradients=curved) + damping * vector

    return product


def surrogate(
    distribution: DistributionFn, new: tf.Tensor, actions: tf.Tensor, old_log_prob: tf.Tensor, advantages: tf.Tensor
) -> tf.Tensor:
    """Importance-weighted advantage, mean over the batch: what the step raises (Schulman 2015, eq. 14)."""
    return tf.reduce_mean(tf.exp(distribution(new).log_prob(actions) - old_log_prob) * advantages)


def _line_search(
    judge: JudgeFn,
    theta: tf.Tensor,
    full_step: tf.Tensor,
    before: tf.Tensor,
    max_kl: tf.Tensor | float,
    backtracks: int,
) -> tuple[tf.Tensor, ...]:
    """The first of the step sizes 1, SHRINK, SHRINK^2, ... that raises what `judge` gives and keeps the KL limit.

    Returns:
        Whether there was one, and the last parameters tried with what `judge` says of them.
    """

    def searching(i: tf.Tensor, accepted: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return tf.logical_and(i < backtracks, tf.logical_not(accepted))

    def shorten(i: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
        candidate = theta + full_step * tf.pow(tf.cast(SHRINK, theta.dtype), tf.cast(i, theta.dtype))
        after, kl = judge(candidate)
        # A NaN compares false, so a step into NaN is refused as well.
        return i + 1, tf.logical_and(after > before, kl <= max_kl), candidate, after, kl

    start = (tf.constant(0), tf.constant(False), theta, before, tf.zeros_like(before))
    return tf.while_loop(searching, shorten, start)[1:]


def natural_step(
    judge: JudgeFn,
    gradient: tf.Tensor,
    fisher: MatrixVectorFn,
    theta: tf.Tensor,
    before: tf.Tensor,
    max_kl: tf.Tensor | float,
    config: TrustRegionConfig,
) -> Step:
    """A step along F^-1 g, as long as `max_kl` allows, then shortened until it raises what `judge` gives.

    Args:
        judge: what the step raises, and the mean KL.
        gradient: `[p]`, g, of what is raised, at `theta`.
        fisher: the product with F, damped.
        theta: `[p]`, the policy's parameters now.
        before: what `judge` gives at `theta`.
        max_kl: of the mean KL.
        config: of conjugate gradient and line search.

    Returns:
        The new parameters, equal to `theta` where no step size was accepted.
    """
    direction = conjugate_gradient(fisher, gradient, config.cg_iterations, config.cg_tolerance)
    curvature = tf.reduce_sum(direction * fisher(direction))
    full_step = direction * tf.sqrt(2.0 * max_kl / tf.maximum(curvature, 1e-12))
    accepted, candidate, after, kl = _line_search(judge, theta, full_step, before, max_kl, config.backtracks)
    return Step(
        parameters=tf.where(accepted, candidate, theta),
        kl=tf.where(accepted, kl, 0.0),
        before=before,
        after=tf.where(accepted, after, before),
        accepted=accepted,
        gradient_norm=tf.norm(gradient),
    )


def trust_region_step(
    parameters_fn: ParametersFn,
    distribution: DistributionFn,
    theta: tf.Tensor,
    actions: tf.Tensor,
    advantages: tf.Tensor,
    max_kl: tf.Tensor | float,
    config: TrustRegionConfig,
) -> Step:
    """One natural-gradient step that raises the surrogate, with a backtracking line search.

    Args:
        parameters_fn: the policy at the batch's states.
        distribution: from its outputs to distributions.
        theta: `[p]`, the policy's parameters now.
        actions: `[n, a]` or `[n]`, taken under `theta`.
        advantages: `[n]`.
        max_kl: of the mean KL over the batch, now.
        config: of conjugate gradient and line search.

    Returns:
        The new parameters, equal to `theta` where no step size was accepted.
    """
    with tf.GradientTape() as tape:
        tape.watch(theta)
        parameters = parameters_fn(theta)
        old_log_prob = tf.stop_gradient(distribution(parameters).log_prob(actions))
        before = surrogate(distribution, parameters, actions, old_log_prob, advantages)
    gradient = tape.gradient(before, theta)
    old = tf.stop_gradient(parameters)

    def judge(candidate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        new = parameters_fn(candidate)
        return surrogate(distribution, new, actions, old_log_prob, advantages), mean_kl(distribution, old, new)

    fisher = fisher_product(parameters_fn, distribution, theta, config.damping)
    return natural_step(judge, gradient, fisher, theta, before, max_kl, config)
