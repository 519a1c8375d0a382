"""`run.py plot`: draws the learning curves of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from mgail_dyna import runs
from mgail_dyna.arguments import parse
from mgail_dyna.errors import UserError
from mgail_dyna.presets import environment_name
from mgail_dyna.storage import replacing

FORMATS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class PlotCommand:
    """Draws return against env steps; runs of the same environment, mode and preset are drawn as one kind."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of runs."""
    out: Path = Path("curve.png")
    """File to write: .png, .svg or .pdf."""
    title: str = ""
    """Above the figure."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(PlotCommand, argv, prog="run.py plot")
    if not command.runs:
        raise UserError("expected one or more directories of runs, found none")
    if command.out.suffix not in FORMATS:
        raise UserError(f"--out: expected a file ending in {', '.join(FORMATS)}, found {command.out}")
    from mgail_dyna.figures import Curve, learning_curves, read_curve

    kinds: dict[str, list[Curve]] = defaultdict(list)
    for run in command.runs:
        settings = runs.read_settings(run)
        name = environment_name(settings.config.env)
        label = f"{name} {settings.mode}" + ("" if settings.preset == "tuned" else f" ({settings.preset})")
        kinds[label].append(read_curve(run))
    figure = learning_curves(dict(kinds), command.title)
    with replacing(command.out) as fresh:
        figure.savefig(fresh, format=command.out.suffix[1:])
    print(command.out)
