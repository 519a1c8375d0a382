"""How far episodes stray from the demonstrations, on tracks with known distances."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import small_config

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.straying import MOST, Straying
from mgail_dyna.demonstrations.dataset import Demonstrations, subset
from mgail_dyna.types import Trajectory

BOX = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)


class Plain:
    """Leaves observations as they are."""

    def normalise(self, observations):
        return np.asarray(observations, np.float32)


def track(rng, length=400, spread=0.01):
    """A circle that is run through once in 100 steps, with some scatter."""
    angle = 2 * np.pi * np.arange(length + 1) / 100
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) + spread * rng.standard_normal((length + 1, 2))
    actions = np.zeros((length, 1), np.float32)
    return Trajectory(circle.astype(np.float32), actions, np.zeros(length), terminated=False, truncated=True)


def demonstrations(count, length=400):
    rng = np.random.default_rng(0)
    return Demonstrations(tuple(track(rng, length) for _ in range(count)), BOX, gym.spaces.Box(-1, 1, (1,), np.float32))


@pytest.mark.parametrize("count", [1, 4, 60])
def test_the_share_of_an_episode_away_from_the_demonstrations(count):
    straying = Straying(demonstrations(count), Plain(), np.random.default_rng(1))
    assert straying.length == 400 and len(straying.states) <= MOST
    states = track(np.random.default_rng(2)).observations[:-1]
    assert straying.of_episode(straying.near(states), failed=False) <= 0.05
    assert straying.of_episode(straying.near(2.0 * states), failed=False) == 1.0
    half = np.concatenate([states[:200], 2.0 * states[200:]])
    assert straying.of_episode(straying.near(half), failed=False) == pytest.approx(0.5, abs=0.05)
    assert straying.of_episode(straying.near(states[:100]), failed=True) == pytest.approx(
        1 - 100 / straying.length, abs=0.05
    )
    assert straying.of_episode(straying.near(states[:100]), failed=False) <= 0.05, "cut off, not fallen"


def test_where_demonstrations_terminate_an_episode_lacks_steps_below_the_lower_quartile():
    """A task that ends with success, sooner or later, such as a landing."""
    rng = np.random.default_rng(0)
    lengths = (180, 200, 200, 300, 400)
    episodes = [replace(track(rng, length), terminated=True, truncated=False) for length in lengths]
    episodes[-1] = replace(episodes[-1], terminated=False, truncated=True)
    box = gym.spaces.Box(-1, 1, (1,), np.float32)
    straying = Straying(Demonstrations(tuple(episodes), BOX, box), Plain(), np.random.default_rng(1))
    assert straying.length == 200
    states = track(np.random.default_rng(2)).observations[:-1]
    for length in (200, 300, 400):
        assert straying.of_episode(straying.near(states[:length]), failed=True) <= 0.05
    assert straying.of_episode(straying.near(states[:50]), failed=True) == pytest.approx(0.75, abs=0.05)
    half = np.concatenate([states[:200], 2.0 * states[200:]])
    assert straying.of_episode(straying.near(half), failed=True) == pytest.approx(0.5, abs=0.05), "longer, and away"
    seldom = (*(track(rng) for _ in range(3)), episodes[1])
    assert Demonstrations(seldom, BOX, box).due_length == 350, "a fall of the expert is not where the task ends"


def test_subsampled_demonstrations_are_as_long_as_they_were():
    demos = subset(demonstrations(4), None, 20)
    straying = Straying(demos, Plain(), np.random.default_rng(1))
    assert (straying.length, len(straying.states)) == (400, 80)
    states = track(np.random.default_rng(2)).observations[:-1]
    assert (
        straying.of_episode(straying.near(states), failed=False)
        < 1.0
        == straying.of_episode(straying.near(2.0 * states), failed=False)
    )


def test_neighbours_in_time_are_no_evidence_of_nearness():
    """One demonstration along a straight line passes every place once: what is near a state is far in time."""
    line = np.stack([np.arange(401.0), np.zeros(401)], axis=1)
    episode = Trajectory(line.astype(np.float32), np.zeros((400, 1), np.float32), np.zeros(400), False, True)
    demos = Demonstrations((episode,), BOX, gym.spaces.Box(-1, 1, (1,), np.float32))
    straying = Straying(demos, Plain(), np.random.default_rng(0))
    assert straying.limit == pytest.approx(4 * 51, abs=1)


def test_what_one_demonstration_passes_once_does_not_set_the_limit():
    """One in five states lies far from the circle, as the beginning of an episode does."""
    (episode,) = demonstrations(1, length=500).trajectories
    observations = episode.observations.copy()
    observations[:100] += np.float32([50.0, 0.0])
    demos = Demonstrations((replace(episode, observations=observations),), BOX, gym.spaces.Box(-1, 1, (1,), np.float32))
    assert Straying(demos, Plain(), np.random.default_rng(0)).limit < 1.0


def test_an_expert_that_stands_still_is_near_within_half_a_unit():
    rng = np.random.default_rng(0)
    still = [1e-3 * rng.standard_normal((401, 2)).astype(np.float32) for _ in range(3)]
    episodes = tuple(Trajectory(each, np.zeros((400, 1), np.float32), np.zeros(400), False, True) for each in still)
    straying = Straying(Demonstrations(episodes, BOX, gym.spaces.Box(-1, 1, (1,), np.float32)), Plain(), rng)
    assert list(straying.near(np.array([[0.3, 0.3], [0.5, 0.5]], np.float32))) == [True, False]


def reaching(count, size=3):
    """Straight ways from anywhere to anywhere, which never meet: the place that is to be reached is observed."""
    rng = np.random.default_rng(0)
    starts, goals = rng.uniform(-1.7, 1.7, (2, count, size))
    ways = [np.linspace(start, goal, 21) for start, goal in zip(starts, goals, strict=True)]
    states = [np.hstack([way, np.tile(way[-1], (21, 1))]).astype(np.float32) for way in ways]
    episodes = tuple(Trajectory(each, np.zeros((20, 1), np.float32), np.zeros(20), False, True) for each in states)
    box = gym.spaces.Box(-np.inf, np.inf, (2 * size,), np.float32)
    return Demonstrations(episodes, box, gym.spaces.Box(-1, 1, (1,), np.float32))


def scaled(demos, factor):
    return replace(
        demos, trajectories=tuple(replace(t, observations=factor * t.observations) for t in demos.trajectories)
    )


def test_where_demonstrations_are_far_apart_straying_is_not_seen():
    rings = Straying(scaled(demonstrations(4), 5.0), Plain(), np.random.default_rng(0))
    assert rings.seen > 0.5 and not rings.blind, "made-up states are inside the ring and outside of it"
    ways = Straying(reaching(8), Plain(), np.random.default_rng(0))
    assert ways.seen < 0.2 and ways.blind
    ways.ignore_distances()
    far = ways.near(np.full((5, 6), 1e6, np.float32))
    assert ways.share == 0.0 and ways.of_episode(far, failed=False) == 0.0
    assert ways.of_episode(far, failed=True) == 0.75, "5 of 20 steps"
    still = Straying(scaled(demonstrations(4), 1e-3), Plain(), np.random.default_rng(0))
    assert still.seen == 0.0 and not still.blind, "an expert that stands still is near, not far apart"


def test_an_episode_is_lost_after_so_many_steps_away_in_a_row():
    straying = Straying(demonstrations(2), Plain(), np.random.default_rng(0))
    near, away = np.array([1.0, 0.0], np.float32), np.array([2.0, 0.0], np.float32)
    lost = straying.watch(3)
    assert [lost(each) for each in (away, away, near, away, away, away)] == [False] * 5 + [True]
    assert not straying.watch(3)(away), "each episode counts for itself"


@pytest.mark.usefixtures("eager")
def test_lost_episodes_are_cut_off_and_count_as_away(cheetah_demos):
    rollout = {"steps": 60, "initial_states": "reset", "reset_length": 60, "lost_after": 5}
    config = small_config(env_id="HalfCheetah-v5", env_steps=400, rollout=rollout)
    agent = DynaAgent(config, lambda: gym.make("HalfCheetah-v5", max_episode_steps=60), cheetah_demos)
    agent.collector.straying.limit = 0.0
    metrics = agent.collector.collect()
    assert (metrics["length"], metrics["strayed"]) == (5.0, pytest.approx(1 - 0.9**12 * 2 / 3))  # all of it was away
    agent.collector.straying.limit = np.inf
    assert agent.collector.collect()["length"] == 60.0


@pytest.mark.usefixtures("eager")
def test_the_policy_learns_where_its_episodes_are_near_the_demonstrations_only(cheetah_demos):
    rollout = {"steps": 60, "initial_states": "reset", "reset_length": 60}
    config = small_config(
        env_id="HalfCheetah-v5", env_steps=400, rollout=rollout, policy={"near_only": True}, plan={"demo_fraction": 0.0}
    )
    agent = DynaAgent(config, lambda: gym.make("HalfCheetah-v5", max_episode_steps=60), cheetah_demos)
    states, drawn = agent.replay, []
    agent.collector.straying.near = lambda states: np.arange(len(states)) < 7
    agent.collector.collect()
    whole = states.windows
    agent.replay.windows = lambda *args, **kwargs: drawn.append(whole(*args, **kwargs)) or drawn[-1]
    agent.learn(1.0)
    agent.plan(1.0)
    agent.update_dynamics(1.0)
    assert len(drawn) == 3
    burn_in, beginning = config.dynamics.burn_in, states.all_pairs()[0][:7]
    starts = [windows.states[:, burn_in].reshape(-1, beginning.shape[1]) for windows in drawn]
    near = [(start[:, None] == beginning).all(axis=-1).any(axis=-1).all() for start in starts]
    assert near == [True, True, False], "the model learns everywhere"


@pytest.mark.parametrize("length", [2, 8, 40])
def test_one_short_demonstration_has_a_limit(length):
    straying = Straying(demonstrations(1, length), Plain(), np.random.default_rng(0))
    assert 0.0 < straying.limit < 10.0


def test_the_average_begins_with_doubt_and_forgets():
    straying = Straying(demonstrations(2), Plain(), np.random.default_rng(0))
    assert straying.share == pytest.approx(1 / 3), "the fewer demonstrations, the less a clone is trusted"
    assert straying.update([1.0, 0.5]) == pytest.approx(0.9 * (0.9 / 3 + 0.1) + 0.1 * 0.5)
    assert straying.update([0.0]) == pytest.approx(0.9 * (0.9 * (0.9 / 3 + 0.1) + 0.1 * 0.5))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("slow_below", "share", "scale"), [(None, 0.1, 1.0), (0.5, 0.1, 0.2), (0.5, 0.8, 1.0)])
@pytest.mark.parametrize("kept", [True, False])
def test_near_the_expert_a_clone_learns_more_slowly(cartpole_demos, slow_below, share, scale, kept):
    config = small_config(warm_start="bc", cloning={"steps": 1, "slow_below": slow_below, "freeze_iterations": 1})
    agent, rates = DynaAgent(config, lambda: gym.make("CartPole-v1"), cartpole_demos), []
    agent.warm_start.blind = False
    agent.policy.learn = lambda windows, rate, pairs: rates.append(rate) or {}
    agent.policy.plan = lambda windows, noise, rate, pairs: rates.append(rate) or {}
    agent.iterate()
    metrics = agent.iterate()
    assert 0.0 <= metrics["rollout/strayed"] == agent.collector.straying.share <= 1.0
    rates.clear()
    agent.collector.straying.update = lambda shares: share
    agent.collector.straying.share = share
    agent.warm_start.kept = kept
    agent.iterate()
    expected = (scale if kept else 1.0) * config.learning_rate_at(0.0)
    assert rates == pytest.approx([expected] * len(rates), rel=0.5) and rates
    resumed = DynaAgent(config, lambda: gym.make("CartPole-v1"), cartpole_demos)
    resumed.restore(agent.state())
    assert resumed.collector.straying.share == share


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(("share", "rounds"), [(0.0, 1), (0.25, 5), (0.9, 10)])
def test_near_the_expert_a_clone_has_fewer_update_rounds(cartpole_demos, share, rounds, kept):
    config = small_config(updates_per_iteration=10, warm_start="bc", cloning={"steps": 1, "fewer_updates_below": 0.5})
    agent, made = DynaAgent(config, lambda: gym.make("CartPole-v1"), cartpole_demos), []
    agent.iterate()
    agent._update = lambda *_: made.append(1) or {}
    agent.collector.straying.update = lambda shares: share
    agent.collector.straying.share = share
    agent.iterate()
    assert len(made) == 10, "the first iteration makes all"
    agent.warm_start.kept = kept
    agent.iterate()
    assert len(made) == 10 + (rounds if kept else 10)
