"""The list of figures (`PICTURES`), how each is drawn from records, and where it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from mgail_dyna import runtime
from mgail_dyna.config.presets import environment_title
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.experiments.figures.comparison import comparison, kind_looks
from mgail_dyna.experiments.figures.demonstrations import by_demonstrations
from mgail_dyna.experiments.figures.switching import switching
from mgail_dyna.experiments.figures.tasks import by_task
from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import Record, read_kind
from mgail_dyna.experiments.suites import CONTINUOUS, FIGURES, SUITES
from mgail_dyna.storage import replacing

FORMATS = ("png", "svg")
# Kinds without records that the note below a figure names; a larger number is only counted.
NAMED = 6


Plot = Callable[[Mapping[Kind, Sequence[Record]], str, str], Figure]


def _compared(found: Mapping[Kind, Sequence[Record]], title: str, note: str) -> Figure:
    kinds = {kind.label: records for kind, records in found.items() if not kind.baseline}
    levels = {kind.label: records for kind, records in found.items() if records and kind.baseline}
    return comparison(kinds, levels, title, note, drawn=kind_looks(found))


@dataclass(frozen=True)
class Picture:
    """A figure to be drawn.

    Attributes:
        title: above it.
        kinds: of runs in it.
        sweep: arguments of `run.py sweep` that make its records.
        plot: draws the records of each kind, with a title and a note.
    """

    title: str
    kinds: tuple[Kind, ...]
    sweep: str
    plot: Plot = _compared


_TRUST_REGION = "Dyna-AIL with TRPO against GAIL"


def _of_paper() -> Iterator[tuple[str, Picture]]:
    about = {"4": "Dyna-AIL against MGAIL", "5": "length of plans", "6": _TRUST_REGION}
    for name, kinds in FIGURES.items():
        title = f"{environment_title(kinds[0].task)}: {about[name[0]]}"
        yield f"figure{name}", Picture(title, kinds, f"--figure {name}")


def _of_suites() -> Iterator[tuple[str, Picture]]:
    about = {
        "scarce": "few demonstrations",
        "few": "the recipe, one demonstration",
        "states": "one demonstration without actions",
        "reset": "without simulator resets",
        "paper": "the paper's constants",
        "planning": "plans, imagined pairs, or both",
        "capacity": "size of the dynamics model",
        "trpo": _TRUST_REGION,
        "untuned": "default constants",
    }
    for suite, words in about.items():
        parts: dict[tuple[str, bool], list[Kind]] = {}
        for kind in SUITES[suite]:
            # TRPO takes far more env steps: a figure of its own where a suite has both.
            parts.setdefault((kind.task, suite == "paper" and kind.trust_region), []).append(kind)
        for (task, apart), kinds in parts.items():
            name, more = ("paper-trpo", f", {_TRUST_REGION}") if apart else (suite, "")
            title = f"{environment_title(task)}: {words}{more}"
            yield f"{name}-{task}", Picture(title, tuple(kinds), f"--suite {suite}")


def _of_tasks() -> Iterator[tuple[str, Picture]]:
    kinds = SUITES["tasks"]
    yield "tasks", Picture("The recipe: one set of numbers on every task", kinds, "--suite tasks", by_task)


def _of_numbers() -> Iterator[tuple[str, Picture]]:
    for task in CONTINUOUS:
        kinds = tuple(kind for kind in SUITES["demonstrations"] if kind.task == task)
        title = f"{environment_title(task)}: number of demonstrations"
        yield f"demonstrations-{task}", Picture(title, kinds, "--suite demonstrations", by_demonstrations)


def _of_future_work() -> Iterator[tuple[str, Picture]]:
    title = "Adaptive against fixed switching"
    yield "figure7", Picture(title, SUITES["switch"], "--suite switch", switching)
    title = "The natural gradient against Adam, through the graph"
    yield "figure8", Picture(title, SUITES["natural"], "--suite natural", by_task)


PICTURES: dict[str, Picture] = {
    **dict(_of_paper()),
    **dict(_of_suites()),
    **dict(_of_tasks()),
    **dict(_of_numbers()),
    **dict(_of_future_work()),
}


def recorded(name: str, results: Path) -> bool:
    """Whether the figure called `name` can be drawn: it needs records of two kinds, or of its only one."""
    compared = [kind for kind in PICTURES[name].kinds if not kind.baseline]
    return sum(bool(read_kind(results, kind)) for kind in compared) >= min(2, len(compared))


def missing_records(name: str, results: Path) -> str:
    """One line about the figure called `name` if it is not `recorded`: what is missing, and what makes it."""
    some = any(read_kind(results, kind) for kind in PICTURES[name].kinds if not kind.baseline)
    found = "only one kind of its runs is recorded, and it compares two or more" if some else "no records yet"
    return f"{name}: {found}; to make the records: {runtime.program()} sweep {PICTURES[name].sweep}"


def draw(name: str, results: Path) -> Figure:
    """The figure called `name`, from the records that exist; a note below it names the kinds without records.

    Args:
        name: one of `PICTURES`.
        results: directory of records.

    Raises:
        UserError: no such figure, too few of its kinds are recorded, or a damaged record.
    """
    if name not in PICTURES:
        raise unknown_name("figure", name, PICTURES)
    picture = PICTURES[name]
    if not recorded(name, results):
        raise UserError(missing_records(name, results))
    found = {kind: read_kind(results, kind) for kind in picture.kinds}
    several = len({kind.task for kind in found}) > 1
    missing = [
        f"{environment_title(kind.task)}, {kind.label}" if several else kind.label
        for kind, records in found.items()
        if not records
    ]
    named = "; ".join(missing) if len(missing) <= NAMED else f"{len(missing)} of {len(found)} kinds of runs"
    return picture.plot(found, picture.title, f"Not recorded yet: {named}." if missing else "")


def show(name: str, results: Path) -> Figure | None:
    """The figure called `name`, for notebooks. If it cannot be drawn, prints why and returns None."""
    try:
        return draw(name, results)
    except UserError as error:
        print(error)
        return None


def write(name: str, results: Path, out: Path) -> list[Path]:
    """Writes the figure called `name` to `out` as PNG and SVG; raises what `draw` raises."""
    figure = draw(name, results)
    paths = [out / f"{name}.{form}" for form in FORMATS]
    for path, form in zip(paths, FORMATS, strict=True):
        # No date and fixed ids, so that the same records give the same file.
        with replacing(path) as fresh, matplotlib.rc_context({"svg.hashsalt": name}):
            figure.savefig(fresh, format=form, metadata={"Date": None} if form == "svg" else None)
    return paths
