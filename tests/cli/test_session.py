"""How a run ends: its summary, the commands to type next, and a run that has ended already."""

import dataclasses
import math
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers import small_config
from rich.text import Text

from mgail_dyna.algorithms.registry import ALGORITHMS
from mgail_dyna.cli.advice import next_commands
from mgail_dyna.cli.pace import Pace
from mgail_dyna.cli.progress import ProgressDisplay
from mgail_dyna.cli.report import arrival, at_the_end, phrases_of, summary
from mgail_dyna.cli.session import Session
from mgail_dyna.cli.training import _nothing_left, _own_end
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reference import Reference
from mgail_dyna.runs.directory import RunSettings
from mgail_dyna.runs.final import FinalEpisodes
from mgail_dyna.runs.policies import BestPolicy
from mgail_dyna.runs.run import ImitationRun


def history_of(*percents, expert=10.0):
    """A history whose evaluations return these percentages; NaN: an iteration without evaluation."""
    return [
        {
            **{"iteration": n, "env_steps": 100 * n, "real_trajectories": 2 * n, "evaluation_steps": 50 * n},
            **{"return_mean": percent * expert / 100, "return_std": 0.0, "expert_percent": percent},
            **{"cpu_seconds": 30.0 * n, "wall_seconds": 40.0 * n},
        }
        for n, percent in enumerate(percents, 1)
    ]


def settings_of(algorithm="dyna", iterations=None, **changes):
    return RunSettings(algorithm, "tuned", "cartpole", iterations, small_config(algorithm, **changes))


def best_at(iteration, return_mean=10.0):
    return BestPolicy(None, iteration, 100 * iteration, 2 * iteration, return_mean)


def cells(history, best=None, title="somewhere", final=None, expert=1000.0):
    table = summary(title, history, small_config(), best, final, Reference(expert, 200))
    return dict(zip(*(column.cells for column in table.columns[:2]), strict=True))


def test_the_phrases_show_what_an_algorithm_has():
    def phrases(algorithm, row, horizon=10):
        return phrases_of(row, horizon, ALGORITHMS[algorithm].progress)

    judged = {"discriminator/accuracy_agent": 0.9, "discriminator/accuracy_expert": 0.8, "policy/kl": 0.02}
    right = "discriminator right on 85% of pairs (50%: cannot tell agent from expert)"
    assert phrases("gail", judged) == [right, "KL 0.020"]
    assert phrases("bc", {"cloning/loss": 0.1}) == ["loss 0.1"]
    modelled = {"dynamics/error_1": 0.1, "dynamics/error_4": 0.3, "learn/gradient_norm": 5.0, "plan/gradient_norm": 6.0}
    for algorithm in ("dyna", "mgail", "dyna-trpo"):
        assert phrases(algorithm, modelled, horizon=4) == [
            "model error, in standard deviations: 0.10 after 1 step, 0.30 after 4"
        ]


@pytest.mark.usefixtures("eager")
def test_the_models_error_is_unknown_if_no_episode_is_long_enough(cartpole_demos):
    short = {"rollout": {"steps": 2, "reset_length": 3}, "plan": {"length": 5}}
    run = ImitationRun(small_config(env_steps=1, **short), cartpole_demos, "dyna")
    (row,) = run.iterate()
    assert np.isfinite(row["dynamics/error_1"])
    assert np.isnan(row["dynamics/error_5"]), "0 would be a perfect model"
    assert not any("5 ahead" in phrase for phrase in phrases_of(row, 5, ALGORITHMS["dyna"].progress))


def test_a_run_that_ends_between_two_evaluations_shows_the_last_one():
    shown = cells(history_of(50.0, math.nan))
    at = "at iteration 1, env step 100"
    assert shown["last evaluation"] == f"1 episode: 5.0, standard deviation 0.0, 50.0% of the expert, {at}"
    assert "last evaluation" not in cells(history_of(math.nan))
    spread = [history_of(50.0)[0] | {"return_std": 30.0}]
    of_three = summary("", spread, small_config(evaluation_episodes=3), None, None, Reference(1000.0, 200))
    assert any("50.0 ± 2.1% of the expert (standard error)" in cell for cell in of_three.columns[1].cells)
    assert not any("nan" in cell for cell in cells(history_of(math.nan)).values())


def test_the_end_says_whether_the_expert_was_reached_and_whether_it_stayed():
    assert arrival(history_of(10.0, 89.9)) == {"90% of expert": "not reached in an evaluation; the highest was 89.9%"}
    reached = {"90% of expert": "reached at iteration 2, env step 200, after 1 min 20 s"}
    assert arrival(history_of(10.0, 90.0)) == reached, "nothing came after it"
    fell = arrival(history_of(10.0, 95.0, math.nan, 60.0, 92.0))
    assert fell == reached | {"since then": "2 of 3 evaluations at 90% of the expert or more; lowest 60.0%"}
    assert arrival(history_of(math.nan)) == {}, "returns that cannot be compared"
    cloning = [{**row, "env_steps": 0.0} for row in history_of(10.0, 95.0, 96.0)]
    assert arrival(cloning) == {"90% of expert": "reached by the clone, after 1 min 20 s"}, "nothing can be lost again"


def test_the_end_says_how_the_final_episodes_went():
    final = FinalEpisodes(np.arange(4), np.full(4, 100), np.array([1000.0, 1000.0, 900.0, 300.0]))
    line = cells(history_of(95), final=final)["final episodes"]
    known = "80.0 ± 16.8% of the expert (standard error)"  # 291.5 / sqrt(3) of 1,000
    assert line == f"4 from initial states that no evaluation used: {known}, lowest 30.0%, 1 below 50%"
    sure = FinalEpisodes(np.arange(4), np.full(4, 100), np.array([999.0, 1000.0, 1001.0, 1000.0]))
    assert ": 100.0 ± 0.0% of the expert" in at_the_end(sure, Reference(1000.0, 200))
    both = at_the_end(sure, Reference(1000.0, 200, error=50.0))
    assert ": 100.0 ± 5.0% of the expert (standard error of agent and expert together)," in both
    evaluation = cells(history_of(95), final=final)["evaluation"]
    assert evaluation.startswith("450 env steps"), "50 of evaluations and 400 of these"
    vary = Reference(1000.0, 200, failures=0.3)
    assert at_the_end(final, vary).endswith("1 below 50% (as are 30% of the demonstrations)")
    line = cells(history_of(95), final=final, expert=math.nan)["final episodes"]
    assert line == "4 from initial states that no evaluation used: 800.0, standard deviation 291.5, lowest 300.0"
    assert "final episodes" not in cells(history_of(95))


def test_the_best_policy_is_named_where_it_is_not_the_last():
    history = history_of(100.0, 60.0)
    named = cells(history, best_at(1))["best evaluation"]
    assert named.startswith("10.0 at iteration 1, env step 100; `evaluate --best` plays it")
    assert "best evaluation" not in cells(history, best_at(2))
    assert "best evaluation" not in cells(history, None), "an old run has kept none"


def test_a_run_that_learning_made_worse_says_so():
    def start(*percents, final=None):
        config = small_config(warm_start="bc")
        table = summary("x", history_of(*percents), config, None, final, Reference(10.0, 200))
        return dict(zip(*(column.cells for column in table.columns[:2]), strict=True))["start"]

    begun = "a clone of the demonstrations, 85.0% of the expert"
    assert start(85.0, 70.0) == f"{begun}; learning has made it worse"
    assert start(85.0, 76.0) == begun
    good = FinalEpisodes(np.arange(2), np.full(2, 100), np.array([8.0, 8.0]))
    assert start(85.0, 70.0, final=good) == begun, "many episodes say more than an evaluation"
    assert "ends within 2 points of it" in start(95.0, 96.0) and "within" not in start(95.0, 98.0)


def test_the_next_commands_can_be_pasted():
    where = Path("my [old] runs/x")
    ended = history_of(100.0), best_at(1), None, Reference(10.0, 200)
    commands = next_commands(where, settings_of(), *ended, spent=True)
    program = ["python", "run.py"]
    assert [shlex.split(command) for command in commands] == [
        [*program, "evaluate", str(where), "--video", "x.mp4"],
        [*program, "plot", str(where), "--out", "x.png"],
        [*program, "--config", str(where / "config.json"), "--seed", "1"],
    ]
    assert Text.from_markup(cells(history_of(1.0), title=str(where))["env steps"]).plain == "100 in 2 trajectories"


def test_the_third_command_depends_on_how_the_run_ended():
    def third(percents, best, spent=True, final=None, std=0.0, rate=0.4, **settings):
        history = [row | {"return_std": std, "cloning/rate": rate} for row in history_of(*percents)]
        ended = history, best_at(best, percents[best - 1] / 10), final, Reference(10.0, 200)
        return next_commands(Path("x"), settings_of(**settings), *ended, spent)[2]

    assert third([95.0, 80.0], 1) == "python run.py evaluate x --best"
    final = FinalEpisodes(np.arange(2), np.full(2, 100), np.array([9.0, 9.4]))
    again = "python run.py --config x/config.json --seed 1"
    assert third([95.0, 80.0], 1, final=final) == "python run.py evaluate x --best"
    assert third([95.0, 80.0], 1, final=final, std=1.0) == again, "9.5 ± 0.7 is no more than 9.2"
    assert third([50.0, 80.0], 2, env_steps=200) == "python run.py --resume x --env-steps 400"
    clone = {"env_steps": 200, "warm_start": "bc"}
    assert third([50.0, 80.0], 2, **clone) == "python run.py --resume x --env-steps 400"
    assert third([50.0, 80.0], 2, **clone, rate=0.002) == again, "more env steps would change nothing"
    assert third([95.0, 96.0], 2) == "python run.py --config x/config.json --seed 1"
    assert third([50.0, 40.0], 1, spent=False) == "python run.py --resume x", "it was stopped by --iterations"
    assert third([50.0, 80.0], 2, spent=False, iterations=2) == "python run.py --resume x --iterations 4"
    few = {"demonstrations": 3, "subsample": 20}
    clone = third([50.0, 80.0], 2, algorithm="bc", **few)
    assert clone.endswith(" --demonstrations 3 --subsample 20"), "the default mode may learn from the same"
    assert clone.startswith("python run.py --env ") and "--mode" not in clone
    assert third([50.0, 95.0], 2, algorithm="bc") == "python run.py --config x/config.json --seed 1"


def test_a_run_that_has_ended_says_how_to_extend_it():
    def said(spent, **settings):
        return _nothing_left(Path("a b"), settings_of(**settings), 2, spent)

    resume = "python run.py --resume 'a b'"
    ended = "the run has ended, so nothing was done"
    assert said(True, env_steps=200) == f"{ended}; to extend it: {resume} --env-steps 400"
    assert said(False, iterations=2) == f"{ended}; to extend it: {resume} --iterations 4"
    both = f"{ended}; to extend it: {resume} --env-steps 400 --iterations 4"
    assert said(True, env_steps=200, iterations=2) == both, "either limit would end it at once"
    assert said(False) == f"iteration 2 is over, so nothing was done; to continue it: {resume}"
    assert said(True, algorithm="bc") == ended


def test_a_limit_of_one_session_is_not_the_runs_own_end():
    def end(stored, asked):
        return _own_end(settings_of(iterations=stored), settings_of(iterations=asked))

    assert end(None, 3) is None, "--resume RUN continues to the end of --env-steps afterwards"
    assert (end(5, 3), end(5, 8), end(5, 5)) == (5, 8, 5)


def test_a_trial_is_reported_before_the_row_that_follows_it(cartpole_demos, tmp_path, capsys):
    config = dataclasses.replace(small_config("dyna"), warm_start="bc", demonstrations=1, evaluation_episodes=1)
    run = ImitationRun(config, subset(cartpole_demos, 1, 1), "dyna")
    session = Session(run, tmp_path, RunSettings("dyna", "tuned", "cartpole", None, config), None)
    display = ProgressDisplay("x", Pace(10_000), "env steps", session.rows.columns)
    first, second = history_of(40.0, 7.0)
    run.history += [first, {**second, "cloning/kept": 0.0, "cloning/strayed": 0.3}]
    session._show(display, run.history[-1])
    said = capsys.readouterr().err
    assert said.index("the clone is thrown away") < said.index("7.0"), "the row is of the new policy"


def test_a_clone_that_stays_because_the_model_errs_says_so_once(cartpole_demos, tmp_path, capsys):
    config = small_config("dyna")
    config = dataclasses.replace(config, warm_start="bc", demonstrations=1, evaluation_episodes=1)
    run = ImitationRun(config, subset(cartpole_demos, 1, 1), "dyna")
    session = Session(run, tmp_path, RunSettings("dyna", "tuned", "cartpole", None, config), None)
    clone = run.agent.warm_start
    clone.cloned, clone.kept, clone.blind, clone.model_error = True, True, True, 0.79
    display = ProgressDisplay("x", Pace(10_000), "env steps", [])
    for iteration in range(1, 5):
        run.history.append({**history_of(10.0)[0], "iteration": iteration, "cloning/rate": clone.rate(0.5)})
        session._show(display, run.history[-1])
        said = capsys.readouterr().err
        assert ("one step ahead the model errs by 0.79" in said) == (iteration == 3), "after the frozen iteration"
    clone.model_error = 0.1
    assert clone.rate(0.5) == 1.0
