"""Which figures there are, what they are drawn from, and where they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from mgail_dyna import runtime
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.experiments.figures.comparison import comparison
from mgail_dyna.experiments.figures.demonstrations import by_demonstrations
from mgail_dyna.experiments.records import Record, read_kind
from mgail_dyna.experiments.suites import CONTINUOUS, FIGURES, SUITES, TITLES, Kind
from mgail_dyna.storage import replacing

FORMATS = ("png", "svg")
# Below a figure, of the kinds that are not recorded yet; more are counted.
NAMED = 6


Plot = Callable[[Mapping[Kind, Sequence[Record]], str, str], Figure]


def _compared(found: Mapping[Kind, Sequence[Record]], title: str, note: str) -> Figure:
    kinds = {kind.label: records for kind, records in found.items() if not kind.baseline}
    levels = {kind.label: records for kind, records in found.items() if records and kind.baseline}
    return comparison(kinds, levels, title, note)


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
    about = {"4": "Dyna-AIL against MGAIL", "5": "how far to plan", "6": _TRUST_REGION}
    for name, kinds in FIGURES.items():
        title = f"{TITLES[kinds[0].task]}: {about[name[0]]}"
        yield f"figure{name}", Picture(title, kinds, f"--figure {name}")


def _of_suites() -> Iterator[tuple[str, Picture]]:
    about = {
        "scarce": "few demonstrations",
        "warm": "begun from cloning",
        "reset": "without simulator resets",
        "paper": "the paper's constants",
        "trpo": _TRUST_REGION,
        "untuned": "defaults",
    }
    for suite, words in about.items():
        for task, title in TITLES.items():
            parts: dict[tuple[str, str], list[Kind]] = {}
            for kind in SUITES[suite]:
                if kind.task == task:
                    parts.setdefault(_part(suite, kind), []).append(kind)
            for (suffix, more), kinds in parts.items():
                yield f"{suite}{suffix}-{task}", Picture(f"{title}: {words}{more}", tuple(kinds), f"--suite {suite}")


def _part(suite: str, kind: Kind) -> tuple[str, str]:
    """Which part of a suite goes by itself, and in what words: what takes far more env steps."""
    if kind.algorithm in ("gail", "dyna-trpo") and suite == "paper":
        return "-trpo", f", {_TRUST_REGION}"
    return "", ""


def _of_numbers() -> Iterator[tuple[str, Picture]]:
    for task in CONTINUOUS:
        kinds = tuple(kind for kind in SUITES["demonstrations"] if kind.task == task)
        title = f"{TITLES[task]}: how many demonstrations"
        yield f"demonstrations-{task}", Picture(title, kinds, "--suite demonstrations", by_demonstrations)


PICTURES: dict[str, Picture] = {**dict(_of_paper()), **dict(_of_suites()), **dict(_of_numbers())}


def recorded(name: str, results: Path) -> bool:
    """Whether there are records to draw the figure called `name` of: of two kinds of runs, where it compares some."""
    compared = [kind for kind in PICTURES[name].kinds if not kind.baseline]
    return sum(bool(read_kind(results, kind)) for kind in compared) >= min(2, len(compared))


def lacking(name: str, results: Path) -> str:
    """What to say of the figure called `name` where it is not `recorded`."""
    some = any(read_kind(results, kind) for kind in PICTURES[name].kinds if not kind.baseline)
    what = (
        "one kind of its runs alone is recorded, which compares nothing; the others" if some else "no records yet; they"
    )
    return f"{name}: {what} are made by: {runtime.program()} sweep {PICTURES[name].sweep}"


def draw(name: str, results: Path) -> Figure:
    """The figure called `name`, of whatever is recorded of it; what is not is named below it.

    Args:
        name: one of `PICTURES`.
        results: directory of records.

    Raises:
        UserError: no such figure, nothing recorded of it that could be compared, or a damaged record.
    """
    if name not in PICTURES:
        raise unknown_name("figure", name, PICTURES)
    picture = PICTURES[name]
    if not recorded(name, results):
        raise UserError(lacking(name, results))
    found = {kind: read_kind(results, kind) for kind in picture.kinds}
    missing = [kind.label for kind, records in found.items() if not records]
    named = "; ".join(missing) if len(missing) <= NAMED else f"{len(missing)} of {len(found)} kinds of runs"
    return picture.plot(found, picture.title, f"Not recorded yet: {named}." if missing else "")


def show(name: str, results: Path) -> Figure | None:
    """The figure called `name`, for notebooks: where it has no records, prints what makes them and returns None."""
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
        # Without a date and with settled ids, so that the same records give the same file.
        with replacing(path) as fresh, matplotlib.rc_context({"svg.hashsalt": name}):
            figure.savefig(fresh, format=form, metadata={"Date": None} if form == "svg" else None)
    return paths
