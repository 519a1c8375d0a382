"""Converts demonstrations from other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.compatibility import check_compatible
from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE, Demonstrations
from mgail_dyna.demonstrations.formats import Source, read_source
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.spaces import action_spec
from mgail_dyna.errors import UserError
from mgail_dyna.types import Trajectory


def convert(path: Path, env_id: str, *, clip_actions: bool = False) -> tuple[Demonstrations, tuple[str, ...]]:
    """Reads demonstrations of `env_id` in any of the formats.

    Args:
        path: a Minari dataset's directory, a D4RL file or an `.npz` file.
        env_id: their environment, which defines the spaces.
        clip_actions: clip actions to the action space, as simulators do.

    Returns:
        The demonstrations, and notes for the user.

    Raises:
        UserError: naming file and key, what was expected and what was found.
    """
    env = make_env(env_id)
    source = read_source(path, env.spec.max_episode_steps if env.spec else None)
    action = action_spec(env.action_space)
    episodes, notes = [], []
    outside = 0
    for number, arrays in enumerate(source.episodes):
        arrays = _typed(path, number, arrays, action.kind == "discrete")
        actions = arrays["actions"]
        fits = actions.shape[1:] == ((action.size,) if action.kind == "continuous" else ())
        outside += int(action.outside(actions).sum()) if fits else 0
        if clip_actions and fits and action.kind == "continuous":
            arrays["actions"] = np.clip(actions, action.low, action.high)
        episodes.append(_trajectory(path, number, arrays))
    if outside and (not clip_actions or action.kind == "discrete"):
        remedy = "" if action.kind == "discrete" else "; --clip-actions clips them to it, as the simulator does"
        wanted = f"expected all inside the action space {env.action_space}"
        raise UserError(f"{path}: actions: {wanted}, found {outside} steps outside{remedy}")
    if outside:
        notes.append(f"{outside} actions clipped to the action space")
    if not any(episode.rewards.any() for episode in episodes):
        given = any(arrays["rewards"] is not None for arrays in source.episodes)
        what = "every reward is 0, which counts as none" if given else "no rewards"
        notes.append(f"{what}: imitation needs none, but returns cannot be compared with the expert's")
    notes += source.notes
    demos = _assembled(path, source, tuple(episodes), env, env_id, notes)
    check_compatible(demos, env, str(path))
    return demos, tuple(notes)


def _typed(path: Path, number: int, arrays: dict[str, Any], discrete: bool) -> dict[str, Any]:
    kinds: dict[str, Any] = {"observations": np.float32, "rewards": np.float64, "qpos": np.float64, "qvel": np.float64}
    kinds["actions"] = np.int64 if discrete else np.float32
    typed = dict(arrays)
    for name, dtype in kinds.items():
        array = arrays.get(name)
        if array is None:
            continue
        if array.dtype.kind not in ("iu" if dtype is np.int64 else "fiu"):
            raise UserError(f"{path}: episode {number}: {name}: expected dtype {np.dtype(dtype)}, found {array.dtype}")
        with np.errstate(over="ignore"):
            typed[name] = array.astype(dtype)
    return typed


def _trajectory(path: Path, number: int, arrays: dict[str, Any]) -> Trajectory:
    for name, other in (("qpos", "qvel"), ("qvel", "qpos")):
        if arrays[name] is None and arrays[other] is not None:
            wanted = f"expected it beside {other}, as both make a simulator state"
            raise UserError(f"{path}: episode {number}: {name}: {wanted}, found none; give both or neither")
    if arrays["rewards"] is None:
        arrays = {**arrays, "rewards": np.zeros(len(arrays["actions"]))}
    try:
        trajectory = Trajectory(**arrays)
    except ValueError as error:
        raise UserError(f"{path}: episode {number}: {error}") from None
    if len(trajectory) < SHORTEST_EPISODE:
        raise UserError(
            f"{path}: episode {number}: expected at least {SHORTEST_EPISODE} steps, found {len(trajectory)}"
        )
    return trajectory


def _assembled(
    path: Path, source: Source, episodes: tuple[Trajectory, ...], env: gym.Env[Any, Any], env_id: str, notes: list[str]
) -> Demonstrations:
    if not episodes:
        raise UserError(f"{path}: expected at least 1 episode, found 0")
    shapes = {episode.observations.shape[1:] for episode in episodes}
    space = env.observation_space
    if shapes != {space.shape}:
        found = " and ".join(str(list(shape)) for shape in sorted(shapes))
        raise UserError(f"{path}: observations: expected shape {list(space.shape or ())} a step, found {found}")
    actions = {episode.actions.shape[1:] for episode in episodes}
    if actions != {env.action_space.shape}:
        found = " and ".join(str(list(shape)) for shape in sorted(actions))
        raise UserError(f"{path}: actions: expected shape {list(env.action_space.shape or ())} a step, found {found}")
    assert isinstance(space, gym.spaces.Box) and isinstance(env.action_space, gym.spaces.Box | gym.spaces.Discrete)
    origin = f"{path.name}, {source.layout}"
    provenance = {"algorithm": "unknown", **source.provenance, "source": origin, "notes": notes}
    observed = gym.spaces.Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)
    longest = max(len(episode) for episode in episodes)
    limit = max(longest, source.length or (env.spec.max_episode_steps if env.spec else None) or 0)
    return Demonstrations(episodes, observed, env.action_space, env_id=env_id, length=limit, provenance=provenance)
