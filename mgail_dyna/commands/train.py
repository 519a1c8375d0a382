"""`run.py`, without a command: imitates an expert."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mgail_dyna import envs, runs, runtime
from mgail_dyna.arguments import parse, peek
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError
from mgail_dyna.expert import subset
from mgail_dyna.expert_data import load_expert, shipped_experts, tells_simulator_states
from mgail_dyna.fit import check_fits, check_starts, episode_limit, never_varies, other_task
from mgail_dyna.presets import (
    MODES,
    check_names,
    environment_id,
    environment_name,
    imitation_preset,
    unused,
)
from mgail_dyna.storage import fitting

if TYPE_CHECKING:
    from mgail_dyna.training import ImitationRun

PROG = "run.py"
# What a resumed run may change: how long it goes on and how it is evaluated, not what it is.
EXTENDABLE = {"env_steps", "evaluation_episodes", "evaluate_every"}
# `--rollout-starts` will do for `--rollout.starts`.
_GROUPED = re.compile(r"^--(policy|discriminator|transition|learn|plan|rollout|trust-region|cloning)-")


@dataclass(frozen=True)
class TrainCommand:
    """Imitates an expert from its demonstrations, without reward.

    --env takes cartpole, hopper, halfcheetah, walker2d, swimmer, inverteddoublependulum, ant (no demonstrations of
    which ship) or any Gymnasium id and, with --mode and --preset, sets the other defaults: --env hopper --help prints
    Hopper's. `run.py` alone lists the other commands.
    """

    mode: str = "dyna"
    """dyna (learning and planning), mgail (learning), gail (TRPO), dyna-trpo (TRPO and planning) or bc (cloning)."""
    preset: str = "tuned"
    """tuned (what learns soonest), reset (the same, rollouts from reset alone; the default where the demonstrations
    tell no simulator states) or paper (the paper's own constants)."""
    expert: str | None = None
    """Demonstrations: a shipped expert's name, a directory or an HDF5 file; the environment's own if not given."""
    logdir: Path = Path("runs")
    """Directory that runs are put in."""
    iterations: int | None = None
    """Iterations to stop after, if --env-steps are not reached before."""
    resume: Path | None = None
    """Directory of a run to go on with."""
    rerun: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """config.json of a run, to run exactly that again."""
    settings: Annotated[ImitationConfig, tyro.conf.arg(name="")] = field(default_factory=ImitationConfig)


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = resolved(argv)
    _check(command)
    directory, saved = command.resume, None
    with contextlib.ExitStack() as holding:
        if directory is not None:
            _refuse_changes(runs.read_settings(directory), command)
            holding.enter_context(runs.held(directory))
            saved = runs.load_run(directory)
        settings, run = _built(command)
        holding.callback(run.close)
        for note in _notes(argv, command):
            print(f"note: {note}", file=sys.stderr)
        if directory is None:
            name = f"{environment_name(run.config.env)}-{settings.mode}-seed{run.config.seed}"
            directory = runs.new_directory(command.logdir, name)
            holding.enter_context(runs.held(directory))
        if saved is not None:
            with fitting(directory / runs.CHECKPOINT):
                run.restore(saved)
        if run.ended(settings.iterations):
            print(f"note: {_nothing_left(settings)}", file=sys.stderr)
        else:
            limit = episode_limit(run.expert, run.config.env)
            runs.write_settings(directory, settings, float(run.expert.returns.mean()), limit)
        from mgail_dyna.commands.session import Session

        Session(run, directory, settings).train()


def _nothing_left(settings: runs.RunSettings) -> str:
    ends = ["--env-steps N beyond its end"] if settings.mode != "bc" else []
    if settings.iterations is not None:
        ends.append(f"--iterations N, if the {settings.iterations} it was begun with are done")
    return f"the run has ended, so nothing was done{'; to go on give ' if ends else ''}{' and '.join(ends)}"


def _notes(argv: Sequence[str], command: TrainCommand) -> Iterator[str]:
    """What is not as it may seem, for whoever begins a run."""
    begun = command.rerun or command.resume
    if command.preset == "reset" and peek(argv, "--preset") is None and begun is None:
        yield (
            "the demonstrations tell no simulator states (qpos, qvel), so episodes begin at the environment's own "
            "reset (--preset reset)"
        )
    if begun is not None and (untold := _untold(begun, command)):
        yield f"its config.json is older than {', '.join(untold)}: today's default, unless a flag says otherwise"
    if command.rerun is not None and (earlier := runs.read_about(command.rerun).get(runs.EXTENDED)):
        yield (
            f"that run was to end at {earlier[0]:,} env steps and went on to another end, so its learning rates fell "
            "as those of this one will not"
        )


def _untold(begun: Path, command: TrainCommand) -> list[str]:
    """What the `config.json` of an older run does not tell, as there was no choice then, and its mode has a use for."""
    now, then = (dict(runs.leaves(told)) for told in (asdict(command.settings), runs.read_about(begun)["config"]))
    return [name for name in now if name not in then and not unused(command.mode, name, command.settings.warm_start)]


def _built(command: TrainCommand) -> tuple[runs.RunSettings, ImitationRun]:
    """What is asked for, and the run, with nothing on disk yet."""
    config = command.settings
    name = environment_name(config.env)
    if command.expert is None and name not in shipped_experts():
        raise UserError(
            f"--expert: no demonstrations of {config.env} ship ({', '.join(shipped_experts())} do); give some, "
            f"or train an expert first: python run.py expert --env {config.env}, "
            f"then --expert runs/expert/{name}-seed0"
        )
    settings = runs.RunSettings(command.mode, command.preset, command.expert or name, command.iterations, config)
    expert = load_expert(settings.expert)
    env = envs.make(config.env, episode_limit(expert, config.env))
    check_fits(expert, env, settings.expert)
    if settings.mode in ("dyna", "mgail"):
        check_starts(expert, config.rollout.starts)
    env.close()
    imitated = subset(expert, config.demonstrations, config.subsample)
    for note in filter(None, (other_task(expert, config.env), never_varies(imitated))):
        print(note, file=sys.stderr)
    runtime.import_tensorflow()
    from mgail_dyna.training import ImitationRun

    return settings, ImitationRun(config, expert, settings.mode)


def resolved(argv: Sequence[str]) -> TrainCommand:
    """What `argv` asks for, with the defaults that its environment, mode and preset set."""
    argv = [_GROUPED.sub(r"--\1.", word) for word in argv]
    default = _defaults(argv)
    command = parse(TrainCommand, argv, prog=PROG, default=default)
    check_names(command.preset, command.mode)
    _refuse_unused(command, default)
    expert = command.expert
    if expert is not None and expert not in shipped_experts() and Path(expert).exists():
        expert = str(Path(expert).resolve())  # so that the run can be resumed from anywhere
    settings = replace(MODES[command.mode](command.settings), env=environment_id(command.settings.env))
    resume = command.resume and runs.directory_of(command.resume)
    command = replace(command, settings=settings, expert=expert, resume=resume)
    if command.rerun is not None:
        _refuse_relabelling(runs.read_settings(command.rerun), command)
    return command


def _refuse_unused(command: TrainCommand, default: TrainCommand) -> None:
    if command.resume is not None and command.logdir != default.logdir:
        raise UserError("--logdir: has no effect with --resume, which goes on in the run's own directory; leave it out")
    mode, before = command.mode, dict(runs.leaves(asdict(default.settings)))
    for name, value in runs.leaves(asdict(command.settings)):
        if value != before[name] and unused(mode, name, command.settings.warm_start):
            why = f"with --mode {mode}" if unused(mode, name, "bc") else "without --warm-start bc"
            raise UserError(f"--{name.replace('_', '-')}: has no effect {why}; leave it out")


def _defaults(argv: Sequence[str]) -> TrainCommand:
    """Defaults of the other flags, as --resume, --config, or --env and --preset set them."""
    for flag in ("--resume", "--config"):
        path = peek(argv, flag)
        if path is not None:
            stored = runs.read_settings(runs.directory_of(Path(path)) if flag == "--resume" else Path(path))
            return TrainCommand(
                stored.mode, stored.preset, stored.expert, Path("runs"), stored.iterations, settings=stored.config
            )
    mode, preset = peek(argv, "--mode") or "dyna", peek(argv, "--preset") or "tuned"
    env_id = environment_id(peek(argv, "--env") or "halfcheetah")
    # Told before the flags are parsed, which takes longer.
    settings = imitation_preset(preset, env_id, mode)
    envs.check_name(env_id)
    command = TrainCommand(preset=preset, settings=settings)
    if peek(argv, "--preset") is None and settings.rollout.starts != "reset":
        expert = peek(argv, "--expert") or environment_name(env_id)
        if not tells_simulator_states(expert):
            command = replace(command, preset="reset", settings=imitation_preset("reset", env_id, mode))
    return command


def _refuse_relabelling(stored: runs.RunSettings, command: TrainCommand) -> None:
    """What the other numbers of a `config.json` go with cannot be another: they would not follow."""
    pairs = {
        "mode": (stored.mode, command.mode),
        "preset": (stored.preset, command.preset),
        "env": (environment_id(stored.config.env), command.settings.env),
    }
    for name, (before, now) in pairs.items():
        if before != now:
            raise UserError(f"--config: --{name} cannot change: the file has {before}, found {now}; leave --config out")


def _refuse_changes(stored: runs.RunSettings, command: TrainCommand) -> None:
    for name in ("mode", "preset", "expert"):
        before, now = getattr(stored, name), getattr(command, name)
        if before != now:
            raise UserError(f"--resume: --{name} cannot change: the run was begun with {before}, found {now}")
    asked = dict(runs.leaves(asdict(command.settings)))
    for name, before in runs.leaves(asdict(stored.config)):
        if before != asked[name] and name not in EXTENDABLE:
            flag = name.replace("_", "-")
            raise UserError(f"--resume: --{flag} cannot change: the run was begun with {before}, found {asked[name]}")


def _check(command: TrainCommand) -> None:
    if command.iterations is not None and command.iterations < 1:
        raise UserError(f"--iterations: expected at least 1, found {command.iterations}")
    if command.resume is not None and command.rerun is not None:
        raise UserError("--resume and --config: expected one of them, found both")
