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

from mgail_dyna import envs
from mgail_dyna.arguments import parse
from mgail_dyna.commands.facts import facts
from mgail_dyna.errors import UserError
from mgail_dyna.expert import Expert
from mgail_dyna.expert_data import load_expert, locate
from mgail_dyna.fit import (
    Replayed,
    check_fits,
    named_environment,
    never_varies,
    other_task,
    played_otherwise,
    replayed,
)
from mgail_dyna.presets import environment_id


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
    expert, where = load_expert(command.file), locate(command.file)
    env_id = environment_id(command.env) if command.env else named_environment(expert, where)
    again = None if env_id is None else _in_environment(expert, where, env_id, asked=command.env is not None)
    if note := never_varies(expert):
        print(note, file=sys.stderr)
    if command.json:
        print(json.dumps(summary(expert, where, again), indent=2))
    else:
        Console().print(table(expert, where, again))


def _in_environment(expert: Expert, where: Path, env_id: str, asked: bool) -> Replayed | None:
    """Makes sure that demonstrations fit an environment; what came of playing them again, if that can be done."""
    try:
        env = envs.make(env_id, expert.length)
    except UserError as error:
        raise error if asked else UserError(f"{where}: {error}") from None
    check_fits(expert, env, str(where))
    notes, again = [other_task(expert, env_id)], None
    if expert.simulated:
        try:
            again = replayed(expert, env)
            notes.append(played_otherwise(again, env_id))
        except UserError as error:
            notes.append(f"note: {str(error).partition(';')[0]}")
    env.close()
    for note in filter(None, notes):
        print(note, file=sys.stderr)
    return again


def summary(expert: Expert, where: Path, again: Replayed | None = None) -> dict[str, Any]:
    """What there is to say of demonstrations and of having played them again, as JSON can hold it."""
    lengths = np.array([len(trajectory) for trajectory in expert.trajectories])
    returns = expert.returns
    return {
        "path": str(where),
        "env_id": expert.env_id,
        "length_limit": expert.length,
        "episodes": len(expert.trajectories),
        "steps": expert.total_steps,
        "episode_length": {"min": int(lengths.min()), "mean": float(lengths.mean()), "max": int(lengths.max())},
        "terminated": sum(trajectory.terminated for trajectory in expert.trajectories),
        "return": {
            "mean": float(returns.mean()),
            "std": float(returns.std()),
            "min": float(returns.min()),
            "max": float(returns.max()),
        },
        "observation_space": str(expert.observation_space),
        "action_space": str(expert.action_space),
        "constant_observations": expert.constant,
        "simulator_state": expert.simulated,
        "played_again": again and {**asdict(again), "error": again.error if math.isfinite(again.error) else None},
        "policy": expert.policy is not None,
        "provenance": expert.provenance,
    }


def table(expert: Expert, where: Path, again: Replayed | None = None) -> Table:
    """The summary as a table."""
    about = summary(expert, where, again)
    spread, lengths, origin = about["return"], about["episode_length"], about["provenance"]
    observations, action = expert.observation_space.shape[0], expert.action
    returned = f"{spread['mean']:,.1f} ± {spread['std']:,.1f}; {spread['min']:,.1f} to {spread['max']:,.1f}"
    rows = {
        "environment": f"{expert.env_id or 'not named'}, episodes of at most {expert.length or '?'} steps",
        "episodes": f"{about['episodes']:,}, {about['terminated']} of them ended by the task",
        "steps": f"{about['steps']:,}; an episode {lengths['min']:,} to {lengths['max']:,}",
        "return": returned if expert.rewarded else "no rewards are told",
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
    return facts(str(where), rows)
