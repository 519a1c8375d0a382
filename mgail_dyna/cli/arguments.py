"""Arguments of a command, read into a documented dataclass."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, TypeVar

from mgail_dyna.cli.help import HELP, flags_of, help_text, usage
from mgail_dyna.errors import UserError, unknown_name

Config = TypeVar("Config")


def parse(
    kind: type[Config], argv: Sequence[str], *, prog: str, default: Config | None = None, first: Sequence[str] = ()
) -> Config:
    """Reads `argv` into a dataclass. With --help among them it prints the help and leaves with exit code 0.

    Args:
        kind: the dataclass; its fields are the flags, their docstrings the help.
        argv: the arguments, without the command's name.
        prog: how the user starts the command.
        default: values of the flags that are not given.
        first: names of the flags that the help lists first, without dashes.

    Raises:
        UserError: an unknown flag or a value that does not fit.
    """
    if set(HELP) & set(argv):
        print(help_text(kind, prog, default, first), end="")
        raise SystemExit(0)
    import tyro  # here, as many mistakes can be reported without it

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
        message = _first_section(errors.getvalue())
        if message.startswith("Missing"):
            missing = [flag.name for flag in flags_of(kind) if flag.required and flag.name in message.split()]
            message = f"missing {' and '.join(missing)}; usage: {usage(kind, prog)}"
        raise UserError(message) from None
    if unknown:
        word = unknown[0].split("=")[0]
        if not word.startswith("-"):
            raise UserError(f"unexpected argument '{word}'; all options: {prog} --help")
        names = [name for flag in flags_of(kind) for name in (flag.name, *([flag.off] if flag.switch else []))]
        raise unknown_name("option", word, [*names, "--help"], f"all options: {prog} --help")
    return config


def _first_section(report: str) -> str:
    """The message in tyro's report, which is a title, a rule, the message, a rule and more, or the same in a box."""
    sections: list[list[str]] = [[]]
    for line in report.splitlines():
        text = line.strip(" │")
        if (text and set(text) <= set("-─╭╮╰╯")) or text.startswith("╭"):
            sections.append([])
        elif text:
            sections[-1].append(text)
    # The title comes before the first rule; in a box nothing does.
    return " ".join(sections[1] if len(sections) > 1 else sections[0])


def peek(argv: Sequence[str], flag: str) -> str | None:
    """The value of `flag` in `argv`, the last one if there are several; None if it is not there.

    It is read before the other flags are, as their defaults depend on it.
    """
    found = None
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == flag:
            found = value if equals else argv[i + 1] if i + 1 < len(argv) else None
    return found
