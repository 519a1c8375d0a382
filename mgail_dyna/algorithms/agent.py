"""What every mode's agent has in common, and the policy they all begin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np

from mgail_dyna.acting import NumpyPolicy
from mgail_dyna.config.imitation import DiscriminatorConfig, ImitationConfig, PolicyConfig
from mgail_dyna.expert import Expert
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.networks.transition import STATE_LIMIT
from mgail_dyna.normalization import statistics, whitening
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec, Trajectory

# In units of a state coordinate's standard deviation, or of half the action space's width. Where the expert's pairs
# vary less in some direction, there may be too few of them to tell.
LEAST_DEVIATION = 0.05


class Budget(NamedTuple):
    """What an agent may spend: so many of some unit, in the plural."""

    total: int
    unit: str


class Agent(Protocol):
    """Something that learns from demonstrations, an iteration at a time."""

    @property
    def acting(self) -> NumpyPolicy:
        """The policy that is evaluated, as it is now."""

    @property
    def env_steps(self) -> int:
        """Taken in the environment so far, to learn from."""

    @property
    def budget(self) -> Budget:
        """What `progress` is a share of."""

    @property
    def progress(self) -> float:
        """Share of the budget spent, or 1 once there is nothing left to learn."""

    def iterate(self) -> dict[str, float]:
        """Learns for one iteration; scalars named `part/what`, the same names every time."""

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs, the `state` of `acting` under that name."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same."""


Env = gym.Env[Any, Any]
# Makes one more copy of the environment, with its steps counted.
MakeEnv = Callable[[], Env]
# Takes the run's environment, to play whole episodes in, as evaluation has it between two iterations; a way to more
# copies for whoever leaves episodes unfinished; and the demonstrations.
Builder = Callable[[ImitationConfig, Env, MakeEnv, Expert], Agent]


def imitation_policy(action: ActionSpec, observation_size: int, config: PolicyConfig, seed: int) -> PolicyNetwork:
    """The policy of the paper (sec. 4), with means that stay inside the box."""
    return PolicyNetwork(
        action,
        observation_size,
        config.hidden,
        config.activation,
        initial_log_std=float(np.log(config.noise_std)),
        train_log_std=config.train_noise,
        squash=action.kind == "continuous" and action.bounded,
        seed=seed,
    )


def acting_copy(policy: PolicyNetwork, config: PolicyConfig, expert: Expert) -> NumpyPolicy:
    """The twin of `policy` that acts: it sees observations in units of the demonstrations' statistics."""
    mean, std = statistics(expert.observations)
    weights = policy.acting_weights()
    return NumpyPolicy(expert.action, weights, config.activation, mean, std, STATE_LIMIT, policy.squash)


def add_trajectory(replay: Replay, acting: NumpyPolicy, trajectory: Trajectory) -> None:
    """Puts an episode into `replay` as the networks see it."""
    states, actions = acting.normalise(trajectory.observations), acting.head.vectors(trajectory.actions)
    if trajectory.stride == 1:
        replay.add(states, actions, trajectory.noise)
    else:
        replay.add_pairs(states[:-1], actions)


def imitation_discriminator(demonstrations: Replay, config: DiscriminatorConfig, seed: int) -> Discriminator:
    """The discriminator of the paper (sec. 4), in the coordinates the configuration says."""
    states, actions = demonstrations.all_pairs()
    coordinates = whitening(np.concatenate([states, actions], axis=1), config.whitening, LEAST_DEVIATION)
    return Discriminator(
        states.shape[1], actions.shape[1], config.hidden, seed=seed, whitening=coordinates if config.whitening else None
    )


def demonstrated(expert: Expert, acting: NumpyPolicy) -> Replay:
    """The demonstrations, as the networks see them."""
    size = expert.observation_space.shape[0]
    replay = Replay(size, expert.action.size, expert.action.size)
    for trajectory in expert.trajectories:
        add_trajectory(replay, acting, trajectory)
    return replay
