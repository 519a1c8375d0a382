"""Training from the command line: makes a run, or opens one that is resumed, and trains it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.cli.commands.train import TrainCommand, refuse_changes
from mgail_dyna.config.presets import environment_name
from mgail_dyna.demonstrations.compatibility import (
    check_compatible,
    check_initial_states,
    constant_note,
    episode_limit,
    other_env_note,
)
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import SHIPPED, load_demonstrations, shipped_experts
from mgail_dyna.environments.make import make_env
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import (
    CHECKPOINT,
    EXTENDED,
    RunSettings,
    flatten,
    load_run,
    lock_run,
    new_directory,
    read_about,
    read_settings,
    write_settings,
)
from mgail_dyna.storage import raise_on_mismatch

if TYPE_CHECKING:
    from mgail_dyna.runs.run import ImitationRun


def train(command: TrainCommand, preset_given: bool) -> None:
    """Trains a new run, or the one to resume, to its end.

    Args:
        command: what to do.
        preset_given: whether the user chose the preset.

    Raises:
        UserError: the demonstrations do not fit, or the run cannot be resumed as asked.
    """
    directory, saved = command.resume, None
    with contextlib.ExitStack() as stack:
        if directory is not None:
            refuse_changes(read_settings(directory), command)
            stack.enter_context(lock_run(directory))
            saved = load_run(directory)
        settings, run = _built(command)
        stack.callback(run.close)
        for note in _notes(command, preset_given):
            print(f"note: {note}", file=sys.stderr)
        if directory is None:
            name = f"{environment_name(run.config.env)}-{settings.algorithm}-seed{run.config.seed}"
            directory = new_directory(command.logdir, name)
            stack.enter_context(lock_run(directory))
        if saved is not None:
            with raise_on_mismatch(directory / CHECKPOINT):
                run.restore(saved)
        if run.ended(settings.iterations):
            print(f"note: {_nothing_left(settings)}", file=sys.stderr)
        else:
            limit = episode_limit(run.demos, run.config.env)
            write_settings(directory, settings, float(run.demos.returns.mean()), limit)
        from mgail_dyna.cli.session import Session

        Session(run, directory, settings).train()


def _nothing_left(settings: RunSettings) -> str:
    ways = ["a larger --env-steps"] if settings.algorithm != "bc" else []
    if settings.iterations is not None:
        ways.append(f"a larger --iterations than {settings.iterations}")
    return f"the run has ended, so nothing was done{'; to extend it, give ' if ways else ''}{' or '.join(ways)}"


def _notes(command: TrainCommand, preset_given: bool) -> Iterator[str]:
    """What the user may not expect of this run."""
    source = command.rerun or command.resume
    if command.preset == "reset" and not preset_given and source is None:
        yield (
            "the demonstrations have no simulator states (qpos, qvel), so episodes start at the environment's reset "
            "(--preset reset)"
        )
    if source is not None and (missing := _missing_fields(source, command)):
        yield f"its config.json is older than {', '.join(missing)}: they have today's defaults, unless flags set them"
    if command.rerun is not None and (earlier := read_about(command.rerun).get(EXTENDED)):
        yield (
            f"that run was planned for {earlier[0]:,} env steps and extended later, so its learning rates fell "
            "differently from those of this run"
        )


def _missing_fields(source: Path, command: TrainCommand) -> list[str]:
    """The fields that the `config.json` of an older run lacks and that its algorithm uses."""
    ignores = algorithm_named(command.mode).ignores
    now, then = (dict(flatten(config)) for config in (asdict(command.settings), read_about(source)["config"]))
    return [name for name in now if name not in then and not ignores(name, command.settings.warm_start)]


def _built(command: TrainCommand) -> tuple[RunSettings, ImitationRun]:
    """The settings and the run; nothing is written to disk yet.

    Everything is checked before TensorFlow is imported, which takes seconds.
    """
    config = command.settings
    name = environment_name(config.env)
    if command.expert is None and name not in shipped_experts():
        shipped = f"{', '.join(shipped_experts())} do" if shipped_experts() else f"{SHIPPED} has none"
        raise UserError(
            f"--expert: no demonstrations of {config.env} ship ({shipped}); give some, "
            f"or train an expert first: {runtime.program()} expert --env {config.env}, "
            f"then --expert runs/expert/{name}-seed0"
        )
    settings = RunSettings(command.mode, command.preset, command.expert or name, command.iterations, config)
    demos = load_demonstrations(settings.expert)
    env = make_env(config.env, episode_limit(demos, config.env))
    check_compatible(demos, env, settings.expert)
    if settings.algorithm in ("dyna", "mgail"):
        check_initial_states(demos, config.rollout.initial_states)
    env.close()
    imitated = subset(demos, config.demonstrations, config.subsample)
    for note in filter(None, (other_env_note(demos, config.env), constant_note(imitated))):
        print(note, file=sys.stderr)
    runtime.import_tensorflow()
    from mgail_dyna.runs.run import ImitationRun

    return settings, ImitationRun(config, demos, settings.algorithm)
