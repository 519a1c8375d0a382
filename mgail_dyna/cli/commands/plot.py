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
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.config.presets import environment_name
from mgail_dyna.errors import UserError

if TYPE_CHECKING:
    from mgail_dyna.experiments.figures import Curve
    from mgail_dyna.runs.directory import RunSettings

FORMATS = (".png", ".svg", ".pdf")
# Settings that change how a run is evaluated, not what it learns; labels leave them out.
EVALUATION_ONLY = {"evaluation_episodes", "evaluate_every", "final_episodes"}
# What is imitated.
IMITATED = ("expert", "demonstrations", "subsample", "observations_only")


@dataclass(frozen=True)
class PlotCommand:
    """Draws return against env steps. Runs that differ only in their seed share one mean.

    Of runs with the same seed, the last written counts.
    Unfinished runs are left out if others are finished.
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")]
    """Directories of runs, or a directory that holds runs."""
    out: Path = Path("curve.png")
    """File to write: .png, .svg or .pdf."""
    title: str = ""
    """Title of the figure."""
    smooth: Annotated[str, tyro.conf.arg(metavar="none|N")] = "none"
    """Number of evaluations that each point averages: the one at that point and those before it."""
    unfinished: bool = False
    """Draw unfinished runs too, as far as they are."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(PlotCommand, argv, prog=f"{runtime.program()} plot")
    if not command.runs:
        raise UserError("expected one or more directories of runs, found none")
    if command.out.suffix not in FORMATS:
        raise UserError(f"--out: expected a file ending in {', '.join(FORMATS)}, found {command.out}")
    smooth = _evaluations(command.smooth)
    import matplotlib

    from mgail_dyna.cli.curves import curves_to_draw
    from mgail_dyna.experiments.figures import learning_curves
    from mgail_dyna.storage import replacing

    runs, notes = curves_to_draw(command.runs, command.unfinished)
    for note in notes:
        runtime.say(f"note: {note}")
    kinds: dict[str, list[Curve]] = defaultdict(list)
    methods: dict[str, str] = {}
    for run, label in zip(runs, _labels([run.settings for run in runs]), strict=True):
        kinds[label].append(run.curve)
        methods[label] = run.settings.algorithm
    if command.out.exists():
        runtime.say(f"note: {command.out} is replaced")
    # A dollar sign in a title or a path does not start a formula.
    with matplotlib.rc_context({"text.parse_math": False}), replacing(command.out) as fresh:
        figure = learning_curves(kinds, command.title, methods, smooth)
        figure.savefig(fresh, format=command.out.suffix[1:])
    print(command.out)


def _evaluations(smooth: str) -> int:
    """The number that `--smooth` stands for."""
    if smooth == "none":
        return 1
    if not smooth.isdecimal() or int(smooth) < 1:
        raise UserError(f"--smooth: expected none or a whole number of evaluations from 1 on, found {smooth}")
    return int(smooth)


def _labels(settings: Sequence[RunSettings]) -> list[str]:
    """A label for each run: environment, algorithm, preset, and the settings in which such runs differ, seeds apart.

    What is imitated stands in all labels of an environment if it differs in any two.
    """
    from mgail_dyna.experiments.records import config_differences

    names, alike, data = [], defaultdict(list), defaultdict(list)
    configs = [{**asdict(each.config), "expert": each.expert} for each in settings]
    for each, config in zip(settings, configs, strict=True):
        preset = "" if each.preset == "recipe" else f" ({each.preset})"
        names.append(f"{environment_name(each.config.env)} {each.algorithm}{preset}")
        alike[names[-1]].append(config)
        data[each.config.env].append(config)
    labels = []
    for name, each, config in zip(names, settings, configs, strict=True):
        keys = {
            key for other in alike[name] for key, _, _ in config_differences(config, other, each.algorithm)
        } - EVALUATION_ONLY
        keys |= {key for other in data[each.config.env] for key in IMITATED if config[key] != other[key]}
        flags = (_flag(config, key) for key in sorted(keys))
        labels.append(", ".join(filter(None, [name, *flags])))
    return labels


def _flag(config: dict[str, Any], key: str) -> str:
    """A flag and its value; empty where nothing is set or the flag is off, unless something is by default."""
    value, flag = functools.reduce(operator.getitem, key.split("."), config), f"--{key.replace('_', '-')}"
    if key == "demonstrations" and value is None:
        return "all demonstrations"
    if isinstance(value, bool):
        return flag if value else ""
    if value is None:
        usual = functools.reduce(operator.getitem, key.split("."), asdict(ImitationConfig()) | {"expert": ""})
        return "" if usual is None else f"{flag} none"
    return f"{flag} {' '.join(map(str, value)) if isinstance(value, tuple | list) else value}"
