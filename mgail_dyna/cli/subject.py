"""What `evaluate` plays: a policy, its environment, and what its returns are compared with."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

from mgail_dyna import runtime
from mgail_dyna.config.presets import environment_id
from mgail_dyna.demonstrations.compatibility import episode_limit, named_environment, same_actions
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.recorded_environment import (
    environment_arguments,
    other_env_note,
    own_arguments,
    parse_arguments,
    same_environment,
    with_own,
)
from mgail_dyna.demonstrations.reference import Reference, reference
from mgail_dyna.environments.contract import check_contract
from mgail_dyna.environments.make import make_env, time_limit
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.environments.video import can_be_filmed
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import raise_on_mismatch
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.runs.directory import (
    CHECKPOINT,
    ENV_KWARGS,
    EPISODE_LIMIT,
    EXPERT_ERROR,
    directory_of,
    load_run,
    read_about,
    read_settings,
)
from mgail_dyna.runs.lookup import CONFIG
from mgail_dyna.runs.policies import best_of, check_is_something, is_policy_file, load_policy


class Subject(NamedTuple):
    """A policy to evaluate.

    Attributes:
        policy: to play.
        env_id: the environment.
        reference: mean return of the demonstrations, and the longest episode in steps.
        training: what training took, such as `env_steps`.
        arguments: keyword arguments of the environment.
    """

    policy: NumpyPolicy
    env_id: str
    reference: Reference
    training: dict[str, Any]
    arguments: dict[str, Any]


def find_subject(where: Path, env: str | None, env_kwargs: str | None = None, best: bool = False) -> Subject:
    """The policy at `where` and how to play it.

    Args:
        where: a run, an expert or a policy file.
        env: the environment to play in; that of the run or expert if None.
        env_kwargs: its keyword arguments as JSON; those of the run or expert if None.
        best: of a run, its best policy in place of the last one.

    Raises:
        UserError: there is no policy, or no environment is known for it.
    """
    path, asked, given = directory_of(where), environment_id(env) if env else None, parse_arguments(env_kwargs)
    if (path / CONFIG).exists():
        subject = _of_run(path, best)
    elif best:
        raise UserError(f"--best: expected a run, which keeps its best policy; {where} is none; leave --best out")
    elif is_policy_file(path):
        if asked is None:
            raise UserError(f"{path}: a policy file names no environment; pass --env ENV")
        limit = time_limit(asked, **(given or {}))
        return Subject(load_policy(path), asked, Reference(math.nan, limit), {}, given or {})
    else:
        check_is_something(path)
        subject = _of_expert(path, asked)
    if given is not None and given != (own := own_arguments(subject.arguments)):
        if math.isfinite(subject.reference.mean):
            made = f"{json.dumps(own)}" if own else "its defaults"
            _note_no_comparison(f"environment was made with {made}")
        arguments = with_own(subject.arguments, given)
        subject = subject._replace(arguments=arguments, reference=Reference(math.nan, subject.reference.episode_limit))
    return subject if asked is None else _in_other_environment(subject, asked, given)


def _of_run(directory: Path, best: bool) -> Subject:
    settings, about, state = read_settings(directory), read_about(directory), load_run(directory)
    training: dict[str, Any]
    with raise_on_mismatch(directory / CHECKPOINT):
        ledger, policy = state["ledger"], NumpyPolicy.from_state(state["agent"]["acting"])
        training = {"env_steps": ledger["steps"]["training"], "real_trajectories": ledger["episodes"]["training"]}
    if best:
        chosen = best_of(state, directory)
        policy = chosen.policy
        training = {"env_steps": chosen.env_steps, "real_trajectories": chosen.real_trajectories}
        training["best"] = {"iteration": chosen.iteration, "return_mean": chosen.return_mean}
    with raise_on_mismatch(directory / CONFIG):
        # Old runs did not record the limit, so their returns cannot be compared with the expert's.
        limit, expert_return = int(about.get(EPISODE_LIMIT, 0)), about["expert_return"]
        own = math.nan if expert_return is None else float(expert_return)
        error = float(about.get(EXPERT_ERROR, 0.0))  # old runs have none
        arguments = dict(about.get(ENV_KWARGS) or {})
    env_id = settings.config.env
    if not limit:
        return Subject(policy, env_id, Reference(math.nan, time_limit(env_id)), training, arguments)
    return Subject(policy, env_id, Reference(own, limit, error=error), training, arguments)


def _of_expert(path: Path, asked: str | None) -> Subject:
    demos = load_demonstrations(path)
    if demos.policy is None:
        raise UserError(f"{path}: expected a run, or an expert with its policy, found demonstrations without a policy")
    env_id = asked or named_environment(demos, path)
    if env_id is None:
        raise UserError(f"{path}: names no environment; pass --env ENV")
    training = {"env_steps": demos.provenance.get("steps_trained")}
    arguments = environment_arguments(demos, env_id)
    if demos.env_id and not same_environment(demos.env_id, env_id):
        _note_no_comparison(f"environment is {demos.env_id}")
        unknown = Reference(math.nan, time_limit(env_id, **arguments))
        return Subject(demos.policy, env_id, unknown, training, arguments)
    own = reference(demos, episode_limit(demos, env_id))
    for note in (other_env_note(demos, env_id), own.reason and f"note: {own.reason}"):
        if note:
            runtime.say(note)
    return Subject(demos.policy, env_id, own, training, arguments)


def _note_no_comparison(which: str) -> None:
    runtime.say(f"note: no comparison with the expert, whose {which}")


def _in_other_environment(subject: Subject, env_id: str, given: dict[str, Any] | None) -> Subject:
    """The policy in the environment asked for, under its own time limit.

    Returns of another environment, and of longer or shorter episodes, cannot be compared with the expert's return.
    """
    if not same_environment(subject.env_id, env_id):
        arguments = with_own(subject.arguments, {}) if given is None else subject.arguments
        if math.isfinite(subject.reference.mean):
            _note_no_comparison(f"environment is {subject.env_id}")
        unknown = Reference(math.nan, time_limit(env_id, **arguments))
        return subject._replace(env_id=env_id, arguments=arguments, reference=unknown)
    limit, own = time_limit(env_id, **subject.arguments), subject.reference.episode_limit
    if limit == own:
        return subject._replace(env_id=env_id)
    _note_no_comparison(f"episodes have {own} steps and these {limit}")
    return subject._replace(env_id=env_id, reference=Reference(math.nan, limit))


def check_playable(subject: Subject, name: Path, filmed: bool) -> None:
    """Checks the environment before anything is played.

    Args:
        subject: what to play.
        name: of the run, for messages.
        filmed: whether a film is made, so that the environment must render pictures.

    Raises:
        UserError: the environment cannot be made, breaks Gymnasium's contract, does not fit the policy or cannot be
            filmed.
    """
    with contextlib.closing(make_env(subject.env_id, **subject.arguments)) as tried:
        if filmed and not can_be_filmed(tried):
            raise UserError(
                f"--video: {subject.env_id} renders no pictures: expected 'rgb_array' in its metadata['render_modes'], "
                f"found {tried.metadata.get('render_modes') or 'none'}; leave --video out"
            )
        check_contract(tried, subject.env_id)
        _check_fits(subject.policy, tried, name)


def _check_fits(policy: NumpyPolicy, env: gym.Env[Any, Any], name: Path) -> None:
    expected, found = observation_size(env.observation_space), policy.layers[0][0].shape[0]
    if found != expected:
        fitting = f"a policy of {expected} observations to fit the environment"
        raise UserError(f"{name}: expected {fitting}, found one of {found}")
    same_actions(policy.spec, action_spec(env.action_space), str(name))


def expert_of(run: Path) -> NumpyPolicy:
    """The policy of the expert whose demonstrations a run imitated.

    Raises:
        UserError: it is no run, or its demonstrations hold no policy.
    """
    path = directory_of(run)
    if not (path / CONFIG).exists():
        raise UserError(f"--beside-expert: expected the directory of a run, found {run}")
    expert = read_settings(path).expert
    try:
        policy = load_demonstrations(expert).policy
    except UserError as error:
        if Path(expert).exists():
            raise
        again = f"{runtime.program()} --resume {shlex.quote(str(run))} --expert PATH"
        raise UserError(f"--beside-expert: {error}; if they have moved, say where they are: {again}") from None
    if policy is None:
        where = f"the demonstrations of {run} ({expert})"
        raise UserError(f"--beside-expert: {where} hold no policy that could be shown; leave --beside-expert out")
    return policy
