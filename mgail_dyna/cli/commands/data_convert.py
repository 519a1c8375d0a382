"""`data convert`: converts demonstrations of other formats to ours."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.config.presets import environment_id
from mgail_dyna.errors import UserError


@dataclass(frozen=True)
class ConvertCommand:
    """Converts demonstrations to the format that --expert takes.

    IN is the directory of a Minari dataset, a D4RL file (flat HDF5), a robomimic file (HDF5), an .npz or a .csv file,
    or a directory written by LeRobot (parquet) or by the imitation library (Arrow); both need pyarrow.

    An .npz file holds padded arrays: observations [n, T+1, d], lengths [n] (actions of each episode); optionally
    actions [n, T, ...], rewards [n, T], terminations, truncations, qpos and qvel. A .csv file holds one row a step:
    columns episode, observation_0, observation_1, ...; optionally action_0, ..., reward, terminated, truncated. If an
    episode's last row has an action, that step is left out, as the state after it is unknown.

    An episode of a D4RL file ends at a terminal, at a timeout, and where the next row is not the one that
    next_observations gives. A file without timeouts is cut at the environment's own time limit.
    """

    paths: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IN [IN ...] OUT")]
    """Files or directories to read (several become one dataset), and the directory to write."""
    env: str
    """Environment of the demonstrations: a short name such as halfcheetah, a Gymnasium id, or module:Id for one of
    your own."""
    env_kwargs: str | None = None
    """Keyword arguments of the environment as JSON, such as '{"g": 1.6}'; those the file records if not given."""
    keys: str | None = None
    """Names of the observations, joined in this order, such as robot0_eef_pos,object; all vectors if not given (.csv:
    observation_0, ...; LeRobot: observation.state)."""
    clip_actions: bool = False
    """Clip actions to the action space, as simulators do."""
    skip_bad_episodes: bool = False
    """Leave out episodes that do not fit; a note says how many, which and why."""
    overwrite: bool = False
    """Replace the dataset in OUT."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(ConvertCommand, argv, prog=f"{runtime.program()} data convert")
    if len(command.paths) < 2:
        raise UserError(f"expected IN and OUT, found {' '.join(map(str, command.paths)) or 'neither'}")
    from rich.console import Console

    from mgail_dyna.cli.dataset_summary import table
    from mgail_dyna.demonstrations.compatibility import episode_limit
    from mgail_dyna.demonstrations.convert import convert
    from mgail_dyna.demonstrations.faults import data_notes
    from mgail_dyna.demonstrations.recorded_environment import parse_arguments
    from mgail_dyna.demonstrations.reference import reference
    from mgail_dyna.demonstrations.writer import save_demonstrations

    *sources, out = command.paths
    last = "the last path is the directory to write to"
    if out.is_file():
        raise UserError(f"{out}: expected a directory to write to, found a file; {last}")
    if (out / "data").exists() and not command.overwrite:
        raise UserError(f"{out}: holds a dataset already; --overwrite replaces it ({last})")
    demos, notes = convert(
        sources,
        environment_id(command.env),
        clip_actions=command.clip_actions,
        skip_bad_episodes=command.skip_bad_episodes,
        env_kwargs=parse_arguments(command.env_kwargs),
        keys=tuple(filter(None, (command.keys or "").split(","))),
    )
    save_demonstrations(out, demos, overwrite=command.overwrite)
    own = reference(demos, episode_limit(demos, environment_id(command.env)))
    doubt = (own.reason or own.doubt) if demos.has_rewards else None  # without rewards, `notes` say so
    compared = [f"note: {doubt}"] if doubt else []
    for note in [*(f"note: {note}" for note in notes), *data_notes(demos), *compared]:
        runtime.say(note)
    console = Console()
    console.print(table(demos, out))
    console.print("next:")
    there = shlex.quote(str(out))
    named = f" --env {command.env}" if ":" in command.env else ""  # a file must not decide which module is imported
    imitate = f"--env {command.env} --expert {there}"
    ways = (f"{imitate} --mode bc", imitate) if demos.has_actions else (f"{imitate} --observations-only",)
    for words in (f"data check {there}{named}", *ways):
        console.print(f"  {runtime.program()} {words}", highlight=False, markup=False, soft_wrap=True)
