"""Imitate an expert in an environment of your own.

pip install -e .    # once, in the checkout
python examples/imitate_your_own_environment.py

The file defines a small Gymnasium environment and an expert for it, records demonstrations, saves them, and imitates
them with Dyna-AIL. It takes a minute or two on one core.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import gymnasium as gym
import numpy as np

import mgail_dyna
from mgail_dyna import runtime

runtime.import_tensorflow()  # on one thread, and without its banner


class Mass(gym.Env):
    """A mass on a line. The action pushes it; the reward is highest at rest in the origin."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)  # position, velocity
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32)
        return self.state.copy(), {}

    def step(self, action):
        position, velocity = self.state
        self.state = np.float32([position + 0.1 * velocity, velocity + 0.2 * action[0]])
        reward = float(np.exp(-10.0 * position**2 - velocity**2))
        return self.state.copy(), reward, False, False, {}


def make_env() -> gym.Env:
    """The environment, with a time limit: episodes must end."""
    return gym.wrappers.TimeLimit(Mass(), 100)


def expert(observation: np.ndarray) -> np.ndarray:
    """A controller that brings the mass to rest."""
    position, velocity = observation
    return np.clip([-2.0 * position - 1.5 * velocity], -1.0, 1.0).astype(np.float32)


def demonstrate(seed: int) -> mgail_dyna.Trajectory:
    """One episode of the expert. Imitation never reads the rewards; they only tell how good the expert is."""
    env, ended = make_env(), False
    observations, actions, rewards = [env.reset(seed=seed)[0]], [], []
    while not ended:
        actions.append(expert(observations[-1]))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        observations.append(observation)
        rewards.append(reward)
        ended = terminated or truncated
    return mgail_dyna.Trajectory(observations, actions, rewards, terminated, truncated)


def main(directory: str = "own_demonstrations", demonstrations: int = 5, env_steps: int = 500) -> float:
    """Records demonstrations into `directory` if there are none and imitates them; returns % of the expert's return."""
    if not Path(directory).exists():
        trajectories = tuple(demonstrate(seed) for seed in range(demonstrations))
        demos = mgail_dyna.Demonstrations(trajectories, Mass.observation_space, Mass.action_space)
        mgail_dyna.save_demonstrations(directory, demos)
    demos = mgail_dyna.load_demonstrations(directory)
    print(f"{len(demos.trajectories)} demonstrations, mean return {demos.returns.mean():.1f}")

    # The task is easy, so few updates will do. Without a clone as the start, one sees it learn.
    config = mgail_dyna.imitation_preset("recipe", "Mass-v0")
    rollout = dataclasses.replace(config.rollout, steps=100)
    config = dataclasses.replace(
        config, warm_start="none", env_steps=env_steps, updates_per_iteration=5, rollout=rollout
    )
    run = mgail_dyna.ImitationRun(config, demos, "dyna", make_env)
    for row in run.iterate():
        print(f"{row['env_steps']:6,} env steps: return {row['return_mean']:5.1f}, {row['expert_percent']:5.1f}%")
    run.close()
    return row["expert_percent"]


if __name__ == "__main__":
    main()
