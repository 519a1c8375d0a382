"""The arrays of one episode, brought to the types of this package where nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgail_dyna.types import ActionSpec, Array


def typed(arrays: dict[str, Any], action: ActionSpec) -> tuple[dict[str, Any], str | None]:
    """Copies of the arrays of one episode in the types of this package, and how actions were changed, if they were.

    Choices may also be a column, one-hot rows, truth values or whole numbers as floats; a single coordinate may lack
    its dimension. Each of them says the same.

    Raises:
        ValueError: another type of number, or choices that are none.
    """
    result = dict(arrays)
    for name, dtype in (
        ("observations", np.float32),
        ("rewards", np.float64),
        ("qpos", np.float64),
        ("qvel", np.float64),
    ):
        if (array := arrays.get(name)) is not None:
            column = name == "rewards" and array.ndim == 2 and array.shape[1] == 1
            result[name] = _cast(name, array[:, 0] if column else array, dtype)
    actions, change = arrays["actions"], None
    if actions is None:
        return result, None
    if action.kind == "discrete":
        result["actions"], change = _choices(actions, action)
    else:
        if actions.ndim == 1 and action.size == 1:
            actions, change = actions[:, None], "one number a step taken as one coordinate"
        result["actions"] = _cast("actions", actions, np.float32)
    return result, change


def _cast(name: str, array: Array, dtype: Any) -> Array:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected dtype {np.dtype(dtype)}, found {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def _choices(actions: Array, action: ActionSpec) -> tuple[Array, str | None]:
    """Numbers of choices, `[T]` int64, and how they were found, if not as such."""
    expected = f"expected dtype int64, numbers of choices from {action.start} to {action.start + action.size - 1}"
    if actions.dtype.kind not in "biuf":
        raise ValueError(f"actions: {expected}, found {actions.dtype}")
    changes = []
    if actions.ndim == 2 and actions.shape[1] == 1:
        actions, changes = actions[:, 0], ["a column taken as choices"]
    elif actions.ndim == 2 and actions.shape[1] == action.size and _one_hot(actions):
        return actions.argmax(axis=1).astype(np.int64) + action.start, "one-hot rows taken as choices"
    if actions.ndim != 1:
        remedy = ""
        if actions.ndim == 2 and actions.shape[1] == action.size:
            remedy = "; probabilities or scores say no choice: write actions.argmax(axis=-1) if that was taken"
        raise ValueError(f"actions: {expected}, found {actions.dtype} of shape {list(actions.shape)}{remedy}")
    if actions.dtype.kind == "b":
        changes.append("true and false taken as 1 and 0")
    elif actions.dtype.kind == "f":
        whole = np.isfinite(actions) & (actions == np.round(actions))
        if not whole.all():
            step = int(np.argmin(whole))
            raise ValueError(f"actions: {expected}, found {actions.dtype} with {actions[step]:g} at step {step}")
        changes.append("whole floats taken as choices")
    return actions.astype(np.int64), " and ".join(changes) or None


def _one_hot(rows: Array) -> bool:
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
