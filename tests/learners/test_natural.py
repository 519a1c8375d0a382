"""Natural-gradient steps through the graph: the direction, the trust region, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.config.expert import GroupedTrustRegionConfig
from mgail_dyna.config.imitation import DynamicsConfig, ImitationConfig, PolicyConfig
from mgail_dyna.learners.demonstrated import Cloning
from mgail_dyna.learners.natural import NaturalPolicyLearner
from mgail_dyna.learners.views import StateAction
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.unroll import Imagined
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec

SIZE, BATCH, BURN_IN, LENGTH, STD = 3, 6, 1, 4, 0.2
BOX = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))
CHOICES = ActionSpec("discrete", 3)


def learner_of(action=BOX, **trust_region):
    policies = [
        PolicyNetwork(action, SIZE, (4,), "tanh", float(np.log(STD)), train_log_std=False, seed=1) for _ in range(2)
    ]
    policies[0].output_layer.kernel.assign(40.0 * policies[0].output_layer.kernel)
    config = ImitationConfig(
        policy=PolicyConfig(averaging=0.0),
        dynamics=DynamicsConfig(burn_in=BURN_IN),
        trust_region=GroupedTrustRegionConfig(**trust_region),
    )
    judge = Discriminator(SIZE, action.size, (8,), "tanh", seed=2)
    model = GRUDynamics(SIZE, action.size, 6, np.full(SIZE, 0.5, np.float32), seed=3)
    return NaturalPolicyLearner(*policies, judge, model, action, config, StateAction())


def plans(steps, action=BOX):
    rng = np.random.default_rng(0)
    replay = Replay(SIZE, action.size, action.size)
    replay.add(rng.standard_normal((40, SIZE)), rng.uniform(-1, 1, (39, action.size)))
    windows = replay.windows(rng, (steps, BATCH), 0, BURN_IN)
    return windows, rng.standard_normal((steps, LENGTH, BATCH, action.size)).astype(np.float32)


def flat(network):
    return np.concatenate([np.ravel(variable) for variable in network.trainable_variables])


def explicit_direction(learner, windows, noise, damping):
    """F^-1 g from Jacobians: F is the mean over states of J' J / std^2, with J of the mean action."""
    network, ones = learner.network, tf.ones(noise.shape[1:3])
    with tf.GradientTape() as tape:
        cost, states = learner.cost(Imagined(), windows.states[0], windows.mask[0], noise[0], ones)
    gradient = np.concatenate([np.ravel(g) for g in tape.gradient(cost, network.trainable_variables)])
    states = tf.reshape(states, [-1, SIZE])
    with tf.GradientTape() as tape:
        means = network(states)[:, :2]
    parts = tape.jacobian(means, network.trainable_variables)
    jacobian = np.concatenate([np.reshape(part, (*means.shape, -1)) for part in parts], axis=-1)
    fisher = np.einsum("nap,naq->pq", jacobian, jacobian) / len(states) / STD**2
    return -np.linalg.solve(fisher + damping * np.eye(len(gradient)), gradient)


def test_a_step_goes_along_the_explicit_natural_gradient():
    learner = learner_of(max_kl=1e-6, damping=0.05, cg_iterations=60, cg_tolerance=1e-6)
    windows, noise = plans(1)
    expected, before = explicit_direction(learner, windows, noise, 0.05), flat(learner.network)
    metrics = learner.plan(windows, noise, 1.0)
    step = flat(learner.network) - before
    assert metrics["step_accepted"] == 1
    cosine = step @ expected / np.linalg.norm(step) / np.linalg.norm(expected)
    assert cosine > 0.999, cosine


@pytest.mark.parametrize("action", [BOX, CHOICES], ids=["box", "choices"])
def test_no_step_exceeds_its_kl_and_each_lowers_the_objective(action):
    learner = learner_of(action, max_kl=0.02)
    windows, noise = plans(1, action)
    states = windows.states[0].reshape(-1, SIZE)
    for factor in (1.0, 0.5):
        old = learner.distribution(learner.network(states))
        ones = tf.ones(noise.shape[1:3])
        before, _ = learner.cost(Imagined(), windows.states[0], windows.mask[0], noise[0], ones)
        metrics = learner.plan(windows, noise, factor)
        after, _ = learner.cost(Imagined(), windows.states[0], windows.mask[0], noise[0], ones)
        assert metrics["step_accepted"] == 1 and after < before
        assert 0 < metrics["kl"] <= 0.02 * factor**2 * (1 + 1e-4)
        # The same limit, on other states, roughly holds.
        assert float(tf.reduce_mean(old.kl_divergence(learner.distribution(learner.network(states))))) < 0.1


def test_a_step_that_would_not_lower_the_objective_is_not_taken():
    learner = learner_of(max_kl=0.02)
    windows, noise = plans(2)
    before = flat(learner.network)
    assert learner.plan(windows, noise, 0.0)["step_accepted"] == 0, "a frozen policy: no KL is allowed"
    np.testing.assert_array_equal(flat(learner.network), before)


def test_the_regularizer_is_part_of_what_a_step_lowers():
    learner = learner_of(max_kl=0.5)
    windows, noise = plans(20)
    rng = np.random.default_rng(1)
    states, actions = rng.standard_normal((1, 32, SIZE)), rng.uniform(-0.5, 0.5, (1, 32, 2))
    pairs = [np.repeat(array, 20, axis=0).astype(np.float32) for array in (states, actions)]
    off = [np.square(learner.network(pairs[0][0])[:, :2] - pairs[1][0]).mean()]
    learner.plan(windows, noise, 1.0, Cloning(*pairs, np.float32(1_000.0)))
    off.append(np.square(learner.network(pairs[0][0])[:, :2] - pairs[1][0]).mean())
    assert off[1] < 0.7 * off[0]


def test_learning_on_recorded_windows_and_the_state_come_back():
    learner, other = learner_of(), learner_of()
    rng = np.random.default_rng(0)
    replay = Replay(SIZE, 2, 2)
    replay.add(rng.standard_normal((40, SIZE)), rng.uniform(-1, 1, (39, 2)), rng.standard_normal((39, 2)))
    windows = replay.windows(rng, (3, BATCH), LENGTH, BURN_IN)
    metrics = learner.learn(windows, 1.0)
    assert (
        set(metrics) == {"cost", "gradient_norm", "kl", "step_accepted"} and np.isfinite(list(metrics.values())).all()
    )
    other.restore(learner.state())
    np.testing.assert_array_equal(flat(other.network), flat(learner.network))
