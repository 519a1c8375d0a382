"""Progress on the terminal: a live display, or plain lines where output is not a terminal; and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} steps/s", style="progress.data.speed")


class ProgressDisplay:
    """Steps done, steps per second and time left, with a line of figures below them.

    Where standard error is not a terminal, it prints a plain line every `quiet_seconds` instead.

    Args:
        title: at the start of the line.
        total: steps at which the work ends.
        start: steps done before, by a run that is resumed.
        unit: what the steps are, in the plural.
        quiet_seconds: seconds between two plain lines.
    """

    def __init__(
        self, title: str, total: int, start: int = 0, unit: str = "env steps", quiet_seconds: float = 10.0
    ) -> None:
        self.title, self.total, self.unit, self.quiet_seconds = title, total, unit, quiet_seconds
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _RateColumn(),
            TimeRemainingColumn(compact=True),
        )
        self.task = self.bar.add_task(title, total=total, completed=start)
        self.live = Live(self.bar, console=self.console, refresh_per_second=4) if self.console.is_terminal else None
        self.start_time, self.start_steps, self.printed_at = time.monotonic(), start, float("-inf")

    def __enter__(self) -> ProgressDisplay:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def show(self, steps: int, figures: Sequence[str]) -> None:
        """Updates the display; `figures` are phrases such as `return 2,345`."""
        self.bar.update(self.task, completed=steps)
        if self.live:
            self.live.update(Group(self.bar, Text("  " + "  ·  ".join(figures), style="dim")))
            return
        now = time.monotonic()
        if now - self.printed_at < self.quiet_seconds and steps < self.total:
            return
        self.printed_at = now
        phrases = [f"{steps:,}/{self.total:,} {self.unit}", *figures]
        if steps > self.start_steps:
            rate = (steps - self.start_steps) / (now - self.start_time)
            phrases += [f"{rate:,.0f} steps/s", f"{(self.total - steps) / rate:,.0f} s left"]
        self.print_line("  ".join(phrases))

    def print_line(self, line: str) -> None:
        """Prints a line above the display, where it stays."""
        self.console.print(f"{self.title}  {line}", highlight=False, soft_wrap=True, markup=False)


class Interrupts:
    """Handles Ctrl-C: the first asks for a stop after the iteration, the second stops at once.

    Attributes:
        asked: whether a stop was asked for.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Interrupts:
        self.before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _interrupt(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("stopping after this iteration; press Ctrl-C again to stop now and lose it", file=sys.stderr)
