"""Trains an expert with TRPO (Schulman et al. 2015) and keeps the best policies on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.demonstrations.recorded_environment import parse_arguments
from mgail_dyna.environments.make import make_env, time_limit
from mgail_dyna.environments.rollout import RolloutCollector, play_episode
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.environments.wrappers import Nudged
from mgail_dyna.learners.trpo import TRPOLearner
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.networks.value import value_network
from mgail_dyna.normalization import ReturnScale
from mgail_dyna.types import Rollout

# Evaluations that choose the policy use seeds from here on; demonstrations are recorded with seeds from 0.
SELECTION_SEED = 10_000
FINAL_ROUNDS = 10


@dataclass(frozen=True)
class Progress:
    """What one iteration did.

    Attributes:
        env_steps: taken so far, in training.
        training_return: mean of the last 20 training episodes (sampled actions); NaN before the first ends.
        evaluated: returns of the mean action, where this iteration ended with an evaluation.
        metrics: of the update.
    """

    env_steps: int
    training_return: float
    evaluated: np.ndarray | None
    metrics: dict[str, float]


class ExpertTrainer:
    """TRPO on several environments of one task.

    Args:
        config: everything.

    Attributes:
        config: the same, with the time limit it leaves to the environment.
        env_kwargs: keyword arguments of the environment.
        finalists: the policies with the best evaluations so far, the best first.
    """

    def __init__(self, config: ExpertConfig) -> None:
        arguments = parse_arguments(config.env_kwargs) or {}
        if config.length is None:
            config = replace(config, length=time_limit(config.env, **arguments))
        self.config, self.env_kwargs = config, arguments
        seeds = [int(s) for s in np.random.SeedSequence(config.seed).generate_state(4) >> 1]
        envs = [make_env(config.env, config.length, **arguments) for _ in range(config.num_envs)]
        self.evaluation_env = make_env(config.env, config.length, **arguments)
        self.nudging_env = Nudged(self.evaluation_env, config.evaluation_noise)
        self.action = action_spec(envs[0].action_space)
        size = observation_size(envs[0].observation_space)
        policy = PolicyNetwork(self.action, size, config.hidden, "tanh", config.initial_log_std, seed=seeds[0])
        value = value_network(size, config.hidden, "tanh", seeds[1])
        self.learner = TRPOLearner(policy, value, self.action, config.trust_region, seeds[2])
        self.policy = NumpyPolicy(self.action, policy.acting_weights())
        self.collector = RolloutCollector(envs, self.policy, seeds[3])
        self.return_scale = ReturnScale(config.num_envs, config.trust_region.discount)
        self.recent_returns: deque[float] = deque(maxlen=20)
        self.evaluation_steps = 0
        self.finalists: list[dict[str, Any]] = []

    def iterate(self) -> Iterator[Progress]:
        """Trains until `config.steps`; yields after each rollout and update."""
        every = self.config.evaluate_every
        while self.collector.env_steps < self.config.steps:
            before = self.collector.env_steps
            rollout = self._scaled(self.collector.collect(self.config.rollout))
            self.recent_returns.extend(self.collector.finished_returns)
            metrics = self.learner(rollout, self.collector.env_steps / self.config.steps)
            self.policy.load(self.learner.network.acting_weights())
            now = self.collector.env_steps
            due = now // every > before // every or now >= self.config.steps
            yield Progress(
                env_steps=now,
                training_return=float(np.mean(self.recent_returns)) if self.recent_returns else float("nan"),
                evaluated=self._evaluate() if due else None,
                metrics=metrics,
            )

    def _scaled(self, rollout: Rollout) -> Rollout:
        self.return_scale.update(rollout.rewards, rollout.ended)
        rollout.rewards[:] /= np.float32(self.return_scale.scale)
        return rollout

    def _evaluate(self) -> np.ndarray:
        """Evaluates the mean action, nudged, and keeps the policy if it is among the best so far."""
        returns = self._returns(self.policy, self.config.evaluation_episodes, self.nudging_env)
        candidate = {
            "policy": self.policy.state(),
            "return_mean": float(returns.mean()),
            "env_steps": self.collector.env_steps,
        }
        ranked = sorted([*self.finalists, candidate], key=lambda entry: -entry["return_mean"])
        self.finalists = ranked[: self.config.finalists]
        return returns

    def _returns(self, policy: NumpyPolicy, episodes: int, env: gym.Env[Any, Any]) -> np.ndarray:
        seeds = range(SELECTION_SEED, SELECTION_SEED + episodes)
        played = [play_episode(env, policy, seed) for seed in seeds]
        self.evaluation_steps += sum(len(episode) for episode in played)
        return np.array([episode.episode_return for episode in played])

    def choose(self) -> tuple[NumpyPolicy, dict[str, Any]]:
        """The best finalist over many episodes, with its training steps and returns.

        Its score is mean minus standard deviation, with noise or without, whichever is lower: a good expert is good
        every time, and also when nudged.
        """
        if not self.finalists:
            self._evaluate()
        episodes, results = FINAL_ROUNDS * self.config.evaluation_episodes, []
        for finalist in self.finalists:
            policy = NumpyPolicy.from_state(finalist["policy"])
            alone, nudged = (self._returns(policy, episodes, env) for env in (self.evaluation_env, self.nudging_env))
            score = min(float(returns.mean() - returns.std()) for returns in (alone, nudged))
            found = {"return_mean": alone.mean(), "return_min": alone.min(), "nudged_return_mean": nudged.mean()}
            results.append((score, policy, finalist["env_steps"], found))
        _, policy, env_steps, found = max(results, key=lambda result: result[0])
        selection = {"episodes": episodes, **{name: float(value) for name, value in found.items()}}
        return policy, {"steps_at_selection": env_steps, "selection": selection}

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "learner": self.learner.state(),
            "collector": self.collector.state(),
            "return_scale": self.return_scale.state(),
            "recent_returns": list(self.recent_returns),
            "evaluation_steps": self.evaluation_steps,
            "finalists": self.finalists,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.learner.restore(state["learner"])
        self.policy.load(self.learner.network.acting_weights())
        self.collector.restore(state["collector"])
        self.return_scale.restore(state["return_scale"])
        self.recent_returns.extend(state["recent_returns"])
        self.evaluation_steps = int(state["evaluation_steps"])
        self.finalists = state["finalists"]
