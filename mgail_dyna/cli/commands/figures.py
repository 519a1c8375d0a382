"""`figures`: draws every figure from the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.errors import UserError


@dataclass(frozen=True)
class FiguresCommand:
    """Draws every figure that has records, as PNG and SVG. For the others it prints the command that makes them."""

    out: Path = Path("figures")
    """Directory to write the figures to."""
    results: Path = Path("results")
    """Directory of records."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(FiguresCommand, argv, prog=f"{runtime.program()} figures")
    from mgail_dyna.experiments.figures import PICTURES, missing_records, recorded, write
    from mgail_dyna.experiments.tables import check_directory

    check_directory("results", command.results)
    if not command.results.exists():
        wanted = f"expected the directory in which {runtime.program()} sweep puts its records"
        raise UserError(f"--results: {command.results}: no such directory; {wanted}")

    for name in PICTURES:
        if recorded(name, command.results):
            print(*write(name, command.results, command.out), sep="\n")
        else:
            print(missing_records(name, command.results))
