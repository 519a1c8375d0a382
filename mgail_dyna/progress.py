"""Progress on the terminal: one live line, or plain lines where nobody watches."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} steps/s", style="progress.data.speed")


class ProgressLine:
    """A line with env steps, whatever figures matter, steps per second and time left.

    Where standard error is not a terminal it prints a plain line every `quiet_seconds` instead.

    Args:
        title: at the line's start.
        total: env steps the work ends at.
        start: env steps already done (a resumed run).
        quiet_seconds: between two plain lines.
    """

    def __init__(self, title: str, total: int, start: int = 0, quiet_seconds: float = 10.0) -> None:
        self.title, self.total, self.quiet_seconds = title, total, quiet_seconds
        self.console = Console(stderr=True)
        self.live = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} env steps"),
            TextColumn("{task.fields[figures]}"),
            _RateColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.live.add_task(title, total=total, completed=start, figures="")
        self.began, self.started_at, self.spoke = time.monotonic(), start, 0.0

    def __enter__(self) -> ProgressLine:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def show(self, env_steps: int, figures: str) -> None:
        """Brings the line up to date; `figures` is text such as `return 2,345  KL 0.012`."""
        self.live.update(self.task, completed=env_steps, figures=figures)
        now = time.monotonic()
        if self.console.is_terminal or now - self.spoke < self.quiet_seconds:
            return
        self.spoke = now
        rate = (env_steps - self.started_at) / max(now - self.began, 1e-9)
        left = (self.total - env_steps) / max(rate, 1e-9)
        self.console.print(
            f"{self.title}  {env_steps:,}/{self.total:,} env steps  {figures}  {rate:,.0f} steps/s  {left:,.0f} s left",
            highlight=False,
            soft_wrap=True,
        )
