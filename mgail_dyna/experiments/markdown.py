"""Tables and listings of documents, generated from records and examples, so that none is typed by hand.

A document holds blocks of this form; everything between the two comments is generated:

    <!-- records: --suite learning --mode dyna mgail --columns budget final worst reached -->
    <!-- end -->

    python -m mgail_dyna.experiments.markdown README.md docs/*.md      # write the blocks anew

The numbers are those that `python run.py sweep` prints for the same suite or figure. `<!-- experts -->` lists the
demonstrations that ship, `<!-- cost -->` says how long all recorded runs took, `<!-- findings -->` lists what
`python run.py doctor` looks for. A block of code with the title `examples/NAME` holds that file.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from rich.text import Text

from mgail_dyna.config.presets import environment_title
from mgail_dyna.demonstrations.metadata import METADATA_FILE, read_metadata
from mgail_dyna.demonstrations.reader import locate, shipped_experts
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.cost import spent
from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import Record, read_kind
from mgail_dyna.experiments.statistics import estimate, first_reached, lowest_after
from mgail_dyna.experiments.suites import CLONING, FIGURES, SUITES, everything
from mgail_dyna.experiments.tables import format_estimate, seeds_of, summary
from mgail_dyna.runs.findings import FINDINGS

BLOCK = re.compile(r"(<!-- (records: [^\n]*|experts|cost|findings) -->\n).*?(<!-- end -->)", re.DOTALL)
LISTING = re.compile(r'^(```\w+ title="(examples/[^"]+)"\n).*?^(```)$', re.DOTALL | re.MULTILINE)
# Columns by name. The first group is `summary`'s: its heading there, and its heading in a document.
MEASURES = {
    "final": ("% of expert at the end", "% of expert at the end"),
    "last": ("last ten", "mean of the last 10 evaluations"),
    "reached": ("to 90%", "env steps to 90%"),
    "higher": ("to 95%", "env steps to 95%"),
    "stays": ("stays", "once at 90%: % of evaluations that are there, worst seed"),
    "lowest": ("lowest after", "lowest after 90%, worst seed"),
    "episode": ("worst episode", "lowest final episode of all seeds, %"),
}
HEADINGS = {
    "budget": "env steps given",
    "worst": "last evaluation, worst seed",
    "hundred": "mean of the 100 final episodes",
    "failed": "of 100 final episodes, number below 50%, worst seed",
    "swing": "standard deviation of the last 10",
    "cpu": "CPU minutes",
}
ALGORITHMS = {"dyna": "Dyna-AIL", "mgail": "MGAIL", CLONING: "cloning"}
NOT_RECORDED = "not recorded"

Rows = list[list[str]]


def refresh(text: str, results: Path) -> str:
    """`text` with every block and listing generated anew.

    Args:
        text: a document in Markdown.
        results: directory of records, beside which the examples are.

    Raises:
        UserError: a record or a shipped data set is damaged.
    """
    text = LISTING.sub(lambda found: found[1] + (results.parent / found[2]).read_text("utf-8") + found[3], text)
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], results)}{found[3]}", text)


def _block(request: str, results: Path) -> str:
    if request == "cost":
        return f"\n{cost_sentence(results)}\n\n"
    tables = {"experts": experts_table, "findings": findings_table}
    rows = tables[request]() if request in tables else records_table(request.partition(": ")[2], results)
    recorded = [row for row in rows if set(row[3:]) != {NOT_RECORDED}]
    missing = [", ".join(row[:2]) for row in rows if set(row[3:]) == {NOT_RECORDED}]
    table = "".join(f"| {' | '.join(row)} |\n" for row in [rows[0], ["---"] * len(rows[0]), *recorded[1:]])
    note = f"Not recorded yet: {'; '.join(missing)}.\n\n" if missing else ""
    # Between empty lines, as Python-Markdown wants it.
    return f"\n{table}\n{note}" if len(recorded) > 1 else f"\n{note}"


def records_table(request: str, results: Path) -> Rows:
    """The rows of a block, headings first.

    Args:
        request: flags, see `_parser`.
        results: directory of records.

    Raises:
        UserError: nothing matches, or a record is damaged.
    """
    asked = _parser().parse_args(shlex.split(request))
    groups = [SUITES[name] for name in asked.suite] + [FIGURES[name] for name in asked.figure]
    wanted = list(dict.fromkeys(kind for kinds in groups for kind in kinds if _wanted(kind, asked)))
    if not wanted:
        raise UserError(f"records: {request}: expected kinds of run that match, found none")
    if asked.level is not None:
        return _seed_by_seed(wanted, results, asked.level)
    cells = {kind: row for kinds in groups for kind, row in _measured(kinds, results).items()}
    if asked.by_demonstrations:
        return _by_demonstrations(wanted, cells, asked.columns)
    heads = [cells[wanted[0]][name][0] for name in asked.columns]
    rows = [
        [environment_title(kind.task), kind.label, *(cells[kind][name][1] for name in ("seeds", *asked.columns))]
        for kind in wanted
    ]
    return [["task", "kind of run", "seeds", *heads], *rows]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="records:")
    parser.add_argument("--suite", nargs="*", default=[], choices=SUITES)
    parser.add_argument("--figure", nargs="*", default=[], choices=FIGURES)
    parser.add_argument("--seeds", type=int, help="for readers: the command that makes the records needs it")
    parser.add_argument("--task", nargs="*", help="only these")
    parser.add_argument("--mode", nargs="*", help="only these")
    parser.add_argument("--name", default="*", help="only kinds whose name matches this pattern")
    parser.add_argument("--label", default="*", help="only kinds whose label matches this pattern")
    parser.add_argument("--columns", nargs="*", default=["final", "reached"], choices=[*MEASURES, *HEADINGS])
    parser.add_argument("--by-demonstrations", action="store_true", help="a row per data set, columns per algorithm")
    parser.add_argument("--level", type=float, help="a row per seed: when this percentage is reached, and kept")
    return parser


def _wanted(kind: Kind, asked: argparse.Namespace) -> bool:
    return (
        (asked.task is None or kind.task in asked.task)
        and (asked.mode is None or kind.algorithm in asked.mode)
        and fnmatch(kind.name, asked.name)
        and fnmatch(kind.label, asked.label)
    )


def _measured(kinds: Sequence[Kind], results: Path) -> dict[Kind, dict[str, tuple[str, str]]]:
    """For each kind, by name of column: heading and cell. All kinds of the suite count, as in the printed table."""
    table = summary(kinds, results)
    columns = {
        str(column.header): [Text.from_markup(str(cell)).plain for cell in column.cells] for column in table.columns
    }
    found: dict[Kind, dict[str, tuple[str, str]]] = {}
    for row, kind in enumerate(kinds):
        records = read_kind(results, kind)
        cells = {name: (HEADINGS[name], measure(records)) for name, measure in _OWN.items()}
        for name, (printed, heading) in MEASURES.items():
            cells[name] = heading, columns[printed][row] if records else NOT_RECORDED
        for name in ("stays", "lowest"):
            heading, cell = cells[name]
            cells[name] = heading, cell.replace("never", "never at 90%")
        heading, both = cells["episode"]  # printed as "lowest (below 50%)"
        lowest, _, failed = both.partition(" (")
        cells |= {
            "episode": (heading, lowest),
            "failed": (HEADINGS["failed"], failed.rstrip(")") if records else NOT_RECORDED),
        }
        found[kind] = cells | {"seeds": ("seeds", seeds_of(records))}
    return found


def _taken(records: Sequence[Record]) -> bool:
    """Whether env steps were taken. Cloning takes none, whatever the configuration says."""
    return any(record.curve["env_steps"][-1] for record in records)


def _budget(records: Sequence[Record]) -> str:
    return f"{records[0].config['env_steps'] if _taken(records) else 0:,}" if records else NOT_RECORDED


def _worst(records: Sequence[Record]) -> str:
    return f"{min(record.final['expert_percent'] for record in records):z.1f}" if records else NOT_RECORDED


def _final_episodes(records: Sequence[Record]) -> str:
    means = [float(record.final_percents.mean()) for record in records if record.final_percents.size]
    return format_estimate(estimate([means]), ".1f") if means else NOT_RECORDED


def _swing(records: Sequence[Record]) -> str:
    if not records:
        return NOT_RECORDED
    return format_estimate(estimate([[record.swing for record in records]]), ".1f") if _taken(records) else ""


def _cpu_minutes(records: Sequence[Record]) -> str:
    minutes = [record.final["cpu_seconds"] / 60 for record in records]
    return f"{np.median(minutes):.1f}" if minutes else NOT_RECORDED


_OWN: dict[str, Callable[[Sequence[Record]], str]] = {
    "budget": _budget,
    "worst": _worst,
    "hundred": _final_episodes,
    "swing": _swing,
    "cpu": _cpu_minutes,
}


def _by_demonstrations(
    kinds: Iterable[Kind], cells: dict[Kind, dict[str, tuple[str, str]]], columns: Sequence[str]
) -> Rows:
    rows: dict[str, dict[str, str]] = {}
    for kind in kinds:
        label = ALGORITHMS[kind.algorithm]
        # Cloning takes no env steps.
        shown = [name for name in columns if name != "reached" or not kind.baseline]
        row = rows.setdefault(kind.demonstrations.label, {"seeds": cells[kind]["seeds"][1]})
        row |= {f"{label}: {cells[kind][name][0]}": cells[kind][name][1] for name in shown}
    heads = list(next(iter(rows.values())))
    return [["demonstrations", *heads], *([label, *(row[head] for head in heads)] for label, row in rows.items())]


def _seed_by_seed(kinds: Iterable[Kind], results: Path, level: float) -> Rows:
    heads = [f"env steps to {level:.0f}%", "lowest after that, %", "at the end, %", "env steps of the run"]
    rows = [["task", "kind of run", "seed", *heads]]
    for kind in kinds:
        for record in read_kind(results, kind):
            steps, percent = record.curve["env_steps"], record.curve["expert_percent"]
            reached, lowest = first_reached(steps, percent, level, 0), lowest_after(percent, level)
            numbers = [f"{reached:,.0f}", f"{lowest:.1f}"] if np.isfinite(reached) else ["never", "never"]
            end = [f"{percent[-1]:z.1f}", f"{steps[-1]:,.0f}"]
            rows.append([environment_title(kind.task), kind.label, str(record.seed), *numbers, *end])
    return rows


def cost_sentence(results: Path) -> str:
    """What every recorded run of every suite and figure took together.

    Raises:
        UserError: a record is damaged.
    """
    runs, hours = spent(everything(), results)
    command = "`python run.py sweep --suite all --dry-run`"
    return f"The {runs} recorded runs took {hours:.0f} core-hours; {command} estimates the missing ones."


def experts_table() -> Rows:
    """The shipped demonstrations: returns as their metadata gives them, and the commit that made them."""
    rows = [["name", "environment", "mean return", "standard deviation", "lowest", "seed", "commit"]]
    for name in shipped_experts():
        metadata = read_metadata(locate(name) / METADATA_FILE)
        about = metadata.provenance
        returns = [
            f"{about[f'return_{each}']:,.{1 if about['return_mean'] < 1_000 else 0}f}"
            for each in ("mean", "std", "min")
        ]
        rows.append([f"`{name}`", str(metadata.env_id), *returns, str(about["seed"]), f"`{about['commit']}`"])
    return rows


def findings_table() -> Rows:
    """What `doctor` looks for, in the order of its table."""
    rows = [["finding", "measured", "a fault if", "meaning", "try"]]
    return [*rows, *([each.name, each.reads, each.when, each.meaning, each.tries] for each in FINDINGS)]


def main(paths: Sequence[str], results: Path = Path("results")) -> None:
    """Writes the blocks of the documents at `paths` anew."""
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        if (new := refresh(text, results)) != text:
            path.write_text(new, encoding="utf-8")
            print(f"{path}: written anew")


if __name__ == "__main__":
    main(sys.argv[1:])
