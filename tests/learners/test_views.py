"""What D judges: the same pairs from data and from unrolled trajectories, and a gradient that reaches the action."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.config.imitation import DynamicsConfig, ImitationConfig, PolicyConfig
from mgail_dyna.learners.demonstrated import Following
from mgail_dyna.learners.policy import PolicyLearner
from mgail_dyna.learners.views import StateAction, Transition, costs_along
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.unroll import Imagined, Prediction, Replayed, discounted_cost, unroll
from mgail_dyna.replay import Replay, Windows
from mgail_dyna.types import ActionSpec

UNIT = np.array([2.0, 0.5], np.float32)


def two_episodes():
    """A replay of three steps and two; state = (10 episode + step, its negative), action = step."""
    replay = Replay(2, 1, 1)
    for number, length in enumerate((3, 2)):
        steps = np.arange(length + 1, dtype=np.float32)
        replay.add(np.stack([10 * number + steps, -(steps**2)], axis=1), steps[:-1, None])
    return replay


def test_changes_are_of_steps_within_an_episode_in_their_unit():
    states, changes = Transition(UNIT).every(two_episodes())
    np.testing.assert_array_equal(states[:, 0], [0, 1, 2, 10, 11])
    np.testing.assert_array_equal(changes[:, 0], np.full(5, 0.5))  # one step on, in units of 2
    np.testing.assert_array_equal(changes[:, 1], 2 * np.array([-1.0, -3, -5, -1, -3]))
    drawn, beside = Transition(UNIT).draw(two_episodes(), np.random.default_rng(0), (50, 4))
    assert drawn.shape == beside.shape == (50, 4, 2)
    known = {(*state, *change) for state, change in zip(states, changes, strict=True)}
    assert {(*s, *c) for s, c in zip(drawn.reshape(-1, 2), beside.reshape(-1, 2), strict=True)} == known
    recent, _ = Transition(UNIT).draw(two_episodes(), np.random.default_rng(0), (50,), recent_steps=2)
    assert set(recent[:, 0]) == {10, 11}


def test_pairs_without_successors_have_no_change():
    replay = two_episodes()
    replay.add_pairs(np.full((4, 2), 99, np.float32), np.zeros((4, 1), np.float32))
    assert not (Transition(UNIT).every(replay)[0] == 99).any()
    assert (StateAction().every(replay)[0] == 99).any()


@pytest.mark.parametrize("view", [StateAction(), Transition(UNIT)], ids=["actions", "changes"])
def test_a_trajectory_is_judged_as_the_same_steps_in_replay(view):
    rng = np.random.default_rng(1)
    states, actions = (rng.standard_normal((6, 1, size)).astype(np.float32) for size in (2, 1))
    replay = Replay(2, 1, 1)
    replay.add(states[:, 0], actions[:5, 0])
    for found, expected in zip(view.along(states, actions), view.every(replay), strict=True):
        np.testing.assert_array_equal(found[:5, 0], expected)
    costs = costs_along(view, tf.identity, lambda s, beside: tf.reduce_sum(s, -1) + tf.reduce_sum(beside, -1))
    judged = costs(tf.constant(states), tf.constant(actions))
    assert judged.shape == (6 - view.blind, 1)
    np.testing.assert_allclose(judged[:5, 0], sum(part.sum(-1) for part in view.every(replay)), rtol=1e-5)


@pytest.mark.parametrize("real", [True, False], ids=["learning", "planning"])
def test_the_gradient_reaches_the_action_through_the_model_alone(real):
    """s' = 0.9 s + 0.3 a, a = theta s, cost = |s' - s|^2 of two steps: d cost / d theta by hand, in either phase."""
    theta, start, a_state, f_a = tf.Variable([[0.4]]), 1.5, 0.9, 0.3

    def rates(gain):
        first = a_state * start + f_a * gain * start
        second = a_state * first + f_a * gain * first
        return np.array([start, first, second])

    recorded = rates(0.4)[:, None, None].astype(np.float32)
    source = Replayed(tf.constant(recorded * 0.4), tf.constant(recorded[1:])) if real else Imagined()
    with tf.GradientTape() as tape:
        found = unroll(
            act=lambda s, e: s @ theta,
            cost=costs_along(Transition(np.ones(1, np.float32)), tf.square, lambda s, change: change[:, 0]),
            predict=lambda s, a, memory: Prediction(a_state * s + f_a * a, memory, tf.zeros(1)),
            source=source,
            start=tf.constant([[start]]),
            memory=tf.zeros((1, 1)),
            noise=tf.zeros((3, 1, 1)),
        )
        loss = discounted_cost(found.costs, tf.ones((3, 1)), 1.0)

    def cost(gain):
        return (np.diff(rates(gain)) ** 2).sum()

    step = 1e-5
    np.testing.assert_allclose(loss, cost(0.4), rtol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(loss, theta)[0, 0], (cost(0.4 + step) - cost(0.4 - step)) / 2 / step, rtol=1e-3
    )


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_a_policy_that_follows_learns_the_actions_that_lead_to_the_states(kind):
    """The demonstrated next states are the model's own for some actions: following finds these again."""
    size, batch, burn_in = 3, 32, 2
    box = ActionSpec("continuous", 2, np.float32([-1, -1]), np.float32([1, 1]))
    action = box if kind == "continuous" else ActionSpec("discrete", 2)
    policies = [PolicyNetwork(action, size, (32,), "tanh", squash=kind == "continuous", seed=1) for _ in range(2)]
    model, judge = GRUDynamics(size, 2, 8, seed=2), Discriminator(size, size, (8,), seed=3)
    config = ImitationConfig(dynamics=DynamicsConfig(burn_in=burn_in), policy=PolicyConfig(learning_rate=0.03))
    learner = PolicyLearner(*policies, judge, model, action, config, Transition(np.ones(size, np.float32)))
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((burn_in + 1, batch, size)).astype(np.float32)
    memory = model.observe(tf.constant(seen[:burn_in]), tf.ones((burn_in, batch)))
    wanted = np.sign(seen[-1, :, :2]) * 0.5
    if kind == "discrete":
        wanted = np.eye(2, dtype=np.float32)[(seen[-1, :, 0] > 0).astype(int)]
    after = model.predict(tf.constant(seen[-1]), tf.constant(wanted, tf.float32), memory).state.numpy()
    steps = 150
    states = np.tile(np.concatenate([seen, after[None]])[None], (steps, 1, 1, 1))
    mask = np.ones((steps, burn_in + 1, batch), np.float32)
    unit = np.full(size, 0.05, np.float32)
    following = Following(states, mask, unit, np.float32(1e3))
    before, weights = following.loss(learner, 0), [np.array(each) for each in model.variables]
    windows = Windows(states, np.zeros((steps, burn_in + 1, batch, 2), np.float32), None, mask)
    learner.plan(windows, np.zeros((steps, 3, batch, 2), np.float32), 1.0, following)
    assert following.loss(learner, 0) < (0.1 if kind == "continuous" else 0.5) * before
    for variable, weight in zip(model.variables, weights, strict=True):
        np.testing.assert_array_equal(variable, weight, err_msg="the model is not changed")
