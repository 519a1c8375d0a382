"""A stranger's environment, for development: a boat in a current must come to a buoy and stay there.

In this directory, with `run` for `python ../../run.py`:

python boat.py 20                                  # writes mine.npz: 20 demonstrations of a scripted expert
run data convert mine.npz boat20 --env boat:Boat-v0
run --env boat:Boat-v0 --expert boat20 --seed 113
"""

import sys

import gymnasium as gym
import numpy as np


class Boat(gym.Env):
    """Actions: thrust and rudder. The current differs by episode."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (9,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def _observation(self):
        x, y, heading, *velocities = self.state
        return np.float32([x / 5, y / 5, np.cos(heading), np.sin(heading), *velocities, *self.current])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        angle, far = self.np_random.uniform(-np.pi, np.pi), self.np_random.uniform(3, 12)
        heading = self.np_random.uniform(-np.pi, np.pi)
        self.state = np.array([far * np.cos(angle), far * np.sin(angle), heading, 0, 0, 0])
        self.current = self.np_random.uniform(-0.4, 0.4, 2)
        return self._observation(), {}

    def step(self, action):
        thrust, rudder = np.clip(action, -1, 1)
        x, y, heading, u, v, r = self.state
        dt = 0.1
        u += dt * (1.5 * thrust - 0.5 * u - 0.2 * u * abs(u) + v * r)
        v += dt * (-1.5 * v - 0.6 * u * r)
        r += dt * (2.0 * rudder * (0.3 + abs(u)) - 1.2 * r)
        heading += dt * r
        x += dt * (u * np.cos(heading) - v * np.sin(heading) + self.current[0])
        y += dt * (u * np.sin(heading) + v * np.cos(heading) + self.current[1])
        self.state = np.array([x, y, heading, u, v, r])
        distance = np.hypot(x, y)
        reward = float(np.exp(-distance / 4) - 0.02 * (thrust**2 + rudder**2))
        return self._observation(), reward, bool(distance > 20), False, {}


gym.register("Boat-v0", entry_point=Boat, max_episode_steps=300)


def expert(observation):
    """Steers towards the buoy and against the current."""
    x, y, c, s, u, _, r, *current = observation
    wanted = -0.5 * 5 * np.array([x, y]) - current  # velocity through the water
    speed = min(np.hypot(*wanted), 1.6)
    error = np.arctan2(wanted[1], wanted[0]) - np.arctan2(s, c)
    error = np.arctan2(np.sin(error), np.cos(error))
    thrust = np.clip(2.0 * (speed * max(np.cos(error), 0) - u) + 0.4 * speed, -1, 1)
    return np.array([thrust, np.clip(1.5 * error - 0.8 * r, -1, 1)], np.float32)


def recorded(env, expert, seed):
    """Observations, actions and rewards of an episode."""
    observations, actions, rewards, ended = [env.reset(seed=seed)[0]], [], [], False
    while not ended:
        actions.append(expert(observations[-1]))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        observations.append(observation)
        rewards.append(reward)
        ended = terminated or truncated
    assert not terminated, "the arrays below are for episodes of one length"
    return observations, actions, rewards


def write_demonstrations(env_id, expert):
    """Writes `mine.npz` with as many episodes of the expert as the command line says."""
    env = gym.make(env_id)
    episodes = zip(*(recorded(env, expert, seed) for seed in range(int(sys.argv[1]))), strict=True)
    observations, actions, rewards = (np.array(each) for each in episodes)
    lengths = [actions.shape[1]] * len(actions)
    np.savez("mine.npz", observations=observations, actions=actions, rewards=rewards, lengths=lengths)


if __name__ == "__main__":
    write_demonstrations("Boat-v0", expert)
