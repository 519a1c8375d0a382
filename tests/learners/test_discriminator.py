"""The reward that a discriminator gives."""

import math

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.learners.discriminator import ImitationReward
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.ops.losses import IMITATION_COSTS


def test_the_sign_of_the_reward():
    discriminator = Discriminator(3, 2, (8,), seed=0)
    for variable in discriminator.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    states, actions = np.zeros((4, 5, 3), np.float32), np.zeros((4, 5, 2), np.float32)
    expected = {"saturating": math.log(2), "nonsaturating": -math.log(2), "logit": 0.0}  # D = 1/2
    assert set(expected) == set(IMITATION_COSTS)
    for cost, value in expected.items():
        np.testing.assert_allclose(ImitationReward(discriminator, cost)((states, actions)), np.full((4, 5), value))
    bias = discriminator.trainable_variables[-1]
    for agent_logits, better in ((5.0, False), (-5.0, True)):  # surely the agent, surely the expert
        bias.assign([agent_logits])
        rewards = {cost: ImitationReward(discriminator, cost)((states, actions))[0, 0] for cost in expected}
        assert rewards["saturating"] > 0 > rewards["nonsaturating"]
        assert rewards["logit"] == pytest.approx(5.0 if better else -5.0)
        assert rewards["saturating"] + rewards["nonsaturating"] == pytest.approx(rewards["logit"], abs=1e-5)
