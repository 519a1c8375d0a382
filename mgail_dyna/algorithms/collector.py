"""Acts in the environment and fills the replay (Algorithm 1, lines 3 and 4)."""

from __future__ import annotations

import math

import numpy as np

from mgail_dyna.algorithms.base import Env
from mgail_dyna.algorithms.networks import add_trajectory
from mgail_dyna.algorithms.straying import Straying
from mgail_dyna.config.imitation import RolloutConfig
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.simulator import SimulatorState
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.replay import Replay


class Collector:
    """Plays whole episodes and puts them into replay.

    Args:
        env: to act in.
        policy: explores.
        replay: filled.
        demos: episodes may start in their simulator states.
        config: of rollouts.
        total: env steps of the run; its last episode is cut off there.
        rng: draws seeds, action noise and initial states.

    Attributes:
        env_steps: taken so far.
        recent_steps: taken by the last `collect`.
        straying: how far the episodes stray from the demonstrations.
    """

    def __init__(
        self,
        env: Env,
        policy: NumpyPolicy,
        replay: Replay,
        demos: Demonstrations,
        config: RolloutConfig,
        total: int,
        rng: np.random.Generator,
    ) -> None:
        self.env, self.policy, self.replay, self.demos = env, policy, replay, demos
        self.config, self.total, self.rng = config, total, rng
        self.straying = Straying(demos, policy, np.random.default_rng(0))
        self.env_steps = self.recent_steps = 0

    def collect(self) -> dict[str, float]:
        """Acts for `config.steps` env steps and on to the end of the episode.

        Returns:
            `reward_per_step` and `length` (mean episode), for monitoring only; `strayed`, see `Straying`.
        """
        config, returns, lengths, strayed = self.config, [], [], []
        left = self.total - self.env_steps if self.env_steps < self.total else math.inf
        target = min(config.steps, left)
        demo_fraction = {"reset": 0.0, "demos": 1.0, "mix": config.demo_fraction}[config.initial_states]
        self.recent_steps = 0
        while self.recent_steps < target:
            from_demo = self.recent_steps < demo_fraction * config.steps
            longest = config.demo_length if from_demo else config.reset_length
            trajectory = play_episode(
                self.env,
                self.policy,
                int(self.rng.integers(2**31)),
                self.rng,
                start=self._simulator_state() if from_demo else None,
                limit=int(min(longest, left - self.recent_steps)),
                lost=self.straying.watch(config.lost_after) if config.lost_after else None,
            )
            near = self.straying.near(self.policy.normalise(trajectory.observations[:-1]))
            lost = config.lost_after is not None and not near[-config.lost_after :].any()
            strayed.append(self.straying.of_episode(near, trajectory.terminated or lost))
            add_trajectory(self.replay, self.policy, trajectory, near)
            self.recent_steps += len(trajectory)
            returns.append(trajectory.episode_return)
            lengths.append(len(trajectory))
        self.env_steps += self.recent_steps
        return {
            "reward_per_step": float(np.sum(returns) / np.sum(lengths)),
            "length": float(np.mean(lengths)),
            "strayed": self.straying.update(strayed),
        }

    def _simulator_state(self) -> SimulatorState:
        trajectory = self.demos.trajectories[self.rng.integers(len(self.demos.trajectories))]
        assert trajectory.qpos is not None and trajectory.qvel is not None
        row = self.rng.integers(len(trajectory))
        return trajectory.qpos[row], trajectory.qvel[row]
