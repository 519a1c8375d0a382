"""Training of an expert from the command line: progress, checkpoints, and the demonstrations at the end."""

from __future__ import annotations

import contextlib
import csv
import io
import shlex
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mgail_dyna import runtime
from mgail_dyna.cli.commands.expert import ExpertCommand, refuse_changes
from mgail_dyna.cli.dataset_summary import table
from mgail_dyna.cli.pace import Pace, duration
from mgail_dyna.cli.progress import Column, Interrupts, ProgressDisplay, import_tensorflow
from mgail_dyna.config.expert import ExpertConfig, TrustRegionConfig
from mgail_dyna.config.presets import environment_name
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.recorded_environment import parse_arguments
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.contract import check_contract
from mgail_dyna.environments.make import make_env
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import raise_on_mismatch
from mgail_dyna.runs.checkpoint import load_checkpoint, previous_of, save_checkpoint
from mgail_dyna.runs.directory import lock_run
from mgail_dyna.storage import write_text

if TYPE_CHECKING:
    from mgail_dyna.algorithms.trpo_expert import ExpertTrainer
    from mgail_dyna.algorithms.trpo_expert import Progress as Iteration

CHECKPOINT, CURVE = "checkpoint.h5", "progress.csv"
KIND = "an expert's training"
COLUMNS = (
    *(Column("env steps", 10), Column("return", 10), Column("lowest", 9), Column("change", 9)),
    *(Column("best so far"), Column("time", 10)),
)


def stored_config(checkpoint: Path) -> ExpertConfig:
    """The configuration in a checkpoint.

    Raises:
        UserError: it cannot be read.
    """
    return _config_of(checkpoint, load_checkpoint(checkpoint, KIND, quiet=True))


def _config_of(path: Path, saved: dict[str, Any]) -> ExpertConfig:
    with raise_on_mismatch(path):
        values = dict(saved["config"])
        values["hidden"] = tuple(values["hidden"])
        return ExpertConfig(**{**values, "trust_region": TrustRegionConfig(**values["trust_region"])})


def train(command: ExpertCommand) -> None:
    """Trains an expert and writes its demonstrations.

    Raises:
        UserError: no such environment, or --out holds another run.
    """
    out, config = command.directory(), command.config
    if not (command.resume or command.overwrite) and any((out / name).exists() for name in (CHECKPOINT, "data")):
        raise UserError(f"{out}: holds an earlier run; pass --resume, --overwrite or another --out")
    arguments = parse_arguments(config.env_kwargs) or {}
    # What is wrong is reported at once.
    with contextlib.closing(make_env(config.env, config.length, **arguments)) as env:
        check_contract(env, config.env)
    out.mkdir(parents=True, exist_ok=True)
    with lock_run(out):
        saved = load_checkpoint(out / CHECKPOINT, KIND) if command.resume else None
        if saved is not None:
            refuse_changes(_config_of(out / CHECKPOINT, saved), config)
        elif command.overwrite:
            checkpoint = out / CHECKPOINT
            for old in (previous_of(checkpoint), checkpoint, out / CURVE):  # so that --resume cannot continue from them
                old.unlink(missing_ok=True)
        import_tensorflow()
        from mgail_dyna.algorithms.trpo_expert import ExpertTrainer

        trainer = ExpertTrainer(config)
        with raise_on_mismatch(out / CHECKPOINT):
            session = _Session(trainer, out, saved)
        session.train()
        _write_demonstrations(trainer, out, session.cpu_seconds)


class _Session:
    """A training run with its checkpoint, its learning curve and its rows."""

    def __init__(self, trainer: ExpertTrainer, out: Path, saved: dict[str, Any] | None) -> None:
        self.trainer, self.out = trainer, out
        self.curve: list[dict[str, float]] = []
        self.cpu_before = self.wall_before = 0.0
        self.start_time, self.saved_at = time.monotonic(), time.monotonic()
        if saved is not None:
            trainer.restore(saved["trainer"])
            self.curve = saved["curve"]
            self.cpu_before, self.wall_before = saved["cpu_seconds"], saved["wall_seconds"]

    @property
    def cpu_seconds(self) -> float:
        """Processor time of this run, earlier sessions included."""
        return self.cpu_before + time.process_time()

    @property
    def wall_seconds(self) -> float:
        """Wall-clock time of this run, earlier sessions included."""
        return self.wall_before + time.monotonic() - self.start_time

    def train(self) -> None:
        """Trains to the end, or until interrupted.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, or SIGTERM was sent; the run is saved.
        """
        config = self.trainer.config
        title, done = f"TRPO {environment_name(config.env)}", self.trainer.collector.env_steps
        pace = Pace(config.steps, done)
        display = ProgressDisplay(title, pace, "env steps", COLUMNS)
        with (
            Interrupts(pace.of_this_iteration, lambda line: display.print_line(line, titled=False)) as interrupts,
            display,
        ):
            display.wait("compiling; a row for every evaluation of the mean action")
            for number, iteration in enumerate(self.trainer.iterate(), 1):
                display.update(number, min(iteration.env_steps, config.steps), _phrases(iteration))
                if iteration.evaluated is not None:
                    self._extend_curve(iteration)
                    display.row(_cells(self.curve, self.trainer.finalists))
                if interrupts.asked:
                    break
                if time.monotonic() - self.saved_at > config.checkpoint_seconds:
                    self.save()
            self.save()
        if interrupts.asked:
            steps = self.trainer.collector.env_steps
            raise interrupts.stop(
                f" at env step {steps:,}; resume with: "
                f"{runtime.program()} expert --resume --out {shlex.quote(str(self.out))}"
            )

    def save(self) -> None:
        """Writes the checkpoint and the curve."""
        state = {
            "config": asdict(self.trainer.config),
            "trainer": self.trainer.state(),
            "curve": self.curve,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
        }
        save_checkpoint(self.out / CHECKPOINT, state, KIND)
        if self.curve:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(self.curve[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.curve)
            write_text(self.out / CURVE, text.getvalue())
        self.saved_at = time.monotonic()

    def _extend_curve(self, iteration: Iteration) -> None:
        assert iteration.evaluated is not None
        row = {
            "env_steps": iteration.env_steps,
            "evaluation_steps": self.trainer.evaluation_steps,
            "training_return": iteration.training_return,
            "return_mean": float(iteration.evaluated.mean()),
            "return_std": float(iteration.evaluated.std()),
            "return_min": float(iteration.evaluated.min()),
            **iteration.metrics,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
        }
        self.curve.append({name: round(number, 5) for name, number in row.items()})


def _phrases(iteration: Iteration) -> list[str]:
    return [f"return with noise {iteration.training_return:,.0f}", f"KL {iteration.metrics['kl']:.4f}"]


def _cells(curve: list[dict[str, float]], finalists: list[dict[str, Any]]) -> list[str]:
    """The newest evaluation as a row of `COLUMNS`."""
    now, before = curve[-1], curve[-2] if len(curve) > 1 else None
    change = "" if before is None else f"{round(now['return_mean'], 1) - round(before['return_mean'], 1):+,.1f}"
    best = f"{finalists[0]['return_mean']:,.1f}" if finalists else ""
    returns = [f"{now['return_mean']:,.1f}", f"{now['return_min']:,.1f}", change, best]
    return [f"{now['env_steps']:,.0f}", *returns, duration(now["wall_seconds"])]


def _write_demonstrations(trainer: ExpertTrainer, out: Path, cpu_seconds: float) -> None:
    config = trainer.config
    policy, selection = trainer.choose()
    provenance = {
        "algorithm": "TRPO",
        "seed": config.seed,
        "steps_trained": trainer.collector.env_steps,
        "evaluation_steps": trainer.evaluation_steps,
        **selection,
        "cpu_seconds": round(cpu_seconds, 1),
        "config": asdict(config),
        "versions": runtime.versions(),
        "commit": runtime.git_commit(),
    }
    demos = record(config.env, config.length, policy, config.trajectories, provenance, trainer.env_kwargs)
    save_demonstrations(out, demos, overwrite=True)
    console = Console()
    console.print(table(demos, out / "data"))
    console.print("next:")
    where = shlex.quote(str(out))
    for words in (f"evaluate {where}", f"--env {shlex.quote(config.env)} --expert {where}"):
        console.print(f"  {runtime.program()} {words}", highlight=False, markup=False, soft_wrap=True)
