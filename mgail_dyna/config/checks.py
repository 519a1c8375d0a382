"""Validation shared by the dataclasses."""

from __future__ import annotations

from typing import Any

from mgail_dyna.errors import UserError


def require(config: Any, prefix: str = "", **conditions: tuple[bool, str]) -> None:
    """Raises a `UserError` naming the flag, what was expected and what was found, for the first that does not hold.

    Args:
        config: the dataclass.
        prefix: of its flags.
        conditions: a field's name, whether it is right, and what would be.
    """
    for name, (holds, expected) in conditions.items():
        if not holds:
            flag = f"--{prefix}{name}".replace("_", "-")
            raise UserError(f"{flag}: expected {expected}, found {getattr(config, name)}")
