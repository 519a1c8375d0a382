"""Runs of imitation: counted, resumed, evaluated, and stopped when they go wrong."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from helpers import StepCounter
from rich.text import Text

import mgail_dyna
from mgail_dyna.algorithms.registry import algorithm_named, imitation_preset
from mgail_dyna.cli.commands.plot import _labels
from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.main import dispatch, main
from mgail_dyna.cli.session import _summary, figures_of, start_of
from mgail_dyna.cli.training import _notes, _nothing_left
from mgail_dyna.config.imitation import DiscriminatorConfig, ImitationConfig
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.figures import curve_of, learning_curves
from mgail_dyna.experiments.records import read_record
from mgail_dyna.normalization import statistics, whitening
from mgail_dyna.runs.directory import (
    CONFIG,
    RunSettings,
    directory_of,
    load_run,
    lock_run,
    new_directory,
    read_about,
    read_settings,
    runtime,
    save_run,
    write_settings,
)
from mgail_dyna.runs.run import DivergenceError, ImitationRun
from mgail_dyna.storage import load_state, save_state

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = ("cpu_seconds", "wall_seconds")
# Small enough for seconds: what is learned does not matter here, only that everything is done and counted.
SMALL = {
    "discriminator": {"steps": 5, "batch": 16},
    "dynamics": {"steps": 5, "batch": 8, "burn_in": 1, "length": 2},
    "learn": {"steps": 5, "batch": 8, "length": 2},
    "plan": {"steps": 5, "batch": 8, "length": 2},
    "rollout": {"steps": 60},
}


def small_config(**changes):
    config = imitation_preset("tuned", "CartPole-v1")
    for group, values in SMALL.items():
        config = replace(config, **{group: replace(getattr(config, group), **values)})
    return replace(config, **{"evaluation_episodes": 2, **changes})


@pytest.fixture(scope="module")
def expert():
    whole = load_demonstrations("cartpole")
    return replace(whole, trajectories=whole.trajectories[:2], length=100)


def without_clocks(history):
    return [{name: value for name, value in row.items() if name not in CLOCKS} for row in history]


def test_a_resumed_run_equals_an_uninterrupted_one(expert, tmp_path):
    config = small_config(env_steps=10_000)
    whole = ImitationRun(config, expert, "dyna")
    for _ in whole.iterate(iterations=4):
        pass
    first = ImitationRun(config, expert, "dyna")
    for _ in first.iterate(iterations=2):
        pass
    save_state(tmp_path / "checkpoint.h5", first.state(), "a test")
    second = ImitationRun(config, expert, "dyna")
    second.restore(load_state(tmp_path / "checkpoint.h5", "a test"))
    for _ in second.iterate(iterations=4):
        pass
    assert without_clocks(second.history) == without_clocks(whole.history)
    assert second.history[-1]["wall_seconds"] >= first.history[-1]["wall_seconds"]
    observation = np.zeros(4)
    assert second.agent.act(observation) == whole.agent.act(observation)
    for name in ("_learn", "_plan"):
        assert getattr(whole.agent.policy, name).experimental_get_tracing_count() == 1
    for part in (whole.agent.discriminator, whole.agent.dynamics):
        assert part._update.experimental_get_tracing_count() == 1


def test_scarce_demonstrations_are_the_first_ones_and_every_so_many_steps_of_them(expert):
    few = subset(expert, 2, 7)
    assert [len(t) for t in few.trajectories] == [len(range(i, 1000, 7)) for i in range(2)]
    for i, (kept, whole) in enumerate(zip(few.trajectories, expert.trajectories, strict=False)):
        np.testing.assert_array_equal(kept.observations[:-1], whole.observations[:-1][i::7])
        np.testing.assert_array_equal(kept.actions, whole.actions[i::7])
        assert kept.subsample == 7
    assert subset(expert, None, 1) is expert
    held = len(expert.trajectories)
    for demonstrations, subsample, found in ((held + 1, 1, held + 1), (None, 1001, 1001)):
        with pytest.raises(UserError, match=f"found {found}"):
            subset(expert, demonstrations, subsample)


def test_an_agent_learns_nothing_of_where_subsampled_demonstrations_led(expert):
    config = replace(small_config(env_steps=1), demonstrations=2, subsample=5)
    run = ImitationRun(config, expert, "dyna")
    agent = run.agent
    assert agent.demo_replay.steps == 400 and len(agent.demo_replay.changes()) == 0
    list(run.iterate(iterations=1))
    (change,) = agent.replay.changes()
    np.testing.assert_allclose(agent.dynamics.model.change_scale, np.maximum(np.abs(change), 1e-3), rtol=1e-5)
    windows = agent._windows(1.0, (3, 8), 2)
    assert windows.mask.max() == 0, "no window of a demonstration holds a transition"


def test_a_warm_start_is_a_clone_that_waits_for_its_judge(expert):
    config = small_config(env_steps=10_000, warm_start="bc", updates_per_iteration=2)
    config = replace(config, cloning=replace(config.cloning, steps=200, interval=100, freeze_iterations=1, max_overfit_ratio=1e9))
    run = ImitationRun(config, expert, "dyna")
    agent = run.agent
    agent._start_as_clone()
    clone, untrained = agent.averager.exploring.weights, mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), expert).acting
    states = np.concatenate([t.observations[:-1] for t in expert.trajectories])
    actions = np.concatenate([t.actions for t in expert.trajectories])
    assert np.mean(agent.act(states) == actions) > np.mean(untrained.act(states) == actions) + 0.1
    for name, weight in agent.acting.weights.items():
        np.testing.assert_array_equal(weight, clone[name])
    run = ImitationRun(config, expert, "dyna")
    rows = run.iterate(iterations=2)
    next(rows)
    for name, weight in run.agent.acting.weights.items():
        np.testing.assert_allclose(weight, clone[name], atol=1e-6, err_msg="the first iteration flatten it alone")
    assert start_of(run).startswith("a clone of the demonstrations")
    next(rows)
    assert any(
        np.abs(weight - clone[name]).max() > 1e-5 for name, weight in run.agent.policy.network.acting_weights().items()
    )


@pytest.mark.parametrize(
    ("warm_start", "weight", "held"), [("bc", 3.0, True), ("bc", 0.0, False), ("none", 3.0, False)]
)
def test_a_clone_goes_on_cloning_while_it_learns(expert, warm_start, weight, held):
    config = small_config(env_steps=10_000, warm_start=warm_start, updates_per_iteration=1)
    config = replace(config, cloning=replace(config.cloning, steps=50, bc_weight=weight, batch=32, max_overfit_ratio=1e9))
    agent, seen = mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), expert), []
    if warm_start == "bc":
        agent._start_as_clone()
    agent.collector.collect()
    agent.policy.learn = lambda windows, rate, anchor: seen.append((config.learn.steps, anchor)) or {}
    agent.policy.plan = lambda windows, noise, rate, anchor: seen.append((config.plan.steps, anchor)) or {}
    known = agent.demo_replay.all_pairs()[0]
    for env_steps, left in ((0, 1.0), (2_500, 0.75), (10_000, 0.0)):
        agent.collector.env_steps = env_steps
        agent.learn(1.0), agent.plan(1.0)
        for steps, anchor in seen[-2:]:
            assert (anchor is not None) == held
            if held:
                assert anchor.states.shape == (steps, 32, 4) and anchor.weight == pytest.approx(weight * left)
                assert (anchor.states[..., None, :] == known).all(axis=-1).any(axis=-1).all()
    assert len(seen) == 6


@pytest.mark.parametrize(("asked", "max_overfit_ratio", "length"), [(7, 1e9, 7), (None, 1e9, 3), (7, 1e-9, 3)])
def test_a_clone_plans_as_far_as_it_is_told(expert, asked, max_overfit_ratio, length):
    config = small_config(env_steps=10_000, warm_start="bc", updates_per_iteration=1)
    cloning = replace(config.cloning, steps=20, interval=20, plan_length=asked, max_overfit_ratio=max_overfit_ratio)
    config = replace(config, cloning=cloning, plan=replace(config.plan, length=3))
    agent, seen = mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), expert), []
    agent._start_as_clone()
    agent.collector.collect()
    imagine = agent.policy.imagine
    agent.policy.imagine = lambda windows, noise: seen.append(noise.shape[0]) or imagine(windows, noise)
    agent.policy.plan = lambda windows, noise, rate, anchor: seen.append(noise.shape[1]) or {}
    states, actions = agent.imagined_pairs((2, 8))
    agent.plan(1.0)
    assert states.shape[:2] == actions.shape[:2] == (2, 8)
    assert seen == [length, length], "D's imagined pairs are of the plans the policy learns from"


def test_an_anchored_run_compiles_its_updates_once(expert):
    config = small_config(env_steps=10_000, warm_start="bc", updates_per_iteration=2)
    cloning = replace(config.cloning, steps=50, bc_weight=3.0, batch=32, freeze_iterations=0, max_overfit_ratio=1e9)
    run = ImitationRun(replace(config, cloning=cloning), expert, "dyna")
    list(run.iterate(iterations=2))
    for name in ("_learn", "_plan"):
        assert getattr(run.agent.policy, name).experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("asked", "max_overfit_ratio", "std"), [(0.3, 1e9, 0.25), (None, 1e9, 0.1), (0.3, 1e-9, 0.1)])
def test_a_clone_explores_with_noise_of_its_own_that_fades(asked, max_overfit_ratio, std):
    config = mgail_dyna.imitation_preset("tuned", "HalfCheetah-v5")
    cloning = replace(config.cloning, steps=20, interval=20, initial_noise_std=asked, max_overfit_ratio=max_overfit_ratio)
    short = {name: replace(getattr(config, name), length=1) for name in ("learn", "plan", "dynamics")}
    config = replace(config, updates_per_iteration=1, warm_start="bc", cloning=cloning, env_steps=400, **short)
    config = replace(config, rollout=replace(config.rollout, steps=100, reset_length=100))
    agent = mgail_dyna.DynaAgent(config, lambda: gym.make("HalfCheetah-v5"), mgail_dyna.load_demonstrations("halfcheetah"))
    agent.iterate()
    resumed = mgail_dyna.DynaAgent(config, lambda: gym.make("HalfCheetah-v5"), mgail_dyna.load_demonstrations("halfcheetah"))
    resumed.restore(agent.state())
    for one in (agent, resumed):
        assert one.progress == 0.25
        np.testing.assert_allclose(one.averager.exploring.head.std, std, rtol=1e-5, err_msg="a quarter of the run is over")
        np.testing.assert_allclose(one.acting.head.std, 0.1, rtol=1e-5, err_msg="plans and evaluations are as ever")


def test_a_clone_that_knows_the_demonstrations_by_heart_is_forgotten(expert):
    config = small_config(env_steps=10_000, warm_start="bc", demonstrations=2, subsample=25)
    config = replace(config, cloning=replace(config.cloning, steps=3_000, interval=1_000, patience=3))
    warm, cold = (ImitationRun(each, expert, "dyna") for each in (config, replace(config, warm_start="none")))
    rows = [list(run.iterate(iterations=2)) for run in (warm, cold)]
    assert rows[0][0]["cloning/overfit_ratio"] == rows[0][1]["cloning/overfit_ratio"] > 2.5
    assert not warm.agent.warm_start.cloned
    told = [{name: value for name, value in row.items() if name != "cloning/overfit_ratio"} for row in rows[0]]
    assert without_clocks(told) == without_clocks(rows[1]), "as from scratch, number by number"
    again = ImitationRun(config, expert, "dyna")
    again.restore(warm.state())
    assert again.agent.warm_start.overfit_ratio == warm.agent.warm_start.overfit_ratio
    assert start_of(warm).startswith("from scratch, as the clone overfitted")


def test_the_ledger_agrees_with_a_counter_of_ones_own(expert):
    made = []

    def make():
        made.append(StepCounter(gym.make("CartPole-v1", max_episode_steps=100)))
        return made[-1]

    run = ImitationRun(small_config(env_steps=150), expert, "dyna", make)
    rows = list(run.iterate())
    (own,) = made
    assert own.steps == sum(run.ledger.steps.values())
    assert own.resets == sum(run.ledger.episodes.values())
    assert rows[-1]["env_steps"] == run.ledger.steps["training"] == run.agent.env_steps == 150
    assert rows[-1]["real_trajectories"] == run.ledger.episodes["training"]
    assert rows[-1]["evaluation_steps"] == run.ledger.steps["evaluation"]
    run.close()
    assert own.closed


def test_an_agent_of_ones_own_loop_may_go_on_beyond_its_env_steps(expert):
    config = small_config(env_steps=10)
    agent = mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), expert)
    agent.iterate()
    assert agent.env_steps == 10
    agent.iterate()
    assert agent.env_steps > 10


def test_a_run_may_do_without_evaluations(expert):
    run = ImitationRun(small_config(env_steps=30, evaluation_episodes=0), expert, "dyna")
    rows = list(run.iterate())
    assert np.isnan([row["return_mean"] for row in rows]).all()
    assert run.ledger.steps["evaluation"] == 0


def test_an_unknown_mode_is_told(expert):
    with pytest.raises(UserError, match="unknown mode 'gale'; did you mean gail"):
        ImitationRun(small_config(), expert, "gale")


def test_a_quantity_that_is_no_number_stops_the_run_with_its_name(expert):
    run = ImitationRun(small_config(), expert, "dyna")
    run.agent.discriminator.network.variables[0].assign(
        np.full(run.agent.discriminator.network.variables[0].shape, np.nan)
    )
    with pytest.raises(DivergenceError, match=r"^discriminator/loss became nan at iteration 1, env step \d+$"):
        next(run.iterate())


def test_how_far_the_model_is_off_is_not_known_where_no_episode_lasted(expert):
    short = replace(small_config(), env_steps=1, rollout=replace(small_config().rollout, steps=2, reset_length=3))
    run = ImitationRun(replace(short, plan=replace(short.plan, length=5)), expert, "dyna")
    (row,) = run.iterate()
    assert np.isfinite(row["dynamics/error_1"])
    assert np.isnan(row["dynamics/error_5"]), "0 would be a perfect model"
    assert not any("at 5" in figure for figure in figures_of(run.history, 1.0, 5))


def test_presets_of_the_library():
    assert imitation_preset("tuned", "halfcheetah") == imitation_preset("tuned", "HalfCheetah-v5")
    for preset in ("tuned", "reset", "paper-like"):
        config = imitation_preset(preset, "Hopper-v5", "mgail")
        assert (config.plan.steps, config.discriminator.imagined_fraction) == (0, 0.0), "MGAIL never plans"
    for words in (("tuned", "hopper", "mgale"), ("tunned", "hopper")):
        with pytest.raises(UserError, match="did you mean"):
            imitation_preset(*words)


def test_policies_load_without_what_they_were_trained_with(expert, tmp_path, refused):
    observations = expert.trajectories[0].observations
    actions = mgail_dyna.load_policy("cartpole").act(observations)
    assert (actions[:-1] == expert.trajectories[0].actions).mean() > 0.99
    run = ImitationRun(small_config(env_steps=60), expert, "dyna")
    list(run.iterate())
    refused([tmp_path, "no such file or directory"], mgail_dyna.load_policy, tmp_path / "none")
    write_settings(tmp_path, RunSettings("dyna", "tuned", "gone", None, run.config), 1_000.0, 1_000)
    save_run(tmp_path, run.state())
    np.testing.assert_array_equal(mgail_dyna.load_policy(tmp_path).act(observations), run.agent.act(observations))
    result = run_py("evaluate", tmp_path, "--episodes", 1, "--json")
    assert result.stderr == "", "what the demonstrations told is in the run"
    assert json.loads(result.stdout)["expert_return"] == 1_000.0
    shorter = run_py("evaluate", tmp_path / CONFIG, "--env", "CartPole-v0", "--episodes", 1, "--json")
    assert "no comparison with the expert, whose episodes have 1000 steps and these 200" in shorter.stderr
    assert json.loads(shorter.stdout)["expert_percent"] is None
    state = run.state()
    del state["ledger"]
    save_run(tmp_path, state)
    assert main(["evaluate", str(tmp_path)]) == 2, "a damaged checkpoint is told, not a traceback"


def test_the_library_trains_in_ones_own_loop(expert):
    config = algorithm_named("mgail").configure(small_config())
    agent = mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), expert)
    metrics = agent.iterate()
    assert np.isfinite(list(metrics.values())).all()
    assert not any(name.startswith("plan/") for name in metrics)
    assert agent.act(np.zeros(4)) in (0, 1)


def test_cartpole_is_learned_in_1000_env_steps():
    run = ImitationRun(imitation_preset("tuned", "CartPole-v1"), load_demonstrations("cartpole"), "dyna")
    reached = next((row["env_steps"] for row in run.iterate() if row["return_mean"] == 1000.0), None)
    assert reached is not None, "never returned 1000 in all 10 episodes"
    assert reached <= 1_000


@pytest.mark.parametrize("mode", ["dyna", "mgail"])
def test_continuous_actions_and_starts_from_the_experts_states(mode):
    whole = load_demonstrations("halfcheetah")
    expert = replace(whole, trajectories=whole.trajectories[:2], length=60)
    config = replace(small_config(), env="HalfCheetah-v5", rollout=ImitationConfig().rollout, env_steps=250)
    run = ImitationRun(config, expert, mode)
    (row,) = run.iterate()
    assert np.isfinite(list(row.values())).all()
    assert row["rollout/reward_per_step"] > 0.5, "most steps start where the expert was running"
    steps = {"dyna": config.learn.steps + config.plan.steps, "mgail": config.learn.steps}[mode]
    assert int(run.agent.policy.optimizer.iterations) == config.updates_per_iteration * steps
    assert (
        int(run.agent.discriminator.optimizer.iterations) == config.updates_per_iteration * config.discriminator.steps
    )
    policy, fresh = run.agent.policy.network, run.agent.acting
    assert policy.log_std.numpy() == pytest.approx(np.log(config.policy.noise_std))
    assert np.abs(fresh.act(expert.trajectories[0].observations)).max() <= 1.0


def test_the_discriminator_can_be_shown_newest_and_imagined_pairs(expert):
    config = small_config()
    shares = replace(config.discriminator, recent_fraction=0.25, imagined_fraction=0.5)
    agent = mgail_dyna.DynaAgent(replace(config, discriminator=shares), lambda: gym.make("CartPole-v1"), expert)
    agent.collector.collect()
    before = agent.env_steps
    shown = []
    agent.discriminator = lambda agent_pairs, expert_pairs, *_: shown.append((agent_pairs, expert_pairs)) or {}
    agent.update_discriminator(1.0)
    (states, actions), (expert_states, _) = shown[0]
    assert states.shape == expert_states.shape == (5, 16, 4)
    assert actions.shape == (5, 16, 2)
    np.testing.assert_array_equal(actions.sum(axis=-1), 1.0)
    real = agent.replay.state()["columns"]["states"]
    known = (states[:, :, None] == real).all(axis=-1).any(axis=-1)
    assert known[:, :8].all(), "recent, then any: both real"
    assert not known[:, 8:].all(), "imagined"
    assert agent.env_steps == before


def test_a_constant_coordinate_is_left_in_its_own_units():
    mean, std = statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(mean, [2.0, 5.0])
    np.testing.assert_array_equal(std, [1.0, 1.0])


def test_statistics_of_many_numbers_lose_nothing():
    rows = np.tile(np.array([[1_000.0], [1_002.0]], np.float32), (500_000, 1))
    mean, std = statistics(rows)
    np.testing.assert_allclose([mean[0], std[0]], [1_001.0, 1.0], rtol=1e-9)


def test_whitened_pairs_are_uncorrelated_and_all_vary_alike():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((4, 4))
    points = np.concatenate([rng.standard_normal((500, 4)) @ mixed + 3.0, np.full((500, 1), 7.0)], axis=1)
    centre, matrix = whitening(points, power=1.0, least=0.1)
    white = (points - centre) @ matrix
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.diag([1.0, 1.0, 1.0, 1.0, 0.0]), atol=1e-3)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    half = whitening(points, power=0.5, least=0.1).matrix
    np.testing.assert_allclose(half @ half, matrix, rtol=1e-3, atol=1e-4)
    off = (points[0] + [0, 0, 0, 0, 0.3] - centre) @ matrix - white[0]
    np.testing.assert_allclose(off, [0, 0, 0, 0, 3.0], atol=1e-3, err_msg="0.3 where the points never vary, by 0.1")


@pytest.mark.parametrize("power", [1.0, 0.0])
def test_the_discriminator_sees_the_demonstrations_whitened_or_as_they_are(expert, power):
    config = small_config()
    config = replace(config, discriminator=replace(config.discriminator, whitening=power))
    agent = mgail_dyna.DynaAgent(config, lambda: gym.make("CartPole-v1"), expert)
    states, actions = agent.demo_replay.all_pairs()
    inputs = agent.discriminator.network.inputs(states, actions).numpy()
    deviations = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(inputs.T)), 0.0))
    if power:
        assert deviations[0] < 1e-3, "the two actions of a one-hot vector always sum to 1"
        np.testing.assert_allclose(deviations[1:], 1.0, atol=0.01)
    else:
        np.testing.assert_array_equal(inputs, np.concatenate([states, actions], axis=1))


def test_settings_survive_being_written(tmp_path):
    settings = RunSettings("mgail", "paper-like", "hopper", 7, imitation_preset("paper-like", "Hopper-v5"))
    write_settings(tmp_path, settings, 3_500.0, 1_000)
    assert read_settings(tmp_path) == settings
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["versions"]["tensorflow"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda record: record["config"].update(discout=1),
            "unknown key 'config.discout'; did you mean config.discount",
        ),
        (lambda record: record["config"]["plan"].update(steps=-1), "--plan.steps: expected at least 0, found -1"),
        (lambda record: record.pop("mode"), "mode: missing"),
        (lambda record: record.pop("config"), "config: missing"),
        (lambda record: record["config"].update(plan=5), "config.plan: expected an object, found 5"),
        (lambda record: record["config"].update(cost="logits"), "unknown config.cost 'logits'; did you mean logit?"),
        (lambda record: record.update(mode=["dyna"]), "mode: expected str, found ['dyna']"),
        (lambda record: record.update(expert=5), "expert: expected str, found 5"),
        (lambda record: record.update(iterations=True), "iterations: expected int | None, found True"),
        (lambda record: record["config"].update(env=5), "config.env: expected str, found 5"),
        (lambda record: record["config"].update(seed=1.5), "config.seed: expected int, found 1.5"),
        (lambda record: record["config"]["plan"].update(steps="3"), "config.plan.steps: expected int, found '3'"),
        (
            lambda record: record["config"]["learn"].update(recent_steps=3.5),
            "config.learn.recent_steps: expected int | None",
        ),
        (lambda record: record["config"]["policy"].update(hidden=[100.5]), "hidden: expected tuple[int, ...], found"),
        (lambda record: record["config"]["policy"].update(train_noise="no"), "train_noise: expected bool, found 'no'"),
        (lambda record: record["config"].update(discount="1"), "config.discount: expected float, found '1'"),
        (
            lambda record: (record.pop("iterations"), record.update(suite="warm", arguments=["--env", "hopper"])),
            "iterations: missing; it is a record; repeat its run with: python run.py --env hopper",
        ),
    ],
)
def test_a_bad_config_file_is_one_line(tmp_path, change, line):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "hopper", None, ImitationConfig()), 3_500.0, 1_000)
    file = tmp_path / "config.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    with pytest.raises(UserError) as error:
        read_settings(file)
    assert line in str(error.value)
    assert str(file) in str(error.value)


def test_a_config_file_of_too_many_brackets_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    for read in (read_about, lambda path: read_record(path / "config.json")):
        with pytest.raises(UserError, match="expected JSON, found something else"):
            read(tmp_path)


def test_a_config_file_names_the_commits_a_run_was_made_by(tmp_path, monkeypatch):
    settings = RunSettings("dyna", "tuned", "hopper", None, ImitationConfig())
    for commit, named in (("a", "a"), ("a", "a"), ("b+", "a, b+"), (None, "a, b+"), ("a", "a, b+, a")):
        monkeypatch.setattr(runtime, "git_commit", lambda commit=commit: commit)
        write_settings(tmp_path, settings, 3_500.0, 1_000)
        assert json.loads((tmp_path / "config.json").read_text())["commit"] == named


def test_a_config_file_names_the_ends_a_run_had_before(tmp_path):
    for env_steps, extended in ((100, None), (100, None), (300, [100]), (500, [100, 300])):
        settings = RunSettings("dyna", "tuned", "hopper", None, ImitationConfig(env_steps=env_steps))
        write_settings(tmp_path, settings, 3_500.0, 1_000)
        assert read_about(tmp_path).get("extended_from") == extended
        assert read_settings(tmp_path) == settings


def test_what_is_asked_for_is_resolved():
    mgail = resolved(["--env", "hopper", "--mode", "mgail", "--preset", "paper-like"]).settings
    assert mgail.plan.steps == 0, "as it runs, so it is written down"
    twice = resolved(["--env", "hopper", "--env", "halfcheetah"]).settings
    assert twice == imitation_preset("tuned", "HalfCheetah-v5"), "the last one counts, for what depends on it as well"


def test_demonstrations_without_simulator_states_are_imitated_from_reset(cheetah, tmp_path, capsys):
    trajectories = tuple(replace(t, qpos=None, qvel=None) for t in cheetah.trajectories)
    save_demonstrations(tmp_path / "mine", replace(cheetah, trajectories=trajectories))
    asked = ["--env", "halfcheetah", "--expert", str(tmp_path / "mine")]
    command = resolved(asked)
    assert (command.preset, command.settings) == ("reset", imitation_preset("reset", "HalfCheetah-v5"))
    assert resolved(["--env", "halfcheetah"]).preset == resolved(["--env", "cartpole"]).preset == "tuned"
    assert resolved([*asked, "--mode", "bc"]).preset == "tuned", "no rollouts, no starts"
    assert main([*asked, "--preset", "tuned", "--logdir", str(tmp_path)]) == 2
    assert "expected demonstrations with qpos and qvel, found none; --preset reset" in capsys.readouterr().err
    assert main([*asked, "--logdir", str(tmp_path), "--iterations", "0"]) == 2
    assert "note" not in capsys.readouterr().err, "a mistake is told in one line"


def test_a_plot_tells_runs_apart_that_differ_in_more_than_their_seed():
    config = imitation_preset("tuned", "CartPole-v1")
    longer = replace(config, plan=replace(config.plan, length=50))
    configs = [config, replace(config, seed=1, evaluate_every=7), longer, imitation_preset("tuned", "Hopper-v5")]
    short = "cartpole dyna, plan.length 10"
    assert _labels([RunSettings("dyna", "tuned", "mine", None, each) for each in configs]) == [
        *(short, short),
        "cartpole dyna, plan.length 50",
        "hopper dyna",
    ]
    used = [RunSettings("gail", "paper-like", name, None, config) for name in ("mine", "mine", "theirs")]
    assert _labels(used[:2]) == ["cartpole gail (paper)"] * 2
    assert _labels(used)[-1] == "cartpole gail (paper), expert theirs"


def test_cloning_is_a_level_line_in_a_plot(tmp_path):
    cloned = curve_of(
        [{"env_steps": 0, "real_trajectories": 0, "return_mean": 0, "expert_percent": value} for value in (50.0, 97.0)]
    )
    learned = curve_of(
        [{"env_steps": n, "real_trajectories": n, "return_mean": 0, "expert_percent": n} for n in (10, 20)]
    )
    axes = learning_curves({"bc": [cloned], "dyna": [learned]}).axes[0]
    level, curve = (line for line in axes.get_lines() if not line.get_label().startswith("_"))
    assert list(level.get_ydata()) == [97.0, 97.0] and list(level.get_xdata()) == [0.0, 1.0], "across the axes"
    assert list(curve.get_xdata()[[0, -1]]) == [10, 20]


def test_a_run_that_ends_between_two_evaluations_tells_the_last_one(expert):
    run = ImitationRun(small_config(env_steps=10_000, evaluate_every=2), expert, "dyna")
    list(run.iterate(iterations=3))
    last = run.history[-1]
    run.history[-1] = {**last, "return_mean": math.nan, "return_std": math.nan, "expert_percent": math.nan}
    table = _summary(run, Path("somewhere"))
    told = dict(zip(*(column.cells for column in table.columns[:2]), strict=True))
    assert "nan" not in told["return"] and "at iteration 2, env step" in told["return"]
    run.history = run.history[-1:]
    assert "return" not in set(_summary(run, Path("somewhere")).columns[0].cells)


def test_paths_in_advice_can_be_pasted_into_a_shell(expert, tmp_path):
    run = ImitationRun(small_config(), expert, "dyna")
    list(run.iterate(iterations=1))
    told = dict(zip(*(column.cells for column in _summary(run, Path("my [old] runs/x")).columns[:2]), strict=True))
    shown = Text.from_markup(told["watch it"]).plain
    assert shown == "python run.py evaluate 'my [old] runs/x' --video agent.mp4"
    (tmp_path / "a b").mkdir()
    write_settings(tmp_path / "a b", RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1.0, 1)
    with pytest.raises(UserError, match=r"start it again with: python run.py --config '.*a b/config.json'"):
        load_run(tmp_path / "a b")


def test_a_run_without_a_checkpoint_says_how_to_begin_again(tmp_path):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    again = f"ended before its first checkpoint; start it again with: python run.py --config {tmp_path / 'config.json'}"
    assert directory_of(tmp_path / "config.json") == directory_of(tmp_path) == tmp_path
    for words in (["--resume", str(tmp_path / "config.json")], ["evaluate", str(tmp_path)]):
        with pytest.raises(UserError) as error:
            dispatch(words)
        assert again in str(error.value)


def test_a_state_is_not_written_into_by_what_comes_after(expert):
    run = ImitationRun(small_config(env_steps=120), expert, "dyna")
    list(run.iterate(iterations=1))
    state = run.state()
    list(run.iterate(iterations=2))
    run.restore(state)
    assert len(run.history) == 1


def test_a_shipped_name_is_not_taken_over_by_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cartpole").mkdir()
    assert len(load_demonstrations("cartpole").trajectories) == 50
    assert resolved(["--env", "cartpole", "--expert", "cartpole"]).expert == "cartpole"
    with pytest.raises(UserError, match=r"expected main_data\.hdf5 in it"):
        load_demonstrations("./cartpole")
    with pytest.raises(UserError, match=r"found neither; did you mean .*cartpole.trpo-v0\?"):
        load_demonstrations(ROOT / "expert_data" / "cartpole")


def test_a_run_that_has_ended_says_what_would_go_on_with_it():
    def told(mode, iterations):
        return _nothing_left(RunSettings(mode, "tuned", "cartpole", iterations, small_config()))

    ended = "the run has ended, so nothing was done"
    assert told("dyna", None) == f"{ended}; to extend it, give a larger --env-steps"
    assert told("dyna", 3).endswith("give a larger --env-steps or a larger --iterations than 3")
    assert told("bc", None) == ended


def test_every_run_has_a_directory_to_itself(tmp_path, refused):
    taken = [new_directory(tmp_path / "runs", "x") for _ in range(3)]
    assert [path.name for path in taken] == ["x", "x-2", "x-3"]
    with lock_run(taken[0]):
        refused([taken[0], "another process uses this run"], lock_run(taken[0]).__enter__)
    with lock_run(taken[0]):
        pass
    (tmp_path / "file").touch()
    refused(["file", "expected a directory, found a file"], new_directory, tmp_path / "file", "x")


def test_demonstrations_that_changed_are_not_gone_on_with(expert):
    run = ImitationRun(small_config(), expert, "dyna")
    state = run.state()
    state["agent"]["acting"]["mean"] = state["agent"]["acting"]["mean"] + 1
    with pytest.raises(UserError, match="the demonstrations, or the units they are seen in, have changed"):
        ImitationRun(small_config(), expert, "dyna").restore(state)


def test_shares_of_a_discriminator_batch(expert):
    assert DiscriminatorConfig(recent_fraction=0.1, imagined_fraction=0.9).recent_fraction == 0.1
    with pytest.raises(UserError, match=r"--discriminator.recent_steps-share: expected at least 0, and at most 1 with"):
        DiscriminatorConfig(recent_fraction=0.2, imagined_fraction=0.9)
    odd = DiscriminatorConfig(steps=2, batch=15, recent_fraction=0.5, imagined_fraction=0.5)
    run = ImitationRun(replace(small_config(), discriminator=odd), expert, "dyna")
    run.agent.collector.collect()
    run.agent.dynamics.scale(run.agent.demo_replay, run.agent.replay)
    run.agent.update_discriminator(1.0)


def run_py(*words, timeout=300):
    call = [sys.executable, "run.py", *map(str, words)]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout)


FLAGS = [f"--{group}.{name}={value}" for group, values in SMALL.items() for name, value in values.items()] + [
    "--evaluation-episodes=1"
]


def test_training_at_the_command_line_interrupted_resumed_and_evaluated(tmp_path):
    asked = ["--env", "cartpole", "--env-steps", 1_000_000, *FLAGS, "--logdir"]
    call = [sys.executable, "run.py", *map(str, asked), str(tmp_path)]
    process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    directory, deadline = tmp_path / "cartpole-dyna-seed0", time.monotonic() + 200
    while not (directory / "progress.csv").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"resume with: python run.py --resume {directory}" in errors
    assert "Traceback" not in errors
    before = list(csv.DictReader((directory / "progress.csv").open()))
    assert [row["iteration"] for row in before] == [str(i + 1) for i in range(len(before))]
    assert list((directory / "tensorboard").iterdir())

    result = run_py("--resume", directory, "--iterations", len(before) + 1)
    assert result.returncode == 0, result.stderr
    after = list(csv.DictReader((directory / "progress.csv").open()))
    assert after[:-1] == before
    assert {"return_mean", "return_std", "expert_percent", "real_trajectories", *CLOCKS} <= set(after[-1])
    assert "the run lies in" in result.stdout

    assert run_py(*asked, tmp_path / "whole", "--iterations", len(after)).returncode == 0
    whole = list(csv.DictReader((tmp_path / "whole" / directory.name / "progress.csv").open()))
    assert without_clocks(after) == without_clocks(whole), "resumed and uninterrupted runs differ"

    made_by = json.loads((directory / "config.json").read_text())
    assert made_by["expert_return"] == 1000.0
    as_another = run_py("expert", "--resume", "--out", directory)
    assert (as_another.returncode, as_another.stderr.count("\n")) == (2, 1)
    assert "expected a checkpoint of an expert's training, found one of a run" in as_another.stderr
    changed = run_py("--resume", directory, "--policy.hidden", "7")
    assert changed.returncode == 2
    assert "--resume: --policy.hidden cannot change: the run has (100, 50), found (7,)" in changed.stderr
    assert changed.stderr.count("\n") == 1

    film = tmp_path / "agent.gif"
    shown = run_py("evaluate", directory, "--episodes", 2, "--json", "--video", film, "--video-steps", 10)
    assert shown.returncode == 0, shown.stderr
    facts = json.loads(shown.stdout)
    assert len(facts["returns"]) == 2
    assert facts["return_mean"] == np.mean(facts["returns"])
    assert facts["expert_return"] == 1000.0
    assert facts["env_steps"] == int(after[-1]["env_steps"])
    assert film.read_bytes()[:4] == b"GIF8"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--env", "hopperr"], "unknown environment 'hopperr'; did you mean hopper"),
        (["--mode", "dina"], "unknown mode 'dina'; did you mean dyna?"),
        (["--preset", "papr"], "unknown preset 'papr'; did you mean paper-like?"),
        (["--plan.stesp", "3"], "unknown option '--plan.stesp'; did you mean --plan.steps"),
        (["--plan.steps", "many"], "--plan.steps"),
        (["--rollout-initial-states", "foo"], "invalid choice 'foo' for argument '--rollout.initial-states'"),
        (["--env", "ant"], "--expert: no demonstrations of Ant-v5 ship"),
        (["--env", "Pusher-v5"], "train an expert first: python run.py expert --env Pusher-v5"),
        (["--env", "cartpole", "--rollout-initial-states", "mix"], "expected demonstrations with qpos and qvel, found none"),
        (["--iterations", "0"], "--iterations: expected at least 1, found 0"),
        (["--env", "ant"], "then --expert runs/expert/ant-seed0"),
        (["--discount", "2"], "--discount: expected above 0 and at most 1, found 2.0"),
        (["--expert", "nowhere"], "nowhere: no such file or directory"),
        (["--env", "hopper", "--expert", "halfcheetah"], "expected 11 numbers to fit the environment, found 17"),
        (["--resume", "nowhere"], "nowhere"),
        (["--config", "nowhere.json"], "nowhere.json: no such file"),
        (["evaluate", "nowhere"], "nowhere: no such file or directory"),
        (["evaluate", "cartpole", "--episodes", "0"], "--episodes: expected at least 1, found 0"),
        (["evaluate", "cartpole", "--seed", "-1"], "--seed: expected at least 0, found -1"),
        (["evaluate", "cartpole", "--video-steps", "0"], "--video-steps: expected at least 1, found 0"),
        (["evaluate", "cartpole", "--video", "film.avi"], "--video: expected a file ending in .mp4 or .gif"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(words, line, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert line in err


def test_a_stored_configuration_of_an_unknown_mode_is_refused(tmp_path, capsys):
    write_settings(tmp_path, RunSettings("dina", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    assert main(["--config", str(tmp_path / "config.json")]) == 2
    assert capsys.readouterr().err == "error: unknown mode 'dina'; did you mean dyna?\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--preset", "paper-like"], "--config: --preset cannot change: the file has tuned, found paper"),
        (["--mode", "mgail"], "--config: --mode cannot change: the file has dyna, found mgail"),
        (["--env", "hopper"], "--config: --env cannot change: the file has CartPole-v1, found Hopper-v5"),
    ],
)
def test_a_stored_configuration_is_not_called_another(words, line, tmp_path, capsys):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    assert main(["--config", str(tmp_path / "config.json"), *words]) == 2
    assert line in capsys.readouterr().err


def test_what_an_older_configuration_does_not_tell_is_named(tmp_path):
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 1, small_config()), 1_000.0, 1_000)
    file = tmp_path / "config.json"
    record = json.loads(file.read_text())
    del (
        record["config"]["policy"]["bptt_clip_norm"],
        record["config"]["cloning"],
        record["config"]["updates_per_iteration"],
    )
    file.write_text(json.dumps(record))
    argv = ["--config", str(file)]
    (note,) = _notes(resolved(argv), preset_given=False)
    assert note.startswith("its config.json is older than updates_per_iteration, policy.bptt_clip_norm: ")


def test_a_stored_configuration_runs_again(tmp_path):
    demonstrations = str(ROOT / "expert_data" / "cartpole" / "trpo-v0")
    settings = RunSettings("mgail", "tuned", demonstrations, 1, algorithm_named("mgail").configure(small_config(seed=3)))
    written = replace(settings, expert="expert_data/cartpole/trpo-v0")
    write_settings(tmp_path / "before", written, 1_000.0, 1_000)
    result = run_py("--config", tmp_path / "before" / "config.json", "--logdir", tmp_path)
    assert result.returncode == 0, result.stderr
    assert read_settings(tmp_path / "cartpole-mgail-seed3") == settings
    rows = list(csv.DictReader((tmp_path / "cartpole-mgail-seed3" / "progress.csv").open()))
    assert len(rows) == 1
    assert "config.json is older" not in result.stderr
    assert "plan/cost" not in rows[0]
    plotted = run_py(
        "plot", tmp_path / "cartpole-mgail-seed3", "--out", tmp_path / "curve.png", "--title", "for $x_{ $"
    )
    assert plotted.returncode == 0, plotted.stderr
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
