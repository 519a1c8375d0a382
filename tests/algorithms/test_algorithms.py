"""Cloning, GAIL and Dyna-AIL with TRPO: their mathematics, their runs, and that runs resume exactly."""

import csv
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.algorithms.bc import Cloner, split_pairs
from mgail_dyna.algorithms.dyna_trpo import DynaTRPOAgent
from mgail_dyna.algorithms.networks import build_policy, numpy_copy
from mgail_dyna.algorithms.registry import ALGORITHMS, algorithm_named, imitation_preset
from mgail_dyna.cli.session import figures_of
from mgail_dyna.config import presets
from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import RolloutCollector, segments
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.environments.wrappers import Ledger
from mgail_dyna.errors import UserError
from mgail_dyna.learners.bc import BCLearner
from mgail_dyna.learners.discriminator import ImitationReward
from mgail_dyna.learners.imagination import Imagination
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import cross_entropy, reparameterize_for, squared_error
from mgail_dyna.ops.losses import IMITATION_COSTS
from mgail_dyna.replay import Replay
from mgail_dyna.runs.run import ImitationRun
from mgail_dyna.storage import load_state, save_state
from mgail_dyna.types import ActionSpec, Rollout

ROOT = Path(__file__).resolve().parents[2]
CONTINUOUS = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))
DISCRETE = ActionSpec("discrete", 3)
CLOCKS = ("cpu_seconds", "wall_seconds")
# Small enough for seconds.
SMALL = {
    "env_steps": 100_000,
    "evaluate_every": 1,
    "evaluation_episodes": 1,
    "cloning": {"interval": 20, "batch": 16},
    "discriminator": {"steps": 2, "batch": 16, "recent_fraction": 0.5, "imagined_fraction": 0.0},
    "dynamics": {"steps": 2, "batch": 8, "burn_in": 1, "length": 2},
    "plan": {"batch": 32, "length": 4},
    "rollout": {"steps": 128, "num_envs": 2},
    "trust_region": {"value_epochs": 2, "value_batch": 64},
}


def small_config(mode, env_id="CartPole-v1", **changes):
    config = imitation_preset("tuned", env_id, mode)
    return replace(algorithm_named(mode).configure(presets.apply(config, SMALL)), **changes)


def small_expert(name, trajectories=3, length=100):
    whole = load_demonstrations(name)
    return replace(whole, trajectories=whole.trajectories[:trajectories], length=length)


def without_clocks(history):
    return [{name: value for name, value in row.items() if name not in CLOCKS} for row in history]


# Cloning


def test_cloning_losses_on_known_numbers():
    parameters = tf.constant([[0.5, 0.0, -3.0, 9.0], [0.0, 1.0, -3.0, 9.0]])  # means, then log standard deviations
    assert float(squared_error(parameters, tf.constant([[0.5, 1.0], [0.0, 0.0]]))) == pytest.approx(0.5)
    logits = tf.math.log(tf.constant([[0.25, 0.75], [0.5, 0.5]]))
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert float(cross_entropy(logits, tf.constant([[0.0, 1.0], [1.0, 0.0]]))) == pytest.approx(expected)


def test_cloning_fits_a_linear_map_and_leaves_the_noise_alone():
    policy = PolicyNetwork(CONTINUOUS, 3, (32,), "tanh", initial_log_std=-0.7, seed=0)
    update = BCLearner(policy, CONTINUOUS, CloningConfig(learning_rate=3e-3))
    rng = np.random.default_rng(0)
    states = rng.standard_normal((600, 64, 3), np.float32)
    actions = states @ rng.uniform(-0.3, 0.3, (3, 2)).astype(np.float32)
    losses = [update(states, actions, learning_rate) for learning_rate in (1.0, 0.3, 0.1)]
    assert losses[0] > losses[1] > losses[2]
    assert update.loss(states[0], actions[0]) < 1e-3 < 0.05 < actions.var()
    np.testing.assert_allclose(policy.log_std, -0.7)
    assert update._update.experimental_get_tracing_count() == 1


def test_cloning_learns_which_choice_to_make():
    policy = PolicyNetwork(DISCRETE, 2, (32,), "relu", seed=0)
    update = BCLearner(policy, DISCRETE, CloningConfig(learning_rate=1e-2))
    states = np.random.default_rng(0).standard_normal((300, 64, 2)).astype(np.float32)
    right = (states[..., 0] > 0).astype(int) + (states[..., 1] > 0)
    update(states, np.eye(3, dtype=np.float32)[right], 1.0)
    chosen = NumpyPolicy(DISCRETE, policy.acting_weights(), "relu").act(states)
    assert (chosen == right).mean() > 0.97


def test_whole_trajectories_are_held_out_and_single_pairs_of_a_single_one():
    expert = load_demonstrations("halfcheetah")
    config = ImitationConfig()
    acting = numpy_copy(build_policy(expert.action, 17, config.policy, 0), config.policy, expert)
    few = replace(expert, trajectories=expert.trajectories[:5])
    (states, actions), (held_states, held_actions) = split_pairs(few, acting, 0.4, np.random.default_rng(0))
    assert (len(states), len(held_states)) == (3_000, 2_000)
    whole = {t.actions.tobytes() for t in few.trajectories}
    parts = [*np.split(actions, 3), *np.split(held_actions, 2)]
    assert {part.tobytes() for part in parts} == whole
    assert np.abs(states).max() <= 10.0

    one = replace(expert, trajectories=expert.trajectories[:1])
    (states, _), (held_states, _) = split_pairs(one, acting, 0.2, np.random.default_rng(0))
    assert (len(states), len(held_states)) == (800, 200)
    short = expert.trajectories[0].every(1_000, 0)
    with pytest.raises(UserError, match="expected at least 2 steps"):
        split_pairs(replace(expert, trajectories=(short,)), acting, 0.2, np.random.default_rng(0))


def test_cloning_stops_early_and_keeps_the_best_weights():
    expert = small_expert("halfcheetah", trajectories=2, length=None)
    short = [
        replace(
            t, observations=t.observations[:31], actions=t.actions[:30], rewards=t.rewards[:30], qpos=None, qvel=None
        )
        for t in expert.trajectories
    ]
    expert = replace(expert, trajectories=tuple(short))
    config = ImitationConfig(cloning=CloningConfig(interval=50, patience=2, learning_rate=3e-3))
    policy = build_policy(expert.action, 17, config.policy, 0)
    acting = numpy_copy(policy, config.policy, expert)
    cloner = Cloner(policy, acting, expert, config)
    cloner.finish()
    assert cloner.progress == 1.0
    assert cloner.steps < config.cloning.steps, "30 pairs are soon learned by heart"
    assert cloner.learner.loss(*cloner.held_out) == pytest.approx(cloner.lowest_loss)
    for name, weight in policy.acting_weights().items():
        np.testing.assert_array_equal(weight, acting.weights[name])


# Rewards, rollouts and imagination


def test_the_sign_of_the_reward():
    discriminator = Discriminator(3, 2, (8,), seed=0)
    for variable in discriminator.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    states, actions = np.zeros((4, 5, 3), np.float32), np.zeros((4, 5, 2), np.float32)
    expected = {"saturating": math.log(2), "nonsaturating": -math.log(2), "logit": 0.0}  # D = 1/2
    assert set(expected) == set(IMITATION_COSTS)
    for cost, value in expected.items():
        np.testing.assert_allclose(ImitationReward(discriminator, cost)(states, actions), np.full((4, 5), value))
    bias = discriminator.trainable_variables[-1]
    for agent_logits, better in ((5.0, False), (-5.0, True)):  # surely the agent, surely the expert
        bias.assign([agent_logits])
        told = {cost: ImitationReward(discriminator, cost)(states, actions)[0, 0] for cost in expected}
        assert told["saturating"] > 0 > told["nonsaturating"]
        assert told["logit"] == pytest.approx(5.0 if better else -5.0)
        assert told["saturating"] + told["nonsaturating"] == pytest.approx(told["logit"], abs=1e-5)


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


def test_replay_lets_go_of_the_oldest_episodes():
    replay, rng = Replay(1, 1, 1, capacity=10), np.random.default_rng(0)
    for episode in range(20):
        states = np.arange(5, dtype=np.float32)[:, None] + 100 * episode
        replay.add(states, states[:-1])
        assert replay.steps == 4 * (episode + 1) if episode < 4 else 10 <= replay.steps < 20
    states, actions = replay.pairs(rng, (500,))
    np.testing.assert_array_equal(states, actions)
    assert states.max() == 1903
    assert len(np.unique(states)) == replay.steps
    windows = replay.windows(rng, (1, 200), 6, 2)
    steps = np.diff(windows.states[0, :, :, 0], axis=0)
    assert (steps[windows.mask[0] > 0] == 1).all()


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


@pytest.mark.parametrize("action", [CONTINUOUS, DISCRETE])
def test_what_is_imagined_is_what_the_model_the_policy_and_the_discriminator_say(action):
    size, burn_in, length, batch = 3, 2, 4, 5
    rng = np.random.default_rng(0)
    policy = PolicyNetwork(action, size, (8,), seed=1)
    model = GRUDynamics(size, action.size, 6, np.ones(size), seed=2)
    discriminator = Discriminator(size, action.size, (8,), seed=3)
    replay = Replay(size, action.size, action.size)
    replay.add(rng.standard_normal((30, size)), rng.standard_normal((29, action.size)))
    windows = replay.windows(rng, (1, batch), 0, burn_in)
    head = NumpyPolicy(action, policy.acting_weights()).head
    noise = 2 * head.noise(rng, (length + 1, batch))
    rollout = Imagination(policy, model, discriminator, action, "saturating", burn_in)(windows, noise)

    assert rollout.rewards.shape == (length, batch)
    assert not rollout.terminated.any()
    assert rollout.ended[-1].all() and not rollout.ended[:-1].any()
    np.testing.assert_array_equal(rollout.states[0], windows.states[0, burn_in])
    np.testing.assert_array_equal(rollout.states[1:], rollout.next_states[:-1])
    memory = model.observe(tf.constant(windows.states[0, :burn_in]), tf.constant(windows.mask[0]))
    reward = ImitationReward(discriminator, "saturating")
    for t in range(length):
        executed = reparameterize_for(action)(policy(rollout.states[t]), noise[t])
        np.testing.assert_allclose(reward(rollout.states[t], executed.numpy()), rollout.rewards[t], rtol=1e-4)
        np.testing.assert_allclose(head.vectors(head.executed(rollout.actions[t])), executed, atol=1e-5)
        following, memory, _ = model.predict(rollout.states[t], executed, memory)
        np.testing.assert_allclose(rollout.next_states[t], following, atol=1e-4)
    if action.kind == "continuous":
        assert np.abs(rollout.actions).max() > 1.0, "sampled actions are not clipped: the density is theirs"


# Runs


def test_every_mode_has_a_builder():
    assert set(BUILDERS) == set(presets.MODES) == set(presets._TUNED_BY_MODE)


OTHERWISE = {
    "discriminator": {"hidden": (7,), "steps": 3},
    "dynamics": {"units": 9, "steps": 3},
    "learn": {"steps": 3, "length": 3},
    "plan": {"batch": 33, "length": 5},
    "rollout": {"steps": 130, "initial_states": "reset"},
    "trust_region": {"max_kl": 0.5},
    "cloning": {"learning_rate": 0.5},
    "warm_start": "bc",
    "cost": "nonsaturating",
    "discount": 0.5,
    "updates_per_iteration": 2,
    "discriminator.imagined_fraction": 0.3,
    "policy.learning_rate": 0.1,
    "policy.averaging": 0.5,
    "policy.acting_averaging": 0.5,
    "policy.clip_norm": 0.1,
    "policy.bptt_clip_norm": 0.1,
    "rollout.initial_states": "mix",
    "rollout.demo_fraction": 0.3,
    "rollout.reset_length": 7,
    "rollout.demo_length": 7,
    "cloning.freeze_iterations": 7,
    "cloning.lr_scale": 0.9,
    "cloning.initial_noise_std": 0.9,
    "cloning.bc_weight": 0.7,
    "cloning.plan_length": 7,
    "cloning.demo_fraction": 0.1,
    "cloning.max_overfit_ratio": 0.1,
    "rollout.num_envs": 3,
    "rollout.replay_capacity": 500,
    "env_steps": 7,
    "policy.train_noise": True,
}


def starts_among(states, windows):
    return (windows.states[:, -1][:, :, None] == states).all(axis=-1).any(axis=-1)


@pytest.mark.parametrize("mode", ["dyna", "dyna-trpo"])
def test_plans_start_in_demonstrations_and_where_the_agent_has_been_lately(mode):
    config = small_config(mode)
    config = replace(config, plan=replace(config.plan, demo_fraction=0.25, recent_steps=30))
    run, seen = ImitationRun(config, small_expert("cartpole"), mode), []
    list(run.iterate(iterations=2))
    agent = run.agent
    if mode == "dyna":
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
    assert (starts_among(known[-30:], seen[0]) != count).any(), "of demonstrations all states are started from"


def test_replay_holds_a_whole_rollout_whatever_memory_it_is_given():
    config = small_config("gail")
    config = replace(config, rollout=replace(config.rollout, replay_capacity=1))
    run = ImitationRun(config, small_expert("cartpole"), "gail")
    list(run.iterate(iterations=3))
    assert run.agent.replay.steps >= config.rollout.steps


@pytest.mark.parametrize(("planned", "cloned", "expected"), [(1.0, 0.25, 8), (0.125, 0.25, 4), (1.0, None, 32)])
def test_a_clone_plans_from_its_own_states_too(planned, cloned, expected):
    config = small_config("dyna", warm_start="none" if cloned is None else "bc")
    cloning = replace(config.cloning, demo_fraction=cloned or 0.0, steps=20, max_overfit_ratio=1e9)
    config = replace(config, cloning=cloning, plan=replace(config.plan, demo_fraction=planned))
    run, seen = ImitationRun(config, small_expert("cartpole"), "dyna"), []
    list(run.iterate(iterations=1))
    run.agent.policy.plan = lambda starts, *_: seen.append(starts) or {}
    run.agent.plan(1.0)
    known = starts_among(run.agent.demo_replay.all_pairs()[0], seen[0])
    assert (known.sum(axis=-1) == expected).all()


@pytest.mark.parametrize("mode", ALGORITHMS)
def test_nothing_depends_on_the_groups_a_mode_has_no_use_for(mode):
    expert, config = small_expert("cartpole"), small_config(mode, updates_per_iteration=1)
    other = config
    for name in ALGORITHMS[mode].ignored_fields:
        group, _, field = name.partition(".")
        other = presets.apply(other, {group: {field: OTHERWISE[name]} if field else OTHERWISE[name]})
    other = algorithm_named(mode).configure(other)
    first, second = (ImitationRun(each, expert, mode) for each in (config, other))
    for run in (first, second):
        for _ in run.iterate(iterations=2):
            pass
    assert config != other
    for name, weight in second.agent.acting.weights.items():
        np.testing.assert_array_equal(weight, first.agent.acting.weights[name], err_msg=name)


@pytest.mark.parametrize("mode", ["bc", "gail", "dyna-trpo"])
def test_a_resumed_run_equals_an_uninterrupted_one(mode, tmp_path):
    config, expert = small_config(mode), small_expert("cartpole")
    whole, first, second = (ImitationRun(config, expert, mode) for _ in range(3))
    for _ in whole.iterate(iterations=4):
        pass
    for _ in first.iterate(iterations=2):
        pass
    save_state(tmp_path / "checkpoint.h5", first.state(), "a test")
    second.restore(load_state(tmp_path / "checkpoint.h5", "a test"))
    for _ in second.iterate(iterations=4):
        pass
    assert without_clocks(second.history) == without_clocks(whole.history)
    assert second.ledger.state() == whole.ledger.state()
    for name, weight in second.agent.acting.weights.items():
        np.testing.assert_array_equal(weight, whole.agent.acting.weights[name], err_msg=name)


@pytest.mark.parametrize("mode", ["gail", "dyna-trpo"])
def test_subsampled_demonstrations_give_finite_numbers(mode):
    config = small_config(mode, demonstrations=2, subsample=7)
    run = ImitationRun(config, small_expert("cartpole"), mode)
    (row,) = run.iterate(iterations=1)
    assert np.isfinite(list(row.values())).all()


@pytest.mark.parametrize("mode", ["gail", "dyna-trpo"])
def test_trust_region_steps_with_noise_that_is_not_learned(mode):
    config = small_config(mode, "HalfCheetah-v5", env_steps=10_000)
    config = replace(config, policy=replace(config.policy, train_noise=False, noise_std=0.3))
    run = ImitationRun(config, small_expert("halfcheetah"), mode)
    before = {name: weight.copy() for name, weight in run.agent.acting.weights.items()}
    row = next(run.iterate())
    assert np.isfinite(row["policy/kl"] if mode == "gail" else row["plan/kl"])
    changed = {name for name, weight in run.agent.acting.weights.items() if (weight != before[name]).any()}
    assert changed == set(before) - {"log_std"}


@pytest.mark.parametrize("mode", ["bc", "dyna-trpo"])
def test_continuous_actions(mode):
    expert = small_expert("halfcheetah", length=60)
    run = ImitationRun(small_config(mode, "HalfCheetah-v5"), expert, mode)
    *_, row = run.iterate(iterations=2)
    assert np.isfinite(list(row.values())).all()
    assert row["env_steps"] == (0 if mode == "bc" else 256) == run.agent.env_steps
    # Normalised by the demonstrations throughout.
    observations = np.concatenate([t.observations for t in expert.trajectories])
    np.testing.assert_allclose(run.agent.acting.mean, observations.mean(axis=0), rtol=1e-4)
    if mode == "dyna-trpo":
        executed = run.agent.gail.replay.state()["columns"]["actions"]
        assert executed.shape == (256 + 8, 6), "and the last state of each of 8 segments"
        assert np.abs(executed).max() <= 1.0, "replay holds what was executed: inside the box"


def test_planning_touches_neither_environment_nor_discriminator_and_moves_the_policy():
    expert = small_expert("cartpole")
    ledger = Ledger()
    agent = DynaTRPOAgent(
        small_config("dyna-trpo"), lambda: ledger.watch(gym.make("CartPole-v1"), "training"), expert
    )
    agent.iterate()
    counts, before = ledger.state(), agent.acting.weights
    judge = [v.numpy() for v in agent.gail.discriminator.network.variables]
    told = agent.plan()
    assert ledger.state() == counts
    assert told["step_accepted"] == 1.0
    assert any((agent.acting.weights[name] != before[name]).any() for name in before)
    for now, then in zip(agent.gail.discriminator.network.variables, judge, strict=True):
        np.testing.assert_array_equal(now, then)
    assert agent.imagination._imagine.experimental_get_tracing_count() == 1
    agent.iterate()
    assert agent.gail.policy._update.experimental_get_tracing_count() == 2, "real rollouts, and imagined ones"


def test_cloning_solves_cartpole_without_a_step_in_it():
    config = imitation_preset("tuned", "CartPole-v1", "bc")
    config = algorithm_named("bc").configure(replace(config, cloning=CloningConfig(steps=2_000), evaluation_episodes=5))
    run = ImitationRun(config, load_demonstrations("cartpole"), "bc")
    *_, last = run.iterate()
    assert last["return_mean"] == 1_000.0
    assert run.env_steps == run.ledger.episodes["training"] == 0


def test_gail_learns_cartpole():
    config = algorithm_named("gail").configure(imitation_preset("tuned", "CartPole-v1", "gail"))
    config = replace(config, env_steps=40_000, evaluation_episodes=3)
    rows = list(ImitationRun(config, load_demonstrations("cartpole"), "gail").iterate())
    assert rows[-1]["env_steps"] >= 40_000
    assert np.nanmax([row["return_mean"] for row in rows]) > 500


def test_mode_presets_are_defaults_that_flags_replace():
    tuned = imitation_preset("tuned", "HalfCheetah-v5", "gail")
    assert (tuned.env_steps, tuned.cost, tuned.trust_region.max_kl) == (2_000_000, "saturating", 0.04)
    paper = imitation_preset("paper-like", "HalfCheetah-v5", "dyna-trpo")
    assert (paper.plan.length, paper.plan.steps, paper.discriminator.gradient_penalty) == (10, 1, 0.0)
    mgail = imitation_preset("tuned", "Hopper-v5", "mgail")
    assert mgail.rollout.demo_length == imitation_preset("tuned", "Hopper-v5").rollout.demo_length == 100
    assert mgail.updates_per_iteration == 12, "its own over Dyna-AIL's"
    paper = [imitation_preset("paper-like", "Hopper-v5", mode) for mode in ("mgail", "dyna")]
    assert paper[0] == algorithm_named("mgail").configure(paper[1])
    for env_id, length in (("HalfCheetah-v5", 100), ("Hopper-v5", 1_000), ("Walker2d-v5", 1_000)):
        rollout = imitation_preset("reset", env_id).rollout
        assert (rollout.initial_states, rollout.reset_length) == ("reset", length)
    for mode in ("mgail", "gail", "dyna-trpo"):
        tuned, reset = (imitation_preset(name, "HalfCheetah-v5", mode) for name in ("tuned", "reset"))
        assert reset == replace(tuned, rollout=replace(tuned.rollout, initial_states="reset")), (
            "no other number is of the mode"
        )


def run_py(*words):
    call = [sys.executable, "run.py", *map(str, words)]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_the_progress_line_shows_what_a_mode_has():
    common = {"iteration": 3, "real_trajectories": 8, "expert_percent": 50.0}
    judged = {"discriminator/accuracy_agent": 0.9, "discriminator/accuracy_expert": 0.8, "policy/kl": 0.01}
    before = {**common, **judged, "return_mean": 500.0}
    recent_steps = {**common, **judged, "return_mean": math.nan, "policy/kl": 0.02}
    assert figures_of([before, recent_steps], 1.5, 10) == [
        "iteration 3, 1.5 s",
        "8 real trajectories",
        "return 500 (50% of expert)",
        "D right on 90% of agent, 80% of expert",
        "KL 0.020",
    ]
    cloned = {**common, "return_mean": math.nan, "cloning/loss": 0.1, "cloning/held_out_loss": 0.2}
    assert figures_of([cloned], 1.5, 10)[2:] == ["loss 0.1, on held-out pairs 0.2"]
    modelled = {**common, "return_mean": 1.0, "dynamics/error_1": 0.1, "dynamics/error_4": 0.3}
    assert figures_of([modelled], 1.5, 4)[3:] == ["model error 0.10 at 1, 0.30 at 4"]


@pytest.mark.parametrize(("mode", "unit"), [("bc", "/20,000 gradient steps"), ("gail", "/1,000 env steps")])
def test_a_mode_at_the_command_line(mode, unit, tmp_path):
    flags = [
        f"--{group.replace('_', '-')}{'' if name is None else '.' + name.replace('_', '-')}={value}"
        for group, values in SMALL.items()
        if group not in ALGORITHMS[mode].ignored_fields
        for name, value in (values.items() if isinstance(values, dict) else [(None, values)])
    ]
    flags += [] if "env_steps" in ALGORITHMS[mode].ignored_fields else ["--env-steps=1000"]
    asked = ["--env", "cartpole", "--mode", mode, *flags, "--iterations=1", "--logdir", tmp_path]
    result = run_py(*asked)
    assert result.returncode == 0, result.stderr
    assert unit in result.stderr
    directory = tmp_path / f"cartpole-{mode}-seed0"
    resumed = run_py("--resume", directory, "--iterations", 2)
    assert resumed.returncode == 0, resumed.stderr
    rows = list(csv.DictReader((directory / "progress.csv").open()))
    assert [row["iteration"] for row in rows] == ["1", "2"]
    shown = run_py("evaluate", directory, "--episodes", 1, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["env_steps"] == int(rows[-1]["env_steps"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--mode", "gial"], "unknown mode 'gial'; did you mean gail or mgail?"),
        (["--mode", "gail", "--trust-region.max-kl", "0"], "--trust-region.max-kl: expected a number above 0"),
        (["--mode", "bc", "--cloning-held-out", "1"], "--cloning.held-out: expected above 0 and below 1, found 1.0"),
        (["--mode", "gail", "--rollout.num-envs", "0"], "--rollout.num-envs: expected at least 1, found 0"),
        (
            ["--mode", "gail", "--rollout.steps", "100"],
            "--trust-region.value-batch: expected at most the 100 states of a rollout (--rollout.steps), found 128",
        ),
        (["--mode", "gail", "--warm-start", "bc"], "--warm-start: has no effect with --mode gail; leave it out"),
        (["--mode", "mgail", "--plan.steps", "5"], "--plan.steps: has no effect with --mode mgail; leave it out"),
        (["--mode", "gail", "--policy-learning-rate", "0.1"], "--policy.learning-rate: has no effect with --mode gail"),
        (
            ["--mode", "mgail", "--discriminator.imagined-fraction=0.3"],
            "--discriminator.imagined-fraction: has no effect",
        ),
        (["--mode", "dyna", "--rollout.num-envs", "2"], "--rollout.num-envs: has no effect with --mode dyna"),
        (["--mode", "dyna", "--trust-region.damping", "1"], "--trust-region.damping: has no effect with --mode dyna"),
        (["--mode", "dyna", "--cloning.lr-scale", "0.9"], "--cloning.lr-scale: has no effect without --warm-start bc"),
        (["--mode", "bc", "--env-steps", "100"], "--env-steps: has no effect with --mode bc; leave it out"),
        (["--policy.clip-norm", "inf"], "--policy.clip-norm: expected above 0 and finite, found inf"),
        (["cartpole"], "unexpected argument 'cartpole'; all options: python run.py --help"),
        (["--mode", "dyna-trpo", "--plan.batch", "5"], "at most the 50 states of a rollout (--plan.batch times"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(words, line, capsys, tmp_path):
    from mgail_dyna.cli.main import main

    assert main(["--env", "cartpole", "--logdir", str(tmp_path), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert line in err
    assert not list(tmp_path.iterdir())
