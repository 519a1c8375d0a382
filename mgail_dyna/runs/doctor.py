"""Reads a run's directory and finds what is wrong with the run; TensorFlow is not needed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from mgail_dyna.algorithms.registry import ALGORITHMS
from mgail_dyna.config.presets import apply
from mgail_dyna.demonstrations.dataset import Demonstrations, subset
from mgail_dyna.demonstrations.faults import unseen
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.reference import FAILURE, Reference, reference
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.spaces import observation_size
from mgail_dyna.environments.video import can_be_filmed
from mgail_dyna.errors import UserError, counted
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.runs.changes import Change
from mgail_dyna.runs.directory import (
    ENV_KWARGS,
    EPISODE_LIMIT,
    RunSettings,
    flatten,
    read_about,
    read_progress,
    read_settings,
)
from mgail_dyna.runs.evidence import NEAR as NEAR_EXPERT
from mgail_dyna.runs.evidence import Evidence
from mgail_dyna.runs.final import read_final
from mgail_dyna.runs.findings import FINDINGS, Finding
from mgail_dyna.runs.policies import load_policy
from mgail_dyna.runs.run import EVALUATION_SEED, EVALUATION_SEEDS
from mgail_dyna.types import ActionSpec, Array

# Of the box's width: actions this near to a bound are at it.
NEAR = 1e-3
# Demonstrated states at which the policy's actions are looked at, at most.
STATES = 5_000
# An evaluation episode below this share of the expert's return fails.
FAILS = 0.5

# Columns of `progress.csv` that every run has.
_NEEDED = ("env_steps", "expert_percent", "return_mean", "return_std")


class Found(NamedTuple):
    """A finding and its number."""

    finding: Finding
    value: float


class Episode(NamedTuple):
    """One of the run's evaluation episodes, played again."""

    seed: int
    episode_return: float
    steps: int
    fails: bool


# Settings of a clone, in place of those without one.
OF_A_CLONE = {
    "policy.acting-averaging": "cloning.acting-averaging",
    "rollout.reset-length": "cloning.reset-length",
}


@dataclass(frozen=True)
class Diagnosis:
    """What was seen in a run.

    Attributes:
        settings: of the run.
        iterations: done so far.
        env_steps: done so far.
        percent: how the run ended, in percent of the expert; NaN if nothing is compared.
        final: whether that is the mean of the final episodes; if not, it is the last evaluation.
        found: what is wrong, worst first.
        looked_for: names of the findings that were looked for.
        skipped: names of those that could not be.
        spent: whether its budget is spent.
        episode_limit: longest evaluation episode in steps; None if unknown.
        clone: whether the policy is a clone that learns on.
        failing: seeds and returns of the final episodes that return less than half of the expert.
        notes: why something could not be read.
    """

    settings: RunSettings
    iterations: int
    env_steps: int
    percent: float
    final: bool
    found: tuple[Found, ...]
    looked_for: tuple[str, ...]
    skipped: tuple[str, ...]
    spent: bool
    episode_limit: int | None
    clone: bool
    failing: tuple[tuple[int, float], ...]
    notes: tuple[str, ...]


def diagnose(directory: Path) -> Diagnosis:
    """Looks for every finding in a run.

    Raises:
        UserError: it is no run, or its configuration or curve cannot be read.
    """
    settings, about, columns = read_settings(directory), read_about(directory), read_progress(directory, _NEEDED)
    expert_return, notes = about.get("expert_return"), []
    comparable = math.nan if expert_return is None else float(expert_return)
    run = Evidence(settings.config, columns, comparable)
    policy = demos = None
    try:
        demos = load_demonstrations(settings.expert)
    except UserError as error:
        notes.append(f"the demonstrations cannot be read: {error}")
    try:
        policy = load_policy(directory)
    except UserError as error:
        notes.append(f"the policy cannot be read: {error}")
    if demos is not None:
        std = float(demos.returns.std()) if demos.has_rewards else None
        size = demos.observation_space.shape[0]
        run = replace(run, size=size, demo_length=demos.due_length, demo_std=std)
        run = replace(run, **_final(directory, demos, about), unseen=_unseen(settings, demos, about))
        used, there = settings.config.demonstrations, len(demos.trajectories)
        if used is not None and used < there and not run.end >= NEAR_EXPERT:
            notes.append(f"the run imitates {used} of {counted(there, 'demonstration')} (--demonstrations); more help")
    if policy is not None:
        run = replace(run, size=int(policy.layers[0][0].shape[0]))
    if policy is not None and demos is not None:
        run = replace(run, at_bounds=_at_bounds(policy, demos))
    measured = [(finding, finding.measure(run)) for finding in FINDINGS]
    found = [Found(finding, value) for finding, value in measured if value is not None and finding.severity(value) > 0]
    return Diagnosis(
        settings,
        len(columns["env_steps"]),
        int(columns["env_steps"][-1]),
        run.end,
        run.final is not None and run.final.size > 0,
        tuple(sorted(found, key=lambda each: -each.finding.severity(each.value))),
        tuple(finding.name for finding, value in measured if value is not None),
        tuple(finding.name for finding, value in measured if value is None and _applies(finding, settings)),
        _spent(settings, columns),
        None if about.get(EPISODE_LIMIT) is None else int(about[EPISODE_LIMIT]),
        run.starts_as_clone,
        _failing(directory, run),
        tuple(notes),
    )


def _applies(finding: Finding, settings: RunSettings) -> bool:
    """Whether such a run could have a finding's numbers."""
    algorithm = ALGORITHMS.get(settings.algorithm)
    warm_start = settings.config.warm_start
    return algorithm is None or not any(algorithm.ignores(setting, warm_start) for setting in finding.settings)


def _spent(settings: RunSettings, columns: Mapping[str, Any]) -> bool:
    """Whether the budget is spent: gradient steps of a clone, env steps of any other run."""
    if settings.algorithm == "bc":
        return "cloning/left" not in columns or bool(columns["cloning/left"][-1] == 0)
    return bool(columns["env_steps"][-1] >= settings.config.env_steps)


def can_film(directory: Path, settings: RunSettings) -> bool:
    """Whether the run's environment can be made here and renders pictures."""
    try:
        with contextlib.closing(_environment(settings, read_about(directory))) as env:
            return can_be_filmed(env)
    except UserError:
        return False


def changed(
    finding: Finding, settings: RunSettings, limit: int | None = None, clone: bool = False
) -> list[tuple[Change, Any]]:
    """The changes that a finding proposes and their values, without those that are made, forbidden or without effect.

    Args:
        finding: that was found.
        settings: of the run.
        limit: steps after which the environment ends an episode; None if unknown.
        clone: whether the policy is a clone that learns on.
    """
    config, algorithm = settings.config, ALGORITHMS.get(settings.algorithm)
    if algorithm is None:  # one of the user's own, which the command line does not know
        return []
    flat, made = dict(flatten(asdict(config))), []
    for change in finding.changes:
        if clone:
            change = replace(change, flag=OF_A_CLONE.get(change.flag, change.flag))
        value: Any = change.value(flat)
        length = change.key.endswith(".reset_length")
        if length and value is not None and limit is not None:
            value = min(value, limit) if flat[change.key] < limit else None
        if length and config.rollout.initial_states == "demos":
            continue
        if value is None or algorithm.ignores(change.key, config.warm_start):
            continue
        group, _, name = change.key.rpartition(".")
        with contextlib.suppress(UserError):
            apply(config, {group: {name: value}} if group else {name: value})
            made.append((change, value))
    return made


def _final(directory: Path, demos: Demonstrations, about: Mapping[str, Any]) -> dict[str, Any]:
    """What `Evidence` says of the final episodes; nothing if there are none, or if nothing is compared."""
    final, mean = read_final(directory), about.get("expert_return")
    if final is None or mean is None or not math.isfinite(mean):
        return {}
    limit = int(about.get(EPISODE_LIMIT) or max(len(trajectory) for trajectory in demos.trajectories))
    return {
        "final": final.percents(Reference(float(mean), limit)),
        "expert_failures": reference(demos, limit).failures,
    }


def _unseen(settings: RunSettings, demos: Demonstrations, about: Mapping[str, Any]) -> int | None:
    """How many observations only the environment varies, not the demonstrations; None if it cannot be made here."""
    config = settings.config
    imitated = subset(demos, config.demonstrations, config.subsample)
    if not imitated.constant:
        return 0
    with contextlib.suppress(UserError), contextlib.closing(_environment(settings, about)) as env:
        if observation_size(env.observation_space) == observation_size(demos.observation_space):
            return len(unseen(imitated, env))
    return None


def _environment(settings: RunSettings, about: Mapping[str, Any]) -> gym.Env[Any, Any]:
    return make_env(settings.config.env, about.get(EPISODE_LIMIT), **dict(about.get(ENV_KWARGS) or {}))


def _failing(directory: Path, run: Evidence) -> tuple[tuple[int, float], ...]:
    if run.final is None or (final := read_final(directory)) is None:
        return ()
    rows = np.flatnonzero(run.final < FAILURE)
    return tuple((int(final.seeds[row]), float(final.returns[row])) for row in rows)


def _at_bounds(policy: NumpyPolicy, demos: Demonstrations) -> float | None:
    """How much more often the policy's mean action is at a bound than the demonstrations' actions; None if unknown."""
    states = np.concatenate([each.observations[: len(each)] for each in demos.trajectories])
    fits = policy.layers[0][0].shape[0] == states.shape[1] and policy.spec.size == demos.action.size
    if not fits or not demos.has_actions:
        return None
    chosen = np.linspace(0, len(states) - 1, min(len(states), STATES)).astype(int)
    own = _share_at_bounds(policy.spec, policy.act(states[chosen]))
    theirs = _share_at_bounds(demos.action, np.concatenate(demos.actions))
    return None if own is None or theirs is None else own - theirs


def _share_at_bounds(spec: ActionSpec, actions: Array) -> float | None:
    if spec.kind != "continuous" or not spec.bounded or spec.fixed.all():
        return None
    assert spec.low is not None and spec.high is not None
    near = NEAR * (spec.high - spec.low)
    at = (actions <= spec.low + near) | (actions >= spec.high - near)
    return float(at[..., ~spec.fixed].mean())


def play_evaluation(directory: Path) -> list[Episode]:
    """Plays the run's evaluation episodes again, with the policy of its checkpoint.

    An episode fails if it returns less than half of what the expert does, or, where that is unknown, less than half of
    the median. After a whole run these are the episodes of its last evaluation.

    Raises:
        UserError: there is no checkpoint, or the environment cannot be made.
    """
    settings, about, policy = read_settings(directory), read_about(directory), load_policy(directory)
    config, first = settings.config, EVALUATION_SEED + EVALUATION_SEEDS * settings.config.seed
    with contextlib.closing(_environment(settings, about)) as env:
        seeds = range(first, first + max(config.evaluation_episodes, 1))
        played = [play_episode(env, policy, seed) for seed in seeds]
    returns = np.array([each.episode_return for each in played])
    expert: Any = about.get("expert_return")
    usual = float(np.median(returns)) if expert is None else float(expert)
    least = usual - (1 - FAILS) * abs(usual)  # half of it; if it is negative, half as much again
    rows = zip(seeds, played, returns, strict=True)
    return [Episode(seed, float(each), len(episode), bool(each < least)) for seed, episode, each in rows]
