"""The demonstrations that ship."""

import numpy as np
import pytest
from helpers import replay

from mgail_dyna.demonstrations.reader import SHIPPED, load_demonstrations
from mgail_dyna.environments.make import make_env

NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/trpo-v0"))
LEVELS = {
    "cartpole": lambda returns, lengths: (returns == 1000).all(),
    "hopper": lambda returns, lengths: returns.mean() >= 3500 and (lengths == 1000).all(),
    "halfcheetah": lambda returns, lengths: returns.mean() >= 6000,
    "walker2d": lambda returns, lengths: returns.mean() >= 5000 and (lengths == 1000).all(),
    "swimmer": lambda returns, lengths: returns.mean() >= 120 and (lengths == 1000).all(),
    "ant": lambda returns, lengths: returns.mean() >= 5000 and (lengths == 1000).sum() == 48,
    "inverteddoublependulum": lambda returns, lengths: returns.mean() >= 9000 and (lengths == 1000).sum() == 49,
}


@pytest.mark.parametrize("name", LEVELS)
def test_shipped_expert_is_there_and_as_good_as_promised(name):
    expert = load_demonstrations(name)
    lengths = np.array([len(trajectory) for trajectory in expert.trajectories])
    assert [trajectory.seed for trajectory in expert.trajectories] == list(range(50))
    assert LEVELS[name](expert.returns, lengths), (expert.returns.mean(), expert.returns.min(), lengths.min())


@pytest.mark.parametrize("name", NAMES)
def test_shipped_policy_gives_the_stored_actions(name):
    expert = load_demonstrations(name)
    for trajectory in expert.trajectories:
        np.testing.assert_allclose(expert.policy.act(trajectory.observations[:-1]), trajectory.actions, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_episodes_begin_where_their_seed_says(name):
    expert = load_demonstrations(name)
    env = make_env(expert.env_id, expert.length)
    for trajectory in expert.trajectories:
        first, _ = env.reset(seed=trajectory.seed)
        np.testing.assert_array_equal(np.asarray(first, np.float32), trajectory.observations[0])


@pytest.mark.parametrize("name", NAMES)
def test_shipped_episode_replayed_gives_its_rewards(name):
    expert = load_demonstrations(name)
    for trajectory in expert.trajectories[::25]:
        replay(expert, trajectory)
