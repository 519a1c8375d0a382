"""A stranger's environment, for development: a planar drone in gusty wind must fly to a target and hover there.

In this directory, with `run` for `python ../../run.py`:

python drone.py 20                                  # writes mine.npz: 20 demonstrations of a scripted expert
run data convert mine.npz drone20 --env drone:Drone-v0
run --env drone:Drone-v0 --expert drone20 --seed 113
"""

import gymnasium as gym
import numpy as np
from boat import write_demonstrations

G, DT, ARM, MASS, INERTIA = 9.81, 0.04, 0.25, 1.0, 0.03


class Drone(gym.Env):
    """Actions: left and right rotor, hovering at 0. The wind is not observed."""

    # To the target, sine and cosine of the tilt, velocities.
    observation_space = gym.spaces.Box(-np.inf, np.inf, (7,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def _observation(self):
        to_target = self.target - self.place
        return np.float32([*to_target, np.sin(self.tilt), np.cos(self.tilt), *self.velocity, self.spin])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        rng = self.np_random
        self.place, self.target = rng.uniform(-2.0, 2.0, 2), rng.uniform(-2.0, 2.0, 2)
        self.tilt, self.velocity, self.spin = rng.uniform(-0.4, 0.4), rng.uniform(-0.5, 0.5, 2), rng.uniform(-0.5, 0.5)
        self.wind = rng.normal(0, 0.5, 2)
        return self._observation(), {}

    def step(self, action):
        thrust = 0.5 * MASS * G * (1 + np.clip(np.asarray(action, float), -1, 1))
        self.wind += DT * (-0.5 * self.wind) + 0.5 * np.sqrt(DT) * self.np_random.normal(size=2)
        up = np.array([-np.sin(self.tilt), np.cos(self.tilt)])
        acceleration = up * thrust.sum() / MASS - [0, G] + self.wind - 0.2 * self.velocity
        self.spin += DT * (ARM * (thrust[1] - thrust[0]) / INERTIA - 0.5 * self.spin)
        self.tilt += DT * self.spin
        self.velocity = self.velocity + DT * acceleration
        self.place = self.place + DT * self.velocity
        reward = float(np.exp(-np.linalg.norm(self.target - self.place)) * (0.5 + 0.5 * np.cos(self.tilt)))
        crashed = bool(np.abs(self.place).max() > 5 or np.cos(self.tilt) < 0)
        return self._observation(), reward, crashed, False, {}


gym.register("Drone-v0", entry_point=Drone, max_episode_steps=200)


def expert(observation):
    """Tilts towards the target and holds its height."""
    dx, dz, s, c, vx, vz, spin = observation
    ax = np.clip(1.5 * dx - 1.8 * vx, -4, 4)
    az = np.clip(3.0 * dz - 2.5 * vz, -4, 4)
    tilt, wanted = np.arctan2(s, c), np.clip(-ax / G, -0.5, 0.5)
    total = (G + az) / max(c, 0.5)
    difference = (30 * (wanted - tilt) - 8 * spin) * INERTIA / ARM
    thrust = np.array([total / 2 - difference / 2, total / 2 + difference / 2])
    return np.clip(thrust / (0.5 * G) - 1, -1, 1).astype(np.float32)


if __name__ == "__main__":
    write_demonstrations("Drone-v0", expert)
