"""A summary of demonstrations, as JSON or as a table."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mgail_dyna.cli.summary import summary_table
from mgail_dyna.demonstrations.compatibility import ReplayCheck
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.recorded_environment import recorded_with
from mgail_dyna.demonstrations.reference import ended_by_task


def summary(demos: Demonstrations, where: Path, replay: ReplayCheck | None = None) -> dict[str, Any]:
    """Demonstrations and the result of replaying them, as values that JSON can hold.

    Args:
        demos: the demonstrations.
        where: their directory or file.
        replay: the result; None if they were not replayed.
    """
    lengths = np.array([len(trajectory) for trajectory in demos.trajectories])
    returns, ended = demos.returns, ended_by_task(demos)
    return {
        "path": str(where),
        "env_id": demos.env_id,
        "env_kwargs": demos.env_kwargs,
        "length_limit": None if demos.length is None else max(demos.length, int(lengths.max())),
        "episodes": len(demos.trajectories),
        "steps": demos.total_steps,
        "episode_length": {"min": int(lengths.min()), "mean": float(lengths.mean()), "max": int(lengths.max())},
        "terminated": len(ended),
        "terminations_left_out": sum(not demos.trajectories[n].terminated for n in ended),
        "return": {
            "mean": float(returns.mean()),
            "std": float(returns.std()),
            "min": float(returns.min()),
            "max": float(returns.max()),
        },
        "observation_space": str(demos.observation_space),
        "action_space": str(demos.action_space),
        "constant_observations": demos.constant,
        "actions": demos.has_actions,
        "simulator_state": demos.has_simulator_states,
        "replay": replay and {**asdict(replay), "error": replay.error if math.isfinite(replay.error) else None},
        "policy": demos.policy is not None,
        "provenance": demos.provenance,
    }


def table(demos: Demonstrations, where: Path, replay: ReplayCheck | None = None, fits: str | None = None) -> Table:
    """The summary as a table; arguments as for `summary`, and the environment that the demonstrations fit."""
    about = summary(demos, where, replay)
    returns, lengths, origin = about["return"], about["episode_length"], about["provenance"]
    observations, action = demos.observation_space.shape[0], demos.action
    spread = f"standard deviation {returns['std']:,.1f}, from {returns['min']:,.1f} to {returns['max']:,.1f}"
    rows = {
        "environment": f"{demos.env_id or 'not named'}, episodes of at most {about['length_limit'] or '?'} steps",
        **({"fits": fits} if fits else {}),
        **({"recorded with": with_} if (with_ := recorded_with(demos)) else {}),
        "episodes": f"{about['episodes']:,}, of which {about['terminated']:,} terminated{_left_out(about)}",
        "steps": f"{about['steps']:,}, from {lengths['min']:,} to {lengths['max']:,} per episode",
        "return": f"{returns['mean']:,.1f}, {spread}"
        if demos.has_rewards
        else "unknown, as rewards are all 0, or there are none",
        "observation": _numbers(observations),
        "action": _numbers(action.size) if action.kind == "continuous" else f"one of {action.size}",
        **({} if about["actions"] else {"expert's actions": "unknown; imitated with --observations-only"}),
        "simulator state": "qpos and qvel of every step" if about["simulator_state"] else "none",
    }
    if replay is not None:
        rows["replay"] = f"{replay.steps - replay.elsewhere} of {replay.steps} steps end as recorded"
    elif not (about["simulator_state"] and about["actions"]):
        missing = "actions" if about["simulator_state"] else "simulator states"
        rows["replay"] = f"not possible without {missing}; learning does not need it"
    rows["expert's policy"] = "in the file" if about["policy"] else "none"
    rows["expert made by"] = str(origin.get("algorithm", "unknown"))
    for key in ("seed", "steps_trained", "steps_at_selection", "actions", "left_out", "commit", "source"):
        if (value := origin.get(key)) is not None:
            rows[key.replace("_", " ")] = f"{value:,}" if isinstance(value, int) else str(value)
    if isinstance(origin.get("versions"), dict):
        rows["versions"] = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    return summary_table(str(where), rows)


def _left_out(about: dict[str, Any]) -> str:
    """How many of the episodes that terminated lack the step that did it."""
    left, ended = about["terminations_left_out"], about["terminated"]
    which = f"in {left:,} of them" if left < ended else "in each"
    return f" ({which} the last step was left out in reading)" if left else ""


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"
