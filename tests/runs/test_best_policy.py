"""The best policy on the way of a run: kept, resumed, loaded, evaluated."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import assert_same_weights, random_policy, small_config

import mgail_dyna
from mgail_dyna.errors import UserError
from mgail_dyna.runs import run as module
from mgail_dyna.runs.directory import RunSettings, load_run, save_run, write_settings
from mgail_dyna.runs.policies import BestPolicy
from mgail_dyna.runs.run import ImitationRun


@pytest.fixture
def run_with(cartpole_demos, monkeypatch):
    """A run whose iterations change nothing but its policy, and whose evaluations return what is given."""

    def make(*returns):
        run = ImitationRun(small_config("bc", evaluation_episodes=1), cartpole_demos, "bc")
        expected = iter(returns)
        rng = np.random.default_rng(0)

        def iterate():
            weights = run.agent.acting.weights
            run.agent.acting.load({name: w + rng.normal(size=w.shape).astype(w.dtype) for name, w in weights.items()})
            return {}

        monkeypatch.setattr(run.agent, "iterate", iterate)
        monkeypatch.setattr(module, "play_episode", lambda *_: SimpleNamespace(episode_return=next(expected)))
        return run

    return make


def test_the_best_policy_is_kept_and_of_equal_ones_the_latest(run_with):
    run, policies = run_with(1.0, 5.0, 5.0, 2.0), []
    assert run.best is None
    for _ in run.iterate(iterations=4):
        policies.append(BestPolicy.of(run.agent.acting, run.history[-1]).policy)
    assert (run.best.iteration, run.best.return_mean) == (3, 5.0)
    assert_same_weights(run.best.policy, policies[2])
    with pytest.raises(AssertionError):
        assert_same_weights(run.best.policy, policies[3])


def test_the_same_policy_evaluated_again_is_no_other(run_with, monkeypatch):
    run = run_with(5.0, 5.0)
    monkeypatch.setattr(run.agent, "iterate", dict)
    list(run.iterate(iterations=2))
    assert run.best.iteration == 1, "a clone that stays as it is keeps its row"


def test_iterations_without_evaluation_keep_nothing(run_with):
    run = run_with()
    run.config = small_config("bc", evaluation_episodes=0)
    list(run.iterate(iterations=2))
    assert run.best is None and run.state()["best"] is None


def test_a_resumed_run_knows_its_best_policy(run_with, tmp_path):
    run = run_with(7.0, 3.0)
    list(run.iterate(iterations=2))
    save_run(tmp_path, run.state())
    state = load_run(tmp_path)
    again = run_with(6.0)
    again.restore(state)
    assert_same_weights(again.best.policy, run.best.policy)
    list(again.iterate(iterations=3))
    assert (again.best.iteration, again.best.return_mean) == (1, 7.0), "6 is less than the 7 before the interruption"
    del state["best"]
    again.restore(state)
    assert again.best is None, "an older checkpoint has none"


def test_the_best_policy_is_loaded_and_evaluated(run_with, tmp_path, cli):
    run = run_with(7.0, 3.0)
    list(run.iterate(iterations=2))
    write_settings(tmp_path, RunSettings("bc", "tuned", "cartpole", None, run.config), 10.0, 100)
    save_run(tmp_path, run.state())
    assert_same_weights(mgail_dyna.load_policy(tmp_path, best=True), run.best.policy)
    assert_same_weights(mgail_dyna.load_policy(tmp_path), run.agent.acting)
    assert_same_weights(mgail_dyna.load_policy(tmp_path / "config.json"), run.agent.acting)


def test_the_best_policy_at_the_command_line(trained, tmp_path, cli):
    run = trained("dyna")
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", None, run.config), 1_000.0, 100, {}, 50.0)
    save_run(tmp_path, run.state())
    shown = cli("evaluate", tmp_path, "--best", "--episodes", 1, "--json")
    assert shown.returncode == 0, shown.stderr
    result = json.loads(shown.stdout)
    assert result["best"] == {"iteration": run.best.iteration, "return_mean": run.best.return_mean}
    assert result["env_steps"] == run.best.env_steps
    assert (result["expert_return"], result["expert_error"]) == (1_000.0, 50.0), "those of the run's start"
    table = " ".join(cli("evaluate", tmp_path, "--best", "--episodes", 1).stdout.replace("│", " ").split())
    assert f"the best of the run, after iteration {run.best.iteration}; chosen for its return there" in table
    assert "on other episodes than these" in table, "returns it was chosen for flatter it"
    assert "best" not in json.loads(cli("evaluate", tmp_path, "--episodes", 1, "--json").stdout)


def test_where_there_is_no_best_policy_it_is_said(trained, tmp_path, cli, refused):
    run = trained("dyna")
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", None, run.config), 1_000.0, 100)
    save_run(tmp_path, {**run.state(), "best": None})
    refused([tmp_path, "holds no best policy", "best=False"], mgail_dyna.load_policy, tmp_path, best=True)
    assert cli("evaluate", tmp_path, "--best").returncode == 2
    other = cli("evaluate", "cartpole", "--best")
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert other.stderr.startswith("error: --best: expected a run, which keeps its best policy; cartpole is none")
    refused(["cartpole: expected a run"], mgail_dyna.load_policy, "cartpole", best=True)


def test_a_policy_is_looked_for_among_runs(tmp_path, refused, cli):
    said = refused(["no such file or directory; expected a run's directory"], mgail_dyna.load_policy, tmp_path / "none")
    assert "a shipped expert: ant, cartpole" in said
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_settings(tmp_path / name, RunSettings("dyna", "tuned", "cartpole", None, small_config()), 1.0, 1)
    one = f"evaluate {tmp_path / 'a'}"
    with pytest.raises(UserError, match=f"expected one run, found a directory of 2; for instance: python run.py {one}"):
        mgail_dyna.load_policy(tmp_path)
    assert f"found a directory of 2; for instance: python run.py {one}" in cli("evaluate", tmp_path).stderr


def test_a_kept_policy_does_not_change_with_the_one_it_was(cartpole_demos):
    policy = random_policy("CartPole-v1")
    row = {"iteration": 1, "env_steps": 2, "real_trajectories": 3, "return_mean": 4.0}
    best = BestPolicy.of(policy, row)
    before = {name: weight.copy() for name, weight in policy.weights.items()}
    for weight in policy.weights.values():
        weight += 1.0
    for name, weight in best.policy.weights.items():
        np.testing.assert_array_equal(weight, before[name])
