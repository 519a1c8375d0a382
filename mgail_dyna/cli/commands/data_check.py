"""`run.py data check`: validates demonstrations and summarises them."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from mgail_dyna.cli.arguments import parse
from mgail_dyna.cli.summary import summary_table
from mgail_dyna.config.presets import environment_id
from mgail_dyna.demonstrations.compatibility import (
    ReplayCheck,
    check_compatible,
    constant_note,
    named_environment,
    other_env_note,
    replay_check,
    replay_note,
)
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.reader import load_demonstrations, locate
from mgail_dyna.environments.make import make_env
from mgail_dyna.errors import UserError


@dataclass(frozen=True)
class CheckCommand:
    """Says what is in a file of demonstrations, or in one line what is wrong with it."""

    file: tyro.conf.Positional[str]
    """A dataset's directory, its main_data.hdf5, or the name of an expert that ships (halfcheetah)."""
    env: str | None = None
    """Check the spaces against this environment; against the one the file names if not given."""
    json: bool = False
    """Print JSON, for programs."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(CheckCommand, argv, prog="run.py data check")
    demos, where = load_demonstrations(command.file), locate(command.file)
    env_id = environment_id(command.env) if command.env else named_environment(demos, where)
    again = None if env_id is None else _in_environment(demos, where, env_id, asked=command.env is not None)
    if note := constant_note(demos):
        print(note, file=sys.stderr)
    if command.json:
        print(json.dumps(summary(demos, where, again), indent=2))
    else:
        Console().print(table(demos, where, again))


def _in_environment(demos: Demonstrations, where: Path, env_id: str, asked: bool) -> ReplayCheck | None:
    """Makes sure that demonstrations fit an environment; what came of playing them again, if that can be done."""
    try:
        env = make_env(env_id, demos.length)
    except UserError as error:
        raise error if asked else UserError(f"{where}: {error}") from None
    check_compatible(demos, env, str(where))
    notes, again = [other_env_note(demos, env_id)], None
    if demos.has_simulator_states:
        try:
            again = replay_check(demos, env)
            notes.append(replay_note(again, env_id))
        except UserError as error:
            notes.append(f"note: {str(error).partition(';')[0]}")
    env.close()
    for note in filter(None, notes):
        print(note, file=sys.stderr)
    return again


def summary(demos: Demonstrations, where: Path, again: ReplayCheck | None = None) -> dict[str, Any]:
    """What there is to say of demonstrations and of having played them again, as JSON can hold it."""
    lengths = np.array([len(trajectory) for trajectory in demos.trajectories])
    returns = demos.returns
    return {
        "path": str(where),
        "env_id": demos.env_id,
        "length_limit": demos.length,
        "episodes": len(demos.trajectories),
        "steps": demos.total_steps,
        "episode_length": {"min": int(lengths.min()), "mean": float(lengths.mean()), "max": int(lengths.max())},
        "terminated": sum(trajectory.terminated for trajectory in demos.trajectories),
        "return": {
            "mean": float(returns.mean()),
            "std": float(returns.std()),
            "min": float(returns.min()),
            "max": float(returns.max()),
        },
        "observation_space": str(demos.observation_space),
        "action_space": str(demos.action_space),
        "constant_observations": demos.constant,
        "simulator_state": demos.has_simulator_states,
        "played_again": again and {**asdict(again), "error": again.error if math.isfinite(again.error) else None},
        "policy": demos.policy is not None,
        "provenance": demos.provenance,
    }


def table(demos: Demonstrations, where: Path, again: ReplayCheck | None = None) -> Table:
    """The summary as a table."""
    about = summary(demos, where, again)
    spread, lengths, origin = about["return"], about["episode_length"], about["provenance"]
    observations, action = demos.observation_space.shape[0], demos.action
    returned = f"{spread['mean']:,.1f} ± {spread['std']:,.1f}; {spread['min']:,.1f} to {spread['max']:,.1f}"
    rows = {
        "environment": f"{demos.env_id or 'not named'}, episodes of at most {demos.length or '?'} steps",
        "episodes": f"{about['episodes']:,}, {about['terminated']} of them ended by the task",
        "steps": f"{about['steps']:,}; an episode {lengths['min']:,} to {lengths['max']:,}",
        "return": returned if demos.has_rewards else "no rewards are told",
        "spaces": f"{observations} observations; {action.size} {action.kind} actions",
        "simulator state": "qpos and qvel of every step" if about["simulator_state"] else "none",
    }
    if again is not None:
        rows["played again"] = f"{again.steps - again.elsewhere} of {again.steps} steps end as recorded"
    rows["expert's policy"] = "in the file" if about["policy"] else "none"
    rows["algorithm"] = str(origin.get("algorithm", "unknown"))
    for key in ("seed", "steps_trained", "steps_at_selection", "actions", "left_out", "commit", "source"):
        if (told := origin.get(key)) is not None:
            rows[key.replace("_", " ")] = f"{told:,}" if isinstance(told, int) else str(told)
    if isinstance(origin.get("versions"), dict):
        rows["versions"] = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    return summary_table(str(where), rows)
