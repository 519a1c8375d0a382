"""Learning curves of runs."""

from dataclasses import replace

import numpy as np
from matplotlib.text import Text

from mgail_dyna.algorithms.registry import imitation_preset
from mgail_dyna.cli.commands.plot import _labels
from mgail_dyna.experiments.figures import curve_of, learning_curves
from mgail_dyna.runs.directory import RunSettings


def test_a_plot_tells_runs_apart_that_differ_in_more_than_their_seed():
    config = imitation_preset("tuned", "CartPole-v1")
    longer = replace(config, plan=replace(config.plan, length=50))
    configs = [config, replace(config, seed=1, evaluate_every=7), longer, imitation_preset("tuned", "Hopper-v5")]
    short = "cartpole dyna, --plan.length 10"
    assert _labels([RunSettings("dyna", "recipe", "mine", None, each) for each in configs]) == [
        *(short, short),
        "cartpole dyna, --plan.length 50",
        "hopper dyna",
    ]
    used = [RunSettings("gail", "paper-like", name, None, config) for name in ("mine", "mine", "theirs")]
    assert _labels(used[:2]) == ["cartpole gail (paper-like)"] * 2
    few = [replace(config, demonstrations=number, observations_only=bool(number)) for number in (None, 1)]
    several = _labels([RunSettings("dyna", "recipe", "mine", None, each) for each in few])
    assert several == ["cartpole dyna, all demonstrations", "cartpole dyna, --demonstrations 1, --observations-only"], (
        "what is not set is not named"
    )
    rates = [replace(config, cloning=replace(config.cloning, slow_below=each), warm_start="bc") for each in (0.5, None)]
    both = _labels([RunSettings("dyna", "recipe", "mine", None, each) for each in rates])
    assert both == ["cartpole dyna, --cloning.slow-below 0.5", "cartpole dyna, --cloning.slow-below none"]
    assert _labels(used)[-1] == "cartpole gail (paper-like), --expert theirs"
    cloned = RunSettings("bc", "recipe", "mine", None, config)
    assert _labels([*used, cloned])[-1] == "cartpole bc, --expert mine", "so that nobody compares it with all"
    assert _labels([used[0], cloned])[-1] == "cartpole bc"


def test_cloning_alone_is_drawn_against_gradient_steps():
    rows = [{"env_steps": 0, "real_trajectories": 0, "return_mean": 0, "expert_percent": each} for each in (50.0, 97.0)]
    cloned = replace(curve_of(rows), gradient_steps=np.array([500.0, 900.0]), final=96.0, final_percent=96.0)
    figure = learning_curves({"bc": [cloned]})
    (axes,) = figure.axes
    (line,) = (line for line in axes.get_lines() if not line.get_label().startswith("_"))
    assert list(line.get_xdata()) == [500.0, 900.0] and list(line.get_ydata()) == [50.0, 97.0]
    assert axes.get_xlabel() == "gradient steps of cloning"
    below = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "Diamonds are the mean" in below and "level lines" not in below


def test_cloning_is_a_level_line_in_a_plot():
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
