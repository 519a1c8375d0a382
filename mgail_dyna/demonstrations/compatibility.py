"""Whether demonstrations and an environment go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.dataset import Demonstrations, outside
from mgail_dyna.environments.make import env_spec
from mgail_dyna.environments.simulator import reset_to
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.errors import UserError
from mgail_dyna.normalization import statistics
from mgail_dyna.types import ActionSpec

# In standard deviations of the demonstrations' observations. MuJoCo plays a step again to 1e-5 of one and better; with
# a fifth more mass the five experts that ship end 0.01 to 0.2 elsewhere.
PLAYED_AGAIN = 1e-3


def check_compatible(demos: Demonstrations, env: gym.Env[Any, Any], name: str) -> None:
    """Makes sure that demonstrations can be imitated in `env`.

    Args:
        demos: the demonstrations.
        env: where a learner would act.
        name: of the demonstrations, for the message.

    Raises:
        UserError: the spaces differ, or an action is outside them.
    """
    found, expected = observation_size(demos.observation_space), observation_size(env.observation_space)
    if found != expected:
        raise UserError(f"{name}: observations: expected {expected} numbers to fit the environment, found {found}")
    same_actions(demos.action, action_spec(env.action_space), name)
    check_actions(demos, name)


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


def check_actions(demos: Demonstrations, name: str) -> None:
    """Makes sure that every action is one of the demonstrations' own action space.

    Args:
        demos: the demonstrations.
        name: of them, for the message.

    Raises:
        UserError: for the first that is not.
    """
    for number, trajectory in enumerate(demos.trajectories):
        if told := outside(trajectory.actions, demos.action):
            raise UserError(f"{name}: trajectory {number}: actions: {told}")


def check_initial_states(demos: Demonstrations, starts: str) -> None:
    """Makes sure that episodes can begin where `rollout.initial_states` says.

    Raises:
        UserError: in simulator states of the demonstrations, and those tell none.
    """
    if starts != "reset" and not demos.has_simulator_states:
        raise UserError(
            f"--rollout.initial-states {starts}: expected demonstrations with qpos and qvel, found none; "
            "--preset reset needs none, nor does --rollout.initial-states reset"
        )


def episode_limit(demos: Demonstrations, env_id: str) -> int:
    """Steps of an episode at most, to imitate under: the demonstrations' own limit, if they tell one, or the
    environment's.

    Where neither has one, the longest demonstration's length: an episode that nothing ends would never come back.

    Raises:
        UserError: there is no such environment.
    """
    longest = max(len(trajectory) for trajectory in demos.trajectories)
    return demos.length or env_spec(env_id).max_episode_steps or longest


def named_environment(demos: Demonstrations, where: Path) -> str | None:
    """The environment that the file of demonstrations at `where` names, if it names one.

    Raises:
        UserError: making it would import a module of the file's choosing.
    """
    if demos.env_id is not None and ":" in demos.env_id:
        raise UserError(f"{where}: names the environment {demos.env_id}; to trust it, pass --env {demos.env_id}")
    return demos.env_id


def constant_note(demos: Demonstrations) -> str | None:
    """A note for whoever imitates `expert`, if there are observations that are the same throughout."""
    if not (which := demos.constant):
        return None
    named = ", ".join(map(str, which[:8])) + (", ..." if len(which) > 8 else "")
    return (
        f"note: {len(which)} of {observation_size(demos.observation_space)} observations never vary in the "
        f"demonstrations and keep their own unit (number {named}, counted from 0)"
    )


def other_env_note(demos: Demonstrations, env_id: str) -> str | None:
    """A note for whoever imitates `expert` in `env_id`, if the demonstrations say that they are of another task.

    Another version is another task: Gymnasium changes dynamics and rewards between them.
    """
    of = demos.env_id
    if of is None or of == env_id:
        return None
    return f"note: the demonstrations are of {of}, and the environment is {env_id}"


@dataclass(frozen=True)
class ReplayCheck:
    """What came of playing single steps of demonstrations again, each from its own simulator state.

    Attributes:
        steps: played.
        elsewhere: of them, how many end with another observation than the demonstration has there.
        error: root mean square of the difference, in standard deviations of the demonstrations' observations.
    """

    steps: int
    elsewhere: int
    error: float


def replay_check(demos: Demonstrations, env: gym.Env[Any, Any], steps: int = 100) -> ReplayCheck:
    """Plays steps of the demonstrations again: whether this is the environment they were recorded in.

    What a state looks like before the step does not tell: forces are of the step that led there, and not restored.

    Args:
        expert: with simulator states.
        env: in which; it may be left in any state.
        steps: at most, spread evenly over the demonstrations.

    Raises:
        UserError: it cannot be put into those states.
    """
    _, unit = statistics(demos.observations)
    rows = [(trajectory, t) for trajectory in demos.trajectories for t in range(len(trajectory))]
    apart = []
    for row in np.linspace(0, len(rows) - 1, min(steps, len(rows))).astype(int):
        trajectory, t = rows[row]
        assert trajectory.qpos is not None and trajectory.qvel is not None
        reset_to(env, trajectory.qpos[t], trajectory.qvel[t], env.reset(seed=0)[0])
        led_to = np.asarray(env.step(trajectory.actions[t])[0], np.float32)
        apart.append((led_to - trajectory.observations[t + 1]) / unit)
    errors = np.sqrt(np.mean(np.square(apart), axis=-1))
    elsewhere = ~(errors <= PLAYED_AGAIN)  # NaN is elsewhere
    return ReplayCheck(len(errors), int(elsewhere.sum()), float(np.sqrt(np.mean(np.square(errors)))))


def replay_note(found: ReplayCheck, env_id: str) -> str | None:
    """A note for whoever imitates demonstrations in `env_id`, if they do not play again there as they were recorded."""
    if not found.elsewhere:
        return None
    return (
        f"note: of {found.steps} steps played again in {env_id} from their simulator states, {found.elsewhere} end "
        f"elsewhere ({found.error:.2g} standard deviations, root mean square): the demonstrations are of another "
        "environment, or it has randomness or a state that qpos and qvel do not tell"
    )
