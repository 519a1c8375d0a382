"""`export`: writes a policy as a file that other programs run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.errors import UserError


@dataclass(frozen=True)
class ExportCommand:
    """Writes the mean action of a trained policy as a file: raw observation in, action as executed out.

    The file is read back and tried on 1,000 observations before it is kept.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Directory of a run; a shipped expert's name or a dataset's directory, to export the expert; or a policy file."""
    format: Literal["npz", "onnx", "keras"] = "npz"
    """npz: the arrays, for NumPy. onnx: for ONNX runtimes; needs the extra [onnx]. keras: a Keras model. None of them
    needs this package to run."""
    out: Path | None = None
    """File to write; policy.npz, policy.onnx or policy.keras if not given."""
    overwrite: bool = False
    """Replace the file if there is one already."""
    best: bool = False
    """Export the run's best policy in place of its last: the one that returned most in the run's own evaluations."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(ExportCommand, argv, prog=f"{runtime.program()} export")
    from mgail_dyna.runs.export import TRIED, export_policy
    from mgail_dyna.runs.policies import load_policy, observation_parts

    out = command.out or Path(f"policy.{command.format}")
    if out.exists() and not command.overwrite:
        raise UserError(f"{out}: there is such a file already; --overwrite replaces it, --out PATH writes another one")
    off = export_policy(out, load_policy(command.run, command.best), command.format)
    differ = f"differ by at most {off:.1g} of half their range" if off else "are the same"
    print(f"wrote {out.absolute()}; tried on {TRIED:,} observations; actions {differ}")
    if parts := observation_parts(command.run):
        print(f"its observation is {parts}, joined in this order")
