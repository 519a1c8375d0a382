"""The command line: finds the command, and reports the user's mistakes in one line with exit code 2.

Commands import what is heavy, TensorFlow above all, only after they have read their arguments.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mgail_dyna
from mgail_dyna import runtime
from mgail_dyna.cli.arguments import peek
from mgail_dyna.cli.help import HELP
from mgail_dyna.errors import Terminated, UserError, unknown_name

# Each has a module in `commands`, with `main(argv)`. Without a command, `commands.train` runs.
COMMANDS = {
    "evaluate": "play a trained policy, compare it with the expert, make a video",
    "doctor": "say what is wrong with a run, and what to try",
    "export": "write a policy as ONNX, Keras or NumPy arrays, to run elsewhere",
    "plot": "draw the learning curves of runs",
    "sweep": "do and record every run of a figure or a suite",
    "figures": "draw every figure from the records",
    "expert": "train an expert with TRPO and record its demonstrations",
    "data check": "validate a file of demonstrations and summarise it",
    "data convert": "convert demonstrations from other formats",
}


def _usage() -> str:
    program = runtime.program()
    return "\n".join(
        [
            f"{program} [--env ENV] [options]",
            "  trains an agent to imitate an expert",
            f"{program} COMMAND --help",
            "  lists the options of a command. Commands:",
            "",
            *(f"  {name:<14} {summary}" for name, summary in COMMANDS.items()),
            "",
            f"{program} --version",
            "  prints versions",
        ]
    )


def dispatch(argv: Sequence[str]) -> None:
    """Runs the command that `argv` names.

    Raises:
        UserError: there is no such command.
    """
    if not argv or argv[0] in HELP:
        print(_usage())
    if not argv:
        return
    if argv[0] == "--version":
        versions = {"mgail_dyna": mgail_dyna.__version__, "commit": runtime.git_commit(), **runtime.versions()}
        print("\n".join(f"{name} {version}" for name, version in versions.items() if version))
        return
    if argv[0].startswith("-"):
        if argv[0] in HELP:
            print()
        importlib.import_module("mgail_dyna.cli.commands.train").main(list(argv))
        return
    for words in (2, 1):
        name = " ".join(argv[:words])
        if name in COMMANDS:
            module = importlib.import_module(f"mgail_dyna.cli.commands.{name.replace(' ', '_')}")
            module.main(list(argv[words:]))
            return
    if argv[0] == "data" and (len(argv) == 1 or argv[1] in HELP):
        print(_usage())
        return
    name = " ".join(argv[:2]) if argv[0] == "data" else argv[0]
    flag = _meant_flag(name)
    if flag is not None:
        rest = argv[1:] if flag == f"--{name}" else argv
        raise UserError(f"unknown command '{name}'; did you mean: {runtime.program()} {shlex.join([flag, *rest])}")
    train = shlex.join(argv[1:]) if argv[0] == "train" and argv[1:] else "--env ENV"
    raise unknown_name("command", name, COMMANDS, f"to train: {runtime.program()} {train}")


def _meant_flag(name: str) -> str | None:
    """The flag that was left out before the name of an environment, an algorithm or a preset, or whose dashes were."""
    from mgail_dyna.algorithms.registry import ALGORITHMS
    from mgail_dyna.config.presets import PRESETS, environments

    if name.lower() in environments() or re.fullmatch(r"[\w./-]+(:[\w/-]+|-v\d+)", name):
        return "--env"
    if name == "resume":
        return "--resume"
    return "--mode" if name in ALGORITHMS else "--preset" if name in PRESETS else None


def _with_environment(message: str, argv: Sequence[str]) -> str:
    """`message` with the environment that was given in the commands that it names, so that they can be pasted."""
    given = peek(argv, "--env")
    return message if given is None else re.sub(r"--env ENV\b", lambda _: f"--env {shlex.quote(given)}", message)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, unless the caller handles it or we are in another thread."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: Any) -> None:
    raise Terminated


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `run.py`, `mgail-dyna` and `python -m mgail_dyna`; returns the exit code.

    Args:
        argv: the arguments; those of this process if None.
    """
    if "" not in sys.path and not sys.flags.safe_path:
        sys.path.append("")  # the current directory, last, for `--env module:Id`
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None where the shell has closed it
            stream.reconfigure(errors="replace")  # print "?" for a character that the terminal lacks
    argv = sys.argv[1:] if argv is None else argv
    try:
        with _terminable():
            dispatch(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except UserError as error:
        runtime.say(f"error: {_with_environment(str(error), argv)}")
        return 2
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        runtime.say(f"{'terminated' if terminated else 'interrupted'}{stop}")
        return 128 + (signal.SIGTERM if terminated else signal.SIGINT)
    except BrokenPipeError:
        # The program that read our output has ended, such as `head`; nothing is wrong.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.filename is not None:
            runtime.say(f"error: {error.filename}: {error.strerror}")
        elif error.errno == errno.ENOSPC:
            runtime.say(f"error: output cannot be written: {error.strerror}")
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - the interpreter closes it
        else:
            raise
        return 2
    return 0
