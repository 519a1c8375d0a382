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

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named, imitation_preset
from mgail_dyna.cli.arguments import parse, peek
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.config.presets import check_preset, environment_id, environment_name
from mgail_dyna.demonstrations.compatibility import (
    check_compatible,
    check_initial_states,
    constant_note,
    episode_limit,
    other_env_note,
)
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import file_has_simulator_states, load_demonstrations, shipped_experts
from mgail_dyna.environments.make import check_env_name, make_env
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import (
    CHECKPOINT,
    EXTENDED,
    RunSettings,
    directory_of,
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

PROG = "run.py"
# What a resumed run may change: how long it goes on and how it is evaluated, not what it is.
EXTENDABLE = {"env_steps", "evaluation_episodes", "evaluate_every"}
# `--rollout-starts` will do for `--rollout.initial-states`.
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
            _refuse_changes(read_settings(directory), command)
            holding.enter_context(lock_run(directory))
            saved = load_run(directory)
        settings, run = _built(command)
        holding.callback(run.close)
        for note in _notes(argv, command):
            print(f"note: {note}", file=sys.stderr)
        if directory is None:
            name = f"{environment_name(run.config.env)}-{settings.algorithm}-seed{run.config.seed}"
            directory = new_directory(command.logdir, name)
            holding.enter_context(lock_run(directory))
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
    ends = ["--env-steps N beyond its end"] if settings.algorithm != "bc" else []
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
    if command.rerun is not None and (earlier := read_about(command.rerun).get(EXTENDED)):
        yield (
            f"that run was to end at {earlier[0]:,} env steps and went on to another end, so its learning rates fell "
            "as those of this one will not"
        )


def _untold(begun: Path, command: TrainCommand) -> list[str]:
    """What the `config.json` of an older run does not tell, as there was no choice then, and its algorithm uses."""
    ignores = algorithm_named(command.mode).ignores
    now, then = (dict(flatten(told)) for told in (asdict(command.settings), read_about(begun)["config"]))
    return [name for name in now if name not in then and not ignores(name, command.settings.warm_start)]


def _built(command: TrainCommand) -> tuple[RunSettings, ImitationRun]:
    """What is asked for, and the run, with nothing on disk yet."""
    config = command.settings
    name = environment_name(config.env)
    if command.expert is None and name not in shipped_experts():
        raise UserError(
            f"--expert: no demonstrations of {config.env} ship ({', '.join(shipped_experts())} do); give some, "
            f"or train an expert first: python run.py expert --env {config.env}, "
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


def resolved(argv: Sequence[str]) -> TrainCommand:
    """What `argv` asks for, with the defaults that its environment, algorithm and preset set."""
    argv = [_GROUPED.sub(r"--\1.", word) for word in argv]
    default = _defaults(argv)
    command = parse(TrainCommand, argv, prog=PROG, default=default)
    check_preset(command.preset)
    algorithm = algorithm_named(command.mode)
    _refuse_unused(command, default)
    expert = command.expert
    if expert is not None and expert not in shipped_experts() and Path(expert).exists():
        expert = str(Path(expert).resolve())  # so that the run can be resumed from anywhere
    settings = replace(algorithm.configure(command.settings), env=environment_id(command.settings.env))
    resume = command.resume and directory_of(command.resume)
    command = replace(command, settings=settings, expert=expert, resume=resume)
    if command.rerun is not None:
        _refuse_relabelling(read_settings(command.rerun), command)
    return command


def _refuse_unused(command: TrainCommand, default: TrainCommand) -> None:
    if command.resume is not None and command.logdir != default.logdir:
        raise UserError("--logdir: has no effect with --resume, which goes on in the run's own directory; leave it out")
    mode, ignores = command.mode, algorithm_named(command.mode).ignores
    before = dict(flatten(asdict(default.settings)))
    for name, value in flatten(asdict(command.settings)):
        if value != before[name] and ignores(name, command.settings.warm_start):
            why = f"with --mode {mode}" if ignores(name, "bc") else "without --warm-start bc"
            raise UserError(f"--{name.replace('_', '-')}: has no effect {why}; leave it out")


def _defaults(argv: Sequence[str]) -> TrainCommand:
    """Defaults of the other flags, as --resume, --config, or --env and --preset set them."""
    for flag in ("--resume", "--config"):
        path = peek(argv, flag)
        if path is not None:
            stored = read_settings(directory_of(Path(path)) if flag == "--resume" else Path(path))
            return TrainCommand(
                stored.algorithm, stored.preset, stored.expert, Path("runs"), stored.iterations, settings=stored.config
            )
    mode, preset = peek(argv, "--mode") or "dyna", peek(argv, "--preset") or "tuned"
    env_id = environment_id(peek(argv, "--env") or "halfcheetah")
    # Checked before the flags are parsed, which takes longer. The environment's module may register a preset.
    check_env_name(env_id)
    settings = imitation_preset(preset, env_id, mode)
    command = TrainCommand(preset=preset, settings=settings)
    if peek(argv, "--preset") is None and settings.rollout.initial_states != "reset":
        demos = peek(argv, "--expert") or environment_name(env_id)
        if not file_has_simulator_states(demos):
            command = replace(command, preset="reset", settings=imitation_preset("reset", env_id, mode))
    return command


def _refuse_relabelling(stored: RunSettings, command: TrainCommand) -> None:
    """What the other numbers of a `config.json` go with cannot be another: they would not follow."""
    pairs = {
        "mode": (stored.algorithm, command.mode),
        "preset": (stored.preset, command.preset),
        "env": (environment_id(stored.config.env), command.settings.env),
    }
    for name, (before, now) in pairs.items():
        if before != now:
            raise UserError(f"--config: --{name} cannot change: the file has {before}, found {now}; leave --config out")


def _refuse_changes(stored: RunSettings, command: TrainCommand) -> None:
    pairs = {"mode": (stored.algorithm, command.mode), "preset": (stored.preset, command.preset)}
    for name, (before, now) in {**pairs, "expert": (stored.expert, command.expert)}.items():
        if before != now:
            raise UserError(f"--resume: --{name} cannot change: the run was begun with {before}, found {now}")
    asked = dict(flatten(asdict(command.settings)))
    for name, before in flatten(asdict(stored.config)):
        if before != asked[name] and name not in EXTENDABLE:
            flag = name.replace("_", "-")
            raise UserError(f"--resume: --{flag} cannot change: the run was begun with {before}, found {asked[name]}")


def _check(command: TrainCommand) -> None:
    if command.iterations is not None and command.iterations < 1:
        raise UserError(f"--iterations: expected at least 1, found {command.iterations}")
    if command.resume is not None and command.rerun is not None:
        raise UserError("--resume and --config: expected one of them, found both")
