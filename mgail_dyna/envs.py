"""Environments: made, described, put into a simulator state. Any Gymnasium id with flat observations will do."""

from __future__ import annotations

import contextlib
import copy
import importlib
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import registry
from numpy.typing import NDArray

from mgail_dyna.env_errors import unimportable, unknown_environment, unmakeable
from mgail_dyna.errors import UserError
from mgail_dyna.types import ActionSpec, Array, FloatArray

LONGEST_EPISODE = 1_000

SimulatorState = tuple[NDArray[np.float64], NDArray[np.float64]]


def _warn_unless_known(message: str) -> None:
    # Gymnasium's HalfCheetah model file uses an attribute MuJoCo 4 deprecates, and says so at every load.
    if "settotalmass" not in message:
        warnings.warn(f"MuJoCo: {message}", stacklevel=2)


def make(env_id: str, length: int | None = None, **kwargs: Any) -> gym.Env[Any, Any]:
    """Makes an environment.

    Args:
        env_id: a Gymnasium id; `module:id` imports `module` first.
        length: longest episode, in place of the environment's own time limit.
        kwargs: passed on (`render_mode`, say).

    Raises:
        UserError: no such environment, a missing dependency, whatever its module or its constructor raises, or spaces
            this package cannot learn in.
    """
    with contextlib.suppress(Exception):  # the environment may do without; if not, it will be told below
        import mujoco

        mujoco.set_mju_user_warning(_warn_unless_known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _import_module(env_id)
        try:
            env = gym.make(env_id, max_episode_steps=length, disable_env_checker=True, **kwargs)
        except Exception as error:  # its constructor may be the user's own
            raise unmakeable(env_id, error) from error
    try:
        observation_size(env.observation_space)
        action_spec(env.action_space)
    except UserError as error:
        env.close()
        raise UserError(f"environment '{env_id}': {error}") from None
    return env


def _import_module(env_id: str) -> None:
    """Imports the module of `module:id`, where the environment is registered."""
    module, colon, _ = env_id.partition(":")
    if not colon:
        return
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the module is the user's own, and may be a program
        raise unimportable(env_id, error) from error


def spec(env_id: str) -> gym.envs.registration.EnvSpec:
    """What Gymnasium knows of an environment, under the id that `make` takes.

    Raises:
        UserError: nothing.
    """
    env = make(env_id)
    env.close()
    assert env.spec is not None
    found = copy.deepcopy(gym.spec(env.spec.id))
    found.id = env_id
    return found


def time_limit(env_id: str) -> int:
    """Steps of an episode at most: the environment's own limit, `LONGEST_EPISODE` where nothing else would end one."""
    return spec(env_id).max_episode_steps or LONGEST_EPISODE


def check_name(env_id: str) -> None:
    """Tells at once, without making it, that an environment does not exist.

    Raises:
        UserError: with the nearest valid names.
    """
    if ":" not in env_id and env_id not in registry:
        raise unknown_environment(env_id)


def observation_size(space: gym.Space[Any]) -> int:
    """Length `d` of an observation.

    Raises:
        UserError: observations are not flat vectors of numbers.
    """
    if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        raise UserError(f"expected observations in a Box of one dimension, found {space}")
    return space.shape[0]


def action_spec(space: gym.Space[Any]) -> ActionSpec:
    """Describes an action space.

    Raises:
        UserError: neither a flat Box nor Discrete.
    """
    if isinstance(space, gym.spaces.Discrete):
        return ActionSpec("discrete", int(space.n), start=int(space.start))
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating):
        return ActionSpec("continuous", space.shape[0], *_floats(space.low, space.high))
    raise UserError(f"expected actions in a Discrete space or a Box of one dimension, found {space}")


def _floats(low: Array, high: Array) -> tuple[FloatArray, FloatArray]:
    """Bounds in float32, inside the box also where those lie between two floats, unless there is none between them."""
    with np.errstate(over="ignore"):
        nearest = [bound.astype(np.float32) for bound in (low, high)]
        inwards = (
            np.where(nearest[0] < low, np.nextafter(nearest[0], np.float32(np.inf)), nearest[0]),
            np.where(nearest[1] > high, np.nextafter(nearest[1], -np.float32(np.inf)), nearest[1]),
        )
    empty = inwards[0] > inwards[1]
    return np.where(empty, nearest[0], inwards[0]), np.where(empty, nearest[0], inwards[1])


class Ledger:
    """Counts every environment step by what it was for; the x-axis of every curve.

    Attributes:
        steps: by purpose, "training" or "evaluation".
        episodes: likewise; those of training are the paper's `real_trajectories`.
    """

    def __init__(self) -> None:
        self.steps = {"training": 0, "evaluation": 0}
        self.episodes = {"training": 0, "evaluation": 0}

    def watch(self, env: gym.Env[Any, Any], purpose: str) -> gym.Env[Any, Any]:
        """`env`, with each of its resets and steps counted for `purpose`."""
        return _Counted(env, self, purpose)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"steps": dict(self.steps), "episodes": dict(self.episodes)}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.steps, self.episodes = dict(state["steps"]), dict(state["episodes"])


class _Counted(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any], ledger: Ledger, purpose: str) -> None:
        super().__init__(env)
        self.ledger, self.purpose = ledger, purpose

    def reset(self, **kwargs: Any) -> Any:
        self.ledger.episodes[self.purpose] += 1
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        self.ledger.steps[self.purpose] += 1
        return self.env.step(action)


class Nudged(gym.Wrapper[Any, Any, Any, Any]):
    """An environment that adds normal noise to continuous actions and keeps them inside the box.

    Args:
        env: discrete actions are left as they are.
        std: of the noise, in units of half the box's width.
    """

    def __init__(self, env: gym.Env[Any, Any], std: float) -> None:
        super().__init__(env)
        self.actions = action_spec(env.action_space)
        self.scale = std * self.actions.half_range if self.actions.kind == "continuous" else None
        self.rng = np.random.default_rng()

    def reset(self, *, seed: int | None = None, **kwargs: Any) -> Any:
        self.rng = np.random.default_rng(seed)
        return self.env.reset(seed=seed, **kwargs)

    def step(self, action: Any) -> Any:
        if self.scale is not None:
            noise = self.scale * self.rng.standard_normal(self.actions.size)
            action = np.clip(action + noise, self.actions.low, self.actions.high).astype(np.float32)
        return self.env.step(action)


def simulator_state(env: gym.Env[Any, Any]) -> SimulatorState | None:
    """Copies of `qpos [nq]` and `qvel [nv]`, or None where the environment has none (not a MuJoCo task)."""
    data: Any = getattr(env.unwrapped, "data", None)
    if not hasattr(data, "qpos") or not hasattr(data, "qvel"):
        return None
    return np.array(data.qpos), np.array(data.qvel)


def reset_to(
    env: gym.Env[Any, Any], qpos: NDArray[np.float64], qvel: NDArray[np.float64], observed: Array
) -> FloatArray:
    """Puts an environment that was just reset into a simulator state; returns the observation there, `[d]`.

    Args:
        env: a MuJoCo task; its observations come from the task itself, past any wrapper.
        qpos: `[nq]`.
        qvel: `[nv]`.
        observed: what `env.reset` returned, `[d]`.

    Raises:
        UserError: the environment has no simulator state, or one of another size, or a wrapper changes what is
            observed.
    """
    task: Any = env.unwrapped
    found = simulator_state(env)
    if found is None or not hasattr(task, "set_state") or not hasattr(task, "_get_obs"):
        raise UserError(
            "cannot reset to a simulator state: the environment is not a MuJoCo task of Gymnasium's; "
            "--rollout.starts reset needs no such states"
        )
    if not np.array_equal(task._get_obs(), observed):
        raise UserError(
            "cannot reset to a simulator state: a wrapper of the environment changes its observations; "
            "--rollout.starts reset needs no such states"
        )
    if found[0].shape != qpos.shape or found[1].shape != qvel.shape:
        raise UserError(
            f"simulator state: expected qpos {list(found[0].shape)} and qvel {list(found[1].shape)}, "
            f"found {list(qpos.shape)} and {list(qvel.shape)}"
        )
    task.set_state(qpos, qvel)
    return np.asarray(task._get_obs(), np.float32)
