"""`run.py evaluate`: how good a trained policy is, and what it looks like."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from mgail_dyna.cli.arguments import parse
from mgail_dyna.cli.summary import summary_table
from mgail_dyna.config.presets import environment_id
from mgail_dyna.demonstrations.compatibility import episode_limit, named_environment, same_actions
from mgail_dyna.demonstrations.dataset import percent_of
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.make import make_env, time_limit
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.runs.directory import (
    CHECKPOINT,
    CONFIG,
    EPISODE_LIMIT,
    directory_of,
    is_policy_file,
    load_policy,
    load_run,
    read_about,
    read_settings,
)
from mgail_dyna.storage import raise_on_mismatch, replacing

# Not those of evaluations during training, nor those of the demonstrations.
FIRST_SEED = 30_000
FORMATS = (".mp4", ".gif")


@dataclass(frozen=True)
class EvaluateCommand:
    """Plays a trained policy's mean action and sets its returns beside the expert's."""

    run: tyro.conf.Positional[Path]
    """Directory of a run, or of an expert (its own policy is played); or a policy's file, with --env."""
    env: str | None = None
    """Play in this environment, under its own time limit; as the run or the expert had it if not given."""
    episodes: int = 10
    """Episodes to play."""
    seed: int = FIRST_SEED
    """Seed of the first episode; the others follow it one by one."""
    video: Path | None = None
    """An .mp4 or .gif file to write one episode to."""
    video_steps: int = 300
    """Steps of that episode to show."""
    json: bool = False
    """Print JSON, for programs."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(EvaluateCommand, argv, prog="run.py evaluate")
    for name, least in (("episodes", 1), ("seed", 0), ("video_steps", 1)):
        if getattr(command, name) < least:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: expected at least {least}, found {getattr(command, name)}")
    if command.video is not None and command.video.suffix not in FORMATS:
        raise UserError(f"--video: expected a file ending in {' or '.join(FORMATS)}, found {command.video}")
    policy, env_id, length, expert_return, counted = _subject(command)
    env = make_env(env_id, length)
    _check_fits(policy, env, command)
    seeds = range(command.seed, command.seed + command.episodes)
    returns = np.array([play_episode(env, policy, seed).episode_return for seed in seeds])
    percent = percent_of(expert_return, float(returns.mean()))
    result = {
        "run": str(command.run),
        "returns": returns.tolist(),
        "return_mean": returns.mean(),
        "return_std": returns.std(),
        "expert_return": expert_return if math.isfinite(expert_return) else None,  # JSON has no NaN
        "expert_percent": percent if math.isfinite(percent) else None,
        **counted,
        "seeds": [seeds.start, seeds.stop - 1],
    }
    # Before the film, which wants more of the machine.
    print(json.dumps(result, indent=2)) if command.json else Console().print(_table(result))
    if command.video is not None:
        _film(command, env_id, policy, length)
        if not command.json:
            print(command.video)


class _Subject(NamedTuple):
    """The policy to play, where, how long at most, what the expert returns, and what training took."""

    policy: NumpyPolicy
    env_id: str
    length: int
    expert_return: float
    counted: dict[str, Any]


def _subject(command: EvaluateCommand) -> _Subject:
    path, asked = directory_of(command.run), environment_id(command.env) if command.env else None
    if (path / CONFIG).exists():
        subject = _of_run(path)
    elif is_policy_file(path):
        if asked is None:
            raise UserError(f"{path}: expected --env ENV with a policy's file, which names none")
        return _Subject(load_policy(path), asked, time_limit(asked), math.nan, {})
    else:
        subject = _of_expert(path, asked)
    return subject if asked is None else _elsewhere(subject, asked)


def _of_run(directory: Path) -> _Subject:
    settings, about, state = read_settings(directory), read_about(directory), load_run(directory)
    with raise_on_mismatch(directory / CHECKPOINT):
        ledger, policy = state["ledger"], NumpyPolicy.from_state(state["agent"]["acting"])
        counted = {"env_steps": ledger["steps"]["training"], "real_trajectories": ledger["episodes"]["training"]}
    with raise_on_mismatch(directory / CONFIG):
        # Runs made before it was told have nothing to compare with.
        limit, expert_return = int(about.get(EPISODE_LIMIT, 0)), float(about["expert_return"])
    env_id = settings.config.env
    if not limit:
        return _Subject(policy, env_id, time_limit(env_id), math.nan, counted)
    return _Subject(policy, env_id, limit, expert_return, counted)


def _of_expert(path: Path, asked: str | None) -> _Subject:
    demos = load_demonstrations(path)
    env_id = asked or named_environment(demos, path)
    if demos.policy is None:
        raise UserError(f"{path}: expected a run, or an expert with its policy, found demonstrations alone")
    if env_id is None:
        raise UserError(f"{path}: names no environment; pass --env ENV")
    counted = {"env_steps": demos.provenance.get("steps_trained")}
    return _Subject(demos.policy, env_id, episode_limit(demos, env_id), float(demos.returns.mean()), counted)


def _elsewhere(subject: _Subject, env_id: str) -> _Subject:
    """In the environment asked for, under its own time limit. What longer or shorter episodes return says nothing
    beside the expert's return."""
    limit = time_limit(env_id)
    if limit == subject.length:
        return subject._replace(env_id=env_id)
    told = f"episodes of {limit} steps are not set beside the expert's of {subject.length}"
    print(f"note: {told}", file=sys.stderr)
    return subject._replace(env_id=env_id, length=limit, expert_return=math.nan)


def _check_fits(policy: NumpyPolicy, env: gym.Env[Any, Any], command: EvaluateCommand) -> None:
    observations, action = observation_size(env.observation_space), action_spec(env.action_space)
    seen = policy.layers[0][0].shape[0]
    if seen != observations:
        raise UserError(
            f"{command.run}: expected a policy of {observations} observations to fit the environment, "
            f"found one of {seen}"
        )
    same_actions(policy.spec, action, str(command.run))


def _film(command: EvaluateCommand, env_id: str, policy: NumpyPolicy, length: int) -> None:
    from mgail_dyna.environments.video import film_episode, gif, mp4

    assert command.video is not None
    try:
        frames, rate = film_episode(env_id, policy, command.video_steps, length, command.seed)
    except UserError as error:
        raise UserError(f"--video: {error}") from error
    content = gif(frames, rate) if command.video.suffix == ".gif" else mp4(frames, rate)
    with replacing(command.video) as fresh:
        fresh.write_bytes(content)


def _table(result: dict[str, Any]) -> Table:
    spread = f"{min(result['returns']):,.1f} to {max(result['returns']):,.1f}"
    rows = {"return": f"{result['return_mean']:,.1f} ± {result['return_std']:,.1f}; {spread}"}
    if result["expert_percent"] is None:
        rows["expert"] = "no return to compare with"
    else:
        rows["expert"] = f"{result['expert_return']:,.1f}"
        rows["percent of expert"] = f"{result['expert_percent']:.1f}"
    rows["episodes"] = f"{len(result['returns'])}, seeds {result['seeds'][0]} to {result['seeds'][1]}"
    if result.get("env_steps"):
        rows["trained for"] = f"{result['env_steps']:,} env steps"
    return summary_table(result["run"], rows)
