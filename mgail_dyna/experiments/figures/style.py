"""What all figures share: colours, lines, names of axes."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator

STEPS = "environment steps of training"
TRAJECTORIES = "real trajectories of training"
PERCENT = "return, % of the expert's"
RETURN = "return"
GREY = "0.35"


class Look(NamedTuple):
    """How one kind is drawn."""

    colour: str
    line: str
    marker: str


# Okabe and Ito's colours, which most colour-blind readers can tell apart; lines and markers differ in grey too.
LOOKS = (
    Look("#0072B2", "-", "o"),
    Look("#D55E00", "--", "s"),
    Look("#009E73", "-.", "^"),
    Look("#CC79A7", ":", "D"),
    Look("#E69F00", "-", "v"),
    Look("#56B4E9", "--", "P"),
    Look("#000000", "-.", "X"),
)


def look(number: int) -> Look:
    """The look of the kind with this number."""
    return LOOKS[number % len(LOOKS)]


def count_on(axis: Axis) -> None:
    """Ticks at whole numbers, with commas."""
    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda number, _: f"{number:,.0f}")


def draw_expert(axes: Axes) -> None:
    """Draws the expert's return as a level line."""
    axes.axhline(100.0, color=GREY, linewidth=1.0, linestyle=(0, (1, 1)))
    axes.annotate("expert", (0.01, 101.0), xycoords=("axes fraction", "data"), va="bottom", color=GREY, fontsize=9)
    axes.set_ylim(top=max(axes.get_ylim()[1], 110.0))


def tidy(axes: Axes) -> None:
    """Removes the top and right borders."""
    axes.spines[["top", "right"]].set_visible(False)
