"""Whether demonstrations and an environment go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.envs import action_spec, observation_size, reset_to, spec
from mgail_dyna.errors import UserError
from mgail_dyna.expert import Expert, outside
from mgail_dyna.normalization import statistics
from mgail_dyna.types import ActionSpec

# In standard deviations of the demonstrations' observations. MuJoCo plays a step again to 1e-5 of one; half as much
# mass or friction again is 0.02 and more.
PLAYED_AGAIN = 1e-3


def check_fits(expert: Expert, env: gym.Env[Any, Any], name: str) -> None:
    """Makes sure that demonstrations can be imitated in `env`.

    Args:
        expert: the demonstrations.
        env: where a learner would act.
        name: of the demonstrations, for the message.

    Raises:
        UserError: the spaces differ, or an action is outside them.
    """
    found, expected = observation_size(expert.observation_space), observation_size(env.observation_space)
    if found != expected:
        raise UserError(f"{name}: observations: expected {expected} numbers to fit the environment, found {found}")
    same_actions(expert.action, action_spec(env.action_space), name)
    check_actions(expert, name)


def same_actions(found: ActionSpec, expected: ActionSpec, name: str) -> None:
    """Makes sure that actions are what an environment expects.

    Args:
        found: what they are.
        expected: of the environment.
        name: of what they belong to, for the message.

    Raises:
        UserError: kind, size or bounds differ.
    """
    if (found.kind, found.size, found.start) != (expected.kind, expected.size, expected.start):
        raise UserError(
            f"{name}: actions: expected {expected.kind} of size {expected.size} from {expected.start} to fit the "
            f"environment, found {found.kind} of size {found.size} from {found.start}"
        )
    for bound in ("low", "high"):
        theirs, ours = (getattr(spec, bound) for spec in (found, expected))
        if (theirs is None) != (ours is None) or (ours is not None and not np.allclose(theirs, ours)):
            raise UserError(f"{name}: actions: {bound}: expected {ours} to fit the environment, found {theirs}")


def check_actions(expert: Expert, name: str) -> None:
    """Makes sure that every action is one of the demonstrations' own action space.

    Args:
        expert: the demonstrations.
        name: of them, for the message.

    Raises:
        UserError: for the first that is not.
    """
    for number, trajectory in enumerate(expert.trajectories):
        if told := outside(trajectory.actions, expert.action):
            raise UserError(f"{name}: trajectory {number}: actions: {told}")


def check_starts(expert: Expert, starts: str) -> None:
    """Makes sure that episodes can begin where `rollout.starts` says.

    Raises:
        UserError: in simulator states of the demonstrations, and those tell none.
    """
    if starts != "reset" and not expert.simulated:
        raise UserError(
            f"--rollout.starts {starts}: expected demonstrations with qpos and qvel, found none; "
            "--preset reset needs none, nor does --rollout.starts reset"
        )


def episode_limit(expert: Expert, env_id: str) -> int | None:
    """The time limit to imitate under: the demonstrations' own, if they tell one; None for the environment's own.

    Where neither has one, the longest demonstration's length: an episode that nothing ends would never come back.

    Raises:
        UserError: there is no such environment.
    """
    if expert.length is not None or spec(env_id).max_episode_steps is not None:
        return expert.length
    return max(len(trajectory) for trajectory in expert.trajectories)


def named_environment(expert: Expert, where: Path) -> str | None:
    """The environment that the file of demonstrations at `where` names, if it names one.

    Raises:
        UserError: making it would import a module of the file's choosing.
    """
    if expert.env_id is not None and ":" in expert.env_id:
        raise UserError(f"{where}: names the environment {expert.env_id}; to trust it, pass --env {expert.env_id}")
    return expert.env_id


def never_varies(expert: Expert) -> str | None:
    """A note for whoever imitates `expert`, if there are observations that are the same throughout."""
    if not (which := expert.constant):
        return None
    named = ", ".join(map(str, which[:8])) + (", ..." if len(which) > 8 else "")
    return (
        f"note: {len(which)} of {observation_size(expert.observation_space)} observations never vary in the "
        f"demonstrations and keep their own unit (number {named}, counted from 0)"
    )


def other_task(expert: Expert, env_id: str) -> str | None:
    """A note for whoever imitates `expert` in `env_id`, if the demonstrations say that they are of another task.

    Another version is another task: Gymnasium changes dynamics and rewards between them.
    """
    of = expert.env_id
    if of is None or of == env_id:
        return None
    return f"note: the demonstrations are of {of}, and the environment is {env_id}"


@dataclass(frozen=True)
class Replayed:
    """What came of playing single steps of demonstrations again, each from its own simulator state.

    Attributes:
        steps: played.
        seen_otherwise: of them, how many begin with another observation than the demonstration has there.
        led_elsewhere: how many end with another.
        error: root mean square of the latter difference, in standard deviations of the demonstrations' observations.
    """

    steps: int
    seen_otherwise: int
    led_elsewhere: int
    error: float


def replayed(expert: Expert, env: gym.Env[Any, Any], steps: int = 100) -> Replayed:
    """Plays steps of the demonstrations again: whether this is the environment they were recorded in.

    Args:
        expert: with simulator states.
        env: in which; it may be left in any state.
        steps: at most, spread evenly over the demonstrations.

    Raises:
        UserError: it cannot be put into those states.
    """
    _, unit = statistics(np.concatenate([trajectory.observations for trajectory in expert.trajectories]))
    rows = [(trajectory, t) for trajectory in expert.trajectories for t in range(len(trajectory))]
    apart = []
    for trajectory, t in rows[:: -(-len(rows) // steps)]:
        assert trajectory.qpos is not None and trajectory.qvel is not None
        first = reset_to(env, trajectory.qpos[t], trajectory.qvel[t], env.reset(seed=0)[0])
        then = np.asarray(env.step(trajectory.actions[t])[0], np.float32)
        apart.append((np.stack([first, then]) - trajectory.observations[t : t + 2]) / unit)
    errors = np.sqrt(np.mean(np.square(apart), axis=-1))
    seen_otherwise, led_elsewhere = (errors > PLAYED_AGAIN).sum(axis=0)
    error = float(np.sqrt(np.mean(np.square(errors[:, 1]))))
    return Replayed(len(errors), int(seen_otherwise), int(led_elsewhere), error)


def played_otherwise(found: Replayed, env_id: str) -> str | None:
    """A note for whoever imitates demonstrations in `env_id`, if they do not play again there as they were recorded."""
    if not (found.seen_otherwise or found.led_elsewhere):
        return None
    told = f"{found.led_elsewhere} end elsewhere, {found.error:.2g} standard deviations away"
    if found.seen_otherwise:
        told = f"{found.seen_otherwise} begin with another observation"
    return (
        f"note: of {found.steps} steps played again in {env_id} from their simulator states, {told}: the "
        "demonstrations are not of this environment as it is here"
    )
