"""Trains an expert with TRPO (Schulman et al. 2015) and keeps the best policy it came upon."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgail_dyna import envs
from mgail_dyna.acting import NumpyPolicy
from mgail_dyna.collect import RolloutCollector, play_episode
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.networks.value import value_network
from mgail_dyna.normalization import ReturnScale
from mgail_dyna.types import Rollout
from mgail_dyna.updates.trust_region import TrustRegionUpdate

# Evaluations that choose the policy use seeds from here on; demonstrations are recorded with seeds from 0.
SELECTION_SEED = 10_000
CONFIRMATION_ROUNDS = 4


@dataclass(frozen=True)
class Progress:
    """What one iteration did.

    Attributes:
        env_steps: taken so far, in training.
        evaluation_steps: taken so far, to choose the best policy.
        training_return: mean of the last 20 training episodes (sampled actions); NaN before the first ends.
        evaluated: returns of the mean action, where this iteration ended with an evaluation.
        metrics: of the update.
    """

    env_steps: int
    evaluation_steps: int
    training_return: float
    evaluated: np.ndarray | None
    metrics: dict[str, float]


class ExpertTrainer:
    """TRPO on copies of one environment.

    Args:
        config: everything.

    Attributes:
        best: weights, normalisation, steps and returns of the best policy so far; None before the first evaluation.
    """

    def __init__(self, config: ExpertConfig) -> None:
        self.config = config
        seeds = [int(s) for s in np.random.SeedSequence(config.seed).generate_state(4) >> 1]
        copies = [envs.make(config.env, config.length) for _ in range(config.environments)]
        self.evaluation_env = envs.make(config.env, config.length)
        self.action = envs.action_spec(copies[0].action_space)
        size = envs.observation_size(copies[0].observation_space)
        policy = PolicyNetwork(self.action, size, config.hidden, "tanh", config.initial_log_std, seed=seeds[0])
        value = value_network(size, config.hidden, "tanh", seeds[1])
        self.update = TrustRegionUpdate(policy, value, self.action, config.trust_region, seeds[2])
        self.policy = NumpyPolicy(self.action, policy.acting_weights())
        self.collector = RolloutCollector(copies, self.policy, seeds[3])
        self.return_scale = ReturnScale(config.environments, config.trust_region.discount)
        self.recent_returns: deque[float] = deque(maxlen=20)
        self.evaluation_steps = 0
        self.best: dict[str, Any] | None = None

    def iterate(self) -> Iterator[Progress]:
        """Trains until `config.steps`, one rollout and one update at a time; stop between two whenever you like."""
        every = self.config.evaluate_every
        while self.collector.env_steps < self.config.steps:
            before = self.collector.env_steps
            rollout = self._scaled(self.collector.collect(self.config.rollout))
            self.recent_returns.extend(self.collector.finished_returns)
            metrics = self.update(rollout, self.collector.env_steps / self.config.steps)
            self.policy.load(self.update.policy.acting_weights())
            now = self.collector.env_steps
            due = now // every > before // every or now >= self.config.steps
            yield Progress(
                env_steps=now,
                evaluation_steps=self.evaluation_steps,
                training_return=float(np.mean(self.recent_returns)) if self.recent_returns else float("nan"),
                evaluated=self._evaluate() if due else None,
                metrics=metrics,
            )

    def _scaled(self, rollout: Rollout) -> Rollout:
        self.return_scale.update(rollout.rewards, rollout.ended)
        rollout.rewards[:] /= np.float32(self.return_scale.scale)
        return rollout

    def _evaluate(self) -> np.ndarray:
        """Evaluates the mean action and keeps the policy if, over many episodes, it is the best so far."""
        episodes = self.config.evaluation_episodes
        returns = self._returns(range(SELECTION_SEED, SELECTION_SEED + episodes))
        if self.best is None or returns.mean() > self.best["return_mean"]:
            more = range(SELECTION_SEED + episodes, SELECTION_SEED + (1 + CONFIRMATION_ROUNDS) * episodes)
            confirmed = np.concatenate([returns, self._returns(more)])
            # Mean less deviation: an expert is good every time, not once in a while.
            score = float(confirmed.mean() - confirmed.std())
            if self.best is None or score > self.best["score"]:
                self.best = {
                    "weights": self.policy.weights,
                    "mean": self.policy.mean,
                    "std": self.policy.std,
                    "score": score,
                    "return_mean": float(confirmed.mean()),
                    "return_min": float(confirmed.min()),
                    "env_steps": self.collector.env_steps,
                }
        return returns

    def _returns(self, seeds: range) -> np.ndarray:
        episodes = [play_episode(self.evaluation_env, self.policy, seed) for seed in seeds]
        self.evaluation_steps += sum(len(episode) for episode in episodes)
        return np.array([episode.episode_return for episode in episodes])

    def best_policy(self) -> NumpyPolicy:
        """The best policy so far; the one at hand if none has been evaluated yet."""
        if self.best is None:
            self._evaluate()
        assert self.best is not None
        return NumpyPolicy(
            self.action, self.best["weights"], self.policy.activation, self.best["mean"], self.best["std"]
        )

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "update": self.update.state(),
            "collector": self.collector.state(),
            "return_scale": self.return_scale.state(),
            "recent_returns": list(self.recent_returns),
            "evaluation_steps": self.evaluation_steps,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.update.restore(state["update"])
        self.policy.load(self.update.policy.acting_weights())
        self.collector.restore(state["collector"])
        self.return_scale.restore(state["return_scale"])
        self.recent_returns.extend(state["recent_returns"])
        self.evaluation_steps = int(state["evaluation_steps"])
        self.best = state["best"]
