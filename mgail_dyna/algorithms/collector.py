"""Acts in the environment and fills the replay (Algorithm 1, lines 3 and 4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.algorithms.base import Env
from mgail_dyna.algorithms.networks import add_trajectory
from mgail_dyna.algorithms.straying import Straying
from mgail_dyna.config.phases import RolloutConfig
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.environments.rollout import Episode
from mgail_dyna.environments.simulator import SimulatorState
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.replay import Replay
from mgail_dyna.types import Array


class Collector:
    """Plays rollouts of whole episodes and puts them into replay.

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
        rollout_steps: taken of a rollout that waits to be continued; 0 if none does.
        episode: under way in it; None if there is none.
        straying: how far the episodes stray from the demonstrations.
        strayed: shares of those that ended in the last `collect`.
        length: longest episode from reset, in steps.
        ended: the task has ended an episode.
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
        self.env_steps = self.recent_steps = self.rollout_steps = 0
        self.episode: Episode | None = None
        self.strayed: list[float] = []
        self.length, self.ended = config.reset_length, False

    def collect(
        self, every: int | None = None, enough: Callable[[], bool] | None = None, steps: int | None = None
    ) -> dict[str, float]:
        """Acts for some env steps and on to the end of the episode: a rollout.

        Args:
            every: after so many env steps `enough()` is called. If it is true, the rollout and its episode pause, and
                the next call continues them. None: rollouts are never paused.
            enough: says whether to pause.
            steps: of the rollout; `config.steps` if None.

        Returns:
            `reward_per_step` and `length` (mean episode, one under way as far as it is), for monitoring only;
            `strayed`, see `Straying`.
        """
        returns, lengths, steps = [], [], self.config.steps if steps is None else steps
        self.strayed = []
        left = self.total - self.env_steps if self.env_steps < self.total else math.inf
        self.recent_steps = 0
        while True:
            begun = self.episode is not None
            if self.episode is None:
                self.episode = self._start(left - self.recent_steps)
            part = self.episode.play(self.rng, every and every - self.recent_steps % every)
            near = self._near(part.observations)
            add_trajectory(self.replay, self.policy, part, near, continues=begun)
            self.recent_steps += len(part)
            self.rollout_steps += len(part)
            returns.append(part.episode_return)
            if self.episode.over:
                self.ended |= self.episode.terminated
                lengths.append(len(self.episode))
                near = self._near(np.stack(self.episode.observations)) if begun else near
                self.strayed.append(self._strayed(near, self.episode.terminated))
                self.episode = None
                if self.rollout_steps >= steps or self.recent_steps >= left:
                    self.rollout_steps = 0
                    break
            if every and enough and self.recent_steps % every == 0 and enough():
                break
        self.env_steps += self.recent_steps
        if self.episode is not None:
            lengths.append(len(self.episode))
        return {
            "reward_per_step": float(np.sum(returns) / self.recent_steps),
            "length": float(np.mean(lengths)),
            "strayed": self.straying.update(self.strayed),
        }

    def _start(self, left: float) -> Episode:
        """The next episode, of at most `left` steps."""
        config = self.config
        demo_fraction = {"reset": 0.0, "demos": 1.0, "mix": config.demo_fraction}[config.initial_states]
        from_demo = self.rollout_steps < demo_fraction * config.steps
        longest = config.demo_length if from_demo else self.length
        seed = int(self.rng.integers(2**31))
        start = self._simulator_state() if from_demo else None
        return Episode(self.env, self.policy, seed, start, int(min(longest, left)), self._watch())

    def _watch(self) -> Callable[[Array], bool] | None:
        return self.straying.watch(self.config.lost_after) if self.config.lost_after else None

    def _near(self, observations: Array) -> NDArray[np.bool_]:
        """Which of the states that were acted in, all but the last, are near the demonstrations."""
        return self.straying.near(self.policy.normalise(observations[:-1]))

    def _strayed(self, near: NDArray[np.bool_], terminated: bool) -> float:
        """The share of a whole episode that is spent away from the demonstrations, or is missing."""
        lost = self.config.lost_after is not None and not near[-self.config.lost_after :].any()
        return self.straying.of_episode(near, terminated or lost)

    def _simulator_state(self) -> SimulatorState:
        trajectory = self.demos.trajectories[self.rng.integers(len(self.demos.trajectories))]
        assert trajectory.qpos is not None and trajectory.qvel is not None
        row = self.rng.integers(len(trajectory))
        return trajectory.qpos[row], trajectory.qvel[row]

    def state(self) -> dict[str, Any]:
        """What `restore` needs beside the replay and the generator, which are the agent's."""
        return {
            "env_steps": self.env_steps,
            "strayed": self.straying.share,
            "rollout_steps": self.rollout_steps,
            "ended": self.ended,
            "episode": None if self.episode is None else self.episode.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave. An episode under way is played again up to where it was, which `env_steps` does
        not count."""
        self.env_steps, self.straying.share = int(state["env_steps"]), float(state["strayed"])
        self.rollout_steps = int(state.get("rollout_steps", 0))  # old checkpoints have none
        self.ended = bool(state.get("ended", False))
        episode = state.get("episode")
        self.episode = Episode.replayed(self.env, self.policy, episode, self._watch()) if episode else None
