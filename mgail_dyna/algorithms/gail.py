"""Generative adversarial imitation learning (Ho & Ermon 2016): TRPO on the discriminator's reward, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.algorithms.agent import Budget, acting_copy, demonstrated, imitation_discriminator, imitation_policy
from mgail_dyna.collect import RolloutCollector, stretches
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError
from mgail_dyna.expert import Expert
from mgail_dyna.networks.value import value_network
from mgail_dyna.normalization import ReturnScale
from mgail_dyna.replay import Replay
from mgail_dyna.types import Rollout
from mgail_dyna.updates.discriminator import DiscriminatorUpdate, ImitationReward, mixing
from mgail_dyna.updates.trust_region import TrustRegionUpdate


def check_samples(config: ImitationConfig, flag: str, samples: int) -> None:
    """Refuses rollouts of too few `samples` for one minibatch of the value network.

    Raises:
        UserError: naming the `flag` that sets them.
    """
    if samples < config.trust_region.value_batch:
        raise UserError(
            f"--trust-region.value-batch: expected at most the {samples} states of a rollout ({flag}), "
            f"found {config.trust_region.value_batch}"
        )


class GailAgent:
    """An agent that imitates demonstrations by TRPO on environment trajectories.

    `config.cost` chooses the reward that is made of the discriminator; `ImitationReward` says what its sign does to
    tasks that end. Observations are normalised with the demonstrations' statistics, once, for all networks.

    Args:
        config: everything.
        copies: of the environment; their steps should be counted by whoever passes them.
        expert: the demonstrations, all of them imitated (`expert.subset` takes fewer).

    Raises:
        UserError: a rollout is less than a minibatch of the value network.
    """

    def __init__(self, config: ImitationConfig, copies: Sequence[gym.Env[Any, Any]], expert: Expert) -> None:
        check_samples(config, "--rollout.steps", config.rollout.steps)
        self.config, action, size = config, expert.action, expert.observation_space.shape[0]
        seeds = [int(seed) for seed in np.random.SeedSequence(config.seed).generate_state(5) >> 1]
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 1]))

        policy = imitation_policy(action, size, config.policy, seeds[0])
        value = value_network(size, config.policy.hidden, config.policy.activation, seeds[1])
        self.acting = acting_copy(policy, config.policy, expert)
        self.collector = RolloutCollector(copies, self.acting, seeds[3], normalising=False)
        self.demonstrations = demonstrated(expert, self.acting)
        discriminator = imitation_discriminator(self.demonstrations, config.discriminator, seeds[2])
        # A whole rollout at least, of which the discriminator is shown every copy.
        held = max(config.rollout.memory, config.rollout.steps)
        self.replay = Replay(size, action.size, action.size, memory=held)
        self.discriminator = DiscriminatorUpdate(discriminator, config.discriminator)
        self.policy = TrustRegionUpdate(policy, value, action, config.trust_region, seeds[4])
        self.reward = ImitationReward(discriminator, config.cost)
        self.return_scale = ReturnScale(len(copies), config.trust_region.discount)

    @property
    def env_steps(self) -> int:
        """Env steps taken so far, in all copies."""
        return self.collector.env_steps

    @property
    def budget(self) -> Budget:
        """The run's env steps."""
        return Budget(self.config.env_steps, "env steps")

    @property
    def progress(self) -> float:
        """Share of them taken."""
        return min(self.env_steps / self.config.env_steps, 1.0)

    def iterate(self) -> dict[str, float]:
        """Acts, judges, takes one trust-region step. Returns scalars named `part/what`."""
        learning_rate = self.config.learning_rate_at(self.progress)
        rollout = self.collect()
        metrics = {"rollout/reward_per_step": float(rollout.rewards.mean())}
        parts = {"discriminator": self.update_discriminator(learning_rate), "policy": self.learn(rollout)}
        return metrics | {f"{part}/{name}": value for part, told in parts.items() for name, value in told.items()}

    def collect(self) -> Rollout:
        """Acts for `rollout.steps` env steps, shared among the copies, and puts what happened into replay."""
        rollout = self.collector.collect(-(-self.config.rollout.steps // len(self.collector.copies)))
        for states, actions in stretches(rollout, self.executed(rollout)):
            self.replay.add(states, actions)
        return rollout

    def executed(self, rollout: Rollout) -> np.ndarray:
        """`[T, N, a]`, the rollout's actions as executed, in the networks' units: inside the box, or one-hot."""
        return self.acting.head.vectors(self.acting.head.executed(rollout.actions))

    def update_discriminator(self, learning_rate: float) -> dict[str, float]:
        """D tells the agent's pairs, of the newest rollout or of replay, from the demonstrations."""
        config = self.config.discriminator
        newest = round(config.batch * config.newest_share)
        draws = [
            self.replay.pairs(self.rng, (config.steps, count), reach)
            for count, reach in ((newest, self.config.rollout.steps), (config.batch - newest, None))
        ]
        states, actions = (np.concatenate(arrays, axis=1) for arrays in zip(*draws, strict=True))
        shape = (config.steps, config.batch)
        expert = self.demonstrations.pairs(self.rng, shape)
        return self.discriminator((states, actions), expert, mixing(self.rng, *shape), learning_rate)

    def learn(self, rollout: Rollout) -> dict[str, float]:
        """One trust-region step on real trajectories; the environment's own rewards are not looked at."""
        rewards = self.reward(rollout.states, self.executed(rollout))
        self.return_scale.update(rewards, rollout.ended)
        return {"reward": float(rewards.mean()), **self.improve(replace(rollout, rewards=rewards))}

    def improve(self, rollout: Rollout) -> dict[str, float]:
        """One trust-region step on a rollout with the discriminator's rewards, put to the scale of real returns."""
        scaled = replace(rollout, rewards=rollout.rewards / np.float32(self.return_scale.scale))
        metrics = self.policy(scaled, self.progress)
        self.acting.load(self.policy.policy.acting_weights())
        return metrics

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "discriminator": self.discriminator.state(),
            "policy": self.policy.state(),
            "collector": self.collector.state(),
            "replay": self.replay.state(),
            "return_scale": self.return_scale.state(),
            "rng": self.rng.bit_generator.state,
            "acting": self.acting.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same."""
        for name in ("discriminator", "policy", "collector", "replay", "return_scale"):
            getattr(self, name).restore(state[name])
        self.rng.bit_generator.state = state["rng"]
        self.acting.load(self.policy.policy.acting_weights())
