"""The losses at numbers worked out by hand. D = sigmoid(logit) is the probability of the agent."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.ops.losses import (
    IMITATION_COSTS,
    discriminator_loss,
    dynamics_loss,
    gradient_penalty,
    logit_cost,
    nonsaturating_cost,
    saturating_cost,
)

LN2, LN3, LN4 = 0.6931472, 1.0986123, 1.3862944
LN_4_3 = 0.2876821  # -log 0.75
# D = 1/4, 1/2, 3/4 and, to within float32, 0 and 1
LOGITS = tf.constant([-LN3, 0.0, LN3, -100.0, 100.0])


def slopes(function, logits=LOGITS):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(function(logits))
    return tape.gradient(total, logits)


def test_discriminator_loss_of_one_who_cannot_tell_is_two_ln_two():
    np.testing.assert_allclose(discriminator_loss(tf.zeros(3), tf.zeros(5)), 2 * LN2, rtol=1e-6)


def test_discriminator_loss_is_minus_log_d_on_the_agent_and_minus_log_one_minus_d_on_the_expert():
    on_agent = tf.constant([LN3, -LN3])  # D = 0.75, 0.25
    on_expert = tf.constant([LN3, 0.0, -LN3, -LN3])  # D = 0.75, 0.5, 0.25, 0.25
    expected = (LN_4_3 + LN4) / 2 + (LN4 + LN2 + LN_4_3 + LN_4_3) / 4
    np.testing.assert_allclose(discriminator_loss(on_agent, on_expert), expected, rtol=1e-6)


def test_discriminator_loss_falls_as_the_agents_logits_rise_and_the_experts_sink():
    np.testing.assert_allclose(slopes(lambda on_agent: discriminator_loss(on_agent, tf.zeros(1)), tf.zeros(1)), [-0.5])
    np.testing.assert_allclose(slopes(lambda on_expert: discriminator_loss(tf.zeros(1), on_expert), tf.zeros(1)), [0.5])
    sure, wrong = tf.constant([100.0]), tf.constant([-100.0])
    np.testing.assert_allclose(discriminator_loss(sure, wrong), 0.0, atol=1e-6)
    np.testing.assert_allclose(discriminator_loss(wrong, sure), 200.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("cost", "values", "slope"),
    [
        (saturating_cost, [-LN4, -LN2, -LN_4_3, -100.0, 0.0], [0.75, 0.5, 0.25, 1.0, 0.0]),  # log D, 1 - D
        (nonsaturating_cost, [LN_4_3, LN2, LN4, 0.0, 100.0], [0.25, 0.5, 0.75, 0.0, 1.0]),  # -log(1 - D), D
        (logit_cost, [-LN3, 0.0, LN3, -100.0, 100.0], [1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_costs_have_the_values_and_slopes_they_are_chosen_for(cost, values, slope):
    np.testing.assert_allclose(cost(LOGITS), values, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(slopes(cost), slope, rtol=1e-6, atol=1e-7)


def test_costs_have_the_signs_they_promise_and_the_logit_is_the_sum_of_the_other_two():
    logits = tf.linspace(-30.0, 30.0, 101)
    assert np.all(saturating_cost(logits) <= 0)
    assert np.all(nonsaturating_cost(logits) >= 0)
    np.testing.assert_allclose(saturating_cost(logits) + nonsaturating_cost(logits), logits, rtol=1e-5, atol=1e-6)


def test_every_cost_is_greater_where_the_discriminator_is_surer_of_the_agent():
    for cost in IMITATION_COSTS.values():
        assert np.all(np.diff(cost(tf.linspace(-5.0, 5.0, 21))) > 0)


@pytest.mark.parametrize(
    ("on_state", "on_action", "expected"), [(3.0, 4.0, 16.0), (0.6, 0.8, 0.0), (0.3, 0.4, 0.25), (0.0, 0.0, 1.0)]
)
def test_gradient_penalty_of_a_linear_discriminator_is_its_weights_norm_less_one_squared(on_state, on_action, expected):
    w = tf.constant([on_state, on_action])
    points, others = (tf.random.stateless_normal((5, 2), (0, seed)) for seed in (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(w)
        penalty = gradient_penalty(lambda inputs: inputs @ w[:, None], points, others, tf.fill((5, 1), 0.3))
    np.testing.assert_allclose(penalty, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(tape.gradient(penalty, w)).all()


def test_gradient_penalty_is_taken_at_the_mixed_points():
    """The gradient of s^2 / 2 is s; from agent 0 to expert 4 the mixed states are 0, 1, 2 and 4."""
    agent, expert = tf.zeros((4, 3)), tf.constant([[4.0, 1.0, 1.0]] * 4)
    mix = tf.constant([[0.0], [0.25], [0.5], [1.0]])

    def logits(inputs):
        return 0.5 * inputs[:, 0] ** 2

    penalty = gradient_penalty(logits, agent, expert, mix)
    np.testing.assert_allclose(penalty, (1.0 + 0.0 + 1.0 + 9.0) / 4, rtol=1e-5)
    flat = gradient_penalty(logits, agent, expert, mix, target=0.0)
    np.testing.assert_allclose(flat, (0.0 + 1.0 + 4.0 + 16.0) / 4, rtol=1e-5)


def test_transition_loss_is_half_the_squared_error_averaged_over_the_steps_kept():
    predicted = tf.constant([[[1.0, 2.0], [0.0, 0.0]], [[3.0, -1.0], [5.0, 5.0]]])  # [time, batch, d]
    observed = tf.constant([[[0.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [-99.0, 99.0]]])
    mask = tf.constant([[1.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(dynamics_loss(predicted, observed, mask), (2.5 + 2.0 + 0.5) / 3, rtol=1e-6)


def test_transition_loss_passes_no_gradient_from_masked_steps_and_is_zero_without_any():
    predicted, observed = tf.constant([[1.0], [7.0]]), tf.zeros((2, 1))
    gradient = slopes(lambda p: dynamics_loss(p, observed, tf.constant([1.0, 0.0])), predicted)
    np.testing.assert_allclose(gradient, [[1.0], [0.0]])
    assert float(dynamics_loss(predicted, observed, tf.zeros(2))) == 0.0
