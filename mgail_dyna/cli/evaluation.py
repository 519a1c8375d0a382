"""Evaluation of a policy: plays it, films it, shows what came of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mgail_dyna.cli.report import MANY, UNCERTAIN
from mgail_dyna.cli.subject import Subject
from mgail_dyna.cli.summary import summary_table
from mgail_dyna.demonstrations.progress import counting, watched
from mgail_dyna.demonstrations.reference import FAILURE
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.video import film_episode, gif, mp4, side_by_side
from mgail_dyna.errors import UserError, counted
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.storage import replacing


def evaluate(subject: Subject, name: Path, episodes: int, seed: int) -> dict[str, Any]:
    """Plays episodes; returns and what they are compared with, as values that JSON can hold.

    Args:
        subject: what to play.
        name: of the run, for messages.
        episodes: how many.
        seed: of the first episode; each later one has the next number.
    """
    env = make_env(subject.env_id, subject.reference.episode_limit, **subject.arguments)
    seeds = range(seed, seed + episodes)
    played = watched(seeds, episodes, "playing episodes")
    returns = np.array([play_episode(env, subject.policy, each).episode_return for each in played])
    own, percent = subject.reference.mean, subject.reference.percent(float(returns.mean()))
    failed = sum(subject.reference.percent(float(value)) < FAILURE for value in returns)
    return {
        "run": str(name),
        "returns": returns.tolist(),
        "return_mean": float(returns.mean()),
        "return_std": float(returns.std()),
        "expert_return": own if math.isfinite(own) else None,  # JSON has no NaN
        "expert_error": subject.reference.error if math.isfinite(own) else None,
        "expert_percent": percent if math.isfinite(percent) else None,
        "episodes_below_half": failed if math.isfinite(percent) else None,
        **subject.training,
        "seeds": [seeds.start, seeds.stop - 1],
    }


def film(subject: Subject, file: Path, steps: int, seed: int, expert: NumpyPolicy | None = None) -> str:
    """Writes a video of one episode.

    Args:
        subject: what to play.
        file: .mp4 or .gif.
        steps: longest episode to show.
        seed: of the episode.
        expert: shown on the left, from the same reset, if given.

    Returns:
        What the video shows.

    Raises:
        UserError: the environment cannot be rendered, or the file cannot be written.
    """
    policies = {"expert": expert, "agent": subject.policy} if expert is not None else {"agent": subject.policy}
    limit = subject.reference.episode_limit
    try:
        with counting(len(policies) * min(steps, limit), f"filming, steps of {' and '.join(policies)}") as done:
            films = {
                name: film_episode(subject.env_id, policy, steps, limit, seed, subject.arguments, done)
                for name, policy in policies.items()
            }
    except UserError as error:
        raise UserError(f"--video: {error}") from error
    rate = films["agent"][1]
    frames = side_by_side({name: each for name, (each, _) in films.items()}) if expert else films["agent"][0]
    content = gif(frames, rate) if file.suffix == ".gif" else mp4(frames, rate)
    with replacing(file) as fresh:
        fresh.write_bytes(content)
    cut = len(films["agent"][0]) > steps and steps < limit
    which = f"of the episode with seed {seed}"
    whole = f"{which}; --video-steps {limit} shows it whole"
    return f"the first {counted(steps, 'step')} {whole}" if cut else f"all {which}"


def _uncertainty(result: dict[str, Any]) -> str:
    """The standard error of a percentage, as at the end of a run, and how to make it smaller."""
    count, mean = len(result["returns"]), abs(result["expert_return"])
    own, expert = 100 * result["return_std"] / math.sqrt(count - 1) / mean, 100 * result["expert_error"] / mean
    whose = " of agent and expert together" if expert else ""
    more = f"; smaller with --episodes {MANY}" if count < MANY and own >= max(UNCERTAIN, expert) else ""
    return f" ± {math.hypot(own, expert):.1f} (standard error{whose}{more})"


def table(result: dict[str, Any]) -> Table:
    """The result of `evaluate` as a table."""
    returns = result["returns"]
    rows = {"return": f"{result['return_mean']:,.1f}"}
    if len(returns) > 1:
        spread = f"standard deviation {result['return_std']:,.1f}"
        rows["return"] += f", {spread}, from {min(returns):,.1f} to {max(returns):,.1f}"
    if result["expert_percent"] is None:
        rows["expert"] = "no return to compare with"
    else:
        rows["expert"] = f"{result['expert_return']:,.1f}"
        rows["percent of expert"] = f"{result['expert_percent']:.1f}"
        if len(returns) > 1:
            rows["percent of expert"] += _uncertainty(result)
            rows[f"below {FAILURE:g}%"] = counted(result["episodes_below_half"], "episode")
    if best := result.get("best"):
        rows["policy"] = (
            f"the best of the run, after iteration {best['iteration']}; "
            f"chosen for its return there, {best['return_mean']:,.1f}, on other episodes than these"
        )
    first, last = result["seeds"]
    rows["episodes"] = f"{len(returns)}, seeds {first} to {last}" if last > first else f"1, seed {first}"
    if (steps := result.get("env_steps")) is not None:
        rows["trained for"] = f"{steps:,} env steps" + ("" if steps else ": a clone")
    return summary_table(result["run"], rows)
