"""The command line: which command, and mistakes as one line with exit code 2.

TensorFlow is imported by the commands that need it, after their arguments have been understood.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import mgail_dyna
from mgail_dyna import runtime
from mgail_dyna.errors import UserError, unknown_name

# Each has a module in `commands`, with `main(argv)`; without a command, it is `commands.train`.
COMMANDS = {
    "evaluate": "play a trained policy, set it beside the expert, film it",
    "plot": "draw the learning curves of runs",
    "sweep": "do and record every run of a figure or a suite",
    "figures": "draw every figure from the records",
    "expert": "train an expert with TRPO and record its demonstrations",
    "data check": "validate a file of demonstrations and summarise it",
    "data convert": "bring demonstrations in from Minari, D4RL or .npz",
}


def _usage() -> str:
    rows = "\n".join(f"  run.py {name:<14} {line}" for name, line in COMMANDS.items())
    own = "run.py imitates an expert (run.py --help: options; --version)"
    return f"{own}. Its other commands, each with its own --help:\n\n{rows}"


def dispatch(argv: Sequence[str]) -> None:
    """Runs the command that `argv` names.

    Raises:
        UserError: no such command.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage() + "\n")
    if not argv:
        return
    if argv[0] == "--version":
        about = {"mgail_dyna": mgail_dyna.__version__, "commit": runtime.git_commit(), **runtime.versions()}
        print("\n".join(f"{name} {told}" for name, told in about.items() if told))
        return
    if argv[0].startswith("-"):
        importlib.import_module("mgail_dyna.cli.commands.train").main(list(argv))
        return
    for words in (2, 1):
        name = " ".join(argv[:words])
        if name in COMMANDS:
            module = importlib.import_module(f"mgail_dyna.cli.commands.{name.replace(' ', '_')}")
            module.main(list(argv[words:]))
            return
    if argv[0] == "data" and (len(argv) == 1 or argv[1] in ("-h", "--help")):
        print(_usage())
        return
    name = " ".join(argv[:2]) if argv[0] == "data" else argv[0]
    raise unknown_name("command", name, COMMANDS, "to imitate: run.py --env ENVIRONMENT")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `run.py`; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not None, as it is where the shell has closed it
            stream.reconfigure(errors="replace")  # better a ? than no word at all
    try:
        dispatch(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"interrupted{stop}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); nothing is wrong.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.filename is not None:
            print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        elif error.errno == errno.ENOSPC:
            print(f"error: output cannot be written: {error.strerror}", file=sys.stderr)
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - the interpreter closes it
        else:
            raise
        return 2
    return 0
