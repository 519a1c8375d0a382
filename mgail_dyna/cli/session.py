"""A training run on the terminal: its progress line, the files it writes, and its summary at the end."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from rich.console import Console
from rich.table import Table

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.cli.progress import Interrupts, ProgressDisplay
from mgail_dyna.cli.summary import summary_table
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import CHECKPOINT, SCALARS, RunSettings, save_run, write_curve
from mgail_dyna.runs.run import ImitationRun

CHECKPOINT_SECONDS = 30.0


class Session:
    """Trains a run with a progress line, checkpoints and scalars; Ctrl-C stops it between two iterations."""

    def __init__(self, run: ImitationRun, directory: Path, settings: RunSettings) -> None:
        self.run, self.directory, self.settings = run, directory, settings
        self.writer = tf.summary.create_file_writer(str(directory / SCALARS))
        self.saved_at = -math.inf  # so that the first iteration is saved
        self.saved_steps = run.env_steps

    def train(self) -> None:
        """Trains to the end, or until interrupted, and prints a summary.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the run is saved.
            UserError: training failed; the message names the last checkpoint.
        """
        run, (total, unit) = self.run, self.run.agent.budget
        phrases = algorithm_named(self.settings.algorithm).progress
        try:
            with Interrupts() as interrupts, ProgressDisplay(self.directory.name, total, self._done(), unit) as line:
                cloning = "cloning the demonstrations (--warm-start bc), then " if run.config.warm_start == "bc" else ""
                line.show(self._done(), [f"{cloning}compiling, about 20 s"])
                last = run.history[-1]["wall_seconds"] if run.history else 0.0
                for row in run.iterate(self.settings.iterations):
                    if run.config.warm_start == "bc" and len(run.history) == 1:
                        line.print_line(f"start: {start_of(run)}")
                    seconds, last = row["wall_seconds"] - last, row["wall_seconds"]
                    line.show(self._done(), figures_of(run.history, seconds, run.config.plan.length, phrases))
                    self._record(row)
                    if interrupts.asked:
                        break
                self._save()
        except UserError as error:
            checkpoint = self.directory / CHECKPOINT
            good = checkpoint if checkpoint.exists() else "none yet"
            raise UserError(f"{error}; last good checkpoint: {good}") from error
        except Exception as error:  # most often from the environment
            if (self.directory / CHECKPOINT).exists():
                error.add_note(f"{self.saved_steps:,} env steps are saved; resume with: {self._resume()}")
            raise
        if interrupts.asked:
            raise KeyboardInterrupt(f" at env step {run.env_steps:,}; resume with: {self._resume()}")
        Console().print(_summary(run, self.directory))

    def _resume(self) -> str:
        return f"{runtime.program()} --resume {shlex.quote(str(self.directory))}"

    def _done(self) -> int:
        return round(self.run.agent.progress * self.run.agent.budget.total)

    def _record(self, row: dict[str, float]) -> None:
        with self.writer.as_default(step=int(row.get("cloning/steps", row["env_steps"]))):
            for name, value in row.items():
                if not math.isnan(value):
                    tf.summary.scalar(name, value)
        write_curve(self.directory, self.run.history)
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self._save()

    def _save(self) -> None:
        save_run(self.directory, self.run.state())
        self.writer.flush()
        self.saved_at, self.saved_steps = time.monotonic(), self.run.env_steps


# Phrases of the progress line for every algorithm. A phrase is shown if all of its numbers exist.
COMMON = (
    "iteration {iteration:.0f}, {seconds:.1f} s",
    "{real_trajectories:.0f} real trajectories",
    "return {return_mean:,.0f} ({expert_percent:.0f}% of expert)",
    "return {unmeasured_return:,.0f}",
)


def figures_of(history: list[dict[str, float]], seconds: float, horizon: int, phrases: Sequence[str] = ()) -> list[str]:
    """The phrases of the progress line: the newest numbers, and the return of the last evaluation.

    Args:
        history: of the run, one row per iteration.
        seconds: duration of the last iteration.
        horizon: T, the number of steps of a plan.
        phrases: of the algorithm.
    """
    row = history[-1]
    evaluated = next((earlier for earlier in reversed(history) if not math.isnan(earlier["return_mean"])), row)
    numbers = {
        name: value for from_row in (evaluated, row) for name, value in from_row.items() if not math.isnan(value)
    }
    numbers |= {"seconds": seconds, "T": horizon}
    if "return_mean" in numbers and "expert_percent" not in numbers:
        numbers["unmeasured_return"] = numbers["return_mean"]
    if f"dynamics/error_{horizon}" in numbers:
        numbers["dynamics/error_T"] = numbers[f"dynamics/error_{horizon}"]
    shown = []
    for figure in (*COMMON, *phrases):
        with contextlib.suppress(KeyError):
            shown.append(figure.format_map(numbers))
    return shown


def start_of(run: ImitationRun) -> str:
    """What a run with --warm-start bc started from: the clone, or scratch if the clone overfitted."""
    ratio, limit = run.history[-1]["cloning/overfit_ratio"], run.config.cloning.max_overfit_ratio
    measured = f"held-out loss / training loss of the clone: {ratio:.1f}, limit {limit:g}"
    if ratio <= limit:
        return f"a clone of the demonstrations ({measured})"
    return f"from scratch, as the clone overfitted ({measured}, see --cloning.max-overfit-ratio)"


def _place(row: dict[str, float]) -> str:
    return f"iteration {row['iteration']:,.0f}, env step {row['env_steps']:,.0f}"


def _summary(run: ImitationRun, directory: Path) -> Table:
    last, evaluated = run.history[-1], [row for row in run.history if not math.isnan(row["return_mean"])]
    rows: dict[str, str] = {}
    if evaluated:  # a run may end between two evaluations
        end, best = evaluated[-1], max(evaluated, key=lambda row: row["return_mean"])
        at = "" if end is last else f", at {_place(end)}"
        percent = "" if math.isnan(end["expert_percent"]) else f", {end['expert_percent']:.1f}% of the expert"
        returned = f"{end['return_mean']:,.1f} ± {end['return_std']:,.1f}{percent}"
        rows["return"] = returned + at
        rows["best return"] = f"{best['return_mean']:,.1f} at {_place(best)}"
    if run.config.warm_start == "bc":
        rows["start"] = start_of(run)
    rows["env steps"] = f"{last['env_steps']:,.0f} in {last['real_trajectories']:,.0f} trajectories"
    rows["evaluation"] = f"{last['evaluation_steps']:,.0f} env steps, counted apart and not learned from"
    rows["time"] = f"{last['wall_seconds']:,.0f} s, {last['cpu_seconds']:,.0f} s of processor time"
    rows["directory"] = str(directory)
    rows["watch it"] = f"{runtime.program()} evaluate {shlex.quote(str(directory))} --video agent.mp4"
    return summary_table(str(directory), rows)
