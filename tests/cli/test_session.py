"""A run on the terminal: its progress line, and its summary at the end."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import small_config
from rich.text import Text

from mgail_dyna.algorithms.registry import ALGORITHMS
from mgail_dyna.cli.session import _summary, figures_of
from mgail_dyna.cli.training import _nothing_left
from mgail_dyna.runs.directory import RunSettings
from mgail_dyna.runs.run import ImitationRun


def test_the_progress_line_shows_what_an_algorithm_has():
    def figures(algorithm, *history, horizon=10):
        return figures_of(list(history), 1.5, horizon, ALGORITHMS[algorithm].progress)

    common = {"iteration": 3, "real_trajectories": 8, "expert_percent": 50.0}
    judged = {"discriminator/accuracy_agent": 0.9, "discriminator/accuracy_expert": 0.8, "policy/kl": 0.01}
    evaluated = {**common, **judged, "return_mean": 500.0}
    newest = {**common, **judged, "return_mean": math.nan, "policy/kl": 0.02}
    assert figures("gail", evaluated, newest) == [
        "iteration 3, 1.5 s",
        "8 real trajectories",
        "return 500 (50% of expert)",
        "D right on 90% of agent, 80% of expert",
        "KL 0.020",
    ]
    cloned = {**common, "return_mean": math.nan, "cloning/loss": 0.1, "cloning/held_out_loss": 0.2}
    assert figures("bc", cloned)[2:] == ["loss 0.1, on held-out pairs 0.2"]
    modelled = {**common, "return_mean": 1.0, "dynamics/error_1": 0.1, "dynamics/error_4": 0.3}
    for algorithm in ("dyna", "mgail", "dyna-trpo"):
        assert figures(algorithm, modelled, horizon=4)[3:] == ["model error 0.10 at 1, 0.30 at 4"]


@pytest.mark.usefixtures("eager")
def test_the_models_error_is_unknown_if_no_episode_is_long_enough(cartpole_demos):
    short = {"rollout": {"steps": 2, "reset_length": 3}, "plan": {"length": 5}}
    run = ImitationRun(small_config(env_steps=1, **short), cartpole_demos, "dyna")
    (row,) = run.iterate()
    assert np.isfinite(row["dynamics/error_1"])
    assert np.isnan(row["dynamics/error_5"]), "0 would be a perfect model"
    shown = figures_of(run.history, 1.0, 5, ALGORITHMS["dyna"].progress)
    assert not any("at 5" in figure for figure in shown)


def cells(run, directory):
    return dict(zip(*(column.cells for column in _summary(run, Path(directory)).columns[:2]), strict=True))


def test_a_run_that_ends_between_two_evaluations_shows_the_last_one(trained):
    run = trained("dyna")
    last = {**run.history[-1], "return_mean": math.nan, "return_std": math.nan, "expert_percent": math.nan}
    ended = SimpleNamespace(history=[*run.history[:-1], last], config=run.config)
    shown = cells(ended, "somewhere")
    assert "nan" not in shown["return"] and "at iteration 1, env step" in shown["return"]
    ended.history = ended.history[-1:]
    assert "return" not in cells(ended, "somewhere")


def test_paths_in_advice_can_be_pasted_into_a_shell(trained):
    shown = Text.from_markup(cells(trained("dyna"), "my [old] runs/x")["watch it"]).plain
    assert shown == "python run.py evaluate 'my [old] runs/x' --video agent.mp4"


def test_a_run_that_has_ended_says_what_extends_it():
    def note(algorithm, iterations):
        return _nothing_left(RunSettings(algorithm, "tuned", "cartpole", iterations, small_config()))

    ended = "the run has ended, so nothing was done"
    assert note("dyna", None) == f"{ended}; to extend it, give a larger --env-steps"
    assert note("dyna", 3).endswith("give a larger --env-steps or a larger --iterations than 3")
    assert note("bc", None) == ended
