"""Gymnasium's contract, checked with one reset and one step before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.environments.errors import raised_by
from mgail_dyna.environments.spaces import action_spec
from mgail_dyna.environments.wrappers import Guarded
from mgail_dyna.errors import UserError

_STEP = "(observation, reward, terminated, truncated, info)"
# What `gymnasium.make` puts around an environment; they change no value, and hide what the environment gave.
_MADE = (Guarded, gym.wrappers.OrderEnforcing, gym.wrappers.TimeLimit, gym.wrappers.PassiveEnvChecker)


def check_contract(env: gym.Env[Any, Any], env_id: str) -> None:
    """Checks what an environment takes and gives, by one reset with a seed and one step of a random action.

    The step is not counted as a training step: use an environment made for the check and close it afterwards. Nothing
    is printed if all is well. Bounds of observations are not checked, as many environments exceed theirs.

    Args:
        env: an environment with flat observations, as `make_env` makes it.
        env_id: its name, for the message.

    Raises:
        UserError: `reset` or `step` takes or gives something else; the message names the method, what was expected and
            what was found.
    """
    task = env
    while isinstance(task, _MADE):
        task = task.env
    reset = _called(env_id, "reset", lambda: task.reset(seed=0))
    if not (isinstance(reset, tuple | list) and len(reset) == 2 and isinstance(reset[1], dict)):
        raise _broken(env_id, "reset", "(observation, info)", _kind(reset), "return the observation and a dict")
    _check_observation(env_id, "reset", reset[0], env.observation_space)
    step = _called(env_id, "step", lambda: task.step(_action(env)))
    if not (isinstance(step, tuple | list) and len(step) == 5):
        remedy = "return terminated and truncated in place of done" if _length(step) == 4 else f"return {_STEP}"
        raise _broken(env_id, "step", _STEP, _kind(step), remedy)
    observation, reward, terminated, truncated, _ = step
    _check_observation(env_id, "step", observation, env.observation_space)
    _check_scalar(env_id, "reward", reward, "one finite number", "return a single number")
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        _check_scalar(env_id, name, flag, "true or false", "return a single value")


def _action(env: gym.Env[Any, Any]) -> Any:
    """A random action, of the type that policies give."""
    env.action_space.seed(0)
    spec, sampled = action_spec(env.action_space), env.action_space.sample()
    return np.int64(sampled) if spec.kind == "discrete" else np.clip(sampled, spec.low, spec.high).astype(np.float32)


def _called(env_id: str, method: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # the environment's own, of any kind
        text = " ".join(str(error).split())
        if isinstance(error, TypeError) and "unexpected keyword argument" in text and method == "reset":
            expected = "reset(self, *, seed=None, options=None)"
            raise _broken(env_id, method, expected, f"one that takes no seed ({text})", "add the arguments") from error
        raise UserError(f"environment '{env_id}': {method}: {raised_by(error)}") from error


def _check_observation(env_id: str, method: str, found: Any, space: gym.Space[Any]) -> None:
    what, shape = f"{method}: observation", list(space.shape or ())
    try:
        array = np.asarray(found)
    except ValueError:
        raise _broken(env_id, what, f"an array of shape {shape}", "rows of different lengths", "") from None
    if array.dtype.kind not in "biuf":
        raise _broken(env_id, what, f"numbers of shape {shape}", _kind(found), "return an array of numbers")
    if list(array.shape) != shape:
        remedy = "make observation_space and observations agree"
        raise _broken(env_id, what, f"shape {shape}, as observation_space says", _kind(array), remedy)
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(array.astype(np.float32))
    if bad.any():
        raise _broken(env_id, what, "finite numbers", f"{array[bad][0]} at {int(np.argmax(bad))}", "")


def _check_scalar(env_id: str, name: str, found: Any, expected: str, remedy: str) -> None:
    what = f"step: {name}"
    try:
        array = np.asarray(found)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.ndim or array.dtype.kind not in "biuf":
        raise _broken(env_id, what, expected, _kind(found), remedy)
    if not np.isfinite(array):
        raise _broken(env_id, what, expected, str(found), "")


def _broken(env_id: str, what: str, expected: str, found: str, remedy: str) -> UserError:
    ending = f"; {remedy}" if remedy else ""
    return UserError(f"environment '{env_id}': {what}: expected {expected}, found {found}{ending}")


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, tuple | list) else None


def _kind(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {list(value.shape)} ({value.dtype})"
    if isinstance(value, tuple | list):
        kinds = ", ".join(type(each).__name__ for each in value[:6])
        return f"a {type(value).__name__} of {len(value)} ({kinds}{', ...' if len(value) > 6 else ''})"
    return type(value).__name__ if value is not None else "None"
