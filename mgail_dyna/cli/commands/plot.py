"""`plot`: draws the learning curves of runs."""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.config.presets import environment_name
from mgail_dyna.errors import UserError

if TYPE_CHECKING:
    from mgail_dyna.experiments.figures import Curve
    from mgail_dyna.runs.directory import RunSettings

FORMATS = (".png", ".svg", ".pdf")
# Settings that change how a run is evaluated, not what it learns; labels leave them out.
EVALUATION_ONLY = {"evaluation_episodes", "evaluate_every"}


@dataclass(frozen=True)
class PlotCommand:
    """Draws return against env steps. Runs that differ only in their seed share one curve."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")]
    """Directories of runs."""
    out: Path = Path("curve.png")
    """File to write: .png, .svg or .pdf."""
    title: str = ""
    """Title of the figure."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(PlotCommand, argv, prog=f"{runtime.program()} plot")
    if not command.runs:
        raise UserError("expected one or more directories of runs, found none")
    if command.out.suffix not in FORMATS:
        raise UserError(f"--out: expected a file ending in {', '.join(FORMATS)}, found {command.out}")
    import matplotlib

    from mgail_dyna.experiments.figures import learning_curves, read_curve
    from mgail_dyna.runs.directory import read_settings
    from mgail_dyna.storage import replacing

    kinds: dict[str, list[Curve]] = defaultdict(list)
    for run, label in zip(command.runs, _labels([read_settings(run) for run in command.runs]), strict=True):
        kinds[label].append(read_curve(run))
    # A dollar sign in a title or a path does not start a formula.
    with matplotlib.rc_context({"text.parse_math": False}), replacing(command.out) as fresh:
        figure = learning_curves(dict(kinds), command.title)
        figure.savefig(fresh, format=command.out.suffix[1:])
    print(command.out)


def _labels(settings: Sequence[RunSettings]) -> list[str]:
    """A label for each run: environment, algorithm, preset, and the settings in which such runs differ, seeds apart."""
    from mgail_dyna.experiments.records import config_differences

    names, alike = [], defaultdict(list)
    for each in settings:
        preset = "" if each.preset == "tuned" else f" ({each.preset})"
        names.append(f"{environment_name(each.config.env)} {each.algorithm}{preset}")
        alike[names[-1]].append({**asdict(each.config), "expert": each.expert})
    labels = []
    for name, each in zip(names, settings, strict=True):
        config = {**asdict(each.config), "expert": each.expert}
        keys = {
            key for other in alike[name] for key, _, _ in config_differences(config, other, each.algorithm)
        } - EVALUATION_ONLY
        labels.append(", ".join([name, *(f"{key} {_value(config, key)}" for key in sorted(keys))]))
    return labels


def _value(config: dict[str, Any], key: str) -> Any:
    return functools.reduce(operator.getitem, key.split("."), config)
