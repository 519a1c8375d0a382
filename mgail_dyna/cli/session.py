"""A training run on the terminal: its rows and its bar, the files it writes, and how it ended."""

from __future__ import annotations

import math
import shlex
import time
from pathlib import Path

from rich.console import Console

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.algorithms.warm_start import KNOWN, WarmStart
from mgail_dyna.cli.advice import doctor_hint, next_commands
from mgail_dyna.cli.pace import Pace
from mgail_dyna.cli.progress import Interrupts, ProgressDisplay
from mgail_dyna.cli.report import (
    FIRST_UPDATES,
    FROM_SCRATCH,
    MANY,
    MODEL_ERRS,
    PASSED,
    EvaluationRows,
    about_clone,
    evaluations,
    phrases_of,
    summary,
)
from mgail_dyna.cli.scalars import Scalars
from mgail_dyna.environments.video import can_be_filmed
from mgail_dyna.errors import UserError, counted
from mgail_dyna.runs.directory import CHECKPOINT, RunSettings, save_run, write_curve
from mgail_dyna.runs.run import ImitationRun

CHECKPOINT_SECONDS = 30.0
# Seconds between two rows of a run that is never evaluated.
ROW_SECONDS = 10.0
# Seconds to the first row in three of four recorded runs (tests/cli/test_screens.py): compiling, and what is learned.
FIRST_ROW, FIRST_ROW_OF_CLONING = (20, 80), (1, 6)


class Session:
    """Trains a run with a row per evaluation, checkpoints and scalars; signals stop it between two iterations.

    Args:
        run: to train.
        directory: of the run.
        settings: of the run, with its own last iteration.
        iterations: to stop after this time, in all; None: no such limit.
    """

    def __init__(self, run: ImitationRun, directory: Path, settings: RunSettings, iterations: int | None) -> None:
        self.run, self.directory, self.settings, self.iterations = run, directory, settings, iterations
        self.scalars = Scalars(directory)
        self.saved_at = -math.inf  # so that the first iteration is saved
        self.saved_done = self._done()
        unit, compared = run.agent.budget.unit, math.isfinite(run.reference.mean)
        self.rows = EvaluationRows(unit, run.config.evaluation_episodes > 0, compared, settings.algorithm != "bc")
        self.row_at = -math.inf
        self.said_it_stays = False

    def train(self) -> None:
        """Trains to the end, or until interrupted, and prints how it ended.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, or SIGTERM was sent; the run is saved.
            UserError: training failed; the message names the last checkpoint.
        """
        run, budget = self.run, self.run.agent.budget
        if run.ended(self.iterations) and not run.final_due:  # nothing is to be written
            self._report()
            return
        pace = Pace(budget.total, self._done(), len(run.history), self.iterations, self._compiling)
        display = ProgressDisplay(self.directory.name, pace, budget.unit, self.rows.columns)
        try:
            with (
                Interrupts(pace.of_this_iteration, lambda line: display.print_line(line, titled=False)) as interrupts,
                display,
            ):
                if run.ended(self.iterations):
                    self._announce_final(display, interrupts)
                else:
                    self._announce(display)
                for row in run.iterate(self.iterations, lambda number: self._count_final(display, number)):
                    self._show(display, row)
                    self._record(row)
                    if interrupts.asked:
                        break
                    if run.final_due:
                        self._save()
                        self._announce_final(display, interrupts)
                self._save()
        except UserError as error:
            checkpoint = self.directory / CHECKPOINT
            good = checkpoint if checkpoint.exists() else "none yet"
            raise UserError(f"{error}; last good checkpoint: {good}") from error
        except KeyboardInterrupt:  # the second one; this iteration is lost
            raise KeyboardInterrupt(self._where_to_resume()) from None
        except Exception as error:  # most often from the environment
            if (self.directory / CHECKPOINT).exists():
                error.add_note(f"{self.saved_done:,} {budget.unit} are saved; resume with: {self._resume()}")
            raise
        if interrupts.asked and (not run.ended(self.iterations) or run.final_due):
            raise interrupts.stop(self._where_to_resume())
        self._report()

    @property
    def _clones_first(self) -> bool:
        """Whether the first iteration clones, and the second is the first to compile updates."""
        return self.run.config.warm_start == "bc" and not self.run.history

    @property
    def _compiling(self) -> int:
        """Iterations after which no update is to be compiled any more: a clone's policy is frozen at first."""
        frozen = self.run.config.cloning.freeze_iterations
        return 1 if not self._clones_first else 3 if frozen else 2

    @property
    def _clone(self) -> WarmStart | None:
        clone: WarmStart | None = getattr(self.run.agent, "warm_start", None)
        return clone

    @property
    def _frozen(self) -> bool:
        """Whether the first updates after cloning leave the policy as it is; a clone on trial may be thrown away."""
        clone = self._clone
        return self.run.config.cloning.freeze_iterations > 0 and clone is not None and not clone.on_trial

    @property
    def _frozen_steps(self) -> int:
        """Env steps for which a clone stays as it is, if its episodes are as long as the demonstrations."""
        config, demos = self.run.config, self.run.imitated
        few = len(demos.trajectories) < config.cloning.trial_below
        longest = (config.rollout if few else config.cloning).reset_length
        length = max(1, min(longest, math.floor(demos.due_length)))
        return config.cloning.freeze_iterations * length * math.ceil(config.rollout.steps / length)

    def _announce(self, display: ProgressDisplay) -> None:
        if self.scalars.missing:
            runtime.say(f"note: {self.scalars.missing}")
        config, budget = self.run.config, self.run.agent.budget
        if self._clones_first and budget.total <= self._frozen_steps:
            few = f"the run has {budget.total:,} env steps, and a clone learns only after {self._frozen_steps:,}"
            runtime.say(f"note: {few}; give more with --env-steps")
        clones = self.settings.algorithm == "bc" or self._clones_first
        first = "cloning the demonstrations" if clones else "compiling the updates"
        least, most = FIRST_ROW_OF_CLONING if self.settings.algorithm == "bc" else FIRST_ROW
        limit = "" if self.iterations is None else f", at most {counted(self.iterations, 'iteration')}"
        begun = f", of which {self._done():,} are done" if self.run.history else ""
        count = config.demonstrations
        given = "" if count is None else f", {counted(count, 'demonstration')}"
        display.print_line(f"{budget.total:,} {budget.unit}{begun}{given}{limit}; files in {self.directory}")
        takes = (
            "the first row takes up to a minute longer than later ones"
            if self.run.history
            else f"the first row usually takes {least} to {most} s, longer on a busy machine"
        )
        display.wait(f"{first}; {takes}")

    def _announce_final(self, display: ProgressDisplay, interrupts: Interrupts) -> None:
        interrupts.seconds_left, interrupts.work = lambda: None, ("the final episodes", "them")
        display.wait(f"playing {counted(self.run.config.final_episodes, 'final episode')}")

    def _count_final(self, display: ProgressDisplay, number: int) -> None:
        display.phrases = [f"playing final episode {number:,} of {self.run.config.final_episodes:,}"]

    def _show(self, display: ProgressDisplay, row: dict[str, float]) -> None:
        run = self.run
        phrases = algorithm_named(self.settings.algorithm).progress
        below = phrases_of(row, run.config.plan.length, phrases) or [FIRST_UPDATES]
        display.update(len(run.history), self._done(), below)
        if "cloning/kept" in row and (row["cloning/kept"] == 0 or (self.rows.evaluated and self._frozen)):
            said = PASSED if row["cloning/kept"] else FROM_SCRATCH
            display.print_line(said.format(row["cloning/strayed"], run.config.cloning.trial_strayed))
        seen = evaluations(run.history)
        now, left = time.monotonic(), display.pace.shown_left()
        if not self.rows.evaluated and (now - self.row_at > ROW_SECONDS or run.ended(self.iterations)):
            self.row_at = now
            display.row(self.rows.cells(row, self._done(), None, left))
        elif seen and seen[-1] is row:
            display.row(self.rows.cells(row, self._done(), seen[-2] if len(seen) > 1 else None, left))
            if run.config.warm_start == "bc" and len(run.history) == 1:
                trusted = self._clone is not None and self._clone.trusted
                for line in about_clone(row, self._frozen, run.config.evaluation_episodes, trusted):
                    display.print_line(line)
        frozen = len(run.history) <= 1 + run.config.cloning.freeze_iterations
        if "cloning/rate" in row and self._clone is not None and self._clone.stays and not frozen | self.said_it_stays:
            self.said_it_stays = True
            display.print_line(MODEL_ERRS.format(self._clone.model_error, KNOWN))

    def _report(self) -> None:
        console, run = Console(), self.run
        console.print(summary(self.directory.name, run.history, run.config, run.best, run.final, run.reference))
        console.print("next:")
        spent = run.agent.progress >= 1.0
        ended = run.history, run.best, run.final, run.reference
        for command in next_commands(self.directory, self.settings, *ended, spent, self._films):
            # Never wrapped by us, so that it can be pasted.
            console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
        if hint := doctor_hint(self.directory, run.history, run.final, run.reference):
            console.print(hint, highlight=False, markup=False, soft_wrap=True)

    @property
    def _films(self) -> bool:
        return can_be_filmed(self.run.evaluation_env)

    def _resume(self) -> str:
        return f"{runtime.program()} --resume {shlex.quote(str(self.directory))}"

    def _where_to_resume(self) -> str:
        if not (self.directory / CHECKPOINT).exists():
            return " before the first iteration was over; nothing is saved"
        run, film_file = (shlex.quote(name) for name in (str(self.directory), f"{self.directory.name}.mp4"))
        play = f"{runtime.program()} evaluate {run} --episodes {MANY}"
        unit = self.run.agent.budget.unit.removesuffix("s")
        where = f" at {unit} {self.saved_done:,}; resume with:\n  {self._resume()}"
        if self._films:
            return f"{where}\nplay {MANY} episodes and film the first with:\n  {play} --video {film_file}"
        return f"{where}\nplay {MANY} episodes with:\n  {play}"

    def _done(self) -> int:
        return round(self.run.agent.progress * self.run.agent.budget.total)

    def _record(self, row: dict[str, float]) -> None:
        self.scalars.write(row)
        write_curve(self.directory, self.run.history)
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self._save()

    def _save(self) -> None:
        save_run(self.directory, self.run.state())
        self.scalars.flush()
        self.saved_at, self.saved_done = time.monotonic(), self._done()
