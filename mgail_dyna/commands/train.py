"""`run.py`, without a command: imitates an expert."""

from __future__ import annotations

import contextlib
import math
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mgail_dyna import envs, runs, runtime
from mgail_dyna.arguments import parse, peek
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.expert_data import load_expert, shipped_experts
from mgail_dyna.fit import check_fits, other_task
from mgail_dyna.presets import IMITATION_PRESETS, MODES, UNUSED, environment_id, environment_name, imitation_preset
from mgail_dyna.storage import fitting

if TYPE_CHECKING:
    from rich.table import Table

    from mgail_dyna.training import ImitationRun

PROG = "run.py"
CHECKPOINT_SECONDS = 30.0
# What a resumed run may change: how long it goes on and how it is evaluated, not what it is.
EXTENDABLE = {"env_steps", "evaluation_episodes", "evaluate_every"}
# `--rollout-starts` will do for `--rollout.starts`.
_GROUPED = re.compile(r"^--(policy|discriminator|transition|learn|plan|rollout|trust-region|cloning)-")


@dataclass(frozen=True)
class TrainCommand:
    """Imitates an expert from its demonstrations, without reward.

    --env takes cartpole, hopper, halfcheetah, walker2d, ant or any Gymnasium id and, with --mode and --preset, sets the
    other defaults. `run.py` alone lists the other commands.
    """

    mode: str = "dyna"
    """dyna (learning and planning), mgail (learning), gail (TRPO), dyna-trpo (TRPO and planning) or bc (cloning)."""
    preset: str = "tuned"
    """tuned (what learns soonest), reset (the same, rollouts from reset alone) or paper (the paper's own constants)."""
    expert: str | None = None
    """Demonstrations: a directory, an HDF5 file or a shipped expert's name; the environment's own if not given."""
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
        if directory is None:
            name = f"{environment_name(run.config.env)}-{settings.mode}-seed{run.config.seed}"
            directory = runs.new_directory(command.logdir, name)
            holding.enter_context(runs.held(directory))
        if saved is not None:
            with fitting(directory / runs.CHECKPOINT):
                run.restore(saved)
        if not run.ended(settings.iterations):
            runs.write_settings(directory, settings, float(run.expert.returns.mean()))
        _Session(run, directory, settings).train()
    from rich.console import Console

    Console().print(_summary(run, directory))


def _built(command: TrainCommand) -> tuple[runs.RunSettings, ImitationRun]:
    """What is asked for, and the run, with nothing on disk yet."""
    config = command.settings
    name = environment_name(config.env)
    if command.expert is None and name not in shipped_experts():
        raise UserError(
            f"--expert: no demonstrations of {config.env} ship ({', '.join(shipped_experts())} do); give some, "
            f"or train an expert first: python run.py expert --env {config.env}"
        )
    settings = runs.RunSettings(command.mode, command.preset, command.expert or name, command.iterations, config)
    expert = load_expert(settings.expert)
    env = envs.make(config.env, expert.length)
    check_fits(expert, env, settings.expert)
    env.close()
    if note := other_task(expert, config.env):
        print(note, file=sys.stderr)
    runtime.import_tensorflow()
    from mgail_dyna.algorithms.modes import BUILDERS
    from mgail_dyna.training import ImitationRun

    return settings, ImitationRun(MODES[settings.mode](config), expert, build=BUILDERS[settings.mode])


def resolved(argv: Sequence[str]) -> TrainCommand:
    """What `argv` asks for, with the defaults that its environment, mode and preset set."""
    argv = [_GROUPED.sub(r"--\1.", word) for word in argv]
    default = _defaults(argv)
    command = parse(TrainCommand, argv, prog=PROG, default=default)
    for name in UNUSED.get(command.mode, ()):
        if getattr(command.settings, name) != getattr(default.settings, name):
            raise UserError(f"--{name.replace('_', '-')}: has no effect with --mode {command.mode}; leave it out")
    expert = command.expert
    if expert is not None and Path(expert).exists():
        expert = str(Path(expert).resolve())  # so that the run can be resumed from anywhere
    settings = replace(command.settings, env=environment_id(command.settings.env))
    return replace(command, settings=settings, expert=expert)


def _defaults(argv: Sequence[str]) -> TrainCommand:
    """Defaults of the other flags, as --resume, --config, or --env and --preset set them."""
    for flag in ("--resume", "--config"):
        path = peek(argv, flag)
        if path is not None:
            stored = runs.read_settings(Path(path))
            return TrainCommand(
                stored.mode, stored.preset, stored.expert, Path("runs"), stored.iterations, settings=stored.config
            )
    mode, preset = peek(argv, "--mode") or "dyna", peek(argv, "--preset") or "tuned"
    env_id = environment_id(peek(argv, "--env") or "halfcheetah")
    # Told before the flags are parsed, which takes longer.
    _check_names(mode, preset)
    envs.check_name(env_id)
    return TrainCommand(preset=preset, settings=imitation_preset(preset, env_id, mode))


def _check_names(mode: str, preset: str) -> None:
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    if preset not in IMITATION_PRESETS:
        raise unknown_name("preset", preset, IMITATION_PRESETS)


def _refuse_changes(stored: runs.RunSettings, command: TrainCommand) -> None:
    for name in ("mode", "preset", "expert"):
        before, now = getattr(stored, name), getattr(command, name)
        if before != now:
            raise UserError(f"--resume: --{name} cannot change: the run was begun with {before}, found {now}")
    for entry in fields(ImitationConfig):
        before, now = getattr(stored.config, entry.name), getattr(command.settings, entry.name)
        if before != now and entry.name not in EXTENDABLE:
            flag = entry.name.replace("_", "-")
            raise UserError(f"--resume: --{flag} cannot change: the run was begun with {before}, found {now}")


def _check(command: TrainCommand) -> None:
    _check_names(command.mode, command.preset)
    if command.iterations is not None and command.iterations < 1:
        raise UserError(f"--iterations: expected at least 1, found {command.iterations}")
    if command.resume is not None and command.rerun is not None:
        raise UserError("--resume and --config: expected one of them, found both")


class _Session:
    """A run on the terminal: progress line, checkpoints, scalars, and Ctrl-C taken between two iterations."""

    def __init__(self, run: ImitationRun, directory: Path, settings: runs.RunSettings) -> None:
        import tensorflow as tf

        self.run, self.directory, self.settings = run, directory, settings
        self.writer = tf.summary.create_file_writer(str(directory / runs.SCALARS))
        self.saved_at = time.monotonic()

    def train(self) -> None:
        """Trains to the end, or until interrupted."""
        from mgail_dyna.progress import Interrupts, ProgressDisplay

        run, (total, unit) = self.run, self.run.agent.budget
        try:
            with Interrupts() as interrupts, ProgressDisplay(self.directory.name, total, self._done(), unit) as line:
                cloning = "cloning the demonstrations (--warm-start bc), then " if run.config.warm_start == "bc" else ""
                line.show(self._done(), [f"{cloning}compiling, about 20 s"])
                before_it = run.history[-1]["wall_seconds"] if run.history else 0.0
                for row in run.iterate(self.settings.iterations):
                    seconds, before_it = row["wall_seconds"] - before_it, row["wall_seconds"]
                    line.show(self._done(), _figures(run.history, seconds, run.config.plan.length))
                    self._record(row)
                    if interrupts.asked:
                        break
                self._save()
        except UserError as error:
            last = self.directory / runs.CHECKPOINT
            raise UserError(f"{error}; last good checkpoint: {last if last.exists() else 'none yet'}") from error
        if interrupts.asked:
            raise KeyboardInterrupt(f" at env step {run.env_steps:,}; go on with: {PROG} --resume {self.directory}")

    def _done(self) -> int:
        return round(self.run.agent.progress * self.run.agent.budget.total)

    def _record(self, row: dict[str, float]) -> None:
        import tensorflow as tf

        with self.writer.as_default(step=self._done()):
            for name, value in row.items():
                if not math.isnan(value):
                    tf.summary.scalar(name, value)
        runs.write_curve(self.directory, self.run.history)
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self._save()

    def _save(self) -> None:
        runs.save_run(self.directory, self.run.state())
        self.writer.flush()
        self.saved_at = time.monotonic()


# Those of which a mode has every number are shown; {T} is the planning length.
FIGURES = (
    "iteration {iteration:.0f}, {seconds:.1f} s",
    "{real_trajectories:.0f} real trajectories",
    "return {return_mean:,.0f} ({expert_percent:.0f}% of expert)",
    "D right on {discriminator/accuracy_agent:.0%} of agent, {discriminator/accuracy_expert:.0%} of expert",
    "model error {transition/error_1:.2f} at 1, {transition/error_T:.2f} at {T}",
    "gradient {learn/gradient_norm:.2g} learning",
    "gradient {plan/gradient_norm:.2g} planning",
    "KL {policy/kl:.3f}",
    "value explains {policy/explained_variance:.0%}",
    "loss {cloning/loss:.2g}, on held-out pairs {cloning/held_out_loss:.2g}",
)


def _figures(history: list[dict[str, float]], seconds: float, horizon: int) -> list[str]:
    row = history[-1]
    evaluated = next((earlier for earlier in reversed(history) if not math.isnan(earlier["return_mean"])), row)
    numbers = {
        name: value for from_row in (evaluated, row) for name, value in from_row.items() if not math.isnan(value)
    }
    numbers |= {"seconds": seconds, "T": horizon}
    if f"transition/error_{horizon}" in row:
        numbers["transition/error_T"] = row[f"transition/error_{horizon}"]
    shown = []
    for figure in FIGURES:
        with contextlib.suppress(KeyError):
            shown.append(figure.format_map(numbers))
    return shown


def _summary(run: ImitationRun, directory: Path) -> Table:
    from rich.table import Table

    last = run.history[-1]
    best = max(run.history, key=lambda row: row["return_mean"] if row["return_mean"] == row["return_mean"] else -1e30)
    rows = Table(title=str(directory), title_justify="left", show_header=False)
    rows.add_row(
        "return", f"{last['return_mean']:,.1f} ± {last['return_std']:,.1f}, {last['expert_percent']:.1f}% of the expert"
    )
    at = f"iteration {best['iteration']:,.0f}, env step {best['env_steps']:,.0f}"
    if run.config.warm_start == "bc":
        rows.add_row("began as", "a clone of the demonstrations (--warm-start bc)")
    rows.add_row("best on the way", f"{best['return_mean']:,.1f} at {at}")
    rows.add_row("env steps", f"{last['env_steps']:,.0f} in {last['real_trajectories']:,.0f} trajectories")
    rows.add_row("", f"and {last['evaluation_steps']:,.0f} for evaluation, that nothing was learned from")
    rows.add_row("seconds", f"{last['wall_seconds']:,.0f}, {last['cpu_seconds']:,.0f} of one core")
    rows.add_row("the run lies in", str(directory))
    rows.add_row("watch it", f"python run.py evaluate {directory} --video agent.mp4")
    return rows
