"""Dyna-AIL without gradients through the model (paper, Fig. 6): TRPO on real and imagined trajectories in turn."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgail_dyna.algorithms.base import Budget, MakeEnv, mean_metrics, prefixed
from mgail_dyna.algorithms.gail import GailAgent, check_samples
from mgail_dyna.algorithms.networks import Networks
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.learners.dynamics import DynamicsLearner
from mgail_dyna.learners.imagination import Imagination
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.replay import Windows, mixed_windows
from mgail_dyna.types import Array


class DynaTRPOAgent:
    """Learns as GAIL does, then plans: the same trust-region step on trajectories that its model imagines.

    Args:
        config: everything; `plan.steps` trust-region steps per iteration, each on `plan.batch` new trajectories.
        make_env: makes the environment; called `config.rollout.num_envs` times.
        demos: the demonstrations, all of which are imitated (`subset` takes fewer).
        networks: how the networks are made.

    Raises:
        UserError: the demonstrations do not fit the environment, or a rollout, real or imagined, is smaller than a
            minibatch of the value network.
    """

    idle_env = None  # episodes continue from one iteration to the next

    def __init__(
        self, config: ImitationConfig, make_env: MakeEnv, demos: Demonstrations, networks: Networks | None = None
    ) -> None:
        check_samples(config, "--plan.batch times --plan.length", config.plan.batch * config.plan.length)
        self.config, make = config, networks or Networks()
        self.gail = GailAgent(config, make_env, demos, make)
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 3]))
        self.demos_show_dynamics = demos.show_dynamics
        model = make.dynamics(self.gail.demo_replay, config.dynamics, config.seed)
        self.dynamics = DynamicsLearner(model, config.dynamics)
        self.imagination = Imagination(
            self.gail.policy.network,
            model,
            self.gail.discriminator.network,
            demos.action,
            config.cost,
            config.dynamics.burn_in,
            self.gail.view,
        )

    @property
    def acting(self) -> NumpyPolicy:
        """The policy as it is now."""
        return self.gail.acting

    @property
    def env_steps(self) -> int:
        """Env steps so far, in all environments."""
        return self.gail.env_steps

    @property
    def budget(self) -> Budget:
        """The run's env steps."""
        return self.gail.budget

    @property
    def progress(self) -> float:
        """Share of them taken."""
        return self.gail.progress

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1. Returns scalars named `part/what`."""
        learning_rate, first = self.config.learning_rate_at(self.progress), self.env_steps == 0
        metrics = self.gail.iterate()  # lines 3 to 6
        if first:
            self.dynamics.scale(self.gail.demo_replay, self.gail.replay)
        return {
            **metrics,
            **prefixed("dynamics", self.update_dynamics(learning_rate)),  # line 7
            **prefixed("plan", self.plan()),  # lines 8, 9
        }

    def update_dynamics(self, learning_rate: float) -> dict[str, float]:
        """Line 7: the model fits replay and demonstrations (Eq. 5). Errors are those before, on the newest steps."""
        config, recent_steps = self.config.dynamics, self.config.rollout.steps
        shape, horizon = (1, config.batch), self.config.plan.length
        errors = self.dynamics.errors(self.gail.replay.windows(self.rng, shape, horizon, config.burn_in, recent_steps))
        demo_fraction = config.demo_fraction if self.demos_show_dynamics else 0.0
        windows = self._windows(demo_fraction, (config.steps, config.batch), config.length)
        return errors | self.dynamics(windows, learning_rate)

    def plan(self) -> dict[str, float]:
        """Lines 8, 9: trust-region steps on imagined trajectories. The environment is not touched."""
        config, rows = self.config.plan, []
        for _ in range(config.steps):
            start = self._windows(config.demo_fraction, (1, config.batch), 0, config.recent_steps)
            noise = self.acting.head.noise(self.rng, (config.length + 1, config.batch))
            rollout = self.imagination(start, noise)
            rows.append({"reward": float(rollout.rewards.mean()), **self.gail.improve(rollout)})
        return mean_metrics(rows)

    def _windows(
        self, demo_fraction: float, shape: tuple[int, int], length: int, recent_steps: int | None = None
    ) -> Windows:
        sources, burn_in = (self.gail.demo_replay, self.gail.replay), self.config.dynamics.burn_in
        return mixed_windows(*sources, demo_fraction, self.rng, shape, length, burn_in, recent_steps)

    def act(self, observations: Array) -> Array:
        """The policy's mean actions, as executed, for raw `observations [..., d]`."""
        return self.gail.act(observations)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "gail": self.gail.state(),
            "dynamics": self.dynamics.state(),
            "rng": self.rng.bit_generator.state,
            "acting": self.acting.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; configuration and demonstrations must be the same."""
        self.gail.restore(state["gail"])
        self.dynamics.restore(state["dynamics"])
        self.rng.bit_generator.state = state["rng"]
