"""Cloning's gradient steps."""

import numpy as np

from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.learners.bc import BCLearner
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.types import ActionSpec


def test_cloning_fits_a_linear_map_and_leaves_the_noise_alone():
    action = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))
    policy = PolicyNetwork(action, 3, (32,), "tanh", initial_log_std=-0.7, seed=0)
    learner = BCLearner(policy, action, CloningConfig(learning_rate=3e-3))
    rng = np.random.default_rng(0)
    states = rng.standard_normal((600, 64, 3), np.float32)
    actions = states @ rng.uniform(-0.3, 0.3, (3, 2)).astype(np.float32)
    losses = [learner(states, actions, learning_rate) for learning_rate in (1.0, 0.3, 0.1)]
    assert losses[0] > losses[1] > losses[2]
    assert learner.loss(states[0], actions[0]) < 1e-3 < 0.05 < actions.var()
    np.testing.assert_allclose(policy.log_std, -0.7)
    assert learner._update.experimental_get_tracing_count() == 1


def test_cloning_learns_which_choice_to_make():
    action = ActionSpec("discrete", 3)
    policy = PolicyNetwork(action, 2, (32,), "relu", seed=0)
    learner = BCLearner(policy, action, CloningConfig(learning_rate=1e-2))
    states = np.random.default_rng(0).standard_normal((300, 64, 2)).astype(np.float32)
    right = (states[..., 0] > 0).astype(int) + (states[..., 1] > 0)
    learner(states, np.eye(3, dtype=np.float32)[right], 1.0)
    chosen = NumpyPolicy(action, policy.acting_weights(), "relu").act(states)
    assert (chosen == right).mean() > 0.97
