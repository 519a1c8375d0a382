"""Errors of environments that cannot be made, in one line each."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import traceback

import gymnasium as gym
from gymnasium.envs.registration import registry

from mgail_dyna import runtime
from mgail_dyna.config.presets import environments
from mgail_dyna.errors import UserError, unknown_name


def unknown_environment(env_id: str) -> UserError:
    """The error for an unknown environment, with the nearest known names."""
    module, colon, name = env_id.rpartition(":")
    if colon:
        its = [entry.id for entry in registry.values() if _comes_from(entry, module)]
        if not its:
            return UserError(
                f"unknown environment '{env_id}'; module {module} can be imported, but registers no {name}"
            )
        return unknown_name("environment", env_id, [f"{module}:{each}" for each in its])
    module, dot, name = env_id.rpartition(".")
    if dot and _is_there(module):
        return UserError(f"unknown environment '{env_id}'; a colon stands behind the module: --env {module}:{name}")
    if from_elsewhere := _from_elsewhere(env_id):
        return from_elsewhere
    newest: dict[str, int] = {}
    for entry in registry.values():
        newest[entry.name] = max(newest.get(entry.name, -1), entry.version or 0)
    current = [key for key, entry in registry.items() if (entry.version or 0) == newest[entry.name]]
    own = f"for one of your own, name the module that registers it: --env MODULE:{env_id}"
    return unknown_name("environment", env_id, [*environments(), *current], own, near_enough=0.55)


# Packages that register environments, by the namespace or the beginning of their ids: what to install and to import.
PACKAGES = {
    "ALE/": ("ale-py", "ale_py"),
    "dm_control/": ("shimmy[dm-control]", "shimmy"),
    "BabyAI-": ("minigrid", "minigrid"),
    "MiniGrid-": ("minigrid", "minigrid"),
    "highway-": ("highway-env", "highway_env"),
    "Meta-World/": ("metaworld", "metaworld"),
    **dict.fromkeys(
        ("Adroit", "AntMaze", "Fetch", "FrankaKitchen", "HandManipulate", "HandReach", "PointMaze"),
        ("gymnasium-robotics", "gymnasium_robotics"),
    ),
}


def _from_elsewhere(env_id: str) -> UserError | None:
    """The error for an environment of another package; None if nothing says that it is one."""
    for start, (package, module) in PACKAGES.items():
        if env_id.startswith(start):
            ram = """ --env-kwargs '{"obs_type": "ram"}', as pictures are not supported""" if start == "ALE/" else ""
            return UserError(
                f"unknown environment '{env_id}'; it comes with the package {package}: "
                f"{runtime.installing(package)}, then --env {module}:{env_id}{ram}"
            )
    namespace, slash, _ = env_id.partition("/")
    if not slash or namespace in {entry.namespace for entry in registry.values()}:
        return None
    return UserError(
        f"unknown environment '{env_id}'; nothing registers the namespace {namespace} here; "
        f"name the module that does: --env MODULE:{env_id}"
    )


def _is_there(module: str) -> bool:
    """Whether a module could be imported. It is not imported: the name may stand in a file. Of `a.b`, `a` would be."""
    with contextlib.suppress(ValueError):
        return module.isidentifier() and importlib.util.find_spec(module) is not None
    return False


def _comes_from(entry: gym.envs.registration.EnvSpec, module: str) -> bool:
    point = entry.entry_point
    return (point if isinstance(point, str) else getattr(point, "__module__", "")).startswith(module)


def unmakeable(env_id: str, error: Exception) -> UserError:
    """The error for an environment for which `gymnasium.make` raises `error`."""
    if isinstance(error, gym.error.UnregisteredEnv | gym.error.DeprecatedEnv):
        return unknown_environment(env_id)
    if isinstance(error, ModuleNotFoundError):
        return _needs(env_id, error)
    if no_renderer := _no_renderer(env_id, error):
        return no_renderer
    reason = _one_line(error) if isinstance(error, gym.error.Error) else _named(error)
    missing = isinstance(error, TypeError) and re.search(r"missing \d+ required", reason)
    hint = "; give them in gymnasium.register(..., kwargs={...})" if missing else ""
    return UserError(f"environment '{env_id}' cannot be made: {reason}{hint}")


def unimportable(env_id: str, error: BaseException) -> UserError:
    """The error for an environment `module:id` whose module raises `error` when imported."""
    if isinstance(error, ModuleNotFoundError):
        return _needs(env_id, error)
    if no_renderer := _no_renderer(env_id, error):
        return no_renderer
    module = env_id.partition(":")[0]
    what = f"module {module} cannot be imported: {_named(error)}"
    return UserError(f"environment '{env_id}': {what}; python -c 'import {module}' shows where")


def raised_by(error: Exception) -> str:
    """What an environment's method raised, and where: the innermost place that is in no installed package."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the caller's
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"raised {_named(error)}" + (f" ({own[-1].filename}, line {own[-1].lineno})" if own else "")


def _needs(env_id: str, error: ModuleNotFoundError) -> UserError:
    where = "; start from the directory that holds it, install it, or put its directory on PYTHONPATH"
    hint = where if ":" in env_id else ""
    return UserError(f"environment '{env_id}' needs what cannot be imported: {_one_line(error)}{hint}")


def _no_renderer(env_id: str, error: BaseException) -> UserError | None:
    """The error if MuJoCo could not be imported because of MUJOCO_GL; None for any other error."""
    asked = os.environ.get("MUJOCO_GL")
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    importing = any(f.f_globals.get("__name__") == "mujoco" and f.f_code.co_name == "<module>" for f in frames)
    if asked is None or not importing:
        return None
    remedy = "unset it" if asked == "egl" else "unset it or set it to egl"
    what = f"needs MuJoCo, which cannot be imported with MUJOCO_GL={asked} ({_named(error)})"
    return UserError(f"environment '{env_id}' {what}; {remedy}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_one_line(error)}".removesuffix(": ")
