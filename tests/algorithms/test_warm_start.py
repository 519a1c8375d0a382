"""Runs that start from a clone of the demonstrations (--warm-start bc)."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import assert_same_weights, small_config, without_clocks

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.cli.report import start_of
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.runs.run import ImitationRun

# Limits on held-out loss / training loss that every clone keeps, and none.
ANY, NONE = 1e9, 1e-9


def make_env():
    return gym.make("CartPole-v1")


def warm_config(max_overfit_ratio=ANY, **cloning):
    cloning = {"steps": 20, "max_overfit_ratio": max_overfit_ratio, **cloning}
    return small_config(env_steps=10_000, warm_start="bc", cloning=cloning)


@pytest.mark.usefixtures("eager")
def test_a_warm_start_is_a_clone_that_is_frozen_at_first(cartpole_demos):
    config = warm_config(steps=80, interval=40, batch=64, learning_rate=5e-3, freeze_iterations=1)
    agent = DynaAgent(config, make_env, cartpole_demos)
    untrained = DynaAgent(config, make_env, cartpole_demos).acting
    agent._start_as_clone()
    clone = agent.averager.exploring.weights
    states = np.concatenate([t.observations[:-1] for t in cartpole_demos.trajectories])
    actions = np.concatenate([t.actions for t in cartpole_demos.trajectories])
    assert np.mean(agent.act(states) == actions) > np.mean(untrained.act(states) == actions) + 0.1
    assert_same_weights(agent.acting, agent.averager.exploring)

    run = ImitationRun(config, cartpole_demos, "dyna")
    rows = run.iterate(iterations=2)
    next(rows)
    for name, weight in run.agent.acting.weights.items():
        np.testing.assert_allclose(weight, clone[name], atol=1e-6, err_msg="frozen in the first iteration")
    assert start_of(run.history, run.config).startswith("a clone of the demonstrations")
    next(rows)
    learned = run.agent.policy.network.acting_weights()
    assert any(np.abs(weight - clone[name]).max() > 1e-5 for name, weight in learned.items())


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("warm_start", "weight", "regularized"), [("bc", 3.0, True), ("bc", 0.0, False), ("none", 3.0, False)]
)
def test_a_clone_continues_to_clone_while_it_learns(cartpole_demos, warm_start, weight, regularized):
    config = replace(warm_config(bc_weight=weight, batch=32), warm_start=warm_start)
    agent, seen = DynaAgent(config, make_env, cartpole_demos), []
    if warm_start == "bc":
        agent._start_as_clone()
    agent.collector.collect()
    agent.policy.learn = lambda windows, rate, pairs: seen.append((config.learn.steps, pairs)) or {}
    agent.policy.plan = lambda windows, noise, rate, pairs: seen.append((config.plan.steps, pairs)) or {}
    known = agent.demo_replay.all_pairs()[0]
    for env_steps, left in ((0, 1.0), (2_500, 0.75), (10_000, 0.0)):
        agent.collector.env_steps = env_steps
        agent.learn(1.0), agent.plan(1.0)
        for steps, pairs in seen[-2:]:
            assert (pairs is not None) == regularized
            if regularized:
                assert pairs.states.shape == (steps, 32, 4) and pairs.weight == pytest.approx(weight * left)
                assert (pairs.states[..., None, :] == known).all(axis=-1).any(axis=-1).all()
    assert len(seen) == 6


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("asked", "limit", "length"), [(7, ANY, 7), (None, ANY, 3), (7, NONE, 3)])
def test_a_clone_plans_as_far_as_its_own_plan_length(cartpole_demos, asked, limit, length):
    config = warm_config(limit, plan_length=asked)
    config = replace(config, plan=replace(config.plan, length=3))
    agent, seen = DynaAgent(config, make_env, cartpole_demos), []
    agent._start_as_clone()
    agent.collector.collect()
    imagine = agent.policy.imagine
    agent.policy.imagine = lambda windows, noise: seen.append(noise.shape[0]) or imagine(windows, noise)
    agent.policy.plan = lambda windows, noise, rate, pairs: seen.append(noise.shape[1]) or {}
    states, actions = agent.imagined_pairs((2, 8))
    agent.plan(1.0)
    assert states.shape[:2] == actions.shape[:2] == (2, 8)
    assert seen == [length, length], "D's imagined pairs are of the plans the policy learns from"


def starts_among(states, windows):
    return (windows.states[:, -1][:, :, None] == states).all(axis=-1).any(axis=-1)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("planned", "cloned", "expected"), [(1.0, 0.25, 8), (0.125, 0.25, 4), (1.0, None, 32)])
def test_a_clone_plans_from_its_own_states_too(planned, cloned, expected, cartpole_demos):
    config = warm_config(demo_fraction=cloned or 0.0)
    config = replace(config, warm_start="none" if cloned is None else "bc")
    config = replace(config, plan=replace(config.plan, demo_fraction=planned))
    agent, seen = DynaAgent(config, make_env, cartpole_demos), []
    agent.iterate()
    agent.policy.plan = lambda starts, *_: seen.append(starts) or {}
    agent.plan(1.0)
    known = starts_among(agent.demo_replay.all_pairs()[0], seen[0])
    assert (known.sum(axis=-1) == expected).all()


def test_updates_with_a_cloning_loss_are_traced_once(cartpole_demos):
    config = replace(warm_config(bc_weight=3.0, batch=32, freeze_iterations=0), updates_per_iteration=2)
    agent = DynaAgent(config, make_env, cartpole_demos)
    for _ in range(2):
        agent.iterate()
    for name in ("_learn", "_plan"):
        assert getattr(agent.policy, name).experimental_get_tracing_count() == 1


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("asked", "limit", "std"), [(0.3, ANY, 0.25), (None, ANY, 0.1), (0.3, NONE, 0.1)])
def test_a_clone_explores_with_noise_of_its_own_that_fades(asked, limit, std, cheetah_demos):
    cloning = {"steps": 20, "initial_noise_std": asked, "max_overfit_ratio": limit}
    rollout = {"steps": 100, "reset_length": 100, "demo_length": 100}
    config = small_config(env_id="HalfCheetah-v5", env_steps=400, warm_start="bc", cloning=cloning, rollout=rollout)
    agent, resumed = (DynaAgent(config, lambda: gym.make("HalfCheetah-v5"), cheetah_demos) for _ in range(2))
    agent.iterate()
    resumed.restore(agent.state())
    for one in (agent, resumed):
        assert one.progress == 0.25
        np.testing.assert_allclose(one.averager.exploring.head.std, std, rtol=1e-5, err_msg="a quarter of the run")
        np.testing.assert_allclose(one.acting.head.std, 0.1, rtol=1e-5, err_msg="plans and evaluations do not change")


def test_a_clone_of_few_pairs_overfits():
    config = imitation_preset("tuned", "CartPole-v1")
    cloning = replace(config.cloning, steps=3_000, interval=1_000, patience=3)
    few = subset(load_demonstrations("cartpole"), 2, 25)
    agent = DynaAgent(replace(config, warm_start="bc", cloning=cloning), make_env, few)
    agent._start_as_clone()
    assert agent.warm_start.overfit_ratio > 2.5 == config.cloning.max_overfit_ratio
    assert not agent.warm_start.cloned


@pytest.mark.usefixtures("eager")
def test_an_overfitted_clone_is_discarded_and_the_run_starts_from_scratch(cartpole_demos):
    config = warm_config(NONE)
    warm, cold = (ImitationRun(each, cartpole_demos) for each in (config, replace(config, warm_start="none")))
    rows = [list(run.iterate(iterations=2)) for run in (warm, cold)]
    assert rows[0][0]["cloning/overfit_ratio"] == rows[0][1]["cloning/overfit_ratio"] > NONE
    assert not warm.agent.warm_start.cloned
    others = [{name: value for name, value in row.items() if name != "cloning/overfit_ratio"} for row in rows[0]]
    assert without_clocks(others) == without_clocks(rows[1]), "as from scratch, number by number"
    again = ImitationRun(config, cartpole_demos)
    again.restore(warm.state())
    assert again.agent.warm_start.overfit_ratio == warm.agent.warm_start.overfit_ratio
    assert start_of(warm.history, warm.config).startswith("from scratch, as the clone overfitted")
