"""Training from the command line: makes a run, or opens one that is resumed, and trains it."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.cli.arguments import environment_flags
from mgail_dyna.cli.commands.train import EXTENDABLE, TrainCommand, refuse_changes
from mgail_dyna.cli.progress import import_tensorflow
from mgail_dyna.config.presets import environment_name
from mgail_dyna.demonstrations.compatibility import (
    check_initial_states,
    check_known,
    compare,
    episode_limit,
)
from mgail_dyna.demonstrations.dataset import Demonstrations, subset
from mgail_dyna.demonstrations.faults import data_notes
from mgail_dyna.demonstrations.reader import SHIPPED, load_demonstrations, shipped_experts
from mgail_dyna.demonstrations.recorded_environment import (
    arguments_used,
    differing,
    environment_arguments,
    own_arguments,
    parse_arguments,
)
from mgail_dyna.demonstrations.reference import reference
from mgail_dyna.environments.contract import check_contract
from mgail_dyna.environments.make import PARTS, fitted_note, make_env
from mgail_dyna.errors import UserError, counted
from mgail_dyna.hdf5 import raise_on_mismatch
from mgail_dyna.runs.directory import (
    CHECKPOINT,
    DEMONSTRATIONS,
    ENV_KWARGS,
    EXTENDED,
    RunSettings,
    flatten,
    load_run,
    lock_run,
    new_directory,
    read_about,
    read_progress,
    read_settings,
    write_settings,
)

if TYPE_CHECKING:
    from mgail_dyna.runs.run import ImitationRun


def train(command: TrainCommand) -> None:
    """Trains a new run, or the one to resume, to its end.

    Args:
        command: what to do.

    Raises:
        UserError: the demonstrations do not fit, or the run cannot be resumed as asked.
    """
    directory, saved, stored = command.resume, None, None
    with contextlib.ExitStack() as stack:
        if directory is not None:
            stored = read_settings(directory)
            refuse_changes(stored, command)
            stack.enter_context(lock_run(directory))
            saved = load_run(directory, ours=True)
            if command.expert != stored.expert and DEMONSTRATIONS not in saved:
                why = f"you asked for {command.expert}, and its checkpoint does not say what it learned from"
                raise UserError(f"--resume: --expert cannot change: the run has {stored.expert}, {why}")
        settings, run = _built(command)
        stack.callback(run.close)
        for note in _notes(command):
            runtime.say(f"note: {note}")
        if directory is None:
            name = f"{environment_name(run.config.env)}-{settings.algorithm}-seed{run.config.seed}"
            if unfinished := _unfinished(command.logdir / name, settings):
                runtime.say(f"note: {unfinished}")
            directory = new_directory(command.logdir, name)
            stack.enter_context(lock_run(directory))
        if saved is not None:
            _refuse_other_arguments(directory, run)
            with raise_on_mismatch(directory / CHECKPOINT):
                run.restore(saved)
            asked = run.config.env_steps
            if stored is not None and asked < min(stored.config.env_steps, run.env_steps):
                raise UserError(f"--env-steps: the run has taken {run.env_steps:,}; expected more, found {asked:,}")
        kept = settings if stored is None else replace(settings, iterations=_own_end(stored, settings))
        if run.ended(settings.iterations) and not run.final_due:
            runtime.say(f"note: {_nothing_left(directory, kept, len(run.history), run.ended())}")
        _remember(directory, run, kept, None if not run.ended(settings.iterations) else stored)
        from mgail_dyna.cli.session import Session

        Session(run, directory, kept, settings.iterations).train()


def _remember(directory: Path, run: ImitationRun, settings: RunSettings, ended: RunSettings | None) -> None:
    """Writes the settings of a run that is to be trained, and of one that has `ended` where its demonstrations are."""
    if ended is not None and ended.expert == settings.expert:
        return
    own, written = run.reference, settings if ended is None else replace(ended, expert=settings.expert)
    write_settings(directory, written, own.mean, own.episode_limit, run.environment_arguments, own.error)
    if ended is not None:
        runtime.say(f"note: its demonstrations are taken from {settings.expert} from now on")


def _unfinished(directory: Path, new: RunSettings) -> str | None:
    """A note if the run in `directory` has the settings of a `new` one, but for its length, and how to continue it."""
    from mgail_dyna.experiments.records import config_differences

    try:
        done = int(read_progress(directory, ["env_steps"])["env_steps"][-1])
        before = read_settings(directory)
        budget = before.config.env_steps
    except UserError:  # none, or damaged: not this run's concern
        return None
    if not done or not (directory / CHECKPOINT).exists():  # a clone takes no env steps
        return None
    if before.expert != new.expert and Path(before.expert).resolve() != Path(new.expert).resolve():
        return None
    differing = (key for key, *_ in config_differences(asdict(before.config), asdict(new.config), new.algorithm))
    if set(differing) - EXTENDABLE:
        return None
    again = f"{runtime.program()} --resume {shlex.quote(str(directory))}"
    longer = "" if done < budget else f" --env-steps {2 * done}"
    taken = counted(done, "env step")
    return f"this is a new run; {directory} has taken {taken}; to continue that one: {again}{longer}"


def _own_end(stored: RunSettings, now: RunSettings) -> int | None:
    """The iteration at which a resumed run ends: later if the user extends it, never earlier.

    So `--resume RUN --iterations N` stops at N, and `--resume RUN` afterwards continues to the run's own end.
    """
    if stored.iterations is None or now.iterations is None:
        return None
    return max(stored.iterations, now.iterations)


def _nothing_left(directory: Path, settings: RunSettings, done: int, spent: bool) -> str:
    from mgail_dyna.cli.advice import extension

    ended = spent or (settings.iterations is not None and done >= settings.iterations)
    what = "the run has ended" if ended else f"iteration {done:,} is over"
    longer, verb = extension(directory, settings, done, spent), "extend" if ended else "continue"
    return f"{what}, so nothing was done{f'; to {verb} it: {longer}' if longer else ''}"


def _notes(command: TrainCommand) -> Iterator[str]:
    """What the user may not expect of this run."""
    source = command.rerun or command.resume
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
    used = [name for name, value in now.items() if value is not None and not ignores(name, command.settings.warm_start)]
    return [name for name in used if name not in then]


def _refuse_other_arguments(directory: Path, run: ImitationRun) -> None:
    """Refuses to resume a run in an environment that is made with other arguments."""
    stored, now = read_about(directory).get(ENV_KWARGS), run.environment_arguments
    if stored is not None and PARTS not in stored:  # older runs did not record them
        now = own_arguments(now)
    if stored is not None and stored != json.loads(json.dumps(now)):
        before, found = differing(stored, now)
        raise UserError(
            f"--resume: the environment's keyword arguments cannot change: the run has {before}, and these "
            f"demonstrations were recorded with {found}"
        )


def _demonstrations(expert: str, command: TrainCommand) -> Demonstrations:
    try:
        return load_demonstrations(expert)
    except UserError as error:
        if command.resume is None or Path(expert).exists():
            raise
        if expert != (before := read_settings(command.resume).expert):
            raise UserError(f"{error}; expected the demonstrations that the run learned from, in {before}") from None
        raise UserError(f"{error}; if they have moved, say where they are: --resume RUN --expert PATH") from None


def _built(command: TrainCommand) -> tuple[RunSettings, ImitationRun]:
    """The settings and the run; nothing is written to disk yet.

    Everything is checked before TensorFlow is imported, which takes seconds.
    """
    config = command.settings
    name = environment_name(config.env)
    if command.expert is None and name not in shipped_experts():
        shipped = f"{', '.join(shipped_experts())} do" if shipped_experts() else f"{SHIPPED} has none"
        raise UserError(
            f"--expert: no demonstrations of {config.env} ship ({shipped}); give some, or train an expert first: "
            f"{runtime.program()} expert {environment_flags(config)}, then --expert runs/expert/{name}-seed0"
        )
    settings = RunSettings(command.mode, command.preset, command.expert or name, command.iterations, config)
    demos = _demonstrations(settings.expert, command)
    arguments = environment_arguments(demos, config.env, parse_arguments(config.env_kwargs))
    env = make_env(config.env, episode_limit(demos, config.env), **arguments)
    differences = compare(demos, env, config.env, settings.expert)
    if not algorithm_named(settings.algorithm).ignores("rollout.initial_states", config.warm_start):
        check_initial_states(demos, config.rollout.initial_states)
    imitated = subset(demos, config.demonstrations, config.subsample, config.observations_only)
    if not (demos.has_actions or config.observations_only):
        raise UserError(f"{settings.expert}: expected actions, found none; imitate states alone: --observations-only")
    warm = not algorithm_named(settings.algorithm).ignores("warm_start", "bc") and config.warm_start == "bc"
    check_known(imitated, config, clones=warm or settings.algorithm == "bc")
    check_contract(env, config.env)
    fitted, doubts = fitted_note(env), data_notes(imitated, env)
    env.close()
    if config.env_kwargs is None:
        differences += arguments_used(env, arguments)
    own = reference(demos, episode_limit(demos, config.env))
    comparison = own.reason or own.doubt
    notes = (*differences, fitted, *doubts, comparison and f"note: {comparison}")
    for note in filter(None, notes):
        runtime.say(note)
    import_tensorflow(algorithm_named(settings.algorithm).threads)
    from mgail_dyna.runs.run import ImitationRun

    return settings, ImitationRun(config, demos, settings.algorithm)
