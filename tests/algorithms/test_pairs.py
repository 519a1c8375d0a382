"""The pairs that the discriminator compares."""

import gymnasium as gym
import numpy as np
import pytest
from helpers import small_config

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.config.imitation import DiscriminatorConfig
from mgail_dyna.errors import UserError

pytestmark = pytest.mark.usefixtures("eager")


def make_env():
    return gym.make("CartPole-v1")


def test_the_discriminator_can_be_shown_recent_and_imagined_pairs(cartpole_demos):
    shares = {"steps": 5, "recent_fraction": 0.25, "imagined_fraction": 0.5}
    agent = DynaAgent(small_config(discriminator=shares), make_env, cartpole_demos)
    agent.collector.collect()
    before = agent.env_steps
    shown = []
    agent.discriminator = lambda agent_pairs, expert_pairs, *_: shown.append((agent_pairs, expert_pairs)) or {}
    agent.update_discriminator(1.0)
    (states, actions), (expert_states, _) = shown[0]
    assert states.shape == expert_states.shape == (5, 16, 4)
    assert actions.shape == (5, 16, 2)
    np.testing.assert_array_equal(actions.sum(axis=-1), 1.0)
    real = agent.replay.state()["columns"]["states"]
    known = (states[:, :, None] == real).all(axis=-1).any(axis=-1)
    assert known[:, :8].all(), "recent, then any: both real"
    assert not known[:, 8:].all(), "imagined"
    assert agent.env_steps == before


def test_the_imagined_gap_is_what_d_sees_in_real_pairs_beyond_imagined_ones_and_changes_no_run(cartpole_demos):
    config = small_config(discriminator={"recent_fraction": 0.0, "imagined_fraction": 0.5})
    agent = DynaAgent(config, make_env, cartpole_demos)
    metrics, other = agent.iterate(), DynaAgent(config, make_env, cartpole_demos)
    other.imagined_gap = dict
    assert other.iterate().keys() | {"discriminator/imagined_gap"} == metrics.keys()
    assert other.rng.bit_generator.state == agent.rng.bit_generator.state
    state, _ = agent.replay.all_pairs()
    agent.discriminator.mean_logit = lambda pairs: float((pairs[0][..., None, :] == state).all(-1).any(-1).mean())
    assert agent.imagined_gap()["imagined_gap"] > 0.7, "of plans, only the first step is in replay"
    agent.config = small_config(discriminator={"imagined_fraction": 0.0})
    assert agent.imagined_gap() == {}


def test_shares_of_a_discriminator_batch(cartpole_demos):
    assert DiscriminatorConfig(recent_fraction=0.1, imagined_fraction=0.9).recent_fraction == 0.1
    with pytest.raises(UserError, match=r"--discriminator.recent-fraction: expected at least 0, and at most 1 with"):
        DiscriminatorConfig(recent_fraction=0.2, imagined_fraction=0.9)
    odd = {"batch": 15, "recent_fraction": 0.5, "imagined_fraction": 0.5}
    agent = DynaAgent(small_config(discriminator=odd), make_env, cartpole_demos)
    agent.collector.collect()
    agent.dynamics.scale(agent.demo_replay, agent.replay)
    agent.update_discriminator(1.0)
    states, actions = agent.pairs.agent()
    assert states.shape == (2, 15, 4) and actions.shape == (2, 15, 2)


@pytest.mark.parametrize("power", [1.0, 0.0])
def test_the_discriminator_sees_the_demonstrations_whitened_or_as_they_are(cartpole_demos, power):
    agent = DynaAgent(small_config(discriminator={"whitening": power}), make_env, cartpole_demos)
    states, actions = agent.demo_replay.all_pairs()
    inputs = agent.discriminator.network.inputs(states, actions).numpy()
    deviations = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(inputs.T)), 0.0))
    if power:
        assert deviations[0] < 1e-3, "the two actions of a one-hot vector always sum to 1"
        np.testing.assert_allclose(deviations[1:], 1.0, atol=0.01)
    else:
        np.testing.assert_array_equal(inputs, np.concatenate([states, actions], axis=1))
