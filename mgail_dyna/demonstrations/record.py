"""Records demonstrations of a policy."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.dataset import SHORTEST_EPISODE, Demonstrations
from mgail_dyna.demonstrations.metadata import JOINED
from mgail_dyna.environments.make import joined_parts, make_env, wrapper_names
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.types import Trajectory

# First seed of demonstrations; the seeds are consecutive.
DEMONSTRATION_SEED = 0


def record(
    env_id: str,
    length: int | None,
    policy: NumpyPolicy,
    trajectories: int,
    provenance: dict[str, Any] | None = None,
    env_kwargs: dict[str, Any] | None = None,
) -> Demonstrations:
    """Plays the policy's mean action for `trajectories` episodes with consecutive seeds and keeps every one.

    Episodes of one step are left out; `provenance` names their seeds.

    Args:
        env_id: a Gymnasium id.
        length: time limit; None: the environment's own.
        policy: the expert.
        trajectories: how many episodes.
        provenance: of the expert; the returns are added to it.
        env_kwargs: keyword arguments of the environment.

    Raises:
        UserError: every episode is too short.
    """
    env = make_env(env_id, length, **(env_kwargs or {}))
    seeds = range(DEMONSTRATION_SEED, DEMONSTRATION_SEED + trajectories)
    episodes, short = _played(env, env_id, policy, seeds)
    returns = np.array([episode.episode_return for episode in episodes])
    space = env.observation_space
    assert isinstance(space, gym.spaces.Box) and isinstance(env.action_space, gym.spaces.Box | gym.spaces.Discrete)
    return Demonstrations(
        episodes,
        gym.spaces.Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32),
        env.action_space,
        env_id=env_id,
        length=length,
        policy=policy,
        env_kwargs=env_kwargs or {},
        env_wrappers=wrapper_names(env),
        provenance={
            **(provenance or {}),
            "env_id": env_id,
            "length": length,
            "actions": "mean (the most likely one)",
            "seeds": [seeds.start, seeds.stop - 1],
            **({"left_out": short} if short else {}),
            **({JOINED: parts} if (parts := joined_parts(env)) else {}),
            **{f"return_{name}": float(getattr(returns, name)()) for name in ("mean", "std", "min", "max")},
        },
    )


def _played(
    env: gym.Env[Any, Any], env_id: str, policy: NumpyPolicy, seeds: range
) -> tuple[tuple[Trajectory, ...], list[int]]:
    """The episodes, and the seeds of those that are too short.

    Raises:
        UserError: all of them are.
    """
    played = {seed: play_episode(env, policy, seed, simulated=True) for seed in seeds}
    short = [seed for seed, episode in played.items() if len(episode) < SHORTEST_EPISODE]
    if len(short) == len(played):
        raise UserError(
            f"{env_id}: expected demonstrations of at least {SHORTEST_EPISODE} steps, found {len(short)} of 1; train "
            "for longer: --resume --steps N"
        )
    return tuple(episode for seed, episode in played.items() if seed not in short), short
