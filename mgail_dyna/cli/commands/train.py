"""Training, the command without a name: an agent imitates an expert. This module reads its arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named, imitation_preset
from mgail_dyna.cli.arguments import parse, peek
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.config.presets import check_preset, environment_id, environments
from mgail_dyna.errors import UserError

if TYPE_CHECKING:
    from mgail_dyna.runs.directory import RunSettings

# The flags that people use most, in the order of the help.
FIRST = (
    *("env", "mode", "expert", "demonstrations", "subsample", "preset"),
    *("env-steps", "seed", "logdir", "resume"),
)
# What a resumed run may change: its length and how it is evaluated.
EXTENDABLE = {"env_steps", "evaluation_episodes", "evaluate_every", "final_episodes"}
_GROUPS = [each.name.replace("_", "-") for each in fields(ImitationConfig) if is_dataclass(each.default_factory)]
# `--plan-steps` is accepted for `--plan.steps`.
_GROUPED = re.compile(rf"^--({'|'.join(_GROUPS)})-")


@dataclass(frozen=True)
class TrainCommand:
    """Trains an agent to imitate an expert from its demonstrations, without reward.

    The defaults of the other options depend on --mode and --preset; with the presets tuned and reset, or one of yours,
    also on --env.
    """

    mode: str = "dyna"
    """Algorithm: dyna (Dyna-AIL: learns on real trajectories and plans on imagined ones), mgail (on real ones only),
    dyna-natural (dyna with natural-gradient steps), gail (TRPO, no model), dyna-trpo (TRPO, real and imagined) or bc
    (behavioural cloning, no env steps)."""
    preset: str = "recipe"
    """recipe (the same numbers for every environment), tuned (numbers tuned on single tasks, where some episodes start
    in a simulator state of the demonstrations), reset (as tuned, without such starts) or paper-like (the paper's
    constants)."""
    expert: str | None = None
    """Demonstrations: a shipped expert's name, a directory or an HDF5 file. If not given: those shipped for --env."""
    logdir: Path = Path("runs")
    """Directory in which the run gets a directory of its own."""
    iterations: int | None = None
    """Stop after this many iterations, even if --env-steps are not used up. With --resume: this time only."""
    resume: Path | None = None
    """Continue the run in this directory; a larger --env-steps extends it."""
    rerun: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Repeat a run with the settings in its config.json."""
    settings: Annotated[ImitationConfig, tyro.conf.arg(name="")] = field(default_factory=ImitationConfig)


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = resolved(argv)
    if command.iterations is not None and command.iterations < 1:
        raise UserError(f"--iterations: expected at least 1, found {command.iterations}")
    if command.resume is not None and command.rerun is not None:
        raise UserError("--resume and --config: expected one of them, found both")
    from mgail_dyna.cli.training import train

    train(command)


def resolved(argv: Sequence[str]) -> TrainCommand:
    """What `argv` asks for, with the defaults that its environment, algorithm and preset set.

    Raises:
        UserError: an unknown name, a value that does not fit, or a flag that has no effect.
    """
    argv = [_GROUPED.sub(r"--\1.", word) for word in argv]
    default = _defaults(argv)
    command = parse(TrainCommand, argv, prog=runtime.program(), default=default, first=FIRST)
    check_preset(command.preset)
    algorithm = algorithm_named(command.mode)
    _refuse_unused(command, default)
    from mgail_dyna.demonstrations.reader import shipped_experts
    from mgail_dyna.runs.directory import directory_of, read_settings

    expert = command.expert
    if expert is not None and expert not in shipped_experts() and Path(expert).exists():
        # So that the run can be resumed from any directory; a link keeps its name, as its target may have another.
        expert = os.path.abspath(expert)  # noqa: PTH100
    settings = replace(algorithm.configure(command.settings), env=environment_id(command.settings.env))
    resume = command.resume and directory_of(command.resume)
    command = replace(command, settings=settings, expert=expert, resume=resume)
    if command.rerun is not None:
        _refuse_other_preset(read_settings(command.rerun), command)
    return command


def _defaults(argv: Sequence[str]) -> TrainCommand:
    """Defaults of the other flags, as --resume, --config, or --env, --mode and --preset set them.

    Wrong names are found here, before the flags are parsed, which takes longer.
    """
    for flag in ("--resume", "--config"):
        path = peek(argv, flag)
        if path is not None:
            return _stored(Path(path), is_run=flag == "--resume")
    mode, preset = peek(argv, "--mode") or "dyna", peek(argv, "--preset") or "recipe"
    name = peek(argv, "--env") or ImitationConfig.env
    env_id = environment_id(name)
    if env_id not in environments().values():
        _check_env(env_id, peek(argv, "--expert"))  # it may also import a module that registers a preset
    only = any(word in ("--observations-only", "--observations-only=True") for word in argv)
    settings = imitation_preset(preset, env_id, mode, only)
    return TrainCommand(preset=preset, settings=settings)


def _check_env(env_id: str, expert: str | None) -> None:
    if expert is None:  # nothing needs to read files
        from mgail_dyna.environments.make import check_env_name

        check_env_name(env_id)
    else:
        from mgail_dyna.demonstrations.recorded_environment import check_env_of

        check_env_of(env_id, [expert])


def _stored(path: Path, is_run: bool) -> TrainCommand:
    from mgail_dyna.runs.directory import directory_of, read_settings

    stored = read_settings(directory_of(path) if is_run else path)
    return TrainCommand(
        stored.algorithm, stored.preset, stored.expert, iterations=stored.iterations, settings=stored.config
    )


def _refuse_unused(command: TrainCommand, default: TrainCommand) -> None:
    from mgail_dyna.runs.directory import flatten

    if command.resume is not None and command.logdir != default.logdir:
        raise UserError("--logdir: has no effect with --resume, as a run stays in its own directory; leave it out")
    mode, ignores = command.mode, algorithm_named(command.mode).ignores
    before = dict(flatten(asdict(default.settings)))
    for name, value in flatten(asdict(command.settings)):
        if value != before[name] and ignores(name, command.settings.warm_start):
            why = f"with --mode {mode}" if ignores(name, "bc") else "without --warm-start bc"
            raise UserError(f"--{name.replace('_', '-')}: has no effect {why}; leave it out")


def _refuse_other_preset(stored: RunSettings, command: TrainCommand) -> None:
    """The stored numbers belong to one environment, algorithm and preset; another name would not change them."""
    pairs = {
        "mode": (stored.algorithm, command.mode),
        "preset": (stored.preset, command.preset),
        "env": (environment_id(stored.config.env), command.settings.env),
    }
    for name, (before, now) in pairs.items():
        if before != now:
            raise UserError(
                f"--config: --{name} cannot change: the file has {before}, you asked for {now}; leave --config out"
            )


def refuse_changes(stored: RunSettings, command: TrainCommand) -> None:
    """Checks that a run is resumed with its own settings. The demonstrations may have moved; `restore` compares them.

    Raises:
        UserError: one differs that may not change.
    """
    from mgail_dyna.runs.directory import flatten

    pairs = {"mode": (stored.algorithm, command.mode), "preset": (stored.preset, command.preset)}
    for name, (before, now) in pairs.items():
        if before != now:
            raise UserError(f"--resume: --{name} cannot change: the run has {before}, you asked for {now}")
    asked = dict(flatten(asdict(command.settings)))
    for name, before in flatten(asdict(stored.config)):
        if before != asked[name] and name not in EXTENDABLE:
            flag = name.replace("_", "-")
            raise UserError(f"--resume: --{flag} cannot change: the run has {before}, found {asked[name]}")
