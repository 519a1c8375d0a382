"""Dyna-AIL (paper, Algorithm 1). Without planning steps and imagined pairs it is MGAIL."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna import envs
from mgail_dyna.acting import NumpyPolicy
from mgail_dyna.algorithms.agent import (
    Budget,
    acting_copy,
    add_trajectory,
    demonstrated,
    imitation_discriminator,
    imitation_policy,
)
from mgail_dyna.algorithms.warm_start import WarmStart
from mgail_dyna.collect import play_episode
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.expert import Expert
from mgail_dyna.fit import check_fits, check_starts
from mgail_dyna.networks.transition import TransitionModel
from mgail_dyna.replay import Replay, Windows, mixed_windows
from mgail_dyna.types import Array, FloatArray
from mgail_dyna.updates.discriminator import DiscriminatorUpdate, mixing
from mgail_dyna.updates.policy import Anchor, PolicyUpdate
from mgail_dyna.updates.transition import TransitionUpdate


class DynaAgent:
    """An agent that imitates demonstrations in an environment.

    Args:
        config: everything.
        env: to act in; its steps should be counted by whoever passes it.
        expert: the demonstrations, all of them imitated (`expert.subset` takes fewer).
    """

    def __init__(self, config: ImitationConfig, env: gym.Env[Any, Any], expert: Expert) -> None:
        self.config, self.env, self.expert = config, env, expert
        check_fits(expert, env, "the demonstrations")
        check_starts(expert, config.rollout.starts)
        action, size = expert.action, envs.observation_size(env.observation_space)
        seeds = [int(seed) for seed in np.random.SeedSequence(config.seed).generate_state(3) >> 1]
        self.rng = np.random.default_rng(np.random.SeedSequence([config.seed, 1]))

        policy, average = (imitation_policy(action, size, config.policy, seeds[0]) for _ in range(2))
        self.acting = acting_copy(policy, config.policy, expert)
        self.exploring = NumpyPolicy.from_state(self.acting.state())
        self.demonstrations, self.replay = demonstrated(expert, self.acting), Replay(size, action.size, action.size)
        self.warm_start = WarmStart(config, self.demonstrations)

        discriminator = imitation_discriminator(self.demonstrations, config.discriminator, seeds[1])
        transition = TransitionModel(size, action.size, config.transition.units, seed=seeds[2])
        self.discriminator = DiscriminatorUpdate(discriminator, config.discriminator)
        self.transition = TransitionUpdate(transition, config.transition)
        self.policy = PolicyUpdate(
            policy,
            average,
            discriminator,
            transition,
            action,
            config.policy,
            config.cost,
            config.discount,
            config.transition.warmup,
        )
        self.env_steps = self.iterations = 0

    @property
    def budget(self) -> Budget:
        """The run's env steps."""
        return Budget(self.config.env_steps, "env steps")

    @property
    def progress(self) -> float:
        """Share of them taken."""
        return min(self.env_steps / self.config.env_steps, 1.0)

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1: act, judge, learn, model, plan. Returns scalars named `part/what`.

        The discriminator and the policy are each other's moving target, so lines 5 to 9 may be gone through in many
        short rounds (`config.rounds`; the paper's is 1).
        """
        share, first = self.config.learning_rate_at(self.progress), self.env_steps == 0
        if first and self.warm_start.wanted:
            self._clone()
        told = {"cloning/held_out_ratio": self.warm_start.held_out_ratio} if self.warm_start.wanted else {}
        begun = self.env_steps
        metrics = told | {"rollout/" + name: value for name, value in self.collect().items()}  # lines 3, 4
        if first:
            self.transition.scale(self.demonstrations, self.replay)
        metrics |= {"transition/" + name: value for name, value in self.model_errors(self.env_steps - begun).items()}
        pace = self.warm_start.pace(self.iterations)
        rounds = [self._round(share, pace * share) for _ in range(self.config.rounds)]
        self.iterations += 1
        self._explore()
        self.acting.load(self._averaged(self.acting.weights, self.policy.average.acting_weights()))
        return metrics | {name: float(np.mean([told[name] for told in rounds])) for name in rounds[0]}

    def _round(self, learning_rate: float, policy_learning_rate: float) -> dict[str, float]:
        config = self.config
        parts = {
            "discriminator": self.update_discriminator(learning_rate),  # line 5
            "learn": self.learn(policy_learning_rate) if config.learn.steps else {},  # line 6
            "transition": self.update_transition(learning_rate),  # line 7
            "plan": self.plan(policy_learning_rate) if config.plan.steps else {},  # lines 8, 9
        }
        return {f"{part}/{name}": value for part, told in parts.items() for name, value in told.items()}

    def _clone(self) -> None:
        """Begins with behavioural cloning: the policy that learns, the ones that explore and act."""
        self.warm_start.clone(self.policy.policy, self.acting, self.expert)
        for average, policy in zip(self.policy.average.variables, self.policy.policy.variables, strict=True):
            average.assign(policy)
        self._explore()

    def _explore(self) -> None:
        """Hands the averaged policy to the environment."""
        weights = self.policy.average.acting_weights()
        self.exploring.load(self.warm_start.exploring(weights, 1.0 - self.progress))

    def _averaged(self, before: dict[str, FloatArray], now: dict[str, FloatArray]) -> dict[str, FloatArray]:
        """Weights of the acting policy; the average is a short one at first, unless it begins as a clone."""
        begun = 1.0 if self.warm_start.cloned else self.iterations / (4.0 + self.iterations)
        kept = np.float32(min(self.config.policy.acting_averaging, begun))
        return {name: kept * before[name] + (1 - kept) * now[name] for name in now}

    def collect(self) -> dict[str, float]:
        """Acts for `rollout.steps` env steps, and on to the end of the episode, and puts what happened into replay.

        The run's last episode is cut off where its env steps are spent: they may be dear.
        """
        config, returns, lengths = self.config.rollout, [], []
        budget = self.config.env_steps if self.progress < 1.0 else math.inf
        target = min(self.env_steps + config.steps, budget)
        from_expert = {"reset": 0.0, "expert": 1.0, "mix": config.expert_share}[config.starts] * config.steps
        begun = self.env_steps
        while self.env_steps < target:
            expert_start = self.env_steps - begun < from_expert
            longest = config.expert_length if expert_start else config.reset_length
            trajectory = play_episode(
                self.env,
                self.exploring,
                int(self.rng.integers(2**31)),
                self.rng,
                start=self._simulator_state() if expert_start else None,
                limit=int(min(longest, budget - self.env_steps)),
            )
            add_trajectory(self.replay, self.acting, trajectory)
            self.env_steps += len(trajectory)
            returns.append(trajectory.episode_return)
            lengths.append(len(trajectory))
        return {"reward_per_step": float(np.sum(returns) / np.sum(lengths)), "length": float(np.mean(lengths))}

    def _simulator_state(self) -> envs.SimulatorState:
        trajectory = self.expert.trajectories[self.rng.integers(len(self.expert.trajectories))]
        assert trajectory.qpos is not None and trajectory.qvel is not None
        row = self.rng.integers(len(trajectory))
        return trajectory.qpos[row], trajectory.qvel[row]

    def update_discriminator(self, learning_rate: float) -> dict[str, float]:
        """Line 5: D tells replay from demonstrations."""
        config = self.config.discriminator
        shape = (config.steps, config.batch)
        imagined = round(config.batch * config.imagined_share)
        newest = min(round(config.batch * config.newest_share), config.batch - imagined)
        draws = [
            self.replay.pairs(self.rng, (shape[0], newest), self.config.rollout.steps),
            self.replay.pairs(self.rng, (shape[0], config.batch - newest - imagined)),
            self._imagined_pairs((shape[0], imagined)) if imagined else None,
        ]
        parts = [draw for draw in draws if draw is not None]
        agent = (np.concatenate([s for s, _ in parts], axis=1), np.concatenate([a for _, a in parts], axis=1))
        expert = self.demonstrations.pairs(self.rng, shape)
        return self.discriminator(agent, expert, mixing(self.rng, *shape), learning_rate)

    def learn(self, learning_rate: float) -> dict[str, float]:
        """Line 6: the policy learns on real trajectories."""
        config = self.config.learn
        windows = self.replay.windows(
            self.rng,
            (config.steps, config.batch),
            config.length,
            self.config.transition.warmup,
            config.newest,
        )
        return self.policy.learn(windows, learning_rate, self._anchor(config.steps))

    def model_errors(self, unseen: int) -> dict[str, float]:
        """How far the model is off on the newest steps, of which it has not seen the last `unseen` yet."""
        config, horizon = self.config.transition, self.config.plan.length
        newest = min(unseen, self.config.rollout.steps)
        return self.transition.errors(self.replay.windows(self.rng, (1, config.batch), horizon, config.warmup, newest))

    def update_transition(self, learning_rate: float) -> dict[str, float]:
        """Line 7: the model fits replay and demonstrations."""
        config = self.config.transition
        share = config.expert_share if self.expert.connected else 0.0
        windows = self._mixed(share, (config.steps, config.batch), config.length)
        return self.transition(windows, learning_rate)

    def plan(self, learning_rate: float) -> dict[str, float]:
        """Lines 8, 9: the policy learns on imagined trajectories. The environment is not touched."""
        config = self.config.plan
        windows = self._plan_starts(config.steps, config.batch)
        noise = self.acting.head.noise(self.rng, (config.steps, self.warm_start.plan_length, config.batch))
        return self.policy.plan(windows, noise, learning_rate, self._anchor(config.steps))

    def _anchor(self, steps: int) -> Anchor | None:
        return self.warm_start.anchor(self.rng, steps, 1.0 - self.progress)

    def _imagined_pairs(self, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
        """States `[*shape, d]` and actions `[*shape, a]` of plans under the policy as it is now."""
        length = self.warm_start.plan_length
        batch = -(-shape[0] * shape[1] // length)
        noise = self.acting.head.noise(self.rng, (length, batch))
        trace = self.policy.imagine(self._plan_starts(1, batch), noise)
        rows = self.rng.permutation(length * batch)[: shape[0] * shape[1]].reshape(shape)
        states, actions = (array.reshape(-1, array.shape[-1])[rows] for array in trace)
        return states, actions

    def act(self, observations: Array) -> Array:
        """The acting policy's mean actions, as executed, for raw `observations [..., d]`."""
        return self.acting.act(observations)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "discriminator": self.discriminator.state(),
            "transition": self.transition.state(),
            "policy": self.policy.state(),
            "replay": self.replay.state(),
            "rng": self.rng.bit_generator.state,
            "env_steps": self.env_steps,
            "iterations": self.iterations,
            "acting": self.acting.state(),
            "held_out_ratio": self.warm_start.held_out_ratio,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same."""
        self.discriminator.restore(state["discriminator"])
        self.transition.restore(state["transition"])
        self.policy.restore(state["policy"])
        self.replay.restore(state["replay"])
        self.rng.bit_generator.state = state["rng"]
        self.env_steps = int(state["env_steps"])
        self.iterations = int(state["iterations"])
        self.warm_start.held_out_ratio = float(state["held_out_ratio"])
        self._explore()
        self.acting.load(state["acting"]["weights"])

    def _plan_starts(self, steps: int, batch: int) -> Windows:
        """Observed steps up to the state a plan goes on from."""
        return self._mixed(self.warm_start.plan_expert_share, (steps, batch), 0, self.config.plan.newest)

    def _mixed(self, expert_share: float, shape: tuple[int, int], length: int, newest: int | None = None) -> Windows:
        sources, warmup = (self.demonstrations, self.replay), self.config.transition.warmup
        return mixed_windows(*sources, expert_share, self.rng, shape, length, warmup, newest)
