"""Makes environments: any Gymnasium id whose observations can be one vector and whose actions one choice or vector."""

from __future__ import annotations

import contextlib
import copy
import importlib
import math
import re
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import registry

from mgail_dyna.environments.errors import unimportable, unknown_environment, unmakeable
from mgail_dyna.environments.spaces import (
    action_spec,
    choices,
    chosen_parts,
    described,
    flattens,
    observation_size,
    parts_of,
    parts_text,
)
from mgail_dyna.environments.wrappers import Chosen, Guarded, Numbered
from mgail_dyna.errors import UserError, counted
from mgail_dyna.types import Array

LONGEST_EPISODE = 1_000
# The argument of `make_env` that data sets and runs record beside those of the environment.
PARTS = "observation_parts"
# Combinations of several choices that are numbered as one choice; with more, a policy would need one output for each.
MOST_CHOICES = 1_000


def _warn_unless_known(message: str) -> None:
    # Gymnasium's HalfCheetah model file uses an attribute MuJoCo 4 deprecates, and says so at every load.
    if "settotalmass" not in message:
        warnings.warn(f"MuJoCo: {message}", stacklevel=2)


def make_env(
    env_id: str, length: int | None = None, *, observation_parts: str = "", **kwargs: Any
) -> gym.Env[Any, Any]:
    """Makes an environment.

    Args:
        env_id: a Gymnasium id; `module:id` imports `module` first.
        length: longest episode, in place of the environment's own time limit.
        observation_parts: names and widths of the parts of its observations that are joined, in order (`parts_text`);
            all of them if empty. Observations without parts stay as they are.
        kwargs: passed on (`render_mode`, say).

    Raises:
        UserError: no such environment, a missing dependency, an error in its module or constructor, or spaces that
            this package does not support, or that lack a part.
    """
    return fit_env(open_env(env_id, length, **kwargs), env_id, observation_parts)


def open_env(env_id: str, length: int | None = None, **kwargs: Any) -> gym.Env[Any, Any]:
    """An environment as it is, which `fit_env` makes fit; arguments and errors as of `make_env`."""
    with contextlib.suppress(Exception):  # not every environment needs it; if this one does, an error follows below
        import mujoco

        mujoco.set_mju_user_warning(_warn_unless_known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _import_module(env_id)
        _check_version(env_id)
        try:
            env = gym.make(env_id, max_episode_steps=length, disable_env_checker=True, **kwargs)
        except Exception as error:  # its constructor may be the user's own
            raise unmakeable(env_id, error) from error
    for name in ("observation_space", "action_space"):
        if getattr(env, name, None) is None:
            raise UserError(
                f"environment '{env_id}': {name}: expected a Gymnasium space, found none; set it in __init__"
            )
    return env


def _check_version(env_id: str) -> None:
    """Refuses an id without its version, which Gymnasium would choose with a warning.

    Raises:
        UserError: there are only such with a version.
    """
    name = env_id.rpartition(":")[2]
    if name not in gym.registry and (
        found := [each for each in gym.registry if re.fullmatch(rf"{re.escape(name)}-v\d+", each)]
    ):
        with_version = env_id.removesuffix(name) + found[-1]
        raise UserError(f"environment '{env_id}': expected an id with its version, such as {with_version}")


def fit_env(env: gym.Env[Any, Any], env_id: str, observation_parts: str = "") -> gym.Env[Any, Any]:
    """`env` with observations of several parts as one vector, and actions of several choices as one choice.

    Args:
        env: as `open_env` makes it; closed if it is refused.
        env_id: its name, for messages.
        observation_parts: as of `make_env`.

    Raises:
        UserError: its spaces are not supported, or lack a part.
    """
    try:
        fitted = _fitted(env, observation_parts)
        observation_size(fitted.observation_space)
        action_spec(fitted.action_space)
    except UserError as error:
        env.close()
        raise UserError(f"environment '{env_id}': {error}") from None
    return Guarded(fitted, env_id)


def _fitted(env: gym.Env[Any, Any], parts: str) -> gym.Env[Any, Any]:
    several, named = env.observation_space, parts_of(parts)
    if named and isinstance(several, gym.spaces.Dict) and list(chosen_parts(several, named)) != list(several):
        env = Chosen(env, parts)
    if flattens(env.observation_space):
        env = gym.wrappers.FlattenObservation(env)
    counts = choices(env.action_space)
    if counts is not None and math.prod(counts) <= MOST_CHOICES:
        env = Numbered(env, counts)
    return env


def as_fitted(env: gym.Env[Any, Any], observations: Array, actions: Array | None) -> tuple[Array, Array | None]:
    """What was recorded without `make_env`, as its environment gives and takes it; what is so already is not changed.

    Args:
        env: as `make_env` makes it.
        observations: `[T + 1, ...]` of the space before flattening, or flat.
        actions: `[T, k]` of several choices, or as they are.

    Raises:
        ValueError: they are of neither form.
    """
    inside = env
    while isinstance(inside, gym.Wrapper):
        if isinstance(inside, Numbered) and actions is not None and actions.ndim == 2:
            actions = inside.numbers(actions)
        if isinstance(inside, gym.wrappers.FlattenObservation):
            space, size = inside.env.observation_space, observation_size(inside.observation_space)
            if observations.shape[1:] != (size,) and observations.shape[1:] == space.shape:
                observations = _flattened(space, observations)
        inside = inside.env
    return observations, actions


def _flattened(space: gym.Space[Any], observations: Array) -> Array:
    if isinstance(space, gym.spaces.Box):
        return observations.reshape(len(observations), -1)
    whole = observations.astype(np.int64)
    if (whole != observations).any() or not all(map(space.contains, whole)):
        raise ValueError(f"observations: expected values in {space}, found others")
    return np.array([np.asarray(gym.spaces.flatten(space, each)) for each in whole])


def joined_parts(env: gym.Env[Any, Any]) -> str:
    """What observations of a fitted `env` are joined from, as `parts_text` writes it; empty if it has no names."""
    inside = env
    while isinstance(inside, gym.Wrapper):
        if isinstance(inside, gym.wrappers.FlattenObservation):
            space = inside.env.observation_space
            named = space.spaces if isinstance(space, gym.spaces.Dict) else {}
            return parts_text({name: gym.spaces.flatdim(part) for name, part in named.items()})
        if isinstance(inside, gym.ObservationWrapper):
            return ""  # it may put them in another order
        inside = inside.env
    return ""


def fitted_note(env: gym.Env[Any, Any], joined: str = "") -> str | None:
    """A note on what `make_env` did to observations and actions so that they fit; None if nothing.

    Args:
        env: as `make_env` makes it.
        joined: parts that observations are known to be joined from, all of them: then that is not said again.
    """
    changes, inside = [], env
    while isinstance(inside, gym.Wrapper):
        if isinstance(inside, gym.wrappers.FlattenObservation):
            size, chosen = observation_size(inside.observation_space), inside.env
            if isinstance(chosen, Chosen):
                taken = f"{', '.join(chosen.parts)} are taken from {described(chosen.env.observation_space)}"
                changes.append(f"{taken} and joined in this order to {size} numbers")
            elif not joined or joined != joined_parts(inside):
                changes.append(f"observations, {described(chosen.observation_space)}, are flattened to {size} numbers")
        if isinstance(inside, Numbered):
            count = math.prod(inside.counts)
            changes.append(f"actions, {inside.env.action_space}, are numbered as one of {count:,} choices")
        inside = inside.env
    return f"note: {'; '.join(reversed(changes))}" if changes else None


def _import_module(env_id: str) -> None:
    """Imports the module of `module:id`, where the environment is registered."""
    module, colon, _ = env_id.partition(":")
    if not colon:
        return
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the module is the user's own, and may be a program
        raise unimportable(env_id, error) from error


def env_spec(env_id: str, *, observation_parts: str = "", **kwargs: Any) -> gym.envs.registration.EnvSpec:
    """Gymnasium's specification of an environment, under the id that `make_env` takes.

    Args:
        env_id: a Gymnasium id.
        observation_parts: as of `make_env`; the specification is the same for all of them.
        kwargs: that the environment is made with; the specification is the registered one.

    Raises:
        UserError: as `open_env`.
    """
    env = open_env(env_id, **kwargs)
    env.close()
    assert env.spec is not None
    found = copy.deepcopy(gym.spec(env.spec.id))
    found.id = env_id
    return found


def wrapper_names(env: gym.Env[Any, Any]) -> tuple[str, ...]:
    """Names of the wrappers that Gymnasium records of an environment."""
    return tuple(wrapper.name for wrapper in env.spec.additional_wrappers) if env.spec else ()


def time_limit(env_id: str, **kwargs: Any) -> int:
    """Longest episode in steps: the environment's own limit, or `LONGEST_EPISODE` if it has none."""
    return env_spec(env_id, **kwargs).max_episode_steps or LONGEST_EPISODE


def without_limit(longest: int) -> str:
    """What to say where neither an environment nor its demonstrations, the longest of `longest` steps, have a limit."""
    steps = counted(longest, "step")
    return f"the environment has no time limit; every episode ends after {steps}, as the longest demonstration does"


def check_env_name(env_id: str) -> None:
    """Checks that an environment exists, without making it. The module of `module:id` is imported.

    Raises:
        UserError: with the nearest valid names, or because the module cannot be imported.
    """
    _import_module(env_id)
    if ":" not in env_id and env_id not in registry:
        raise unknown_environment(env_id)
