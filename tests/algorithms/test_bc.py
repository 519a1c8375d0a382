"""Behavioural cloning of demonstrations."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import first

from mgail_dyna.algorithms.bc import BCAgent, Cloner
from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.networks import build_policy, numpy_copy
from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.runs.run import ImitationRun


def test_a_clone_has_learned_every_pair_when_its_steps_are_taken():
    demos = first(load_demonstrations("halfcheetah"), 2, steps=30)
    config = ImitationConfig(cloning=CloningConfig(interval=300, learning_rate=3e-3))
    policy = build_policy(demos.action, 17, config.policy, 0)
    acting = numpy_copy(policy, config.policy, demos)
    cloner = Cloner(policy, acting, demos, config, 700)
    assert cloner.states.shape == (60, 17) and cloner.actions.shape == (60, 6)
    assert np.abs(cloner.states).max() <= 10.0
    before = cloner.learner.loss(cloner.states, cloner.actions)
    rows = [cloner.iterate()["steps"] for _ in range(3)]
    assert rows == [300, 600, 700] and cloner.progress == 1.0
    assert cloner.learner.loss(cloner.states, cloner.actions) < 0.01 * before
    assert np.abs(acting.act(demos.trajectories[0].observations[:-1]) - demos.trajectories[0].actions).max() < 0.3
    for name, weight in policy.acting_weights().items():
        np.testing.assert_array_equal(weight, acting.weights[name])


@pytest.mark.parametrize(("episodes", "steps", "total"), [(1, 25, 500), (2, 200, 2_000), (2, 200, 1_500)])
def test_few_pairs_are_not_overfitted(episodes, steps, total):
    demos = first(load_demonstrations("halfcheetah"), episodes, steps=steps)
    config = ImitationConfig(cloning=CloningConfig(steps=1_500 if total == 1_500 else 20_000, interval=200))
    agent = BCAgent(config, lambda: make_env("HalfCheetah-v5", 1_000), demos)
    assert agent.budget.total == total, "100 times the square root of the number of pairs, at most what is asked for"
    while agent.progress < 1.0:
        done = agent.iterate()
    assert (done["cloning/steps"], done["cloning/left"]) == (total, 0.0)


def test_a_start_takes_all_steps():
    demos = first(load_demonstrations("halfcheetah"), 1, steps=25)
    config = replace(ImitationConfig(warm_start="bc"), cloning=CloningConfig(steps=700, interval=200, slow_below=None))
    agent = DynaAgent(config, lambda: make_env("HalfCheetah-v5", 1_000), demos)
    assert agent.iterate()["cloning/steps"] == 700, "a clone alone would take 500"


@pytest.mark.slow
@pytest.mark.xla
def test_cloning_solves_cartpole_without_a_step_in_it(with_xla):
    config = imitation_preset("tuned", "CartPole-v1", "bc")
    config = replace(config, cloning=CloningConfig(steps=2_000), evaluation_episodes=5)
    run = ImitationRun(config, load_demonstrations("cartpole"), "bc")
    *_, last = run.iterate()
    assert last["return_mean"] == 1_000.0
    assert run.env_steps == run.ledger.episodes["training"] == 0
