"""Arguments of a command, read into a documented dataclass."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from mgail_dyna.errors import UserError, unknown_name

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
        word = unknown[0].split("=")[0]
        if not word.startswith("-"):
            raise UserError(f"unexpected argument '{word}'; options and their values: {prog} --help")
        raise unknown_name("option", word, _flags(kind), f"all of them: {prog} --help")
    return config


def _first_section(report: str) -> str:
    """The message of tyro's report: a title, a rule, the message, a rule, and more; boxed where the terminal can."""
    sections: list[list[str]] = [[]]
    for line in report.splitlines():
        text = line.strip(" │")
        if (text and set(text) <= set("-─╭╮╰╯")) or text.startswith("╭"):
            sections.append([])
        elif text:
            sections[-1].append(text)
    # Before the first rule stands the title, or nothing where it is part of the box.
    return " ".join(sections[1] if len(sections) > 1 else sections[0])


def _flags(kind: type[Any]) -> list[str]:
    """The flags of a dataclass, taken from its help: what the parser itself calls them."""
    import tyro

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        tyro.cli(kind, args=["--help"])
    return re.findall(r"(?<!\S)--[a-z][a-z0-9.-]*[a-z0-9]", text.getvalue())


def peek(argv: Sequence[str], flag: str) -> str | None:
    """The value of `flag` in `argv`, before it is parsed: other flags' defaults depend on it. The last one counts."""
    found = None
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == flag:
            found = value if equals else argv[i + 1] if i + 1 < len(argv) else None
    return found
