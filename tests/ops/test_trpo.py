"""The numerics of TRPO on systems whose answers are known."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.config.expert import TrustRegionConfig
from mgail_dyna.ops.distributions import categorical, gaussian
from mgail_dyna.ops.gae import generalised_advantages
from mgail_dyna.ops.trpo import (
    conjugate_gradient,
    fisher_product,
    kl_hessian_product,
    mean_kl,
    surrogate,
    trust_region_step,
)


def test_conjugate_gradient_solves_a_known_spd_system_in_its_dimension():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    matrix = tf.constant(root @ root.T + 0.5 * np.eye(6))
    b = tf.constant(rng.standard_normal(6))
    x = conjugate_gradient(lambda v: tf.linalg.matvec(matrix, v), b, iterations=6, tolerance=1e-20)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=1e-8)


def test_conjugate_gradient_stops_at_a_zero_right_hand_side():
    x = conjugate_gradient(lambda v: 2.0 * v, tf.zeros(3), iterations=10)
    np.testing.assert_array_equal(x, np.zeros(3))


# A policy of three parameters with two outputs (mean, log std) or two logits, small enough to write its Fisher matrix.
STATES = tf.constant([[0.3], [-1.2], [0.8], [2.0]], tf.float64)
THETA = tf.constant([0.7, -0.4, 0.2], tf.float64)


def tiny_policy(theta):
    first = theta[0] * STATES + theta[1]
    return tf.concat([first, tf.sin(theta[2] * STATES) + theta[2]], axis=1)


def explicit_fisher(distribution):
    """Hessian of the mean KL at the point where both distributions agree, by differentiating twice."""
    old = tf.stop_gradient(tiny_policy(THETA))
    with tf.GradientTape() as outer:
        outer.watch(THETA)
        with tf.GradientTape() as inner:
            inner.watch(THETA)
            kl = mean_kl(distribution, old, tiny_policy(THETA))
        gradient = inner.gradient(kl, THETA)
    return outer.jacobian(gradient, THETA).numpy()


@pytest.mark.parametrize("distribution", [gaussian, categorical])
def test_fisher_vector_product_is_the_explicit_fisher_matrix(distribution):
    fisher = explicit_fisher(distribution)
    assert np.linalg.eigvalsh(fisher).min() > -1e-12
    product = fisher_product(tiny_policy, distribution, THETA, damping=0.1)
    columns = [product(tf.constant(unit)) for unit in np.eye(3)]
    np.testing.assert_allclose(np.stack(columns, axis=1), fisher + 0.1 * np.eye(3), rtol=1e-9, atol=1e-12)


def test_fisher_matrix_is_the_covariance_of_the_score():
    """F = E[score score'], summed over both actions of a categorical policy."""
    with tf.GradientTape() as tape:
        tape.watch(THETA)
        log_prob = tf.nn.log_softmax(tiny_policy(THETA))
    score = tape.jacobian(log_prob, THETA).numpy()
    weight = tf.nn.softmax(tiny_policy(THETA)).numpy() / len(STATES)
    expected = np.einsum("na,nai,naj->ij", weight, score, score)
    np.testing.assert_allclose(explicit_fisher(categorical), expected, rtol=1e-9, atol=1e-12)


def test_kl_hessian_of_a_gaussian_is_inverse_variance_and_two():
    parameters = tf.constant([[0.5, np.log(0.3)]], tf.float64)
    product = kl_hessian_product(gaussian, parameters, tf.constant([[1.0, 1.0]], tf.float64))
    np.testing.assert_allclose(product, [[1 / 0.3**2, 2.0]], rtol=1e-9)


@pytest.mark.parametrize("distribution", [gaussian, categorical])
@pytest.mark.parametrize("max_kl", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_step_keeps_its_kl_limit_and_never_lowers_the_surrogate(distribution, max_kl, seed):
    rng = np.random.default_rng(seed)
    advantages = tf.constant(rng.standard_normal(len(STATES)))
    actions = (
        tf.constant(rng.integers(2, size=4)) if distribution is categorical else tf.constant(rng.normal(size=(4, 1)))
    )
    step = trust_region_step(
        tiny_policy, distribution, THETA, actions, advantages, tf.constant(max_kl, tf.float64), TrustRegionConfig()
    )
    old, new = tiny_policy(THETA), tiny_policy(step.parameters)
    old_log_prob = distribution(old).log_prob(actions)
    kl = float(mean_kl(distribution, old, new))
    gain = float(
        surrogate(distribution, new, actions, old_log_prob, advantages)
        - surrogate(distribution, old, actions, old_log_prob, advantages)
    )
    assert step.accepted
    assert 0 < kl <= max_kl * (1 + 1e-9)
    assert gain > 0
    np.testing.assert_allclose([step.kl, step.after - step.before], [kl, gain], rtol=1e-6)


def test_a_step_into_nan_is_refused():
    def broken(theta):
        return tf.where(tf.reduce_all(theta == THETA), tiny_policy(theta), np.nan * tiny_policy(theta))

    actions, advantages = tf.constant([0, 1, 1, 0]), tf.constant([1.0, -1.0, 2.0, 0.5], tf.float64)
    step = trust_region_step(
        broken, categorical, THETA, actions, advantages, tf.constant(0.1, tf.float64), TrustRegionConfig()
    )
    assert not step.accepted
    np.testing.assert_array_equal(step.parameters, THETA)


def test_advantages_bootstrap_a_truncation_and_not_a_termination():
    """Two episodes in five steps: one truncated after step 1, one terminated at step 3; a third begins."""
    gamma, gae_lambda = 0.9, 0.5
    rewards = [1.0, 2.0, 3.0, 4.0, 5.0]
    values = [0.5, 0.6, 0.7, 0.8, 0.9]
    next_values = [0.6, 10.0, 0.8, 99.0, 1.1]
    terminated = [False, False, False, True, False]
    ended = [False, True, False, True, False]
    delta = [1 + 0.9 * 0.6 - 0.5, 2 + 0.9 * 10 - 0.6, 3 + 0.9 * 0.8 - 0.7, 4 - 0.8, 5 + 0.9 * 1.1 - 0.9]
    expected = [delta[0] + 0.45 * delta[1], delta[1], delta[2] + 0.45 * delta[3], delta[3], delta[4]]
    columns = [tf.constant(column)[:, None] for column in (rewards, values, next_values, terminated, ended)]
    result = generalised_advantages(*columns, discount=gamma, gae_lambda=gae_lambda)
    np.testing.assert_allclose(result[:, 0], expected, rtol=1e-6)
