"""Validation shared by the dataclasses."""

from __future__ import annotations

import math
from typing import Any

from mgail_dyna.errors import UserError


def require(config: Any, prefix: str = "", **conditions: tuple[bool, str]) -> None:
    """Raises a `UserError` naming the flag, what was expected and what was found, for the first that does not hold.

    Infinity is no value of any field.

    Args:
        config: the dataclass.
        prefix: of its flags.
        conditions: a field's name, whether it is right, and what would be.
    """
    for name, (holds, expected) in conditions.items():
        found = getattr(config, name)
        finite = not (isinstance(found, float) and math.isinf(found))
        if not (holds and finite):
            flag, wanted = f"--{prefix}{name}".replace("_", "-"), expected if finite else f"{expected} and finite"
            raise UserError(f"{flag}: expected {wanted}, found {found}")
