"""Progress on the terminal: a live display, or plain lines where nobody watches; and Ctrl-C."""

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
    """Steps done, steps per second and time left, and below them whatever figures matter.

    Where standard error is not a terminal it prints a plain line every `quiet_seconds` instead.

    Args:
        title: at the line's start.
        total: steps the work ends at.
        start: steps already done (a resumed run).
        unit: what the steps are, in the plural.
        quiet_seconds: between two plain lines.
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
        self.began, self.started_at, self.spoke = time.monotonic(), start, float("-inf")

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
        """Brings the display up to date; `figures` are phrases such as `return 2,345`."""
        self.bar.update(self.task, completed=steps)
        if self.live:
            self.live.update(Group(self.bar, Text("  " + "  ·  ".join(figures), style="dim")))
            return
        now = time.monotonic()
        if now - self.spoke < self.quiet_seconds and steps < self.total:
            return
        self.spoke = now
        summary_table = [f"{steps:,}/{self.total:,} {self.unit}", *figures]
        if steps > self.started_at:
            rate = (steps - self.started_at) / (now - self.began)
            summary_table += [f"{rate:,.0f} steps/s", f"{(self.total - steps) / rate:,.0f} s left"]
        self.tell("  ".join(summary_table))

    def tell(self, line: str) -> None:
        """A line that stays, above the display."""
        self.console.print(f"{self.title}  {line}", highlight=False, soft_wrap=True, markup=False)


class Interrupts:
    """Ctrl-C, taken between two iterations: the first asks for a stop, the second is one.

    Attributes:
        asked: whether there was one.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Interrupts:
        self.before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _heard(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("stopping after this iteration; Ctrl-C again to stop at once and lose it", file=sys.stderr)
