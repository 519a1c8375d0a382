"""The command line: which command, its arguments, and mistakes as one line with exit code 2.

TensorFlow is imported by the commands that need it, after their arguments have been understood.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from mgail_dyna.errors import UserError, unknown_name

# Each module has `HELP`, one line, and `main(argv)`.
COMMANDS = {
    "evaluate": "play a trained policy, set it beside the expert, film it",
    "plot": "draw the learning curves of runs",
    "expert": "train an expert with TRPO and record its demonstrations",
    "data check": "validate a file of demonstrations and summarise it",
    "data convert": "bring demonstrations in from Minari, D4RL or .npz",
}

Config = TypeVar("Config")


def parse(kind: type[Config], argv: Sequence[str], *, prog: str, default: Config | None = None) -> Config:
    """Reads `argv` into a dataclass.

    Args:
        kind: the dataclass; its fields are the flags, their docstrings the help.
        argv: the arguments, without the command's name.
        prog: what the user typed to get here.
        default: values of the flags that are not given.

    Raises:
        UserError: an unknown flag or a value that does not fit.
    """
    import tyro  # here, as a wrong name should be told before it is loaded

    errors = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(errors):
            config, unknown = tyro.cli(
                kind,
                args=list(argv),
                prog=prog,
                return_unknown_args=True,
                **options,
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UserError(_first_section(errors.getvalue())) from None
    if unknown:
        raise unknown_name("option", unknown[0].split("=")[0], _flags(kind), f"; all of them: {prog} --help")
    return config


def _first_section(report: str) -> str:
    """The message of tyro's report, which is laid out as a title, a rule, the message, a rule, and more."""
    lines = [line.strip() for line in report.splitlines()]
    rules = [i for i, line in enumerate(lines) if line and set(line) <= set("-─")]
    if len(rules) < 2:
        return " ".join(filter(None, lines))
    return " ".join(filter(None, lines[rules[0] + 1 : rules[1]]))


def _flags(kind: type[Any]) -> list[str]:
    """The flags of a dataclass, taken from its help: what the parser itself calls them."""
    import tyro

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        tyro.cli(kind, args=["--help"])
    return [word.rstrip(",") for word in text.getvalue().split() if word.startswith("--") and len(word) > 2]


def peek(argv: Sequence[str], flag: str) -> str | None:
    """The value of `flag` in `argv`, before it is parsed: other flags' defaults depend on it."""
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == flag:
            return value if equals else argv[i + 1] if i + 1 < len(argv) else None
    return None


def _usage() -> str:
    rows = "\n".join(f"  run.py {name:<14} {line}" for name, line in COMMANDS.items())
    return f"run.py imitates an expert (options below). Its other commands, each with its own --help:\n\n{rows}"


def dispatch(argv: Sequence[str]) -> None:
    """Runs the command that `argv` names.

    Raises:
        UserError: no such command.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage() + "\n")
    if not argv:
        return
    if argv[0].startswith("-"):
        importlib.import_module("mgail_dyna.commands.train").main(list(argv))
        return
    for words in (2, 1):
        name = " ".join(argv[:words])
        if name in COMMANDS:
            module = importlib.import_module(f"mgail_dyna.commands.{name.replace(' ', '_')}")
            module.main(list(argv[words:]))
            return
    if argv[0] == "data" and (len(argv) == 1 or argv[1] in ("-h", "--help")):
        print(_usage())
        return
    raise unknown_name("command", " ".join(argv[:2]) if argv[0] == "data" else argv[0], COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `run.py`; returns the exit code."""
    try:
        dispatch(sys.argv[1:] if argv is None else argv)
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
        if error.errno != errno.ENOSPC:
            raise
        print(f"error: output cannot be written: {error.strerror}", file=sys.stderr)
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - the interpreter closes it
        return 2
    return 0
