"""`run.py data convert`: brings demonstrations of other layouts into ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from mgail_dyna.cli.arguments import parse
from mgail_dyna.cli.commands.data_check import table
from mgail_dyna.config.presets import environment_id
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.writer import save_demonstrations


@dataclass(frozen=True)
class ConvertCommand:
    """Converts demonstrations to the layout every command's --expert takes.

    Reads a Minari dataset's directory, a D4RL file (flat HDF5) or padded arrays in an .npz file: observations
    [n, T+1, d], actions [n, T, ...], lengths [n]; optional rewards [n, T], terminations, truncations, qpos, qvel.
    D4RL's episodes end at terminals, at timeouts (without which at the environment's own limit) and where the next row
    is not what next_observations tell.
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")]
    """What to read."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Directory to write."""
    env: str
    """Environment the demonstrations come from: a short name, as run.py takes them, or any Gymnasium id."""
    clip_actions: bool = False
    """Move actions outside the action space onto its border, as simulators do."""
    overwrite: bool = False
    """Replace the dataset that is in OUT."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(ConvertCommand, argv, prog="run.py data convert")
    demos, notes = convert(command.source, environment_id(command.env), clip_actions=command.clip_actions)
    save_demonstrations(command.out, demos, overwrite=command.overwrite)
    console = Console()
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(table(demos, command.out / "data"))
