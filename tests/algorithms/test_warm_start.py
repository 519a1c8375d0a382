"""Runs that start from a clone of the demonstrations (--warm-start bc)."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import assert_same_weights, small_config, without_clocks

from mgail_dyna.algorithms import bc
from mgail_dyna.algorithms.bc import BCAgent
from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.straying import Straying
from mgail_dyna.config.presets import apply
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.runs.run import ImitationRun


def make_env():
    return gym.make("CartPole-v1")


def warm_config(**cloning):
    return small_config(env_steps=10_000, warm_start="bc", cloning={"steps": 20, "trial_below": 0, **cloning})


@pytest.mark.usefixtures("eager")
def test_the_first_iteration_is_a_clone_and_takes_no_env_step(cartpole_demos):
    config = warm_config(steps=80, interval=40, batch=64, learning_rate=5e-3)
    agent = DynaAgent(config, make_env, cartpole_demos)
    untrained = DynaAgent(config, make_env, cartpole_demos).acting
    metrics = agent.iterate()
    assert agent.env_steps == 0
    assert metrics.keys() == {f"cloning/{name}" for name in ("steps", "left", "loss", "seen")}
    states = np.concatenate([t.observations[:-1] for t in cartpole_demos.trajectories])
    actions = np.concatenate([t.actions for t in cartpole_demos.trajectories])
    assert np.mean(agent.act(states) == actions) > np.mean(untrained.act(states) == actions) + 0.1
    assert_same_weights(agent.acting, agent.averager.exploring)
    agent.iterate()
    assert agent.env_steps > 0


def on_trial(limit):
    """A clone on trial in episodes of 20 steps, kept if it strays by `limit` at most; it learns at any rate."""
    cloning = {"trial_below": 100, "trial_steps": 60, "trial_strayed": limit, "reset_length": 50, "slow_below": None}
    cloning |= {"failed_reset_length": 70, "failed_plan_length": 30}
    return replace(
        warm_config(**cloning),
        updates_per_iteration=4,
        rollout=replace(small_config().rollout, initial_states="reset", reset_length=20),
    )


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("limit", "kept"), [(1.0, True), (0.0, False)])
def test_a_clone_is_kept_if_its_trial_does_not_stray(cartpole_demos, limit, kept):
    config = replace(on_trial(limit), policy=replace(small_config().policy, acting_averaging=0.7))
    agent, lengths, shares, replayed = DynaAgent(config, make_env, cartpole_demos), [], [], []
    before, agent.warm_start.blind = agent.collector.straying.share, False
    fresh = agent.policy.network.acting_weights()
    agent.iterate()
    clone, played = agent.policy.network.acting_weights(), agent.collector._strayed
    agent.collector._strayed = lambda near, failed: lengths.append(len(near)) or played(near, failed)
    agent.model_errors = lambda: (
        shares.append(agent.collector.straying.share) or replayed.append(agent.replay.steps) or {}
    )
    agent.policy.learn = lambda *_: {}  # so that only the trial changes the policy
    agent.policy.plan = lambda *_: {}
    metrics = agent.iterate()
    assert metrics["cloning/kept"] == kept and (metrics["cloning/strayed"] <= limit) == kept
    tried = next(count for count in range(1, 100) if sum(lengths[:count]) >= 60)
    assert max(lengths[:tried]) <= 20, "short episodes"
    assert (len(lengths) > tried) == kept, "whole episodes follow before anything is learned"
    assert replayed == [sum(lengths[tried:] if kept else lengths)], "nothing is learned from the trial of a kept clone"
    after = Straying(cartpole_demos, agent.acting, np.random.default_rng(0))
    assert after.share == before and after.update(agent.collector.strayed) == pytest.approx(shares[0])
    expected, learned = (clone if kept else fresh), agent.policy.network.acting_weights()
    for name, weight in expected.items():
        np.testing.assert_array_equal(learned[name], weight)
        np.testing.assert_array_equal(agent.policy.average.acting_weights()[name], weight)
    scales = [agent.warm_start.lr_scale(iterations, 1.0) for iterations in range(3)]
    assert scales == ([0.0, 1.0, 1.0] if kept else [1.0] * 3), "only a clone is frozen"
    assert [agent.warm_start.rounds(n, 0.0) for n in range(3)] == ([4, 1, 1] if kept else [4] * 3)
    assert (agent._regularizer(1) is None) == (not kept)
    assert agent.warm_start.acting_averaging == (0.0 if kept else 0.7)
    assert "cloning/kept" not in agent.iterate(), "judged once"
    assert agent.collector.length == (50 if kept else 20)
    plan = config.plan.length
    for blind in (False, True):  # a failed trial; where nothing else is seen, falls are, and they come late
        agent.warm_start.blind, longer = blind, blind and not kept
        found = [(agent.warm_start.reset_length(ended), agent.warm_start.plan_length(ended)) for ended in (False, True)]
        usual = 50 if kept else 20
        assert found == [(usual, plan), (70, 30) if longer else (usual, plan)]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_trial_stays_within_the_budget(cartpole_demos, limit):
    agent = DynaAgent(replace(on_trial(limit), env_steps=7), make_env, cartpole_demos)
    agent.iterate()
    metrics = agent.iterate()
    assert "cloning/kept" in metrics and agent.env_steps == 7 and agent.progress == 1.0


@pytest.mark.usefixtures("eager")
def test_a_trial_takes_no_more_than_a_tenth_of_the_budget_but_whole_episodes(cartpole_demos):
    agent = DynaAgent(replace(on_trial(0.0), env_steps=300), make_env, cartpole_demos)
    agent.iterate()
    agent.iterate()
    assert 30 <= agent.env_steps < 30 + 20, "less than the 60 that were asked for"


@pytest.mark.parametrize(("below", "on_trial"), [(3, False), (4, True), (0, False)])
def test_a_clone_is_on_trial_if_demonstrations_are_few(cartpole_demos, below, on_trial):
    agent = DynaAgent(warm_config(trial_below=below), make_env, cartpole_demos)
    assert not agent.warm_start.on_trial, "there is no clone yet"
    agent.warm_start.cloned = True
    assert agent.warm_start.on_trial == on_trial


@pytest.mark.usefixtures("eager")
def test_the_clone_is_that_of_cloning_alone_to_the_last_bit(cartpole_demos):
    config = warm_config(steps=500, batch=8)
    start, alone = (make(config, make_env, cartpole_demos) for make in (DynaAgent, BCAgent))
    start.iterate()
    while alone.progress < 1.0:
        alone.iterate()
    assert_same_weights(start.acting, alone.acting)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("slow", "stays"), [(0.5, True), (None, False)])
def test_a_clone_stays_as_it_is_where_straying_would_not_be_seen(monkeypatch, slow, stays):
    """Six demonstrations of Pusher are so far apart that straying is not seen; but that an episode ends early is."""
    agent = pusher_agent(monkeypatch, trial_below=6, slow_below=slow)
    assert agent.collector.straying.blind and agent.iterate()["cloning/steps"] == (25 if stays else 50)
    assert agent.warm_start.trusted == stays
    clone = agent.acting.weights
    agent.iterate()
    assert all(np.array_equal(clone[name], weight) for name, weight in agent.acting.weights.items()) == stays
    agent.collector._strayed = lambda near, terminated: agent.collector.straying.of_episode(near[:10], failed=True)
    agent.iterate()
    assert not all(np.array_equal(clone[name], weight) for name, weight in agent.acting.weights.items())


def pusher_agent(monkeypatch, **cloning):
    monkeypatch.setattr(bc, "PER_ROOT_PAIR", 1.0)
    config = warm_config(**cloning, trial_strayed=1.0, steps=50, batch=4, freeze_iterations=0)
    config = apply(config, {"env": "Pusher-v5", "rollout": {"steps": 10, "initial_states": "reset"}})
    demos = subset(load_demonstrations("pusher"), 6, 1)
    return DynaAgent(config, lambda: gym.make("Pusher-v5", max_episode_steps=20), demos)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("slow", "error", "stays"), [(0.5, 0.4, True), (0.5, 0.1, False), (None, 0.4, False)])
def test_a_clone_of_few_demonstrations_stays_where_neither_straying_is_seen_nor_the_model_knows(
    monkeypatch, slow, error, stays
):
    agent = pusher_agent(monkeypatch, trial_below=7, slow_below=slow)
    agent.iterate()
    assert agent.warm_start.on_trial and not agent.warm_start.trusted
    agent.model_errors, clone = lambda: {"error_1": error}, agent.acting.weights
    rate = agent.iterate()["cloning/rate"]
    assert agent.warm_start.kept and (rate == 0.0) == stays
    assert all(np.array_equal(clone[name], weight) for name, weight in agent.acting.weights.items()) == stays


def test_a_kept_clone_learns_as_fast_as_it_strays(cartpole_demos):
    def rate(strayed, **cloning):
        start = DynaAgent(warm_config(**cloning), make_env, cartpole_demos).warm_start
        assert start.rate(strayed) == 1.0, "not a clone yet"
        start.cloned = True
        return start.rate(strayed)

    assert rate(0.001, slow_below=0.1) == pytest.approx(0.01)
    assert rate(0.2, slow_below=0.1) == 1.0 and rate(0.0, slow_below=None) == 1.0


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_run_whose_clone_was_on_trial_is_resumed_exactly(cartpole_demos, limit):
    config = on_trial(limit)
    whole, saved, resumed = (ImitationRun(config, cartpole_demos, "dyna") for _ in range(3))
    list(saved.iterate(iterations=2))
    resumed.restore(saved.state())
    assert resumed.agent.warm_start.kept is (limit == 1.0)
    for run in (whole, resumed):
        list(run.iterate(iterations=4))
    assert without_clocks(whole.history) == without_clocks(resumed.history)
    assert_same_weights(whole.agent.acting, resumed.agent.acting)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_a_clone_is_frozen_while_the_others_catch_up(cartpole_demos, frozen):
    agent = DynaAgent(warm_config(freeze_iterations=frozen), make_env, cartpole_demos)
    agent.iterate()
    clone, discriminator = agent.policy.network.acting_weights(), agent.discriminator.network.variables[0].numpy()
    for iteration in range(3):
        metrics = agent.iterate()
        assert ("plan/cost" in metrics) == ("learn/cost" in metrics) == (iteration >= frozen), "no step without effect"
        learned = agent.policy.network.acting_weights()
        moved = any(np.abs(weight - clone[name]).max() > 1e-6 for name, weight in learned.items())
        assert moved == (iteration >= frozen)
    assert np.abs(agent.discriminator.network.variables[0] - discriminator).max() > 1e-5


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("warm_start", "weight", "strayed", "expected"),
    [
        ("bc", 9.0, 0.0, 9),
        ("bc", 9.0, 0.5, 3),
        ("bc", 9.0, 1.0, 1),
        ("bc", 0.5, 0.9, 0.5),
        ("bc", 0.0, 0.1, None),
        ("none", 9.0, 0.0, None),
    ],
)
def test_a_clone_keeps_to_the_demonstrations_the_less_the_more_it_strays(
    cartpole_demos, warm_start, weight, strayed, expected
):
    pairs = cartpole_demos.total_steps
    config = replace(warm_config(bc_weight=weight / pairs**0.5, batch=32), warm_start=warm_start)
    agent, seen = DynaAgent(config, make_env, cartpole_demos), []
    if warm_start == "bc":
        agent.iterate()
    agent.collector.collect()
    agent.collector.straying.share = strayed
    agent.policy.learn = lambda windows, rate, pairs: seen.append((config.learn.steps, pairs)) or {}
    agent.policy.plan = lambda windows, noise, rate, pairs: seen.append((config.plan.steps, pairs)) or {}
    known = agent.demo_replay.all_pairs()[0]
    agent.learn(1.0), agent.plan(1.0)
    for steps, pairs in seen:
        assert (pairs is None) == (expected is None)
        if pairs is not None:
            assert pairs.states.shape == (steps, 32, 4) and pairs.weight == pytest.approx(expected)
            assert (pairs.states[..., None, :] == known).all(axis=-1).any(axis=-1).all()
    assert len(seen) == 2


def test_updates_with_a_cloning_loss_are_traced_once(cartpole_demos):
    config = replace(warm_config(bc_weight=3.0, batch=32, freeze_iterations=0), updates_per_iteration=2)
    agent = DynaAgent(config, make_env, cartpole_demos)
    for _ in range(3):
        agent.iterate()
    for name in ("_learn", "_plan"):
        assert getattr(agent.policy, name).experimental_get_tracing_count() == 1


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("asked", "std"), [(0.3, 0.3), (0.0, 0.0), (None, 0.1)])
def test_the_environment_sees_noise_of_its_own(asked, std, cheetah_demos):
    rollout = {"steps": 100, "reset_length": 100, "demo_length": 100, "noise_std": asked}
    config = small_config(env_id="HalfCheetah-v5", env_steps=400, rollout=rollout)
    agent, resumed = (DynaAgent(config, lambda: gym.make("HalfCheetah-v5"), cheetah_demos) for _ in range(2))
    agent.iterate()
    resumed.restore(agent.state())
    for one in (agent, resumed):
        np.testing.assert_allclose(one.averager.exploring.head.std, std, rtol=1e-5)
        np.testing.assert_allclose(one.acting.head.std, 0.1, rtol=1e-5, err_msg="plans and evaluations do not change")


@pytest.mark.usefixtures("eager")
def test_a_run_resumed_as_a_clone_is_not_cloned_again(cartpole_demos):
    whole, first, second = (ImitationRun(warm_config(), cartpole_demos) for _ in range(3))
    list(whole.iterate(iterations=3))
    list(first.iterate(iterations=1))
    second.restore(first.state())
    list(second.iterate(iterations=3))
    assert without_clocks(second.history) == without_clocks(whole.history)
    assert whole.history[0]["env_steps"] == 0 < whole.history[1]["env_steps"]
