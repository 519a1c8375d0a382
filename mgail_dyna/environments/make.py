"""Makes environments: any Gymnasium id whose observations can be one vector and whose actions one choice or vector."""

from __future__ import annotations

import contextlib
import copy
import importlib
import math
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import registry

from mgail_dyna.environments.errors import unimportable, unknown_environment, unmakeable
from mgail_dyna.environments.spaces import action_spec, choices, described, flattens, observation_size
from mgail_dyna.environments.wrappers import Guarded, Numbered
from mgail_dyna.errors import UserError
from mgail_dyna.types import Array

LONGEST_EPISODE = 1_000
# Combinations of several choices that are numbered as one choice; with more, a policy would need one output for each.
MOST_CHOICES = 1_000


def _warn_unless_known(message: str) -> None:
    # Gymnasium's HalfCheetah model file uses an attribute MuJoCo 4 deprecates, and says so at every load.
    if "settotalmass" not in message:
        warnings.warn(f"MuJoCo: {message}", stacklevel=2)


def make_env(env_id: str, length: int | None = None, **kwargs: Any) -> gym.Env[Any, Any]:
    """Makes an environment.

    Args:
        env_id: a Gymnasium id; `module:id` imports `module` first.
        length: longest episode, in place of the environment's own time limit.
        kwargs: passed on (`render_mode`, say).

    Raises:
        UserError: no such environment, a missing dependency, an error in its module or constructor, or spaces that
            this package does not support.
    """
    with contextlib.suppress(Exception):  # not every environment needs it; if this one does, an error follows below
        import mujoco

        mujoco.set_mju_user_warning(_warn_unless_known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _import_module(env_id)
        try:
            env = gym.make(env_id, max_episode_steps=length, disable_env_checker=True, **kwargs)
        except Exception as error:  # its constructor may be the user's own
            raise unmakeable(env_id, error) from error
    for name in ("observation_space", "action_space"):
        if getattr(env, name, None) is None:
            raise UserError(
                f"environment '{env_id}': {name}: expected a Gymnasium space, found none; set it in __init__"
            )
    env = _fitted(env)
    try:
        observation_size(env.observation_space)
        action_spec(env.action_space)
    except UserError as error:
        env.close()
        raise UserError(f"environment '{env_id}': {error}") from None
    return Guarded(env, env_id)


def _fitted(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """`env` with observations of several parts as one vector, and actions of several choices as one choice."""
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


def fitted_note(env: gym.Env[Any, Any]) -> str | None:
    """A note on what `make_env` did to observations and actions so that they fit; None if nothing."""
    changes, inside = [], env
    while isinstance(inside, gym.Wrapper):
        if isinstance(inside, gym.wrappers.FlattenObservation):
            size = observation_size(inside.observation_space)
            changes.append(f"observations, {described(inside.env.observation_space)}, are flattened to {size} numbers")
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


def env_spec(env_id: str, **kwargs: Any) -> gym.envs.registration.EnvSpec:
    """Gymnasium's specification of an environment, under the id that `make_env` takes.

    Args:
        env_id: a Gymnasium id.
        kwargs: that the environment is made with; the specification is the registered one.

    Raises:
        UserError: as `make_env`.
    """
    env = make_env(env_id, **kwargs)
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


def check_env_name(env_id: str) -> None:
    """Checks that an environment exists, without making it. The module of `module:id` is imported.

    Raises:
        UserError: with the nearest valid names, or because the module cannot be imported.
    """
    _import_module(env_id)
    if ":" not in env_id and env_id not in registry:
        raise unknown_environment(env_id)
