"""Checks that demonstrations and an environment fit together."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.dataset import Demonstrations, outside
from mgail_dyna.demonstrations.metadata import JOINED
from mgail_dyna.demonstrations.reader import locate
from mgail_dyna.demonstrations.recorded_environment import (
    environment_arguments,
    environment_notes,
    recorded_module,
    recorded_with,
    same_environment,
    time_note,
    wrappers_remedy,
)
from mgail_dyna.demonstrations.recorded_environment import other_env_note as other_env_note
from mgail_dyna.environments.make import env_spec, joined_parts
from mgail_dyna.environments.simulator import reset_to
from mgail_dyna.environments.spaces import action_spec, observation_size, parts_of, parts_text
from mgail_dyna.errors import UserError
from mgail_dyna.normalization import statistics
from mgail_dyna.types import ActionSpec

# Largest error of a replayed step, in standard deviations of the observations. MuJoCo replays a step to 1e-5; with 20%
# more mass the shipped experts' steps are off by 0.01 to 0.2.
REPLAY_TOLERANCE = 1e-3


def compare(demos: Demonstrations, env: gym.Env[Any, Any], env_id: str, name: str) -> list[str]:
    """Compares demonstrations and an environment in everything that is recorded: the rule of `recorded_environment`.

    Args:
        demos: the demonstrations.
        env: to act in, with the time limit of its episodes.
        env_id: what it was made from.
        name: of the demonstrations, for the message.

    Returns:
        One line for each difference that may be meant.

    Raises:
        UserError: the demonstrations cannot be imitated in it: the spaces differ, or an action is outside them.
    """
    check_compatible(demos, env, name)
    time = time_note(demos, env)
    return environment_notes(demos, env, env_id) + ([time] if time else [])


def check_compatible(demos: Demonstrations, env: gym.Env[Any, Any], name: str) -> None:
    """Checks that demonstrations can be imitated in `env`.

    Args:
        demos: the demonstrations.
        env: to act in.
        name: of the demonstrations, for the message.

    Raises:
        UserError: the spaces differ, observations are joined in another order, or an action is outside them. The
            message names the keyword arguments and wrappers that the demonstrations were recorded with, if there are
            any.
    """
    try:
        found, expected = observation_size(demos.observation_space), observation_size(env.observation_space)
        if found != expected:
            raise UserError(f"{name}: observations: expected {expected} numbers to fit the environment, found {found}")
        same_actions(demos.action, action_spec(env.action_space), name)
    except UserError as error:
        raise UserError(f"{error}{_other_environment(demos, env, name)}{recorded_suffix(demos)}") from None
    _check_order(demos, env, name)
    check_actions(demos, name)


def _check_order(demos: Demonstrations, env: gym.Env[Any, Any], name: str) -> None:
    """Refuses observations that are joined from other parts than the environment's, or in another order."""
    found, ours = parts_of(demos.provenance.get(JOINED)), parts_of(joined_parts(env))
    # Where no name is shared, the file names the same parts in its own way.
    if list(found.items()) == list(ours.items()) or not ours.keys() & found.keys():
        return
    raise UserError(
        f"{name}: observations: expected {parts_text(ours)}, as the environment joins them, found {parts_text(found)}; "
        f"convert the original file again with --keys {','.join(ours)}"
    )


def _other_environment(demos: Demonstrations, env: gym.Env[Any, Any], name: str) -> str:
    env_id = demos.env_id
    if env_id is None or env.spec is None or same_environment(env_id, env.spec.id):
        return ""
    with contextlib.suppress(UserError):  # they may come from elsewhere than a file
        if ":" not in env_id and env_id not in gym.registry and (module := recorded_module(locate(name))):
            return f"; these are demonstrations of {env_id}, of the module {module} (--env {module}:{env_id})"
    return f"; these are demonstrations of {env_id} (--env {env_id})"


def recorded_suffix(demos: Demonstrations) -> str:
    """What to add to a refusal: the recorded keyword arguments and wrappers, and what observations are joined from."""
    found, joined = recorded_with(demos), demos.provenance.get(JOINED)
    said = [f"the demonstrations were recorded with {found}{wrappers_remedy(demos)}"] if found else []
    said += [f"observations are joined from {joined} (`data convert --keys` chooses)"] if joined else []
    return "".join(f"; {each}" for each in said)


def same_actions(found: ActionSpec, expected: ActionSpec, name: str) -> None:
    """Checks that two action spaces are the same.

    Args:
        found: of the demonstrations or the policy.
        expected: of the environment.
        name: of the demonstrations or the policy, for the message.

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
    """Checks that every action is inside the demonstrations' own action space.

    Args:
        demos: the demonstrations.
        name: of the demonstrations, for the message.

    Raises:
        UserError: naming the first that is not.
    """
    if not (demos.actions and demos.action.outside(np.concatenate(demos.actions)).any()):
        return  # one look at all is faster than one at each, where episodes are short
    for number, trajectory in enumerate(demos.trajectories):
        if trajectory.actions is not None and (problem := outside(trajectory.actions, demos.action)):
            raise UserError(f"{name}: trajectory {number}: actions: {problem}")


def check_known(demos: Demonstrations, config: ImitationConfig, clones: bool) -> None:
    """Checks that the demonstrations say what is learned from them.

    Args:
        demos: those that are imitated.
        config: how.
        clones: whether the policy is a clone of them, or starts as one.

    Raises:
        UserError: they are to be cloned and have no actions, or have no actions and no next states, or plans are too
            short to hold a change of state.
    """
    if demos.has_actions:
        return
    if clones:
        what, instead = (
            ("--warm-start bc", "--warm-start none") if config.warm_start == "bc" else ("--mode bc", "--mode dyna")
        )
        raise UserError(f"{what}: expected demonstrations with actions, found none; without actions: {instead}")
    if not demos.has_transitions:
        raise UserError(
            f"--subsample: expected 1 without actions, as D then judges changes of state, found {config.subsample}"
        )
    for name in ("learn", "plan"):
        if (group := getattr(config, name)).steps and group.length < 2:
            raise UserError(f"--{name}.length: expected at least 2 without actions, found {group.length}")


def check_initial_states(demos: Demonstrations, initial_states: str) -> None:
    """Checks that episodes can start where `rollout.initial_states` says.

    Raises:
        UserError: they are to start in the demonstrations' simulator states, and there are none.
    """
    if initial_states != "reset" and not demos.has_simulator_states:
        raise UserError(
            f"--rollout.initial-states {initial_states}: expected demonstrations with qpos and qvel, found none; "
            "use --rollout.initial-states reset, or --preset recipe or reset, which need none"
        )


def episode_limit(demos: Demonstrations, env_id: str) -> int:
    """Longest episode in steps: the demonstrations' own limit, or the environment's if they have none.

    The longest demonstration counts where it is longer: a limit that demonstrations exceed is not theirs. If there is
    no limit at all, every episode ends after as many steps as the longest demonstration.

    Raises:
        UserError: there is no such environment.
    """
    longest = max(len(trajectory) for trajectory in demos.trajectories)
    if demos.length is not None:
        return max(demos.length, longest)
    return max(env_spec(env_id, **environment_arguments(demos, env_id)).max_episode_steps or 0, longest)


def named_environment(demos: Demonstrations, where: Path) -> str | None:
    """The environment that the file of demonstrations at `where` names, or None.

    Raises:
        UserError: it is `module:Id`, or of a module that is not imported; a file must not decide which module is.
    """
    env_id = demos.env_id
    if env_id is not None and ":" in env_id:
        raise UserError(
            f"{where}: names the environment {env_id}, whose code runs only if you ask for it: --env {env_id}"
        )
    if env_id is not None and env_id not in gym.registry and (module := recorded_module(where)):
        raise UserError(
            f"{where}: names the environment {env_id}, which Gymnasium does not know; it comes from the module "
            f"{module}, whose code runs only if you ask for it: --env {module}:{env_id}"
        )
    return env_id


@dataclass(frozen=True)
class ReplayCheck:
    """The result of replaying single steps of demonstrations, each from its own simulator state.

    Attributes:
        steps: replayed.
        elsewhere: how many of them give another observation than the recorded one.
        error: root mean square of the difference, in standard deviations of the demonstrations' observations.
    """

    steps: int
    elsewhere: int
    error: float


def replay_check(demos: Demonstrations, env: gym.Env[Any, Any], steps: int = 100) -> ReplayCheck:
    """Replays steps of the demonstrations, to see whether this is the environment they were recorded in.

    The observation after the step is compared, not the one before it: contact forces depend on the step before and are
    not restored.

    Args:
        demos: with simulator states and actions.
        env: to replay in; its state afterwards is arbitrary.
        steps: at most, spread evenly over the demonstrations.

    Raises:
        UserError: the environment cannot be put into those states.
    """
    _, unit = statistics(demos.observations)
    rows = [(trajectory, t) for trajectory in demos.trajectories for t in range(len(trajectory))]
    differences = []
    for row in np.linspace(0, len(rows) - 1, min(steps, len(rows))).astype(int):
        trajectory, t = rows[row]
        assert trajectory.qpos is not None and trajectory.qvel is not None and trajectory.actions is not None
        reset_to(env, trajectory.qpos[t], trajectory.qvel[t], env.reset(seed=0)[0])
        reached = np.asarray(env.step(trajectory.actions[t])[0], np.float32)
        differences.append((reached - trajectory.observations[t + 1]) / unit)
    errors = np.sqrt(np.mean(np.square(differences), axis=-1))
    elsewhere = ~(errors <= REPLAY_TOLERANCE)  # NaN counts
    return ReplayCheck(len(errors), int(elsewhere.sum()), float(np.sqrt(np.mean(np.square(errors)))))


def replay_note(found: ReplayCheck, env_id: str) -> str | None:
    """A note if replayed steps differ from the recorded ones."""
    if not found.elsewhere:
        return None
    return (
        f"note: {found.elsewhere} of {found.steps} steps replayed in {env_id} do not end as recorded "
        f"({found.error:.2g} standard deviations, root mean square): the demonstrations are of another environment, "
        "or it has randomness or a state beyond qpos and qvel"
    )
