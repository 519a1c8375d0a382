"""The multi-step graph: its gradient is the recursion of Eq. 2 and 3, its values are those that were recorded."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.config.imitation import DynamicsConfig, ImitationConfig
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.learners.policy import PolicyLearner
from mgail_dyna.learners.views import StateAction, costs_along
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.normalization import STATE_LIMIT
from mgail_dyna.ops.distributions import reparameterize_for
from mgail_dyna.ops.unroll import Imagined, Prediction, Replayed, discounted_cost, reattach_gradient, unroll
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec

# A scalar linear system with a quadratic cost: a = theta s + sigma e, s_pred = s + (A s + B a), c = q s^2 + r a^2.
A, B, Q, R, THETA, SIGMA, GAMMA = -0.3, 0.5, 1.3, 0.4, 0.7, 0.6, 0.9


# With memory: s_pred = s + A s + B a + C m, and the next memory is E m + F s.
C, E, F = 0.8, 0.9, 0.7


def recursion(start, noise, observed=None, limit=np.inf, memory=0.0, coupling=0.0):
    """Cost, J_s and J_theta of one trajectory by Eq. 2 and 3; `observed` is None where the predictions are followed.

    The model's state is (s, m), so J_s has two parts. What a step passes back has norm `limit` at most, in units of the
    whole trajectory's cost. Without `coupling` the memory does not matter.
    """
    c, f = coupling * C, coupling * F
    states, memories, actions = [start], [memory], []
    for t, e in enumerate(noise):
        actions.append(THETA * states[t] + SIGMA * e)
        predicted = states[t] + A * states[t] + B * actions[t] + c * memories[t]
        states.append(predicted if observed is None else observed[t])
        memories.append(E * memories[t] + f * states[t])
    cost = j_s = j_m = j_theta = 0.0
    for t, s, a in reversed(list(zip(range(len(noise)), states, actions, strict=False))):
        scale = min(1.0, limit / GAMMA ** (t + 1) / max(np.hypot(j_s, j_m), 1e-12))
        j_s, j_m = scale * j_s, scale * j_m
        d, d_s, d_a = Q * s * s + R * a * a, 2 * Q * s, 2 * R * a
        pi_s, pi_theta = THETA, s
        f_s, f_a = 1 + A, B
        cost = d + GAMMA * cost
        j_theta = d_a * pi_theta + GAMMA * (j_s * f_a * pi_theta + j_theta)
        j_s, j_m = d_s + d_a * pi_s + GAMMA * (j_s * (f_s + f_a * pi_s) + j_m * f), GAMMA * (j_s * c + j_m * E)
    return cost, j_s, j_m, j_theta


@pytest.mark.parametrize("coupling", [0.0, 1.0])
@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(("steps", "limit"), [(1, None), (3, None), (10, None), (10, 1.0)])
def test_the_gradient_is_the_recursion_of_equations_2_and_3(steps, real, limit, coupling):
    rng, batch = np.random.default_rng(steps), 4
    start, memory, noise, actions, observed = (
        rng.standard_normal(shape) for shape in (*2 * [batch], *3 * [(steps, batch)])
    )
    first, remembered = (tf.constant(array[:, None], tf.float32) for array in (start, memory))
    theta = tf.constant(THETA)
    recorded = Replayed(*(tf.constant(array[..., None], tf.float32) for array in (actions, observed)))

    def predict(s, a, m):
        predicted = s + (A * s + B * a) + coupling * C * m
        return Prediction(predicted, E * m + coupling * F * s, tf.zeros(batch))

    with tf.GradientTape() as tape:
        tape.watch((first, remembered, theta))
        unrolled = unroll(
            act=lambda s, e: theta * s + SIGMA * e,
            cost=lambda s, a: (Q * s**2 + R * a**2)[..., 0],
            predict=predict,
            source=recorded if real else Imagined(),
            start=first,
            memory=remembered,
            noise=tf.constant(noise[..., None], tf.float32),
            clip_norm=limit and limit / batch,
        )
        loss = discounted_cost(unrolled.costs, tf.ones((steps, batch)), GAMMA)
    expected = [
        recursion(start[n], noise[:, n], observed[:, n] if real else None, limit or np.inf, memory[n], coupling)
        for n in range(batch)
    ]
    cost, j_s, j_m, j_theta = np.array(expected).T
    np.testing.assert_allclose(loss, cost.mean(), rtol=1e-5)
    sources = (first, remembered, theta)
    on_start, on_memory, on_theta = tape.gradient(loss, sources, unconnected_gradients="zero")
    np.testing.assert_allclose(on_theta, j_theta.mean(), rtol=1e-5)
    np.testing.assert_allclose(on_start[:, 0], j_s / batch, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(on_memory[:, 0], j_m / batch, rtol=1e-5, atol=1e-6)
    assert (np.abs(j_m).max() > 0.05) == bool(coupling and steps > 1), (
        "the memory should matter from the second step on"
    )


BOX = ActionSpec("continuous", 2, np.full(2, -1, np.float32), np.full(2, 1, np.float32))
SIZE, WARMUP, BATCH = 3, 2, 6


@pytest.fixture(scope="module")
def update():
    """Small networks with weights large enough for every factor of the recursion to tell."""
    policies = [
        PolicyNetwork(BOX, SIZE, (8,), "tanh", float(np.log(0.1)), train_log_std=False, squash=True, seed=1)
        for _ in range(2)
    ]
    policies[0].output_layer.kernel.assign(40.0 * policies[0].output_layer.kernel)
    dynamics = GRUDynamics(SIZE, 2, 8, np.full(SIZE, 0.5, np.float32), seed=2)
    kernel = dynamics.members[0].change.kernel
    kernel.assign(10.0 * kernel)
    discriminator = Discriminator(SIZE, 2, (8, 8), "tanh", seed=3)
    config = ImitationConfig(cost="saturating", discount=GAMMA, dynamics=DynamicsConfig(burn_in=WARMUP))
    return PolicyLearner(*policies, discriminator, dynamics, BOX, config, StateAction())


def minibatch(steps):
    """What was recorded, and states, mask, noise and kept, as `PolicyLearner.cost` takes them."""
    rng = np.random.default_rng(steps)
    states = rng.standard_normal((WARMUP + 1, BATCH, SIZE))
    observed = states[-1] + 0.3 * rng.standard_normal((steps, BATCH, SIZE)).cumsum(axis=0)
    actions, noise = rng.uniform(-1, 1, (steps, BATCH, 2)), rng.standard_normal((steps, BATCH, 2))
    mask, kept = np.ones((WARMUP, BATCH)), np.ones((steps, BATCH))
    mask[0, :2], kept[1:, :2] = 0, 0
    arrays = [tf.constant(array, tf.float32) for array in (actions, observed, states, mask, noise, kept)]
    return Replayed(*arrays[:2]), arrays[2:]


class ConstantNu(Replayed):
    """s_pred + nu, with nu = s_obs - s_pred kept from the first unroll: the function whose gradient MF computes.

    Outside a compiled function an unroll asks once a step, in order.
    """

    kept = ()

    def state(self, t, predicted):
        if len(self.kept) == t:
            self.kept = (*self.kept, self.states[t] - predicted)
        return predicted + self.kept[int(t)]


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_the_gradient_through_the_networks_is_that_of_finite_differences(update, steps, real):
    variables, (recorded, data) = update.network.trainable_variables, minibatch(steps)
    followed, varied = (recorded, ConstantNu(*recorded)) if real else (Imagined(), Imagined())
    with tf.GradientTape() as tape:
        loss, _ = update.cost(followed, *data)
    gradients = tape.gradient(loss, variables)
    np.testing.assert_allclose(update.cost(varied, *data)[0], loss, rtol=1e-6)

    start = [variable.numpy() for variable in variables]
    rng, step = np.random.default_rng(0), 4e-3

    def loss_at(distance, direction):
        for variable, value, change in zip(variables, start, direction, strict=True):
            variable.assign(value + distance * change)
        return float(update.cost(varied, *data)[0])

    size = float(tf.linalg.global_norm(gradients))
    steepest = [gradient.numpy() / size for gradient in gradients]
    random = [rng.standard_normal(value.shape) / np.sqrt(sum(v.size for v in start)) for value in start]
    mixed = [0.7 * one + other for one, other in zip(steepest, random, strict=True)]
    for direction in (steepest, random, mixed):
        expected = sum(float(np.sum(g * d)) for g, d in zip(gradients, direction, strict=True))
        found = (loss_at(step, direction) - loss_at(-step, direction)) / (2 * step)
        loss_at(0.0, direction)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * size)


def window_of(env_id, limit):
    """A policy, an episode played with its weights, and windows on it with 3 steps of warm-up and 6 to unroll."""
    env = make_env(env_id)
    spec, size = action_spec(env.action_space), observation_size(env.observation_space)
    squash = spec.kind == "continuous"
    policy = PolicyNetwork(spec, size, (100, 50), "relu", float(np.log(0.5)), squash=squash, seed=5)
    policy.output_layer.kernel.assign(30.0 * policy.output_layer.kernel)
    rng = np.random.default_rng(1)
    mean, std = 0.1 * rng.standard_normal(size), rng.uniform(0.2, 1.0, size)
    acting = NumpyPolicy(spec, policy.acting_weights(), "relu", mean, std, clip=STATE_LIMIT, squash=squash)
    episode = play_episode(env, acting, seed=3, rng=rng, limit=limit)
    replay = Replay(size, spec.size, spec.size)
    replay.add(acting.normalise(episode.observations), acting.head.vectors(episode.actions), episode.noise)
    windows = replay.windows(rng, (1, 40), length=6, burn_in=3)
    return policy, spec, windows


@pytest.mark.parametrize("env_id", ["CartPole-v1", "HalfCheetah-v5", "Pendulum-v1"])
def test_learning_with_unchanged_parameters_reproduces_what_was_recorded_bit_for_bit(env_id):
    policy, spec, windows = window_of(env_id, limit=60)
    rebuild, size = reparameterize_for(spec), windows.states.shape[-1]
    dynamics = GRUDynamics(size, spec.size, 8, np.ones(size, np.float32), seed=1)
    states, actions, noise = (tf.constant(array[0]) for array in (windows.states, windows.actions, windows.noise))
    kept = windows.mask[0, 3:]
    assert kept.min() == 0, "some windows should run past the end"

    trace = unroll(
        act=lambda s, e: rebuild(policy(s), e),
        cost=lambda s, a: tf.reduce_sum(a, axis=-1),
        predict=dynamics.predict,
        source=Replayed(actions[3:], states[4:]),
        start=states[3],
        memory=dynamics.initial_state(40),
        noise=noise[3:],
    )
    np.testing.assert_array_equal(trace.states, states[3:-1])
    np.testing.assert_array_equal(trace.actions[kept > 0], actions[3:][kept > 0])
    np.testing.assert_allclose(trace.costs, tf.reduce_sum(trace.actions, axis=-1), rtol=1e-6)
    if spec.kind == "discrete":
        assert len(np.unique(np.argmax(actions[3:][kept > 0], axis=-1))) == 2
    else:
        assert np.mean(np.abs(actions[3:][kept > 0]) == 1.0) > 0.01, "some actions should have been clipped"


def test_a_policy_that_has_changed_is_judged_by_what_it_would_do_now():
    chosen, recorded = tf.constant([[[0.5, -0.2, 1.0]]]), tf.constant([[[0.5 + 1e-6, -0.2 + 1e-3, -1.0]]])
    with tf.GradientTape() as tape:
        tape.watch(chosen)
        action = Replayed(recorded, recorded).action(0, chosen[0])
    np.testing.assert_array_equal(action[0], [recorded[0, 0, 0], *chosen[0, 0, 1:]])
    np.testing.assert_array_equal(tape.gradient(action, chosen)[0, 0], [1.0, 1.0, 1.0])


def test_planning_follows_the_predictions_and_carries_the_recurrent_state(update):
    _, (states, _, noise, _) = minibatch(5)
    rng = np.random.default_rng(0)
    memory = tf.constant(rng.uniform(-1, 1, (BATCH, 8)), tf.float32)
    predict = update.dynamics.predict
    trace = unroll(
        act=lambda s, e: update.reparameterize(update.network(s), e),
        cost=costs_along(StateAction(), tf.identity, update.discriminator),
        predict=predict,
        source=Imagined(),
        start=states[-1],
        memory=memory,
        noise=noise,
    )
    assert trace.states.shape == (5, BATCH, SIZE) and trace.actions.shape == (5, BATCH, 2)
    state = states[-1]
    for t in range(5):
        action = update.reparameterize(update.network(state), noise[t])
        np.testing.assert_allclose(trace.states[t], state, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(trace.actions[t], action, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(trace.costs[t], update.discriminator(state, action), rtol=1e-4, atol=1e-5)
        state, memory, _ = predict(state, action, memory)


def test_masked_steps_cost_nothing_and_later_steps_are_discounted():
    costs = tf.constant([[1.0, 10.0], [2.0, 20.0], [4.0, 1e6]])
    mask = tf.constant([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(costs)
        loss = discounted_cost(costs, mask, 0.5)
    np.testing.assert_allclose(loss, ((1 + 1 + 1) + (10 + 10)) / 2, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, costs), [[0.5, 0.5], [0.25, 0.25], [0.125, 0.0]])


def test_warming_passes_over_masked_steps(update):
    model, rng = update.dynamics, np.random.default_rng(0)
    states, actions = (tf.constant(rng.standard_normal((4, 3, n)), tf.float32) for n in (SIZE, 2))
    mask = tf.constant([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    begin = tf.constant(rng.uniform(-1, 1, (3, 8)), tf.float32)
    changes, memory = model.members[0].unroll(states, actions, mask, begin)
    for n, real in enumerate([0, 2, 4]):
        alone, one = begin[n : n + 1], slice(n, n + 1)
        for t in range(4 - real, 4):
            change, alone = model.members[0](states[t, one], actions[t, one], alone)
            np.testing.assert_allclose(changes[t, one], change, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(memory[one], alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.observe(states[:0], mask[:0]), np.zeros((3, 8)))
    np.testing.assert_allclose(
        model.observe(states, mask), model.members[0].unroll(states, actions, mask, 0 * begin)[1], atol=1e-7
    )


@pytest.mark.parametrize("real", [True, False])
def test_the_policys_loss_depends_on_the_steps_before_its_start_where_there_were_any(update, real):
    recorded, (states, mask, noise, _) = minibatch(3)
    with tf.GradientTape() as tape:
        tape.watch(states)
        loss, _ = update.cost(recorded if real else Imagined(), states, mask, noise, tf.ones((3, BATCH)))
    dependence = np.abs(tape.gradient(loss, states)).max(axis=-1)
    np.testing.assert_array_equal(dependence[:WARMUP] > 0, mask == 1)


def test_an_anchored_value_is_the_recorded_one_bit_for_bit_and_its_gradient_that_of_the_computed():
    computed, recorded = tf.constant([[0.1, 1e8, -3.3e-7]]), tf.constant([[0.7, -1e-8, 12.34567]])
    with tf.GradientTape() as tape:
        tape.watch(computed)
        value = reattach_gradient(computed, recorded)
    np.testing.assert_array_equal(value, recorded)
    np.testing.assert_array_equal(tape.gradient(value, computed), [[1.0] * 3])
