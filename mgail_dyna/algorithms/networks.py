"""The networks and the replay that agents start with; pass other `Networks` to an agent to use your own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgail_dyna.config.imitation import DiscriminatorConfig, DynamicsConfig, PolicyConfig
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.learners.views import Pairs, StateAction, Transition, View
from mgail_dyna.networks.discriminator import Discriminator, DiscriminatorModel
from mgail_dyna.networks.dynamics import DynamicsModel, GRUDynamics
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.normalization import STATE_LIMIT, statistics, whitening
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec, FloatArray, Trajectory

# Smallest standard deviation of the expert's pairs in any direction, in normalised units: with few pairs a smaller one
# is chance.
LEAST_DEVIATION = 0.05


def network_seeds(seed: int, count: int) -> list[int]:
    """Of the networks of a run. The first is the policy's, so that every algorithm begins with the same one."""
    return [int(each) for each in np.random.SeedSequence(seed).generate_state(count) >> 1]


def build_policy(action: ActionSpec, observation_size: int, config: PolicyConfig, seed: int) -> PolicyNetwork:
    """The policy of the paper (sec. 4); its means stay inside the action space."""
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


def build_discriminator(expert: Pairs, config: DiscriminatorConfig, seed: int) -> DiscriminatorModel:
    """The discriminator of the paper (sec. 4), on inputs whitened with the demonstrations' covariance."""
    states, beside = expert
    coordinates = whitening(np.concatenate(expert, axis=1), config.whitening, LEAST_DEVIATION)
    return Discriminator(
        states.shape[1], beside.shape[1], config.hidden, seed=seed, whitening=coordinates if config.whitening else None
    )


def build_dynamics(demos: Replay, config: DynamicsConfig, seed: int) -> DynamicsModel:
    """The dynamics model of the paper (sec. 4), or an ensemble of such."""
    states, actions = demos.all_pairs()
    sizes, members = (states.shape[1], actions.shape[1], config.units), config.members
    return GRUDynamics(*sizes, seed=seed, members=members, recurrent=not config.memoryless)


@dataclass(frozen=True)
class Networks:
    """How an agent's networks are made.

    Attributes:
        policy: from the action space, the size of an observation, the configuration and a seed.
        discriminator: from the expert's pairs as D judges them, the configuration and a seed.
        dynamics: from the demonstrations as the networks see them, the configuration and a seed.
    """

    policy: Callable[[ActionSpec, int, PolicyConfig, int], PolicyNetwork] = build_policy
    discriminator: Callable[[Pairs, DiscriminatorConfig, int], DiscriminatorModel] = build_discriminator
    dynamics: Callable[[Replay, DynamicsConfig, int], DynamicsModel] = build_dynamics


def numpy_copy(policy: PolicyNetwork, config: PolicyConfig, demos: Demonstrations) -> NumpyPolicy:
    """`policy` in NumPy, which acts; observations are normalised with the demonstrations' statistics."""
    mean, std = statistics(demos.observations)
    weights = policy.acting_weights()
    return NumpyPolicy(demos.action, weights, config.activation, mean, std, STATE_LIMIT, policy.squash)


def add_trajectory(
    replay: Replay,
    policy: NumpyPolicy,
    trajectory: Trajectory,
    near: NDArray[np.bool_] | None = None,
    continues: bool = False,
) -> None:
    """Puts an episode, or a part that `continues` the last one, into `replay`, as the networks see it; `near` as for
    `Replay.add`."""
    states = policy.normalise(trajectory.observations)
    if trajectory.actions is None:  # not zeros: nothing may learn from what is not known
        actions = np.full((len(trajectory), policy.spec.size), np.nan, np.float32)
    else:
        actions = policy.head.vectors(trajectory.actions)
    if trajectory.subsample == 1:
        replay.add(states, actions, trajectory.noise, near, continues)
    else:
        replay.add_pairs(states[:-1], actions)


def view_of(demos: Demonstrations, replay: Replay) -> View:
    """What D judges: states and actions, or states and their changes where actions are unknown.

    Args:
        demos: the demonstrations.
        replay: the same, as the networks see them.
    """
    if demos.has_actions:
        return StateAction()
    return Transition(unit_of_changes(replay))


def unit_of_changes(replay: Replay) -> FloatArray:
    """`[d]`, the standard deviation of a step's change of state; 1 where a coordinate does not change."""
    deviations = replay.changes().std(axis=0)
    return np.where(deviations > 0, deviations, 1.0).astype(np.float32)


def demo_replay(demos: Demonstrations, policy: NumpyPolicy) -> Replay:
    """The demonstrations, as the networks see them."""
    size = demos.observation_space.shape[0]
    replay = Replay(size, demos.action.size, demos.action.size)
    for trajectory in demos.trajectories:
        add_trajectory(replay, policy, trajectory)
    return replay
