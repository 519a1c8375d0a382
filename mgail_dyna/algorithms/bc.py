"""Behavioural cloning: supervised learning on the demonstrations. It takes no env step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mgail_dyna.algorithms.base import Budget, MakeEnv, prefixed
from mgail_dyna.algorithms.networks import Networks, numpy_copy
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.compatibility import check_compatible, check_known
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.learners.bc import BCLearner
from mgail_dyna.learners.variables import restore_variables, variable_state
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.types import Array, FloatArray

Pairs = tuple[FloatArray, FloatArray]


class Cloner:
    """Clones demonstrations into a policy, until the loss on held-out pairs no longer falls.

        cloner = Cloner(policy, acting, demos, config)
        cloner.finish()  # policy and acting now hold the weights with the lowest held-out loss

    Args:
        policy: trained here.
        acting: its NumPy copy; always holds the weights with the lowest held-out loss so far.
        demos: the demonstrations, all of which are imitated (`subset` takes fewer).
        config: of which `cloning`, the seed and the learning-rate schedule are used.

    Raises:
        UserError: there are not two pairs, one to learn from and one to hold out.
    """

    def __init__(
        self, policy: PolicyNetwork, acting: NumpyPolicy, demos: Demonstrations, config: ImitationConfig
    ) -> None:
        self.policy, self.acting, self.config = policy, acting, config
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 2]))
        self.learner = BCLearner(policy, demos.action, config.cloning)
        self.training, self.held_out = split_pairs(demos, acting, config.cloning.held_out, self.rng)
        self.best: dict[str, Any] = variable_state(policy=policy)
        self.lowest_loss, self.steps, self.validations_since = math.inf, 0, 0

    @property
    def progress(self) -> float:
        """Share of the gradient steps taken; 1 once the held-out loss has stopped falling."""
        config = self.config.cloning
        return 1.0 if self.validations_since >= config.patience else self.steps / config.steps

    def iterate(self) -> dict[str, float]:
        """Trains until the next validation.

        Returns:
            `loss`, `held_out_loss`, `lowest_held_out_loss`, `steps` (gradient steps so far).
        """
        config, (states, actions) = self.config.cloning, self.training
        count = min(config.interval, config.steps - self.steps)
        rows = self.rng.integers(len(states), size=(count, config.batch))
        learning_rate = self.config.learning_rate_at(self.steps / config.steps)
        loss = self.learner(states[rows], actions[rows], learning_rate)
        held_out_loss = self.learner.loss(*self.held_out)
        self.steps += count
        self.validations_since += 1
        if held_out_loss < self.lowest_loss:
            self.lowest_loss, self.validations_since = held_out_loss, 0
            self.best = variable_state(policy=self.policy)
            self.acting.load(self.policy.acting_weights())
        return {
            "loss": loss,
            "held_out_loss": held_out_loss,
            "lowest_held_out_loss": self.lowest_loss,
            "steps": float(self.steps),
        }

    def finish(self) -> float:
        """Trains to the end and puts the best weights into the policy.

        Returns:
            Held-out loss / training loss: about 1 if the clone generalises, larger the more it overfits.
        """
        while self.progress < 1.0:
            self.iterate()
        restore_variables(self.best, policy=self.policy)
        return self.lowest_loss / max(self.learner.loss(*self.training), float(np.finfo(np.float32).tiny))

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "learner": self.learner.state(),
            "best": self.best,
            "lowest_loss": self.lowest_loss,
            "steps": self.steps,
            "validations_since": self.validations_since,
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.best, self.lowest_loss = state["best"], float(state["lowest_loss"])
        restore_variables(self.best, policy=self.policy)
        self.acting.load(self.policy.acting_weights())
        self.learner.restore(state["learner"])
        self.steps, self.validations_since = int(state["steps"]), int(state["validations_since"])
        self.rng.bit_generator.state = state["rng"]


def split_pairs(
    demos: Demonstrations, acting: NumpyPolicy, share: float, rng: np.random.Generator
) -> tuple[Pairs, Pairs]:
    """Pairs to learn from and pairs to hold out, each states `[n, d]` and actions `[n, a]` as networks see them.

    Whole trajectories are held out, because neighbouring pairs are too similar to validate each other. If there is only
    one trajectory, random pairs of it are held out.

    Args:
        demos: the demonstrations.
        acting: normalises them.
        share: to hold out, rounded; at least one, never all.
        rng: draws which.

    Raises:
        UserError: there is only one pair.
    """
    groups = [
        (acting.normalise(t.observations[:-1]), acting.head.vectors(actions))
        for t, actions in zip(demos.trajectories, demos.actions, strict=True)
    ]
    if len(groups) == 1:
        (states, actions), *_ = groups
        groups = [(states[n : n + 1], actions[n : n + 1]) for n in range(len(states))]
    if len(groups) < 2:
        raise UserError("demonstrations: expected at least 2 steps, 1 to learn from and 1 to hold out, found 1")
    held_out = min(max(1, round(share * len(groups))), len(groups) - 1)
    order = rng.permutation(len(groups))

    def joined(chosen: Any) -> Pairs:
        states, actions = zip(*(groups[n] for n in chosen), strict=True)
        return np.concatenate(states), np.concatenate(actions)

    return joined(order[held_out:]), joined(order[:held_out])


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
        policy = make(demos.action, demos.observation_space.shape[0], config.policy, config.seed)
        self.acting = numpy_copy(policy, config.policy, demos)
        self.cloner = Cloner(policy, self.acting, demos, config)

    @property
    def budget(self) -> Budget:
        """The gradient steps."""
        return Budget(self.config.cloning.steps, "gradient steps")

    @property
    def progress(self) -> float:
        """Share of them taken; 1 once the held-out loss has stopped falling."""
        return self.cloner.progress

    def iterate(self) -> dict[str, float]:
        """Clones until the next validation."""
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
