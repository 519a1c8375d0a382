"""What holds of every algorithm's agent: how it is made, what it ignores, where it plans, that it resumes exactly."""

import importlib
import inspect
from dataclasses import replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from helpers import assert_same_weights, small_config, without_clocks

from mgail_dyna.algorithms.registry import ALGORITHMS, algorithm_named
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.config.presets import apply
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import load_state, save_state
from mgail_dyna.runs.run import ImitationRun

pytestmark = pytest.mark.usefixtures("eager")


def class_of(algorithm):
    module, _, name = ALGORITHMS[algorithm].agent.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_agent_has_the_same_constructor_and_acts_before_it_has_learned(algorithm, cartpole_demos):
    parameters = inspect.signature(class_of(algorithm)).parameters
    assert list(parameters) == ["config", "make_env", "demos", "networks"]
    assert [name for name, each in parameters.items() if each.default is each.empty] == ["config", "make_env", "demos"]

    agent = class_of(algorithm)(small_config(algorithm), lambda: gym.make("CartPole-v1"), cartpole_demos)
    observations = cartpole_demos.trajectories[0].observations
    actions = agent.act(observations)
    assert actions.shape == (len(observations),) and set(actions) <= {0, 1}
    assert agent.act(observations[0]) == actions[0]
    assert (agent.env_steps, agent.progress) == (0, 0.0)
    assert agent.budget.total > 0 and agent.budget.unit in ("env steps", "gradient steps")
    with pytest.raises(UserError, match=r"the demonstrations: .* to fit the environment"):
        class_of(algorithm)(small_config(algorithm), lambda: gym.make("MountainCar-v0"), cartpole_demos)


# A value of each field that some algorithm ignores, other than in `small_config`.
OTHERWISE = {
    "discriminator": {"hidden": (7,), "steps": 3},
    "dynamics": {"units": 9, "members": 2, "steps": 3},
    "learn": {"steps": 3, "length": 3},
    "plan": {"batch": 33, "length": 5},
    "rollout": {"steps": 130, "initial_states": "reset"},
    "trust_region": {"max_kl": 0.5},
    "trust_region.final_max_kl": 0.001,
    "trust_region.discount": 0.5,
    "trust_region.gae_lambda": 0.5,
    "trust_region.value_epochs": 3,
    "trust_region.value_batch": 65,
    "trust_region.value_learning_rate": 0.5,
    "cloning": {"learning_rate": 0.5},
    "warm_start": "bc",
    "cost": "nonsaturating",
    "discount": 0.5,
    "updates_per_iteration": 2,
    "follow_weight": 3.0,
    "switch": "adaptive",
    "sure_from": 0.3,
    "discriminator.imagined_fraction": 0.3,
    "policy.learning_rate": 0.1,
    "policy.averaging": 0.5,
    "policy.averaging_share": 0.5,
    "policy.acting_averaging": 0.5,
    "policy.near_only": True,
    "policy.clip_norm": 0.1,
    "policy.bptt_clip_norm": 0.1,
    "rollout.initial_states": "mix",
    "rollout.demo_fraction": 0.3,
    "rollout.reset_length": 7,
    "rollout.ended_length": 9,
    "plan.ended_length": 3,
    "rollout.demo_length": 7,
    "rollout.lost_after": 3,
    "rollout.noise_std": 0.3,
    "cloning.freeze_iterations": 7,
    "cloning.bc_weight": 0.7,
    "cloning.slow_below": 0.9,
    "cloning.fewer_updates_below": 0.5,
    "cloning.acting_averaging": 0.5,
    "cloning.reset_length": 7,
    "cloning.trial_below": 100,
    "cloning.trial_steps": 100,
    "cloning.trial_strayed": 0.5,
    "cloning.failed_reset_length": 3,
    "cloning.failed_plan_length": 3,
    "rollout.num_envs": 3,
    "rollout.replay_capacity": 500,
    "env_steps": 7,
    "policy.train_noise": True,
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_depends_on_the_fields_that_an_algorithm_ignores(algorithm, cartpole_demos, trained):
    config = other = small_config(algorithm)
    for name in ALGORITHMS[algorithm].ignored_fields:
        group, _, field = name.partition(".")
        other = apply(other, {group: {field: OTHERWISE[name]} if field else OTHERWISE[name]})
    other = algorithm_named(algorithm).configure(other)
    assert config != other
    run = ImitationRun(other, cartpole_demos, algorithm)
    list(run.iterate(iterations=2))
    assert_same_weights(run.agent.acting, trained(algorithm).agent.acting)


@pytest.mark.parametrize("algorithm", ["dyna", "bc", "gail", "dyna-trpo"])
def test_a_resumed_run_equals_an_uninterrupted_one(algorithm, cartpole_demos, tmp_path):
    config = small_config(algorithm)
    whole, saved, resumed = (ImitationRun(config, cartpole_demos, algorithm) for _ in range(3))
    list(saved.iterate(iterations=2))
    save_state(tmp_path / "checkpoint.h5", saved.state(), "a test")
    resumed.restore(load_state(tmp_path / "checkpoint.h5", "a test"))
    list(resumed.iterate(iterations=4))
    list(whole.iterate(iterations=4))
    assert without_clocks(resumed.history) == without_clocks(whole.history)
    assert resumed.history[-1]["wall_seconds"] >= saved.history[-1]["wall_seconds"]
    assert resumed.ledger.state() == whole.ledger.state()
    assert_same_weights(resumed.agent.acting, whole.agent.acting)
    observation = np.zeros(4)
    assert resumed.agent.act(observation) == whole.agent.act(observation)


def starts_among(states, windows):
    return (windows.states[:, -1][:, :, None] == states).all(axis=-1).any(axis=-1)


@pytest.mark.parametrize("algorithm", ["dyna", "dyna-trpo"])
def test_plans_start_in_demonstrations_and_where_the_agent_has_been_lately(algorithm, cartpole_demos):
    config = small_config(algorithm, plan={"demo_fraction": 0.25, "recent_steps": 30})
    run, seen = ImitationRun(config, cartpole_demos, algorithm), []
    list(run.iterate(iterations=2))
    agent = run.agent
    if algorithm == "dyna":
        agent.policy.plan = lambda starts, *_: seen.append(starts) or {}
        agent.plan(1.0)
    else:
        agent.imagination = lambda starts, _: seen.append(starts) or SimpleNamespace(rewards=np.zeros(1))
        agent.gail.improve = lambda _: {}
        agent.plan()
    learner = getattr(agent, "gail", agent)
    known, lived = (source.all_pairs()[0] for source in (learner.demo_replay, learner.replay))
    count = [[True] * 8 + [False] * 24] * len(seen[0].states)
    np.testing.assert_array_equal(starts_among(known, seen[0]), count)
    np.testing.assert_array_equal(starts_among(lived[-30:], seen[0]), np.logical_not(count))
    assert (starts_among(known[-30:], seen[0]) != count).any(), "any state of a demonstration may be a start"


@pytest.mark.parametrize("algorithm", ["gail", "dyna-trpo"])
def test_subsampled_demonstrations_give_finite_numbers(algorithm, cartpole_demos):
    run = ImitationRun(small_config(algorithm, demonstrations=2, subsample=7), cartpole_demos, algorithm)
    (row,) = run.iterate(iterations=1)
    assert np.isfinite(list(row.values())).all()


@pytest.mark.parametrize("algorithm", ["bc", "dyna-trpo"])
def test_continuous_actions(algorithm, cheetah_demos):
    run = ImitationRun(small_config(algorithm, "HalfCheetah-v5"), cheetah_demos, algorithm)
    *_, row = run.iterate(iterations=2)
    assert np.isfinite(list(row.values())).all()
    assert row["env_steps"] == (0 if algorithm == "bc" else 256) == run.agent.env_steps
    # Normalised by the demonstrations throughout.
    observations = np.concatenate([t.observations for t in cheetah_demos.trajectories])
    np.testing.assert_allclose(run.agent.acting.mean, observations.mean(axis=0), rtol=1e-4)
    if algorithm == "dyna-trpo":
        executed = run.agent.gail.replay.state()["columns"]["actions"]
        assert executed.shape == (256 + 8, 6), "and the last state of each of 8 segments"
        assert np.abs(executed).max() <= 1.0, "replay holds what was executed: inside the box"


@pytest.mark.parametrize("algorithm", ["dyna", "mgail"])
def test_continuous_actions_and_episodes_from_the_demonstrations_states(algorithm, cheetah_demos):
    config = replace(
        small_config(algorithm, "HalfCheetah-v5", env_steps=250, updates_per_iteration=2),
        rollout=ImitationConfig().rollout,
    )
    run = ImitationRun(config, cheetah_demos, algorithm)
    (row,) = run.iterate()
    assert np.isfinite(list(row.values())).all()
    assert row["rollout/reward_per_step"] > 0.5, "most steps start where the expert was running"
    steps = {"dyna": config.learn.steps + config.plan.steps, "mgail": config.learn.steps}[algorithm]
    assert int(run.agent.policy.optimizer.iterations) == 2 * steps
    assert int(run.agent.discriminator.optimizer.iterations) == 2 * config.discriminator.steps
    assert run.agent.policy.network.log_std.numpy() == pytest.approx(np.log(config.policy.noise_std))
    assert np.abs(run.agent.acting.act(cheetah_demos.trajectories[0].observations)).max() <= 1.0
