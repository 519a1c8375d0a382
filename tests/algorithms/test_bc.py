"""Behavioural cloning of demonstrations."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import first

from mgail_dyna.algorithms.bc import Cloner, split_pairs
from mgail_dyna.algorithms.networks import build_policy, numpy_copy
from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.runs.run import ImitationRun


def test_whole_trajectories_are_held_out_and_single_pairs_of_a_single_one():
    demos, config = load_demonstrations("halfcheetah"), ImitationConfig()
    acting = numpy_copy(build_policy(demos.action, 17, config.policy, 0), config.policy, demos)
    few = replace(demos, trajectories=demos.trajectories[:5])
    (states, actions), (held_states, held_actions) = split_pairs(few, acting, 0.4, np.random.default_rng(0))
    assert (len(states), len(held_states)) == (3_000, 2_000)
    whole = {t.actions.tobytes() for t in few.trajectories}
    parts = [*np.split(actions, 3), *np.split(held_actions, 2)]
    assert {part.tobytes() for part in parts} == whole
    assert np.abs(states).max() <= 10.0

    one = replace(demos, trajectories=demos.trajectories[:1])
    (states, _), (held_states, _) = split_pairs(one, acting, 0.2, np.random.default_rng(0))
    assert (len(states), len(held_states)) == (800, 200)
    short = demos.trajectories[0].every(1_000, 0)
    with pytest.raises(UserError, match="expected at least 2 steps"):
        split_pairs(replace(demos, trajectories=(short,)), acting, 0.2, np.random.default_rng(0))


def test_cloning_stops_early_and_keeps_the_best_weights():
    demos = first(load_demonstrations("halfcheetah"), 2, steps=30)
    config = ImitationConfig(cloning=CloningConfig(interval=50, patience=2, learning_rate=3e-3))
    policy = build_policy(demos.action, 17, config.policy, 0)
    acting = numpy_copy(policy, config.policy, demos)
    cloner = Cloner(policy, acting, demos, config)
    cloner.finish()
    assert cloner.progress == 1.0
    assert cloner.steps < config.cloning.steps, "a policy soon memorises 30 pairs"
    assert cloner.learner.loss(*cloner.held_out) == pytest.approx(cloner.lowest_loss)
    for name, weight in policy.acting_weights().items():
        np.testing.assert_array_equal(weight, acting.weights[name])


@pytest.mark.slow
@pytest.mark.xla
def test_cloning_solves_cartpole_without_a_step_in_it(with_xla):
    config = imitation_preset("tuned", "CartPole-v1", "bc")
    config = replace(config, cloning=CloningConfig(steps=2_000), evaluation_episodes=5)
    run = ImitationRun(config, load_demonstrations("cartpole"), "bc")
    *_, last = run.iterate()
    assert last["return_mean"] == 1_000.0
    assert run.env_steps == run.ledger.episodes["training"] == 0
