"""GAIL, and Dyna-AIL with GAIL's step (dyna-trpo)."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import small_config

from mgail_dyna.algorithms.dyna_trpo import DynaTRPOAgent
from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.wrappers import Ledger
from mgail_dyna.runs.run import ImitationRun


@pytest.mark.usefixtures("eager")
def test_replay_holds_a_whole_rollout_whatever_its_capacity(cartpole_demos):
    config = small_config("gail", rollout={"replay_capacity": 1})
    run = ImitationRun(config, cartpole_demos, "gail")
    list(run.iterate(iterations=3))
    assert run.agent.replay.steps >= config.rollout.steps


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("algorithm", ["gail", "dyna-trpo"])
def test_trust_region_steps_with_noise_that_is_not_learned(algorithm, cheetah_demos):
    policy = {"train_noise": False, "noise_std": 0.3}
    config = small_config(algorithm, "HalfCheetah-v5", env_steps=10_000, policy=policy)
    run = ImitationRun(config, cheetah_demos, algorithm)
    before = {name: weight.copy() for name, weight in run.agent.acting.weights.items()}
    row = next(run.iterate())
    assert np.isfinite(row["policy/kl"] if algorithm == "gail" else row["plan/kl"])
    changed = {name for name, weight in run.agent.acting.weights.items() if (weight != before[name]).any()}
    assert changed == set(before) - {"log_std"}


def test_planning_touches_neither_environment_nor_discriminator_and_moves_the_policy(cartpole_demos):
    ledger = Ledger()
    agent = DynaTRPOAgent(
        small_config("dyna-trpo"), lambda: ledger.watch(gym.make("CartPole-v1"), "training"), cartpole_demos
    )
    agent.iterate()
    counts, before = ledger.state(), agent.acting.weights
    discriminator = agent.gail.discriminator.network
    weights = [variable.numpy() for variable in discriminator.variables]
    metrics = agent.plan()
    assert ledger.state() == counts
    assert metrics["step_accepted"] == 1.0
    assert any((agent.acting.weights[name] != before[name]).any() for name in before)
    for now, then in zip(discriminator.variables, weights, strict=True):
        np.testing.assert_array_equal(now, then)
    assert agent.imagination._imagine.experimental_get_tracing_count() == 1
    agent.iterate()
    assert agent.gail.policy._update.experimental_get_tracing_count() == 2, "real rollouts, and imagined ones"


@pytest.mark.slow
@pytest.mark.xla
def test_gail_learns_cartpole(with_xla):
    config = replace(imitation_preset("tuned", "CartPole-v1", "gail"), env_steps=40_000, evaluation_episodes=3)
    rows = list(ImitationRun(config, load_demonstrations("cartpole"), "gail").iterate())
    assert rows[-1]["env_steps"] >= 40_000
    assert np.nanmax([row["return_mean"] for row in rows]) > 500
