"""Generative adversarial imitation learning (Ho & Ermon 2016): TRPO on the discriminator's reward, without a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mgail_dyna.algorithms.base import Budget, MakeEnv, prefixed
from mgail_dyna.algorithms.networks import Networks, demo_replay, network_seeds, numpy_copy, view_of
from mgail_dyna.algorithms.pairs import PairSampler
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.compatibility import check_compatible, check_known
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.environments.rollout import RolloutCollector, segments
from mgail_dyna.errors import UserError
from mgail_dyna.learners.discriminator import DiscriminatorLearner, ImitationReward, mixing
from mgail_dyna.learners.trpo import TRPOLearner
from mgail_dyna.networks.value import value_network
from mgail_dyna.normalization import ReturnScale
from mgail_dyna.replay import Replay
from mgail_dyna.types import Array, Rollout


def check_samples(config: ImitationConfig, flag: str, samples: int) -> None:
    """Refuses rollouts with too few `samples` for one minibatch of the value network.

    Raises:
        UserError: naming the `flag` that sets them.
    """
    if samples < config.trust_region.value_batch:
        raise UserError(
            f"--trust-region.value-batch: expected at most the {samples} states of a rollout ({flag}), "
            f"found {config.trust_region.value_batch}"
        )


class GailAgent:
    """Imitates demonstrations by TRPO on environment trajectories.

    `config.cost` selects the reward (see `ImitationReward` for what its sign does to tasks that end). Observations are
    normalised with the demonstrations' statistics, for all networks.

    Args:
        config: everything.
        make_env: makes the environment; called `config.rollout.num_envs` times.
        demos: the demonstrations, all of which are imitated (`subset` takes fewer).
        networks: how the networks are made.

    Raises:
        UserError: the demonstrations do not fit the environment, or a rollout is smaller than a minibatch of the value
            network.
    """

    idle_env = None  # episodes continue from one iteration to the next

    def __init__(
        self, config: ImitationConfig, make_env: MakeEnv, demos: Demonstrations, networks: Networks | None = None
    ) -> None:
        check_samples(config, "--rollout.steps", config.rollout.steps)
        envs = [make_env() for _ in range(config.rollout.num_envs)]
        check_compatible(demos, envs[0], "the demonstrations")
        check_known(demos, config, clones=False)
        self.config, make = config, networks or Networks()
        action, size = demos.action, demos.observation_space.shape[0]
        seeds = network_seeds(config.seed, 5)
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 1]))

        policy = make.policy(action, size, config.policy, seeds[0])
        value = value_network(size, config.policy.hidden, config.policy.activation, seeds[1])
        self.acting = numpy_copy(policy, config.policy, demos)
        self.collector = RolloutCollector(envs, self.acting, seeds[3], normalising=False)
        self.demo_replay = demo_replay(demos, self.acting)
        self.view = view_of(demos, self.demo_replay)
        discriminator = make.discriminator(self.view.every(self.demo_replay), config.discriminator, seeds[2])
        # Room for a whole rollout at least: D sees every environment's steps.
        capacity = max(config.rollout.replay_capacity, config.rollout.steps)
        self.replay = Replay(size, action.size, action.size, capacity)
        self.discriminator = DiscriminatorLearner(discriminator, config.discriminator)
        self.policy = TRPOLearner(policy, value, action, config.trust_region, seeds[4])
        self.reward = ImitationReward(discriminator, config.cost)
        self.return_scale = ReturnScale(len(envs), config.trust_region.discount)
        self.pairs = PairSampler(
            self.demo_replay, self.replay, config.discriminator, config.rollout.steps, self.rng, self.view
        )

    @property
    def env_steps(self) -> int:
        """Env steps so far, in all environments."""
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
        """Acts, trains D, takes one trust-region step. Returns scalars named `part/what`."""
        learning_rate = self.config.learning_rate_at(self.progress)
        rollout = self.collect()
        return {
            "rollout/reward_per_step": float(rollout.rewards.mean()),
            **prefixed("discriminator", self.update_discriminator(learning_rate)),
            **prefixed("policy", self.learn(rollout)),
        }

    def collect(self) -> Rollout:
        """Acts for `rollout.steps` env steps, shared among the environments, and fills the replay."""
        rollout = self.collector.collect(-(-self.config.rollout.steps // self.config.rollout.num_envs))
        for states, actions in segments(rollout, self.executed(rollout)):
            self.replay.add(states, actions)
        return rollout

    def executed(self, rollout: Rollout) -> np.ndarray:
        """`[T, N, a]`, the rollout's actions as executed, in the networks' units: inside the box, or one-hot."""
        return self.acting.head.vectors(self.acting.head.executed(rollout.actions))

    def update_discriminator(self, learning_rate: float) -> dict[str, float]:
        """D separates the agent's pairs, from the newest rollout or from replay, from the demonstrations'."""
        config = self.config.discriminator
        agent, expert = self.pairs.agent(), self.pairs.expert()
        return self.discriminator(agent, expert, mixing(self.rng, config.steps, config.batch), learning_rate)

    def learn(self, rollout: Rollout) -> dict[str, float]:
        """One trust-region step on real trajectories; the environment's own rewards are not used."""
        rewards = self.reward(self.view.of_steps(rollout.states, self.executed(rollout), rollout.next_states))
        self.return_scale.update(rewards, rollout.ended)
        return {"reward": float(rewards.mean()), **self.improve(replace(rollout, rewards=rewards))}

    def improve(self, rollout: Rollout) -> dict[str, float]:
        """One trust-region step on a rollout with the discriminator's rewards, divided by the scale of real returns."""
        scaled = replace(rollout, rewards=rollout.rewards / np.float32(self.return_scale.scale))
        metrics = self.policy(scaled, self.progress)
        self.acting.load(self.policy.network.acting_weights())
        return metrics

    def act(self, observations: Array) -> Array:
        """The policy's mean actions, as executed, for raw `observations [..., d]`."""
        return self.acting.act(observations)

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
        """Takes back what `state` gave; configuration and demonstrations must be the same."""
        for name in ("discriminator", "policy", "collector", "replay", "return_scale"):
            getattr(self, name).restore(state[name])
        self.rng.bit_generator.state = state["rng"]
        self.acting.load(self.policy.network.acting_weights())
