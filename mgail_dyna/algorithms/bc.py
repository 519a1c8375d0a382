"""Behavioural cloning: supervised learning on the demonstrations. It takes no env step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mgail_dyna.algorithms.base import Budget, MakeEnv, prefixed
from mgail_dyna.algorithms.networks import Networks, network_seeds, numpy_copy
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.compatibility import check_compatible, check_known
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.learners.bc import BCLearner
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.types import Array

# Gradient steps of a clone for the square root of the number of pairs, at most: more overfit where pairs are few. But
# as the start of Dyna-AIL, a clone trained to the end is better than one with a higher return
# (results/notes/one-recipe.md, P).
PER_ROOT_PAIR = 100.0


def steps_alone(config: ImitationConfig, pairs: int) -> int:
    """Gradient steps of a clone of `pairs` that is not improved on."""
    return min(config.cloning.steps, math.ceil(PER_ROOT_PAIR * math.sqrt(pairs)))


class Cloner:
    """Clones demonstrations into a policy, in a fixed number of gradient steps with a falling learning rate.

    All pairs are learned from and the last weights count: the loss on held-out pairs says little of the return
    (results/notes/one-recipe.md).

        cloner = Cloner(policy, acting, demos, config, 20_000)
        cloner.finish()  # policy and acting now hold the clone

    Args:
        policy: trained here.
        acting: its NumPy copy; holds the newest weights.
        demos: the demonstrations, all of which are imitated (`subset` takes fewer).
        config: of which `cloning`, the seed and the learning-rate schedule are used.
        total: gradient steps in all.
    """

    def __init__(
        self, policy: PolicyNetwork, acting: NumpyPolicy, demos: Demonstrations, config: ImitationConfig, total: int
    ) -> None:
        self.policy, self.acting, self.config, self.total, self.steps = policy, acting, config, total, 0
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 2]))
        self.learner = BCLearner(policy, demos.action, config.cloning)
        self.states = np.concatenate([acting.normalise(t.observations[:-1]) for t in demos.trajectories])
        self.actions = np.concatenate([acting.head.vectors(actions) for actions in demos.actions])

    @property
    def progress(self) -> float:
        """Share of the gradient steps taken."""
        return self.steps / self.total

    def iterate(self) -> dict[str, float]:
        """Trains for `cloning.interval` gradient steps.

        Returns:
            `loss`, the mean over them; `steps`, gradient steps so far, and how many are `left`.
        """
        config = self.config.cloning
        count = min(config.interval, self.total - self.steps)
        rows = self.rng.integers(len(self.states), size=(count, config.batch))
        loss = self.learner(self.states[rows], self.actions[rows], self.config.learning_rate_at(self.progress))
        self.steps += count
        self.acting.load(self.policy.acting_weights())
        return {"loss": loss, "steps": float(self.steps), "left": float(self.total - self.steps)}

    def finish(self) -> dict[str, float]:
        """Trains to the end; returns what the last `iterate` did."""
        metrics: dict[str, float] = {}
        while self.progress < 1.0:
            metrics = self.iterate()
        return metrics

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"learner": self.learner.state(), "steps": self.steps, "rng": self.rng.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.learner.restore(state["learner"])
        self.acting.load(self.policy.acting_weights())
        self.steps = int(state["steps"])
        self.rng.bit_generator.state = state["rng"]


class BCAgent:
    """Clones demonstrations into a policy of the paper's shape.

    Args:
        config: everything.
        make_env: makes the environment; called once, for the spaces and for evaluation.
        demos: the demonstrations, all of which are imitated (`subset` takes fewer).
        networks: how the policy is made.

    Raises:
        UserError: the demonstrations do not fit the environment, or have no actions.
    """

    env_steps = 0

    def __init__(
        self, config: ImitationConfig, make_env: MakeEnv, demos: Demonstrations, networks: Networks | None = None
    ) -> None:
        self.config, self.idle_env = config, make_env()
        check_compatible(demos, self.idle_env, "the demonstrations")
        check_known(demos, config, clones=True)
        make = (networks or Networks()).policy
        (seed,) = network_seeds(config.seed, 1)
        policy = make(demos.action, demos.observation_space.shape[0], config.policy, seed)
        self.acting = numpy_copy(policy, config.policy, demos)
        self.cloner = Cloner(policy, self.acting, demos, config, steps_alone(config, demos.total_steps))

    @property
    def budget(self) -> Budget:
        """The gradient steps."""
        return Budget(self.cloner.total, "gradient steps")

    @property
    def progress(self) -> float:
        """Share of them taken."""
        return self.cloner.progress

    def iterate(self) -> dict[str, float]:
        """Clones for `cloning.interval` gradient steps."""
        return prefixed("cloning", self.cloner.iterate())

    def act(self, observations: Array) -> Array:
        """The policy's mean actions, as executed, for raw `observations [..., d]`."""
        return self.acting.act(observations)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"cloner": self.cloner.state(), "acting": self.acting.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; configuration and demonstrations must be the same."""
        self.cloner.restore(state["cloner"])
