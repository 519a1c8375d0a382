"""Rollouts of several environments side by side."""

import numpy as np
import pytest
from helpers import random_policy

from mgail_dyna.demonstrations.record import record
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import Episode, RolloutCollector, play_episode, segments
from mgail_dyna.environments.simulator import simulator_state
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


@pytest.mark.parametrize("env_id", ["CartPole-v1", "HalfCheetah-v5"])
def test_an_episode_in_parts_or_replayed_in_between_is_the_episode(env_id, tmp_path):
    policy, elsewhere = random_policy(env_id), make_env(env_id)
    elsewhere.reset(seed=7)
    elsewhere.step(elsewhere.action_space.sample())
    start = simulator_state(elsewhere)  # None where there is no simulator
    seen = []

    def begun():
        return Episode(make_env(env_id), policy, 3, start, limit=30, lost=lambda observed: seen.append(observed))

    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    whole = begun().play(rng)
    episode = begun()
    parts = [episode.play(again, 4), episode.play(again, 3)]
    assert not episode.over and len(episode) == 7 and not (parts[1].terminated or parts[1].truncated)
    save_state(tmp_path / "state.h5", episode.state(), "a test")
    seen.clear()
    state = load_state(tmp_path / "state.h5", "a test")
    episode = Episode.replayed(make_env(env_id), policy, state, lost=lambda observed: seen.append(observed))
    np.testing.assert_array_equal(seen, whole.observations[1:8])
    parts.append(episode.play(again))
    assert episode.over and len(episode) == len(whole) == sum(map(len, parts)) <= 30
    assert (parts[2].terminated, parts[2].truncated) == (whole.terminated, whole.truncated)
    for name in ("actions", "rewards", "noise"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    observations = [parts[0].observations, *(part.observations[1:] for part in parts[1:])]
    np.testing.assert_array_equal(np.concatenate(observations), whole.observations)
    assert again.bit_generator.state == rng.bit_generator.state


def test_demonstrations_keep_the_simulators_states_and_other_episodes_do_without():
    policy, env = random_policy("HalfCheetah-v5"), make_env("HalfCheetah-v5", 5)
    (kept,) = record("HalfCheetah-v5", 5, policy, 1).trajectories
    plain = play_episode(env, policy, kept.seed)
    assert plain.qpos is None and plain.qvel is None
    np.testing.assert_array_equal(plain.observations, kept.observations)
    np.testing.assert_allclose(kept.observations, np.hstack([kept.qpos[:, 1:], kept.qvel]), rtol=1e-6)
