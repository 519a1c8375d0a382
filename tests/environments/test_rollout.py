"""Rollouts of several environments side by side."""

import numpy as np
import pytest

from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import RolloutCollector, segments
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.hdf5 import load_state, save_state
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.types import Rollout


def test_a_rollout_is_cut_where_episodes_end():
    states = np.arange(6, dtype=np.float32).reshape(3, 2, 1)
    ended = np.array([[False, False], [True, False], [False, True]])
    rollout = Rollout(states, states + 100, np.zeros((3, 2)), np.zeros((3, 2)), ended, ended)
    cut = list(segments(rollout, np.arange(6).reshape(3, 2)))
    assert [(s[:, 0].tolist(), a.tolist()) for s, a in cut] == [
        ([0, 2, 102], [0, 2]),
        ([4, 104], [4]),
        ([1, 3, 5, 105], [1, 3, 5]),
    ]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "HalfCheetah-v5"])
def test_a_restored_collector_goes_on_in_the_middle_of_its_episodes(env_id, tmp_path):
    def collector():
        copies = [make_env(env_id, 30) for _ in range(2)]
        action, size = action_spec(copies[0].action_space), observation_size(copies[0].observation_space)
        network = PolicyNetwork(action, size, (8,), seed=1)
        policy = NumpyPolicy(action, network.acting_weights(), mean=np.full(size, 0.1), std=np.full(size, 0.5))
        return RolloutCollector(copies, policy, seed=3, normalising=False)

    whole, second = collector(), collector()
    whole.collect(47)
    save_state(tmp_path / "state.h5", whole.state(), "a test")
    second.restore(load_state(tmp_path / "state.h5", "a test"))
    expected, found = whole.collect(60), second.collect(60)
    for name in ("states", "next_states", "actions", "rewards", "ended"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert second.env_steps == whole.env_steps == 214
    assert second.finished_returns == whole.finished_returns
    np.testing.assert_allclose(whole.policy.mean, 0.1)
    np.testing.assert_allclose(whole.policy.std, 0.5)
