"""How figures look: one colour a method, axes from zero, cloning beside the expert, bands of one piece."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb

from mgail_dyna.experiments.figures import PICTURES, comparison, draw
from mgail_dyna.experiments.figures.comparison import kind_looks
from mgail_dyna.experiments.figures.pictures import _compared
from mgail_dyna.experiments.figures.style import METHODS, looks
from mgail_dyna.experiments.records import from_run
from mgail_dyna.experiments.suites import CLONING, FIGURES

# Figures of curves; the others have a line per method.
# One panel each; the others draw every method by its own look.
CURVES = [picture for picture in PICTURES.values() if picture.plot is _compared]
RESULTS = Path(__file__).resolve().parents[2] / "results"


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_a_method_has_the_same_colour_in_every_figure():
    seen = {}
    for picture in CURVES:
        drawn = kind_looks(picture.kinds)
        for kind in picture.kinds:
            if kind.name in METHODS and kind.suite in ("learning", "control", "cloning", "trpo"):
                seen.setdefault(kind.name, set()).add(drawn[kind.label])
    by_task = {"dyna-natural"}  # such figures take a method's own look
    assert seen == {name: {look} for name, look in METHODS.items() if name not in by_task}


def test_kinds_of_one_method_share_its_hue_and_differ_in_all_else():
    for picture in CURVES:
        drawn = kind_looks(picture.kinds)
        assert len({look.colour for look in drawn.values()}) == len(picture.kinds)
        assert len({(look.line, look.marker) for look in drawn.values()}) == len(picture.kinds), "in grey too"
    one, *others = looks(["dyna"] * 4)
    hue = rgb_to_hsv(to_rgb(one.colour))[0]
    assert all(abs(rgb_to_hsv(to_rgb(look.colour))[0] - hue) < 0.03 for look in others)


def test_the_preset_keeps_the_look_of_the_method_wherever_it_is_listed():
    assert looks(["dyna", "dyna", "dyna"], plain=2)[2] == METHODS["dyna"]
    assert METHODS["dyna"] not in looks(["dyna", "dyna", "dyna"], plain=2)[:2]


def test_other_algorithms_have_looks_of_their_own():
    mine, yours, dyna = looks(["mine", "yours", "dyna"])
    assert len({mine.colour, yours.colour, dyna.colour}) == 3 and dyna == METHODS["dyna"]


@pytest.mark.parametrize("name", ["figure4a", "figure4b", "figure4c", "figure5a", "figure5b", "figure6"])
def test_the_papers_figures_begin_at_zero_or_just_below(name):
    (axes, *_) = draw(name, RESULTS).axes
    low, _ = axes.get_ylim()
    lowest = min(line.get_ydata().min() for line in lines(axes).values())
    assert low in axes.get_yticks()
    assert low == 0 if lowest >= 0 else -20 <= low < 0


def test_cloning_is_seen_beside_the_expert_at_the_same_return(finished_run):
    dyna, cloning = FIGURES["4a"][0], next(kind for kind in FIGURES["4a"] if kind.name == CLONING)
    levels = {"cloning": [from_run(finished_run(0, mode=CLONING), cloning.run(0))]}
    (axes,) = comparison({"Dyna-AIL": [from_run(finished_run(0), dyna.run(0))]}, levels).axes
    found = lines(axes)
    level, curve = found["cloning, no env steps: 100% (seed 0)"], found["Dyna-AIL (seed 0)"]
    (expert,) = (line for line in axes.get_lines() if set(line.get_ydata()) == {100.0} and line is not level)
    assert level.get_linewidth() >= curve.get_linewidth() + 2 * expert.get_linewidth(), "it shows on both sides"
    assert level.get_zorder() < curve.get_zorder() < expert.get_zorder()
    assert level.get_color() == METHODS["bc"].colour != expert.get_color()


def test_a_band_is_outlined_where_it_is_thin(finished_run):
    kind = FIGURES["4a"][0]
    records = [from_run(finished_run(0, best), kind.run(0)) for best in (100.0, 100.5)]
    (axes,) = comparison({"Dyna-AIL": records}).axes
    (line,) = lines(axes).values()
    edges = [other for other in axes.get_lines() if other.get_alpha() is not None]
    assert len(edges) == 2
    for edge in edges:
        np.testing.assert_array_equal(edge.get_xdata(), line.get_xdata())
        assert edge.get_color() == line.get_color()
