"""Dyna-AIL without gradients through the model (paper, Fig. 6): TRPO on real and on imagined trajectories by turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.acting import NumpyPolicy
from mgail_dyna.algorithms.agent import Budget
from mgail_dyna.algorithms.gail import GailAgent, check_samples
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.expert import Expert
from mgail_dyna.networks.transition import TransitionModel
from mgail_dyna.replay import Windows, mixed_windows
from mgail_dyna.updates.imagination import Imagination
from mgail_dyna.updates.transition import TransitionUpdate


class DynaTrustRegionAgent:
    """An agent that learns as GAIL does, then plans: the same trust-region step on what its model imagines.

    Args:
        config: everything; `plan.steps` trust-region steps an iteration, each on `plan.batch` fresh trajectories.
        copies: of the environment; their steps should be counted by whoever passes them.
        expert: the demonstrations, all of them imitated (`expert.subset` takes fewer).

    Raises:
        UserError: a rollout, real or imagined, is less than a minibatch of the value network.
    """

    def __init__(self, config: ImitationConfig, copies: Sequence[gym.Env[Any, Any]], expert: Expert) -> None:
        check_samples(config, "--plan.batch times --plan.length", config.plan.batch * config.plan.length)
        self.config, self.learning = config, GailAgent(config, copies, expert)
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 3]))
        size, action = expert.observation_space.shape[0], expert.action
        self.connected = expert.connected
        model = TransitionModel(size, action.size, config.transition.units, seed=config.seed)
        self.transition = TransitionUpdate(model, config.transition)
        self.imagination = Imagination(
            self.learning.policy.policy,
            model,
            self.learning.discriminator.discriminator,
            action,
            config.cost,
            config.transition.warmup,
        )

    @property
    def acting(self) -> NumpyPolicy:
        """The policy as it is now."""
        return self.learning.acting

    @property
    def env_steps(self) -> int:
        """Env steps taken so far, in all copies."""
        return self.learning.env_steps

    @property
    def budget(self) -> Budget:
        """The run's env steps."""
        return self.learning.budget

    @property
    def progress(self) -> float:
        """Share of them taken."""
        return self.learning.progress

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1. Returns scalars named `part/what`."""
        learning_rate, first = self.config.learning_rate_at(self.progress), self.env_steps == 0
        metrics = self.learning.iterate()  # lines 3 to 6
        if first:
            self.transition.scale(self.learning.demonstrations, self.learning.replay)
        parts = {"transition": self.update_transition(learning_rate), "plan": self.plan()}  # line 7; lines 8, 9
        return metrics | {f"{part}/{name}": value for part, told in parts.items() for name, value in told.items()}

    def update_transition(self, learning_rate: float) -> dict[str, float]:
        """Line 7: the model fits replay and demonstrations. Its errors are of before the fit, on the newest steps."""
        config, newest = self.config.transition, self.config.rollout.steps
        shape, horizon = (1, config.batch), self.config.plan.length
        unseen = self.learning.replay.windows(self.rng, shape, horizon, config.warmup, newest)
        errors = self.transition.errors(unseen)
        share = config.expert_share if self.connected else 0.0
        windows = self._mixed(share, (config.steps, config.batch), config.length)
        return errors | self.transition(windows, learning_rate)

    def plan(self) -> dict[str, float]:
        """Lines 8, 9: trust-region steps on imagined trajectories; means over them. The environment is not touched."""
        config, told = self.config.plan, []
        for _ in range(config.steps):
            start = self._mixed(config.expert_share, (1, config.batch), 0, config.newest)
            noise = self.acting.head.noise(self.rng, (config.length + 1, config.batch))
            rollout = self.imagination(start, noise)
            told.append({"reward": float(rollout.rewards.mean()), **self.learning.improve(rollout)})
        return {name: float(np.mean([metrics[name] for metrics in told])) for name in (told[0] if told else ())}

    def _mixed(self, expert_share: float, shape: tuple[int, int], length: int, newest: int | None = None) -> Windows:
        sources, warmup = (self.learning.demonstrations, self.learning.replay), self.config.transition.warmup
        return mixed_windows(*sources, expert_share, self.rng, shape, length, warmup, newest)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "learning": self.learning.state(),
            "transition": self.transition.state(),
            "rng": self.rng.bit_generator.state,
            "acting": self.acting.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same."""
        self.learning.restore(state["learning"])
        self.transition.restore(state["transition"])
        self.rng.bit_generator.state = state["rng"]
