"""What is in a data set of demonstrations: returns, lengths, coordinates, and where demonstrations disagree."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray

from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.disagreement import disagreement
from mgail_dyna.experiments.figures.style import GREY, METHODS, count_on, tidy
from mgail_dyna.normalization import statistics

# Bins of a histogram, and of time.
BINS = 30
_COLOUR, _OTHER = METHODS["dyna"].colour, METHODS["mgail"].colour


def dataset_figure(demos: Demonstrations, title: str = "") -> Figure:
    """Four panels about `demos`; a panel that cannot be drawn says why."""
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    figure.suptitle(title)
    (returns, lengths), (coordinates, agreement) = figure.subplots(2, 2)
    _returns(returns, demos)
    _histogram(lengths, np.array([len(t) for t in demos.trajectories], float), "length of an episode, steps")
    _coordinates(coordinates, demos)
    _disagreement(agreement, demos)
    return figure


def _returns(axes: Axes, demos: Demonstrations) -> None:
    if demos.has_rewards:
        _histogram(axes, demos.returns, "return of an episode")
    else:
        _empty(axes, "returns", "rewards are all 0, or there are none")


def _histogram(axes: Axes, values: NDArray[np.float64], label: str) -> None:
    low, high = float(values.min()), float(values.max())
    equal = low == high
    if equal:
        axes.bar(low, len(values), width=0.1, color=_COLOUR)
        axes.set_xlim(low - 0.5, high + 0.5)
    else:
        axes.hist(values, bins=BINS, color=_COLOUR)
        axes.axvline(float(values.mean()), color=_OTHER, linewidth=1.5)
    axes.set_xlabel(label)
    axes.set_ylabel("episodes")
    digits = 0 if max(abs(low), abs(high)) >= 100 or (values == np.round(values)).all() else 2
    mean, spread, *ends = (f"{number:,.{digits}f}" for number in (values.mean(), values.std(), low, high))
    axes.set_title(
        f"all {mean}" if equal else f"mean {mean} (line), standard deviation {spread}, from {ends[0]} to {ends[1]}",
        fontsize=9,
    )
    count_on(axes.yaxis)
    axes.xaxis.set_major_locator(FixedLocator([low]) if equal else MaxNLocator(5, integer=digits == 0))
    axes.xaxis.set_major_formatter(lambda number, _: f"{number:,.10g}")
    tidy(axes)


def _coordinates(axes: Axes, demos: Demonstrations) -> None:
    """Of each coordinate of the observations: all, and the middle 98%, in units of its standard deviation."""
    observations = demos.observations.astype(np.float64)
    constant = demos.constant
    deviation = np.where(np.isin(np.arange(observations.shape[1]), constant), 1.0, observations.std(axis=0))
    scaled = (observations - observations.mean(axis=0)) / deviation
    scaled[:, constant] = 0.0
    place = np.arange(observations.shape[1])
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    axes.vlines(place, low, high, color=_COLOUR, linewidth=1.0, label="all values")
    axes.vlines(place, *np.quantile(scaled, [0.01, 0.99], axis=0), color=_COLOUR, linewidth=4.0, label="the middle 98%")
    if constant:
        axes.plot(constant, np.zeros(len(constant)), "x", color=_OTHER, label="never varies")
    _, unit = statistics(demos.observations)
    beyond = (unit > 1.001 * deviation).any()
    axes.set_xlabel("coordinate of the observation" + ("\n(training scales down what is beyond 10)" if beyond else ""))
    axes.set_ylabel("values, in standard deviations\nfrom the coordinate's mean")
    _legend(axes)


_READING = (
    "Each state is compared with the most similar one\n"
    "of another demonstration. Demonstrations contradict each other\n"
    "where actions differ much although states differ little."
)


def _disagreement(axes: Axes, demos: Demonstrations) -> None:
    """Along an episode, how much actions differ from those in the nearest state of another demonstration."""
    found = disagreement(demos)
    if found is None:
        why = "the file has no actions" if not demos.has_actions else "there is one demonstration only"
        _empty(axes, "where demonstrations disagree", why)
        return
    edges = np.linspace(0.0, float(found.steps.max()) + 1.0, BINS + 1)
    bins = np.digitize(found.steps, edges[1:-1])
    middles = (edges[1:] + edges[:-1]) / 2
    for share, line, words in ((0.5, "-", "median"), (0.9, "--", "90th percentile")):
        level = [np.quantile(found.actions[bins == i], share) if (bins == i).any() else np.nan for i in range(BINS)]
        axes.plot(middles, level, line, color=_COLOUR, label=f"actions, {words}")
    distance = [np.median(found.distances[bins == i]) if (bins == i).any() else np.nan for i in range(BINS)]
    axes.plot(middles, distance, ":", color=_OTHER, label="states, median")
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(f"step of the episode\n{_READING}", fontsize=8.5)
    axes.set_ylabel("how much they differ,\nin standard deviations")
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    count_on(axes.xaxis)
    tidy(axes)


def _empty(axes: Axes, what: str, why: str) -> None:
    axes.text(0.5, 0.5, f"{what}: {why}", ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set_axis_off()
