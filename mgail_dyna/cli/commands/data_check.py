"""`data check`: validates demonstrations and summarises them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.cli.commands.plot import FORMATS
from mgail_dyna.config.presets import environment_id
from mgail_dyna.errors import UserError

if TYPE_CHECKING:
    from mgail_dyna.demonstrations.compatibility import ReplayCheck
    from mgail_dyna.demonstrations.dataset import Demonstrations


@dataclass(frozen=True)
class CheckCommand:
    """Shows what is in a file of demonstrations, or reports in one line what is wrong with it."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """Directory of a dataset, its main_data.hdf5, or the name of a shipped expert, such as halfcheetah."""
    env: str | None = None
    """Check that the demonstrations fit this environment. If not given: the one that the file names, unless that is
    module:Id."""
    env_kwargs: str | None = None
    """Keyword arguments of the environment as JSON, such as '{"g": 1.6}'; those the file records if not given."""
    plot: Path | None = None
    """Draw returns, lengths, coordinates, and where demonstrations disagree, to this file: .png, .svg or .pdf."""
    json: bool = False
    """Print JSON, for programs."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(CheckCommand, argv, prog=f"{runtime.program()} data check")
    if command.plot is not None and command.plot.suffix not in FORMATS:
        raise UserError(f"--plot: expected a file ending in {', '.join(FORMATS)}, found {command.plot}")
    from rich.console import Console

    from mgail_dyna.cli.dataset_summary import summary, table
    from mgail_dyna.demonstrations.compatibility import named_environment
    from mgail_dyna.demonstrations.faults import data_notes
    from mgail_dyna.demonstrations.reader import load_demonstrations, locate

    demos, where = load_demonstrations(command.file), locate(command.file)
    try:
        env_id = environment_id(command.env) if command.env else named_environment(demos, where)
    except UserError as error:  # a file must not decide which module is imported
        env_id = None
        runtime.say(f"note: {error}; this time, only the file is checked")
    replay, doubts = (None, data_notes(demos)) if env_id is None else _in_environment(demos, where, env_id, command)
    for note in doubts:
        runtime.say(note)
    if command.plot is not None:
        _draw(demos, command.file, command.plot)
    if command.json:
        print(json.dumps(summary(demos, where, replay), indent=2))
    else:
        Console().print(table(demos, Path(command.file) if Path(command.file).exists() else where, replay, env_id))


def _draw(demos: Demonstrations, name: str, out: Path) -> None:
    import matplotlib

    from mgail_dyna.experiments.figures.dataset import dataset_figure
    from mgail_dyna.storage import replacing

    title = f"{name}: {len(demos.trajectories):,} demonstrations of {demos.env_id or 'an unnamed environment'}"
    # A dollar sign in a path does not start a formula.
    with matplotlib.rc_context({"text.parse_math": False}), replacing(out) as fresh:
        dataset_figure(demos, title).savefig(fresh, format=out.suffix[1:])
    print(out, file=sys.stderr)


def _in_environment(
    demos: Demonstrations, where: Path, env_id: str, command: CheckCommand
) -> tuple[ReplayCheck | None, list[str]]:
    """Checks that demonstrations fit an environment and replays some of their steps, if they hold simulator states.

    Returns:
        The replay, if there was one, and notes on what looks like a fault of the recording.

    Raises:
        UserError: there is no such environment, or they do not fit.
    """
    from mgail_dyna.demonstrations.compatibility import compare, episode_limit, replay_check, replay_note
    from mgail_dyna.demonstrations.faults import data_notes
    from mgail_dyna.demonstrations.recorded_environment import check_env_of, environment_arguments, parse_arguments
    from mgail_dyna.demonstrations.reference import reference
    from mgail_dyna.environments.make import make_env

    arguments = environment_arguments(demos, env_id, parse_arguments(command.env_kwargs))
    if command.env:
        check_env_of(env_id, [where])
    try:
        limit = episode_limit(demos, env_id)
        env = make_env(env_id, limit, **arguments)
    except UserError as error:
        raise error if command.env else UserError(f"{where}: {error}") from None
    notes: list[str | None] = [*compare(demos, env, env_id, str(where))]
    if demos.has_rewards and (reason := reference(demos, limit).reason):
        notes.append(f"note: {reason}")
    replay = None
    if demos.has_simulator_states and demos.has_actions:
        try:
            replay = replay_check(demos, env)
            notes.append(replay_note(replay, env_id))
        except UserError as error:
            notes.append(f"note: {str(error).partition(';')[0]}")
    doubts = data_notes(demos, env)
    env.close()
    for note in filter(None, notes):
        runtime.say(note)
    return replay, doubts
