"""Gymnasium's own scripted experts of LunarLander and BipedalWalker, for development.

In this directory, with `run` for `python ../../run.py`, after `pip install swig && pip install "gymnasium[box2d]"`:

python box2d.py LunarLander-v3 24 '{"continuous": true}'        # writes mine.npz: 24 demonstrations
run data convert mine.npz lander --env LunarLander-v3 --env-kwargs '{"continuous": true}'
run --env LunarLander-v3 --expert lander --seed 113

python box2d.py BipedalWalker-v3 24
"""

import json
import sys

import gymnasium as gym
import numpy as np
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics
from gymnasium.envs.box2d.lunar_lander import heuristic


def expert(env):
    """A function from an observation to an action; BipedalWalker's remembers which leg it stands on."""
    if env.spec.id.startswith("LunarLander"):
        return lambda observation: heuristic(env.unwrapped, observation)
    walker = BipedalWalkerHeuristics()
    walker.a = np.zeros(4)
    return walker.step_heuristic


def recorded(env, seed):
    """One episode: its observations, actions, rewards, and whether it was terminated."""
    observations, actions, rewards, over, act = [env.reset(seed=seed)[0]], [], [], False, expert(env)
    while not over:
        action = act(observations[-1])
        if isinstance(env.action_space, gym.spaces.Box):
            action = np.clip(action, -1.0, 1.0).astype(np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        observations.append(observation)
        actions.append(action)
        rewards.append(reward)
        over = terminated or truncated
    return np.array(observations), np.array(actions), np.array(rewards), terminated


def padded(arrays):
    """One array, with zeros up to the longest of `arrays`."""
    longest = max(map(len, arrays))
    return np.stack([np.pad(a, [(0, longest - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in arrays])


if __name__ == "__main__":
    env_id, number, kwargs = sys.argv[1], int(sys.argv[2]), json.loads(" ".join(sys.argv[3:]) or "{}")
    env = gym.make(env_id, **kwargs)
    observations, actions, rewards, terminated = zip(*(recorded(env, 1_000 + n) for n in range(number)), strict=True)
    ends = [(np.arange(len(a)) == len(a) - 1) & end for a, end in zip(actions, terminated, strict=True)]
    np.savez(
        "mine.npz",
        observations=padded(observations),
        actions=padded(actions),
        rewards=padded(rewards),
        terminations=padded(ends),
        lengths=[len(a) for a in actions],
    )
    print(f"{number} episodes, mean return {np.mean([r.sum() for r in rewards]):.1f}")
