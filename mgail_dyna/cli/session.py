"""A run on the terminal: its progress line, what it writes while it goes, and what it tells at the end."""

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

from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.cli.progress import Interrupts, ProgressDisplay
from mgail_dyna.cli.summary import summary_table
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import CHECKPOINT, SCALARS, RunSettings, save_run, write_curve
from mgail_dyna.runs.run import ImitationRun

CHECKPOINT_SECONDS = 30.0


class Session:
    """A run on the terminal: progress line, checkpoints, scalars, and Ctrl-C taken between two iterations."""

    def __init__(self, run: ImitationRun, directory: Path, settings: RunSettings) -> None:
        self.run, self.directory, self.settings = run, directory, settings
        self.writer = tf.summary.create_file_writer(str(directory / SCALARS))
        self.saved_at = -math.inf  # the first iteration is saved at once
        self.saved_steps = run.env_steps

    def train(self) -> None:
        """Trains to the end, or until interrupted, and tells what came of it."""
        run, (total, unit) = self.run, self.run.agent.budget
        phrases = algorithm_named(self.settings.algorithm).progress
        try:
            with Interrupts() as interrupts, ProgressDisplay(self.directory.name, total, self._done(), unit) as line:
                cloning = "cloning the demonstrations (--warm-start bc), then " if run.config.warm_start == "bc" else ""
                line.show(self._done(), [f"{cloning}compiling, about 20 s"])
                before_it = run.history[-1]["wall_seconds"] if run.history else 0.0
                for row in run.iterate(self.settings.iterations):
                    if run.config.warm_start == "bc" and len(run.history) == 1:
                        line.tell(f"began as {began_as(run)}")
                    seconds, before_it = row["wall_seconds"] - before_it, row["wall_seconds"]
                    line.show(self._done(), figures_of(run.history, seconds, run.config.plan.length, phrases))
                    self._record(row)
                    if interrupts.asked:
                        break
                self._save()
        except UserError as error:
            last = self.directory / CHECKPOINT
            raise UserError(f"{error}; last good checkpoint: {last if last.exists() else 'none yet'}") from error
        except Exception as error:  # the environment's, most often
            if (self.directory / CHECKPOINT).exists():
                error.add_note(f"{self.saved_steps:,} env steps are kept; go on with: {self._again()}")
            raise
        if interrupts.asked:
            raise KeyboardInterrupt(f" at env step {run.env_steps:,}; go on with: {self._again()}")
        Console().print(_summary(run, self.directory))

    def _again(self) -> str:
        return f"run.py --resume {shlex.quote(str(self.directory))}"

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


# Phrases of the progress line, whatever the algorithm; one is shown where all of its numbers exist.
COMMON = (
    "iteration {iteration:.0f}, {seconds:.1f} s",
    "{real_trajectories:.0f} real trajectories",
    "return {return_mean:,.0f} ({expert_percent:.0f}% of expert)",
    "return {unmeasured_return:,.0f}",
)


def figures_of(history: list[dict[str, float]], seconds: float, horizon: int, phrases: Sequence[str] = ()) -> list[str]:
    """What the progress line shows of a run's `history`: the newest numbers, the return of the last evaluation.

    Args:
        history: one row an iteration.
        seconds: the last iteration took.
        horizon: T, steps of a plan.
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


def began_as(run: ImitationRun) -> str:
    """What a run with --warm-start bc began as, by how well its clone generalised."""
    ratio, limit = run.history[-1]["cloning/overfit_ratio"], run.config.cloning.max_overfit_ratio
    told = f"its loss on held-out pairs {ratio:.1f} times that on those it learned from"
    if ratio <= limit:
        return f"a clone of the demonstrations (--warm-start bc), {told}"
    return f"untrained: the clone knew the demonstrations by heart, {told} (--cloning.max-overfit-ratio {limit:g})"


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
        rows["best on the way"] = f"{best['return_mean']:,.1f} at {_place(best)}"
    if run.config.warm_start == "bc":
        rows["began as"] = began_as(run)
    rows["env steps"] = f"{last['env_steps']:,.0f} in {last['real_trajectories']:,.0f} trajectories"
    rows[""] = f"and {last['evaluation_steps']:,.0f} for evaluation, that nothing was learned from"
    rows["seconds"] = f"{last['wall_seconds']:,.0f}, {last['cpu_seconds']:,.0f} of one core"
    rows["the run lies in"] = str(directory)
    rows["watch it"] = f"python run.py evaluate {shlex.quote(str(directory))} --video agent.mp4"
    return summary_table(str(directory), rows)
