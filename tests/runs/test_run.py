"""Runs of imitation: counted, evaluated, restored, and stopped when they go wrong."""

import json
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import StepCounter, small_config

import mgail_dyna
from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.replay import mixed_windows
from mgail_dyna.runs.directory import RunSettings, save_run, write_settings
from mgail_dyna.runs.lookup import CONFIG
from mgail_dyna.runs.run import DivergenceError, ImitationRun

# What counts and what is restored is the same, and sooner seen, without a graph.
eager = pytest.mark.usefixtures("eager")


@eager
def test_the_ledger_agrees_with_a_counter_of_its_own(cartpole_demos):
    made = []

    def make():
        made.append(StepCounter(gym.make("CartPole-v1", max_episode_steps=100)))
        return made[-1]

    run = ImitationRun(small_config(env_steps=150), cartpole_demos, "dyna", make)
    rows = list(run.iterate())
    (own,) = made
    assert own.steps == sum(run.ledger.steps.values())
    assert own.resets == sum(run.ledger.episodes.values())
    assert rows[-1]["env_steps"] == run.ledger.steps["training"] == run.agent.env_steps == 150
    assert rows[-1]["real_trajectories"] == run.ledger.episodes["training"]
    assert rows[-1]["evaluation_steps"] == run.ledger.steps["evaluation"]
    run.close()
    assert own.closed


@eager
def test_an_agent_in_a_loop_of_your_own_may_exceed_its_env_steps(cartpole_demos):
    agent = mgail_dyna.DynaAgent(small_config(env_steps=10), lambda: gym.make("CartPole-v1"), cartpole_demos)
    agent.iterate()
    assert agent.env_steps == 10
    agent.iterate()
    assert agent.env_steps > 10


@eager
def test_the_library_trains_in_a_loop_of_your_own(cartpole_demos):
    agent = mgail_dyna.DynaAgent(small_config("mgail"), lambda: gym.make("CartPole-v1"), cartpole_demos)
    metrics = agent.iterate()
    assert np.isfinite(list(metrics.values())).all()
    assert not any(name.startswith("plan/") for name in metrics)
    assert agent.act(np.zeros(4)) in (0, 1)


@eager
def test_a_run_may_do_without_evaluations(cartpole_demos):
    run = ImitationRun(small_config(env_steps=30, evaluation_episodes=0), cartpole_demos, "dyna")
    rows = list(run.iterate())
    assert np.isnan([row["return_mean"] for row in rows]).all()
    assert run.ledger.steps["evaluation"] == 0


def test_an_unknown_algorithm_is_refused(cartpole_demos):
    with pytest.raises(UserError, match="unknown mode 'gale'; did you mean gail"):
        ImitationRun(small_config(), cartpole_demos, "gale")


@eager
def test_a_metric_that_is_not_a_number_stops_the_run_with_its_name(cartpole_demos):
    run = ImitationRun(small_config(), cartpole_demos, "dyna")
    kernel = run.agent.discriminator.network.variables[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(DivergenceError, match=r"^discriminator/loss became nan at iteration 1, env step \d+$"):
        next(run.iterate())


@eager
def test_a_state_does_not_change_with_what_comes_after(cartpole_demos):
    run = ImitationRun(small_config(), cartpole_demos, "dyna")
    list(run.iterate(iterations=1))
    state = run.state()
    list(run.iterate(iterations=2))
    run.restore(state)
    assert len(run.history) == 1


def test_a_run_is_not_resumed_on_demonstrations_that_changed(cartpole_demos):
    run = ImitationRun(small_config(), cartpole_demos, "dyna")
    state = run.state()
    state["agent"]["acting"]["mean"] = state["agent"]["acting"]["mean"] + 1
    with pytest.raises(UserError, match="the demonstrations, or the units of observations and actions, have changed"):
        run.restore(state)


@pytest.mark.slow
@pytest.mark.xla
def test_cartpole_is_learned_in_1000_env_steps(with_xla):
    run = ImitationRun(imitation_preset("tuned", "CartPole-v1"), load_demonstrations("cartpole"), "dyna")
    reached = next((row["env_steps"] for row in run.iterate() if row["return_mean"] == 1000.0), None)
    assert reached is not None, "never returned 1000 in all 10 episodes"
    assert reached <= 1_000


@eager
def test_subsampled_demonstrations_give_no_transition(cartpole_demos):
    run = ImitationRun(small_config(env_steps=1, demonstrations=2, subsample=5), cartpole_demos, "dyna")
    agent = run.agent
    assert agent.demo_replay.steps == 40 and len(agent.demo_replay.changes()) == 0
    list(run.iterate(iterations=1))
    (change,) = agent.replay.changes()
    np.testing.assert_allclose(agent.dynamics.model.change_scale, np.maximum(np.abs(change), 1e-3), rtol=1e-5)
    windows = mixed_windows(agent.demo_replay, agent.replay, 1.0, agent.rng, (3, 8), 2, 1)
    assert windows.mask.max() == 0, "no window of a demonstration holds a transition"


def test_a_policy_in_a_run_loads_without_its_demonstrations(trained, cartpole_demos, tmp_path, refused, cli):
    run = trained("dyna")
    observations = cartpole_demos.trajectories[0].observations
    refused([tmp_path, "no such file or directory"], mgail_dyna.load_policy, tmp_path / "none")
    write_settings(tmp_path, RunSettings("dyna", "tuned", "gone", None, run.config), 1_000.0, 1_000)
    save_run(tmp_path, run.state())
    np.testing.assert_array_equal(mgail_dyna.load_policy(tmp_path).act(observations), run.agent.act(observations))
    result = cli("evaluate", tmp_path, "--episodes", 1, "--json")
    assert result.stderr == "", "what it needs of the demonstrations is in the run"
    assert json.loads(result.stdout)["expert_return"] == 1_000.0
    shorter = cli("evaluate", tmp_path / CONFIG, "--env", "CartPole-v1", "--episodes", 1, "--json")
    assert "no comparison with the expert, whose episodes have 1000 steps and these 500" in shorter.stderr
    assert json.loads(shorter.stdout)["expert_percent"] is None
    state = run.state()
    del state["ledger"]
    save_run(tmp_path, state)
    assert cli("evaluate", tmp_path).returncode == 2, "a damaged checkpoint is an error of one line"


def test_in_another_environment_nothing_is_compared_with_the_expert(trained, cartpole, tmp_path, monkeypatch, cli):
    other = replace(gym.spec("CartPole-v1"), id="Cart-v7")
    monkeypatch.setitem(gym.registry, other.id, other)
    run = trained("dyna")
    write_settings(tmp_path / "run", RunSettings("dyna", "tuned", "gone", None, run.config), 1_000.0, 500)
    save_run(tmp_path / "run", run.state())
    save_demonstrations(tmp_path / "expert", cartpole)
    for name in ("run", "expert"):
        own = cli("evaluate", tmp_path / name, "--env", "CartPole-v1", "--episodes", 1, "--json")
        assert own.stderr == "" and json.loads(own.stdout)["expert_percent"] is not None
        said = cli("evaluate", tmp_path / name, "--env", "Cart-v7", "--episodes", 1, "--json")
        assert said.stderr == "note: no comparison with the expert, whose environment is CartPole-v1\n"
        assert json.loads(said.stdout)["expert_percent"] is None


def test_the_shipped_policy_acts_as_its_demonstrations_do():
    whole = load_demonstrations("cartpole").trajectories[0]
    actions = mgail_dyna.load_policy("cartpole").act(whole.observations)
    assert (actions[:-1] == whole.actions).mean() > 0.99
