"""Rollouts in the dynamics model."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.learners.discriminator import ImitationReward
from mgail_dyna.learners.imagination import Imagination
from mgail_dyna.learners.views import StateAction
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import reparameterize_for
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec

CONTINUOUS = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))


DISCRETE = ActionSpec("discrete", 3)


@pytest.mark.parametrize("action", [CONTINUOUS, DISCRETE])
def test_what_is_imagined_is_what_the_model_the_policy_and_the_discriminator_say(action):
    size, burn_in, length, batch = 3, 2, 4, 5
    rng = np.random.default_rng(0)
    policy = PolicyNetwork(action, size, (8,), seed=1)
    model = GRUDynamics(size, action.size, 6, np.ones(size), seed=2)
    discriminator = Discriminator(size, action.size, (8,), seed=3)
    replay = Replay(size, action.size, action.size)
    replay.add(rng.standard_normal((30, size)), rng.standard_normal((29, action.size)))
    windows = replay.windows(rng, (1, batch), 0, burn_in)
    head = NumpyPolicy(action, policy.acting_weights()).head
    noise = 2 * head.noise(rng, (length + 1, batch))
    rollout = Imagination(policy, model, discriminator, action, "saturating", burn_in, StateAction())(windows, noise)

    assert rollout.rewards.shape == (length, batch)
    assert not rollout.terminated.any()
    assert rollout.ended[-1].all() and not rollout.ended[:-1].any()
    np.testing.assert_array_equal(rollout.states[0], windows.states[0, burn_in])
    np.testing.assert_array_equal(rollout.states[1:], rollout.next_states[:-1])
    memory = model.observe(tf.constant(windows.states[0, :burn_in]), tf.constant(windows.mask[0]))
    reward = ImitationReward(discriminator, "saturating")
    for t in range(length):
        executed = reparameterize_for(action)(policy(rollout.states[t]), noise[t])
        np.testing.assert_allclose(reward((rollout.states[t], executed.numpy())), rollout.rewards[t], rtol=1e-4)
        np.testing.assert_allclose(head.vectors(head.executed(rollout.actions[t])), executed, atol=1e-5)
        following, memory, _ = model.predict(rollout.states[t], executed, memory)
        np.testing.assert_allclose(rollout.next_states[t], following, atol=1e-4)
    if action.kind == "continuous":
        assert np.abs(rollout.actions).max() > 1.0, "sampled actions are not clipped: the density is theirs"
