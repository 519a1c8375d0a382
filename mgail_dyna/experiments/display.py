"""A sweep on the terminal: a live table of runs, or a line per change where there is no terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.jobs import Job
from mgail_dyna.experiments.records import COLUMNS
from mgail_dyna.runs.directory import read_progress, read_settings

# States without a row in the table; its title counts them.
COUNTED = ("recorded", "waiting")


class SweepDisplay:
    """Shows the state of every run of a sweep.

    Args:
        jobs: of the sweep.
        title: above the table.
    """

    def __init__(self, jobs: Sequence[Job], title: str) -> None:
        self.jobs, self.title = jobs, title
        self.states: dict[Job, str] = {}
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None

    def __enter__(self) -> SweepDisplay:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.refresh()
            self.live.stop()

    def state(self, job: Job, state: str, reason: str = "") -> None:
        """Notes the state of `job`. Prints it where there is no table; a reason is always printed."""
        if self.states.get(job) == state:
            return
        self.states[job] = state
        if reason or (self.live is None and state not in COUNTED):
            words = "  ".join([state, *filter(None, _progress(job)), *([reason] if reason else [])])
            self.console.print(f"{job.run.name}  {words}", highlight=False, soft_wrap=True, markup=False)

    def counts(self) -> str:
        """Number of runs in each state."""
        return ", ".join(f"{number} {state}" for state, number in Counter(self.states.values()).items())

    def refresh(self) -> None:
        """Draws the table again."""
        if self.live is None:
            return
        table = Table(title=f"{self.title}: {self.counts()}", title_justify="left", box=None)
        for name in ("run", "state"):
            table.add_column(name)
        for name in ("env steps", "% of expert", "seconds"):
            table.add_column(name, justify="right")
        # Finished runs last, because a small terminal cuts off the end.
        for job in sorted(self.jobs, key=lambda job: self.states.get(job) == "done"):
            if self.states.get(job) not in (None, *COUNTED):
                table.add_row(job.run.name, self.states[job], *_progress(job))
        self.live.update(table, refresh=True)


def _progress(job: Job) -> tuple[str, str, str]:
    """Env steps, percent of the expert and seconds that a run has written so far; empty before its first row."""
    directory = job.run_directory
    if directory is None:
        return "", "", ""
    try:
        total, progress = read_settings(directory).config.env_steps, read_progress(directory, COLUMNS)
    except UserError:  # nothing is written yet
        return "", "", ""
    evaluated = progress["expert_percent"][np.isfinite(progress["expert_percent"])]
    percent = f"{evaluated[-1]:.0f}%" if evaluated.size else ""
    return f"{progress['env_steps'][-1]:,.0f}/{total:,}", percent, f"{progress['wall_seconds'][-1]:,.0f} s"
