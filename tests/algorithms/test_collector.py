"""What the agent plays between two updates."""

import gymnasium as gym
import numpy as np
import pytest
from helpers import small_config

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.errors import UserError

pytestmark = pytest.mark.usefixtures("eager")


def lengths(cheetah_demos, episodes, **rollout):
    changes = {"steps": 1, "initial_states": "reset", "reset_length": 64, **rollout}
    config = small_config(env_id="HalfCheetah-v5", rollout=changes)
    agent = DynaAgent(config, lambda: gym.make("HalfCheetah-v5"), cheetah_demos)
    return np.array([agent.collector.collect()["length"] for _ in range(episodes)])


def test_episodes_are_as_long_as_they_may_be_unless_a_shortest_length_is_given(cheetah_demos):
    assert set(lengths(cheetah_demos, 3)) == {64}


def test_lengths_are_log_uniform_between_the_shortest_and_the_longest(cheetah_demos):
    played = lengths(cheetah_demos, 200, shortest=4)
    assert 4 <= played.min() < 6 and 56 < played.max() <= 64
    for low, high in ((4, 8), (8, 16), (16, 32), (32, 65)):  # four doublings, a quarter of the episodes each
        assert 0.15 < ((played >= low) & (played < high)).mean() < 0.35


def test_the_shortest_length_is_not_longer_than_the_longest():
    with pytest.raises(UserError, match=r"--rollout.shortest: expected at least 2, and at most the longest, 10, found"):
        small_config(rollout={"shortest": 11, "reset_length": 10})
