"""Why an environment cannot be made, in one line."""

from __future__ import annotations

import re

import gymnasium as gym
from gymnasium.envs.registration import registry

from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.presets import ENVIRONMENTS


def unknown_environment(env_id: str) -> UserError:
    """The error for an environment that is not there, with the nearest names that are."""
    module, colon, name = env_id.rpartition(":")
    if colon:
        its = [entry.id for entry in registry.values() if _comes_from(entry, module)]
        if not its:
            return UserError(
                f"unknown environment '{env_id}'; module {module} can be imported, but registers no {name}"
            )
        return unknown_name("environment", env_id, [f"{module}:{each}" for each in its])
    newest: dict[str, int] = {}
    for entry in registry.values():
        newest[entry.name] = max(newest.get(entry.name, -1), entry.version or 0)
    current = [key for key, entry in registry.items() if (entry.version or 0) == newest[entry.name]]
    return unknown_name("environment", env_id, [*ENVIRONMENTS, *current])


def _comes_from(entry: gym.envs.registration.EnvSpec, module: str) -> bool:
    point = entry.entry_point
    return (point if isinstance(point, str) else getattr(point, "__module__", "")).startswith(module)


def unmakeable(env_id: str, error: Exception) -> UserError:
    """The error for an environment that `gymnasium.make` raises `error` of; its constructor may be the user's own."""
    if isinstance(error, gym.error.UnregisteredEnv | gym.error.DeprecatedEnv):
        return unknown_environment(env_id)
    if isinstance(error, ModuleNotFoundError):
        return _needs(env_id, error)
    told = _one_line(error) if isinstance(error, gym.error.Error) else _named(error)
    missing = isinstance(error, TypeError) and re.search(r"missing \d+ required", told)
    hint = "; give them in gymnasium.register(..., kwargs={...})" if missing else ""
    return UserError(f"environment '{env_id}' cannot be made: {told}{hint}")


def unimportable(env_id: str, error: BaseException) -> UserError:
    """The error for an environment `module:id` whose module raises `error` as it is imported."""
    if isinstance(error, ModuleNotFoundError):
        return _needs(env_id, error)
    module = env_id.partition(":")[0]
    what = f"module {module} cannot be imported: {_named(error)}"
    return UserError(f"environment '{env_id}': {what}; python -c 'import {module}' tells where")


def _needs(env_id: str, error: ModuleNotFoundError) -> UserError:
    hint = "; is its directory on PYTHONPATH?" if ":" in env_id else ""
    return UserError(f"environment '{env_id}' needs what cannot be imported: {_one_line(error)}{hint}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_one_line(error)}".removesuffix(": ")
