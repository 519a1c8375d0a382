"""Networks and action distributions: shapes, what depends on what, and the NumPy twins."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.spaces import action_spec
from mgail_dyna.networks.discriminator import Discriminator, relu
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.encoders import ActionEncoder, StateEncoder
from mgail_dyna.networks.numpy_policy import CategoricalHead, GaussianHead, NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.normalization import STATE_LIMIT
from mgail_dyna.ops.distributions import reparameterize_for, reparameterized_categorical, reparameterized_gaussian
from mgail_dyna.ops.losses import gradient_penalty
from mgail_dyna.types import ActionSpec

SIZE, UNITS = 4, 16
CHANGE_SCALE = np.array([0.5, 1.0, 2.0, 4.0], np.float32)


def box(size, bound=1.0):
    return ActionSpec("continuous", size, np.full(size, -bound, np.float32), np.full(size, bound, np.float32))


def normal(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


@pytest.fixture(scope="module")
def model():
    return GRUDynamics(SIZE, 2, UNITS, CHANGE_SCALE, seed=3)


def test_networks_have_the_shapes_they_document(model):
    states, actions = normal(5, SIZE), normal(5, 2)
    assert Discriminator(SIZE, 2)(states, actions).shape == (5,)
    assert PolicyNetwork(box(2), SIZE)(states).shape == (5, 4)
    assert PolicyNetwork(ActionSpec("discrete", 3), SIZE)(states).shape == (5, 3)
    assert [m.shape for m in model.members[0](states, actions, model.initial_state(5))] == [(5, SIZE), (5, UNITS)]
    assert [m.shape for m in model.predict(states, actions, model.initial_state(5))] == [(5, SIZE), (5, UNITS), (5,)]
    encoder = StateEncoder(UNITS)
    assert [m.shape for m in encoder(states, tf.zeros((5, UNITS)))] == [(5, UNITS), (5, UNITS)]
    assert ActionEncoder(UNITS)(actions).shape == (5, UNITS)


def test_the_discriminators_relu_is_keras_own_to_the_second_derivative():
    ours, kerass = Discriminator(SIZE, 2, seed=3), Discriminator(SIZE, 2, seed=3)
    for layer in kerass.perceptron.layers[:-1]:
        layer.activation = tf.nn.relu
    agent, expert = (tf.random.stateless_normal((6, SIZE + 2), (0, seed)) for seed in (1, 2))

    def penalty(network):
        with tf.GradientTape() as tape:
            value = gradient_penalty(network.logits, agent, expert, tf.fill((6, 1), 0.3))
        return value, tape.gradient(value, network.trainable_variables[:-1:2])

    for mine, theirs in zip(*map(tf.nest.flatten, (penalty(ours), penalty(kerass))), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(relu(tf.constant([-2.0, 0.0, 3.0, np.nan])), [0.0, 0.0, 3.0, np.nan])


def test_the_papers_sizes_are_the_discriminators_own():
    shapes = [tuple(v.shape) for v in Discriminator(SIZE, 2).trainable_variables]
    assert shapes == [(6, 200), (200,), (200, 100), (100,), (100, 1), (1,)]


def test_weights_are_those_of_the_seed():
    def weights(seed):
        networks = (
            PolicyNetwork(box(2), SIZE, seed=seed),
            Discriminator(SIZE, 2, seed=seed),
            GRUDynamics(SIZE, 2, UNITS, CHANGE_SCALE, seed=seed),
        )
        return [
            np.concatenate([np.ravel(v) for v in network.trainable_variables if "kernel" in v.path])
            for network in networks
        ]

    for one, same, other in zip(weights(1), weights(1), weights(2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert np.mean(one == other) < 0.01


def test_without_memory_a_prediction_depends_on_a_single_state_and_action():
    model = GRUDynamics(SIZE, 2, UNITS, CHANGE_SCALE, seed=3, recurrent=False)
    states, actions, mask = normal(5, 6, SIZE), normal(4, 6, 2, seed=1), tf.ones((4, 6))
    alone = model.predict(states[-1], actions[-1], model.initial_state(6))
    after = model.predict(states[-1], actions[-1], model.observe(states, tf.ones((5, 6))))
    np.testing.assert_array_equal(alone.state, after.state)
    each = [model.loss(states[t : t + 2], actions[t : t + 1], mask[:1]) for t in range(4)]
    np.testing.assert_allclose(model.loss(states, actions, mask), np.mean(each), rtol=1e-5)


def test_different_histories_lead_to_different_predictions(model):
    memory = model.observe(normal(3, 2, SIZE, seed=1), tf.ones((3, 2)))
    assert np.abs(memory).max() <= 1.0
    now, action = tf.repeat(normal(1, SIZE), 2, axis=0), tf.repeat(normal(1, 2), 2, axis=0)
    change, _ = model.members[0](now, action, memory)
    assert np.abs(change[0] - change[1]).max() > 0.05 * np.abs(change).max()
    alike, _ = model.members[0](now, action, tf.repeat(memory[:1], 2, axis=0))
    np.testing.assert_allclose(alike[1], alike[0], rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(alike[0], change[0], rtol=1e-4, atol=1e-8)


def test_the_second_steps_prediction_depends_on_the_first_steps_state_through_the_recurrent_state(model):
    first, second, action = normal(1, SIZE, seed=1), normal(1, SIZE, seed=2), normal(1, 2)
    with tf.GradientTape() as tape:
        tape.watch(first)
        _, memory = model.members[0](first, action, model.initial_state(1))
        change, after = model.members[0](second, action, memory)
        total = tf.reduce_sum(change[:, :1])
    assert np.abs(tape.gradient(total, first)).max() > 1e-5
    assert np.abs(after - memory).max() > 1e-3


def test_every_weight_of_the_transition_model_is_trained_by_a_sequence_of_two(model):
    states, action = normal(2, 32, SIZE), normal(32, 2)
    with tf.GradientTape() as tape:
        _, memory = model.members[0](states[0], action, model.initial_state(32))
        total = tf.reduce_sum(model.members[0](states[1], action, memory)[0] ** 2)
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(total, model.trainable_variables), strict=True
    ):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path


def test_the_embeddings_of_state_and_action_are_multiplied():
    """With an action embedding of zero the head sees nothing, whatever the state."""
    model = GRUDynamics(SIZE, 2, UNITS, CHANGE_SCALE, seed=3)
    for variable in model.members[0].action_encoder.outward.variables:
        variable.assign(tf.zeros_like(variable))
    change, _ = model.members[0](normal(7, SIZE), normal(7, 2), normal(7, UNITS))
    np.testing.assert_array_equal(change, np.zeros((7, SIZE)))


def test_the_network_predicts_the_change_of_state_in_units_of_its_scale():
    model = GRUDynamics(SIZE, 2, UNITS, CHANGE_SCALE, seed=3)
    output = model.members[0].change
    output.kernel.assign(tf.zeros_like(output.kernel))
    states, actions, memory = normal(6, SIZE), normal(6, 2), model.initial_state(6)
    np.testing.assert_array_equal(model.predict(states, actions, memory)[0], states)
    output.bias.assign([1.0, 1.0, -1.0, 0.25])
    expected = states + tf.constant([0.5, 1.0, -2.0, 1.0])
    np.testing.assert_allclose(model.predict(states, actions, memory)[0], expected, rtol=1e-6)
    output.bias.assign([1e6, -1e6, 0.0, 0.0])
    np.testing.assert_array_equal(model.predict(states, actions, memory)[0][:, :2], [[STATE_LIMIT, -STATE_LIMIT]] * 6)


def ensemble(members, seed=3):
    return GRUDynamics(SIZE, 2, UNITS, CHANGE_SCALE, seed=seed, members=members)


def alike(model):
    """`model` with the first member's weights in every member."""
    for member in model.members[1:]:
        for variable, value in zip(member.variables, model.members[0].variables, strict=True):
            variable.assign(value)
    return model


def test_an_ensemble_of_identical_members_is_the_single_model():
    single, several = ensemble(1), alike(ensemble(3))
    states, actions, mask = normal(5, 6, SIZE), normal(4, 6, 2, seed=1), tf.ones((4, 6))
    np.testing.assert_allclose(several.loss(states, actions, mask), single.loss(states, actions, mask), rtol=1e-6)
    memories = [model.observe(states, tf.ones((5, 6))) for model in (single, several)]
    np.testing.assert_array_equal(memories[1], np.tile(memories[0], 3))
    ours, theirs = (
        model.predict(states[-1], actions[-1], memory)
        for model, memory in zip((single, several), memories, strict=True)
    )
    np.testing.assert_allclose(ours.state, theirs.state, rtol=1e-6)
    np.testing.assert_array_equal(ours.disagreement, np.zeros(6))
    np.testing.assert_allclose(theirs.disagreement, np.zeros(6), atol=1e-6)


def test_an_ensemble_predicts_the_mean_and_disagrees_by_the_deviation():
    model = alike(ensemble(2))
    for member, bias in zip(model.members, (1.0, -3.0), strict=True):
        member.change.kernel.assign(tf.zeros_like(member.change.kernel))
        member.change.bias.assign(tf.fill(SIZE, bias))
    states = normal(6, SIZE)
    predicted = model.predict(states, normal(6, 2), model.initial_state(6))
    np.testing.assert_allclose(predicted.state, states - CHANGE_SCALE, rtol=1e-6)
    np.testing.assert_allclose(predicted.disagreement, np.full(6, 2 * np.sqrt(np.mean(CHANGE_SCALE**2))), rtol=1e-6)


def test_discrete_actions_are_one_hot_with_the_gradient_of_the_softmax():
    logits, noise, weights = normal(8, 3), normal(8, 3, seed=1), normal(8, 3, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        actions = reparameterized_categorical(logits, noise)
        total = tf.reduce_sum(weights * actions)
    np.testing.assert_allclose(actions, np.eye(3)[np.argmax(logits + noise, axis=-1)], atol=1e-7)
    np.testing.assert_array_equal(
        np.argmax(actions, -1), CategoricalHead(ActionSpec("discrete", 3)).sample(logits, noise)
    )
    p, w = tf.nn.softmax(logits + noise).numpy(), weights.numpy()
    expected = p * (w - (p * w).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(tape.gradient(total, logits), expected, rtol=1e-4, atol=1e-6)


def test_continuous_actions_are_clipped_in_value_and_not_in_gradient():
    parameters = tf.constant([[0.5, 0.9, -0.9, np.log(0.5), np.log(0.5), np.log(0.5)]], tf.float32)
    noise = tf.constant([[-0.4, 2.0, -2.0]])  # 0.3, 1.9 and -1.9 before clipping
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        actions = reparameterized_gaussian(parameters, noise)
        total = tf.reduce_sum(actions * tf.constant([1.0, 10.0, 100.0]))
    np.testing.assert_allclose(actions, [[0.3, 1.0, -1.0]], rtol=1e-6)
    expected = [[1.0, 10.0, 100.0, 0.5 * -0.4, 10 * 0.5 * 2.0, 100 * 0.5 * -2.0]]
    np.testing.assert_allclose(tape.gradient(total, parameters), expected, rtol=1e-6)


def test_actions_without_bounds_are_not_clipped():
    rebuild = reparameterize_for(box(1, np.inf))
    np.testing.assert_allclose(rebuild(tf.constant([[3.0, np.log(2.0)]]), tf.constant([[5.0]])), [[13.0]], rtol=1e-6)


def test_where_some_coordinates_have_bounds_those_are_clipped():
    low, high = np.array([-2.0, -np.inf, 0.0], np.float32), np.array([2.0, np.inf, np.inf], np.float32)
    spec, outputs = ActionSpec("continuous", 3, low, high), np.array([[9.0, 9.0, -9.0]], np.float32)
    head = GaussianHead(spec, np.zeros(3, np.float32))
    rebuilt = reparameterize_for(spec)(tf.concat([outputs, tf.zeros((1, 3))], axis=-1), tf.zeros((1, 3)))
    np.testing.assert_allclose(rebuilt, [[1.0, 9.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(rebuilt, head.vectors(head.executed(head.mode(outputs))), rtol=1e-6)


@pytest.mark.parametrize("squash", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_numpy_policy_is_the_keras_policy(activation, squash):
    policy = PolicyNetwork(box(3), SIZE, (20, 10), activation, initial_log_std=-0.7, squash=squash, seed=4)
    policy.output_layer.kernel.assign(100.0 * policy.output_layer.kernel)
    acting = NumpyPolicy(box(3), policy.acting_weights(), activation, squash=squash)
    states = normal(50, SIZE).numpy()
    mean, log_std = np.split(policy(states), 2, axis=-1)
    np.testing.assert_allclose(acting.outputs(states), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(acting.head.std, np.exp(log_std[0]), rtol=1e-6)
    np.testing.assert_allclose(acting.outputs(states[7]), mean[7], rtol=1e-5, atol=1e-6)
    assert (np.abs(mean).max() <= 1.0) == squash


FIXED = ActionSpec("continuous", 3, np.float32([-1, 0.5, -4]), np.float32([1, 0.5, 4]))


@pytest.mark.parametrize("spec", [ActionSpec("discrete", 3, start=2), box(3, 4.0), FIXED])
def test_the_numpy_policy_executes_the_actions_the_graph_rebuilds(spec):
    discrete = spec.kind == "discrete"
    policy = PolicyNetwork(spec, SIZE, (20,), "relu", squash=not discrete, seed=4)
    acting = NumpyPolicy(spec, policy.acting_weights(), "relu", squash=not discrete)
    states = normal(50, SIZE).numpy()
    noise = acting.head.noise(np.random.default_rng(0), (50,))
    executed = acting.act(states, noise)
    rebuilt = reparameterize_for(spec)(policy(states), noise)
    np.testing.assert_allclose(acting.head.vectors(executed), rebuilt, rtol=1e-5, atol=1e-6)


def test_actions_of_another_box_are_scaled_to_it_and_back():
    spec = action_spec(make_env("Pendulum-v1").action_space)
    head = GaussianHead(spec, np.zeros(1, np.float32))
    inside = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(head.executed(inside), 2.0 * inside)
    np.testing.assert_array_equal(head.vectors(head.executed(inside)), inside)
    outside = np.array([[-7.0], [1.5]], np.float32)
    np.testing.assert_array_equal(head.executed(outside), [[-2.0], [2.0]])
    np.testing.assert_array_equal(head.vectors(head.executed(outside)), [[-1.0], [1.0]])


def test_a_coordinate_of_one_value_is_executed_as_it_and_is_zero_for_the_networks():
    head = GaussianHead(FIXED, np.zeros(3, np.float32))
    executed = head.executed(np.float32([[0.5, 0.5, 0.5], [-3, -3, -3]]))
    np.testing.assert_array_equal(executed, [[0.5, 0.5, 2], [-1, 0.5, -4]])
    np.testing.assert_array_equal(head.vectors(executed), [[0.5, 0, 0.5], [-1, 0, -1]])


@pytest.mark.parametrize("bound", [np.finfo(np.float32).max, np.float32(np.inf)])
def test_the_largest_float_is_no_bound(bound):
    spec = action_spec(gym.spaces.Box(-bound, bound, (2,)))
    assert not spec.bounded
    np.testing.assert_array_equal(spec.scale, [1, 1])
    np.testing.assert_array_equal(replace(spec, unit=np.float32([3, 900])).scale, [3, 900])


def test_a_box_of_doubles_is_narrowed_to_what_floats_can_tell():
    space = gym.spaces.Box(np.array([-0.1, -0.7]), np.array([0.1, 0.7]), dtype=np.float64)
    spec = action_spec(space)
    for bound in (spec.low, spec.high):
        assert bound.dtype == np.float32 and space.contains(bound)
    np.testing.assert_allclose(spec.high, [0.1, 0.7], rtol=1e-6)


def test_a_box_off_center_is_centered_for_the_networks():
    spec = ActionSpec("continuous", 2, np.array([0, -10], np.float32), np.array([1, 30], np.float32))
    head = GaussianHead(spec, np.zeros(2, np.float32))
    np.testing.assert_array_equal(head.executed(np.array([[-1, -1], [0, 0], [1, 1]])), [[0, -10], [0.5, 10], [1, 30]])
    np.testing.assert_allclose(head.vectors(np.array([[0.25, 20]])), [[-0.5, 0.5]], rtol=1e-6)


def test_choices_are_one_hot_for_the_networks_and_counted_from_the_first_for_the_environment():
    head = CategoricalHead(ActionSpec("discrete", 3, start=5))
    np.testing.assert_array_equal(head.executed(np.array([0, 2])), [5, 7])
    np.testing.assert_array_equal(head.vectors(np.array([5, 7])), [[1, 0, 0], [0, 0, 1]])
