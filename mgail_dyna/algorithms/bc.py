"""Behavioural cloning: supervised learning on the demonstrations; the environment is not touched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mgail_dyna.acting import NumpyPolicy
from mgail_dyna.algorithms.agent import Budget, acting_copy, imitation_policy
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError
from mgail_dyna.expert import Expert
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.types import FloatArray
from mgail_dyna.updates.cloning import CloningUpdate
from mgail_dyna.updates.variables import restore_variables, variable_state

Pairs = tuple[FloatArray, FloatArray]


class Cloner:
    """Clones demonstrations into a policy, until the loss on held-out pairs no longer falls.

        cloner = Cloner(policy, acting, expert, config)
        cloner.finish()  # policy and acting now hold the weights with the least held-out loss

    Args:
        policy: trained here.
        acting: its twin; always holds the weights with the least held-out loss so far.
        expert: the demonstrations, all of them imitated (`expert.subset` takes fewer).
        config: `cloning`, the seed and the fall of the learning rate are used.

    Raises:
        UserError: there are not two pairs, one to learn from and one to hold out.
    """

    def __init__(self, policy: PolicyNetwork, acting: NumpyPolicy, expert: Expert, config: ImitationConfig) -> None:
        self.policy, self.acting, self.config = policy, acting, config
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 2]))
        self.update = CloningUpdate(policy, expert.action, config.cloning)
        self.training, self.held_out = split_pairs(expert, acting, config.cloning.held_out, self.rng)
        self.best: dict[str, Any] = variable_state(policy=policy)
        self.least_loss, self.steps, self.looks_since = math.inf, 0, 0

    @property
    def progress(self) -> float:
        """Share of the gradient steps taken; 1 once the held-out loss has stopped falling."""
        config = self.config.cloning
        return 1.0 if self.looks_since >= config.patience else self.steps / config.steps

    def iterate(self) -> dict[str, float]:
        """Trains until the next look at the held-out pairs.

        Returns:
            `loss`, `held_out_loss`, `least_held_out_loss`, `steps` (gradient steps so far).
        """
        config, (states, actions) = self.config.cloning, self.training
        count = min(config.interval, config.steps - self.steps)
        rows = self.rng.integers(len(states), size=(count, config.batch))
        learning_rate = self.config.learning_rate_at(self.steps / config.steps)
        loss = self.update(states[rows], actions[rows], learning_rate)
        held_out_loss = self.update.loss(*self.held_out)
        self.steps += count
        self.looks_since += 1
        if held_out_loss < self.least_loss:
            self.least_loss, self.looks_since = held_out_loss, 0
            self.best = variable_state(policy=self.policy)
            self.acting.load(self.policy.acting_weights())
        return {
            "loss": loss,
            "held_out_loss": held_out_loss,
            "least_held_out_loss": self.least_loss,
            "steps": float(self.steps),
        }

    def finish(self) -> float:
        """Trains to the end and puts the best weights into the policy.

        Returns:
            Their held-out loss by their loss on the pairs learned from: 1 where they generalise, more the more they
            know those pairs by heart.
        """
        while self.progress < 1.0:
            self.iterate()
        restore_variables(self.best, policy=self.policy)
        return self.least_loss / max(self.update.loss(*self.training), float(np.finfo(np.float32).tiny))

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "update": self.update.state(),
            "best": self.best,
            "least_loss": self.least_loss,
            "steps": self.steps,
            "looks_since": self.looks_since,
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.best, self.least_loss = state["best"], float(state["least_loss"])
        restore_variables(self.best, policy=self.policy)
        self.acting.load(self.policy.acting_weights())
        self.update.restore(state["update"])
        self.steps, self.looks_since = int(state["steps"]), int(state["looks_since"])
        self.rng.bit_generator.state = state["rng"]


def split_pairs(expert: Expert, acting: NumpyPolicy, share: float, rng: np.random.Generator) -> tuple[Pairs, Pairs]:
    """Pairs to learn from and pairs to hold out, each states `[n, d]` and actions `[n, a]` as networks see them.

    Whole trajectories are held out, as neighbouring pairs are too much alike to test one another; of a single
    trajectory, pairs drawn at random.

    Args:
        expert: the demonstrations.
        acting: normalises them.
        share: to hold out, rounded, but at least one and not all.
        rng: draws which.

    Raises:
        UserError: there is but one pair.
    """
    groups = [(acting.normalise(t.observations[:-1]), acting.head.vectors(t.actions)) for t in expert.trajectories]
    if len(groups) == 1:
        (states, actions), *_ = groups
        groups = [(states[n : n + 1], actions[n : n + 1]) for n in range(len(states))]
    if len(groups) < 2:
        raise UserError("demonstrations: expected at least 2 steps, 1 to learn from and 1 to hold out, found 1")
    kept_back = min(max(1, round(share * len(groups))), len(groups) - 1)
    order = rng.permutation(len(groups))

    def joined(chosen: Any) -> Pairs:
        states, actions = zip(*(groups[n] for n in chosen), strict=True)
        return np.concatenate(states), np.concatenate(actions)

    return joined(order[kept_back:]), joined(order[:kept_back])


class CloningAgent:
    """The agent of mode bc: a policy of the paper's shape, cloned.

    Args:
        config: everything.
        expert: the demonstrations, all of them imitated (`expert.subset` takes fewer).
    """

    env_steps = 0

    def __init__(self, config: ImitationConfig, expert: Expert) -> None:
        self.config = config
        policy = imitation_policy(expert.action, expert.observation_space.shape[0], config.policy, config.seed)
        self.acting = acting_copy(policy, config.policy, expert)
        self.cloner = Cloner(policy, self.acting, expert, config)

    @property
    def budget(self) -> Budget:
        """The gradient steps."""
        return Budget(self.config.cloning.steps, "gradient steps")

    @property
    def progress(self) -> float:
        """Share of them taken; 1 once the held-out loss has stopped falling."""
        return self.cloner.progress

    def iterate(self) -> dict[str, float]:
        """Clones until the next look at the held-out pairs."""
        return {f"cloning/{name}": value for name, value in self.cloner.iterate().items()}

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"cloner": self.cloner.state(), "acting": self.acting.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same."""
        self.cloner.restore(state["cloner"])
