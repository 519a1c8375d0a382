"""What all figures share: colours, lines, axes, legends."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

STEPS = "environment steps of training"
TRAJECTORIES = "real trajectories of training"
PERCENT = "return, % of the expert's"
RETURN = "return"
GREY = "0.25"
EXPERT = 100.0


class Look(NamedTuple):
    """How one kind is drawn."""

    colour: str
    line: str
    marker: str


# One colour per method in every figure: Okabe and Ito's, which most colour-blind readers can tell apart. A control has
# a darker or lighter colour of the method it belongs to. Lines and markers differ in grey too.
METHODS: dict[str, Look] = {
    "dyna": Look("#0072B2", "-", "o"),
    "mgail": Look("#D55E00", "--", "s"),
    "gail": Look("#009E73", "--", "s"),
    "dyna-trpo": Look("#CC79A7", "-", "o"),
    "bc": Look("#E69F00", "-.", "h"),
    "mgail_more_steps": Look("#7A3600", "-.", "^"),
    "dyna-natural": Look("#882255", "--", "^"),
    "dyna_plans_only": Look("#56B4E9", ":", "D"),
    "dyna_pairs_only": Look("#2B2B80", "-.", "v"),
}
# Names of algorithms for people.
NAMES = {
    "dyna": "Dyna-AIL",
    "mgail": "MGAIL",
    "gail": "GAIL",
    "dyna-trpo": "Dyna-AIL with TRPO",
    "dyna-natural": "Dyna-AIL, natural gradient",
    "bc": "behavioural cloning",
}
# Of methods that are not listed, such as a user's own.
OTHERS = (Look("#000000", ":", "P"), Look("#8A8A8A", "--", "X"), Look("#B5A300", "-.", "*"))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "h", "p", "<", ">")
# Further kinds of one method: how much lighter (above 0) or darker than the method's colour they are.
SHADES = (0.0, -0.45, 0.45, -0.7, 0.65)
LINES, FURTHER_MARKERS = ("-", "--", "-.", ":"), ("o", "<", "p", ">", "*")


def looks(methods: Iterable[str], plain: int | None = None) -> list[Look]:
    """The look of each kind of a figure.

    Args:
        methods: of each kind: a key of `METHODS`, or any other name; several kinds can have the same.
        plain: index of the kind that gets its method's own look if others share the method; the first of them if None.
    """
    methods, seen, found = list(methods), Counter[str](), []
    others = [name for name in dict.fromkeys(methods) if name not in METHODS]
    for number, name in enumerate(methods):
        base = METHODS[name] if name in METHODS else OTHERS[others.index(name) % len(OTHERS)]
        if number == plain:
            found.append(base)
            continue
        place = seen[name] + (plain is not None and methods[plain] == name)
        found.append(_variant(base, place))
        seen[name] += 1
    return found


def _variant(base: Look, place: int) -> Look:
    if place == 0:
        return base
    shade = SHADES[place % len(SHADES)]
    end = 1.0 if shade > 0 else 0.0
    red, green, blue = (part + abs(shade) * (end - part) for part in to_rgb(base.colour))
    line = LINES[(LINES.index(base.line) + place) % len(LINES)]
    return Look(to_hex((red, green, blue)), line, FURTHER_MARKERS[place % len(FURTHER_MARKERS)])


def count_on(axis: Axis) -> None:
    """Ticks at whole numbers, with commas."""
    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda number, _: f"{number:,.0f}")


def begin_low(axes: Axes, lowest: float, highest: float) -> None:
    """Lets the vertical axis begin at 0, or at a labelled number just below `lowest` if that is below 0.

    Args:
        axes: whose limits are set; no curve is cut off.
        lowest: of what is drawn.
        highest: of what is drawn.
    """
    low = min(0.0, lowest)
    top = highest if highest > low else low + max(1.0, abs(low))
    ticks = [float(tick) for tick in MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]).tick_values(low, top)]
    bottom, half = max(tick for tick in ticks if tick <= low), (ticks[1] - ticks[0]) / 2
    if lowest < 0 and bottom + half <= lowest:
        ticks.append(bottom := bottom + half)
    axes.set_ylim(bottom, top + 0.06 * (top - bottom))
    axes.set_yticks([tick for tick in sorted(ticks) if bottom <= tick <= axes.get_ylim()[1]])
    axes.yaxis.set_major_formatter(lambda number, _: f"{number:,.10g}")


def draw_expert(axes: Axes) -> None:
    """Draws the expert's return as a level line above all curves, so thin that a curve below it is seen."""
    axes.axhline(EXPERT, color=GREY, linewidth=1.0, linestyle=(0, (1, 2)), zorder=5)
    axes.annotate(
        "expert",
        (1.0, EXPERT),
        (4, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        color=GREY,
        fontsize=9,
    )


def tidy(axes: Axes) -> None:
    """Removes the top and right borders."""
    axes.spines[["top", "right"]].set_visible(False)


def explain(figure: Figure, note: str) -> None:
    """Draws the note and one legend of all panels below them, outside the curves; a label counts once."""
    drawn = [axes.get_legend_handles_labels() for axes in figure.axes]
    by_label = {label: handle for handles, labels in drawn for handle, label in zip(handles, labels, strict=True)}
    labels = list(by_label)
    width = int(14 * figure.get_figwidth())
    figure.legend(
        by_label.values(),
        labels,
        title="\n".join(textwrap.wrap(note, width)),
        title_fontsize=8,
        alignment="left",
        frameon=False,
        loc="outside lower left",
        ncols=2 if 2 * max(map(len, labels)) < width else 1,
        fontsize=9,
        handlelength=3.0,
    )


def drawn_range(values: Iterable[ArrayLike]) -> tuple[float, float]:
    """The lowest and the highest finite number in arrays of any shape."""
    numbers = np.concatenate([np.ravel(np.asarray(each, np.float64)) for each in values])
    finite = numbers[np.isfinite(numbers)]
    return float(finite.min()), float(finite.max())
