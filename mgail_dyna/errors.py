"""The one exception type whose message is meant for the user, and words for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Names an error may list where none is near what was written.
LISTED = 20


class UserError(Exception):
    """A mistake the user can mend: shown as one line, exit code 2, no traceback.

    The message says what is wrong and where, what was expected, what was found and, where
    it is not plain, what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM: as after Ctrl-C, but with exit code 143."""


def counted(count: int, noun: str) -> str:
    """A number and what it counts, such as "1 episode" and "1,000 episodes"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def unknown_name(kind: str, name: str, valid: Iterable[str], also: str = "", near_enough: float = 0.5) -> UserError:
    """The error for a name that is not in a list, with the nearest valid names.

    Args:
        kind: what the name is for ("environment", "mode", "option").
        name: what the user wrote.
        valid: the names that would have been right.
        also: what else would have been accepted, appended to the line.
        near_enough: least likeness of a name that is suggested, from 0 to 1.
    """
    valid = sorted(set(valid))
    near = difflib.get_close_matches(name, valid, n=3, cutoff=near_enough)
    listed = f"valid: {', '.join(valid)}" if len(valid) <= LISTED else ""
    hint = f"did you mean {' or '.join(near)}?" if near else listed
    return UserError("; ".join(filter(None, [f"unknown {kind} '{name}'", hint, also])).replace("?; ", "? "))
