"""What a person sees during training: one row per evaluation that stays, and on a terminal a bar below; and signals."""

from __future__ import annotations

import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.constrain import Constrain
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mgail_dyna import runtime
from mgail_dyna.cli.pace import Pace, duration
from mgail_dyna.errors import Terminated

# Rows between two headings.
PAGE = 25
NARROWEST_BAR, WIDEST_BAR = 4, 30
# Columns at the right edge for the terminal's ^C, which would break the line and leave a copy of the bar.
ECHOED = 3
# Of the bar, a second.
REFRESHES = 4


def import_tensorflow(threads: int = 1) -> None:
    """`runtime.import_tensorflow`; on a terminal it says so meanwhile, as this takes seconds."""
    words = "importing TensorFlow ..."
    shown = sys.stderr is not None and sys.stderr.isatty()
    if shown:
        print(words, end="\r", file=sys.stderr, flush=True)
    try:
        runtime.import_tensorflow(threads)
    finally:  # after Ctrl-C, too
        if shown:
            print("\r" + " " * len(words), end="\r", file=sys.stderr, flush=True)


class Column(NamedTuple):
    """A column of the rows.

    Attributes:
        name: its heading.
        width: at least, in characters.
    """

    name: str
    width: int = 0


class ProgressDisplay:
    """Rows of figures that stay, one per evaluation, above a bar with the time left.

    Where standard error is not a terminal there is no bar, and the rows are the same.

    Args:
        title: of the work.
        pace: how far it is.
        unit: what its steps are, in the plural.
        columns: of the rows.
        console: to print to; standard error if None.
    """

    def __init__(
        self, title: str, pace: Pace, unit: str, columns: Sequence[Column], console: Console | None = None
    ) -> None:
        self.title, self.pace, self.unit, self.columns = title, pace, unit, columns
        self.console = console or Console(stderr=True)
        self.phrases: list[str] = []
        self.rows = 0
        self.on_terminal = shown = self.console.is_terminal and not self.console.is_dumb_terminal
        # It vanishes at the end, as the last row says what it says.
        self.live = Live(self, console=self.console, auto_refresh=False, transient=True) if shown else None
        # Rows and the bar are drawn by one thread at a time: otherwise a bar that grows can leave a line behind.
        self._drawing, self._over = threading.RLock(), threading.Event()
        self._refreshing = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> ProgressDisplay:
        if self.live:
            self.live.start()
            self._refreshing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self._over.set()
            self._refreshing.join()
            self.live.stop()

    def _refresh(self) -> None:
        while self.live and not self._over.wait(1 / REFRESHES):
            with self._drawing:
                self.live.refresh()

    def wait(self, why: str) -> None:
        """Says what happens before the first row: below the bar, or as a line of its own."""
        if self.live:
            self.phrases = [why]
        else:
            self.print_line(why)

    def update(self, iteration: int, done: int, phrases: Sequence[str] = ()) -> None:
        """Moves the bar at the end of an iteration; `phrases` are shown below it."""
        self.pace.finish(iteration, done)
        self.phrases = list(phrases)

    def row(self, cells: Sequence[str]) -> None:
        """Prints a row, which stays: one cell for each column."""
        widths = [max(len(column.name), column.width) for column in self.columns]
        if self.rows % PAGE == 0:
            names = [column.name for column in self.columns]
            self._print("  ".join(map(str.rjust, names, widths)), style="bold")
        self.rows += 1
        self._print("  ".join(map(str.rjust, cells, widths)))

    def print_line(self, line: str, titled: bool = True) -> None:
        """Prints a line, which stays, with the title before it if `titled`. A terminal breaks it between words."""
        self._print(f"{self.title}: {line}" if titled else line, whole=not self.on_terminal)

    def _print(self, line: str, style: str = "", whole: bool = True) -> None:
        with self._drawing:
            self.console.print(line, style=style, highlight=False, soft_wrap=whole, markup=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pace, width = self.pace, options.max_width - ECHOED
        before = Text(f"{pace.done:,}/{pace.total:,} {self.unit}", no_wrap=True)
        share = pace.done / pace.total
        if pace.last:
            share = max(share, pace.iteration / pace.last)
        after = Text("  ".join(self._clocks(share, width - len(before) - NARROWEST_BAR - 2)), no_wrap=True)
        room = width - len(before) - len(after) - 2
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row(before, ProgressBar(1.0, share, width=max(NARROWEST_BAR, min(WIDEST_BAR, room))), after)
        yield Constrain(grid, width)
        if self.phrases:
            # Rows are printed unwrapped, and the bar with them; what is below it is wrapped all the same.
            below = Text("  ·  ".join(self.phrases), style="dim", no_wrap=False, overflow="fold")
            yield Constrain(Padding(below, (0, 0, 0, 2)), width)

    def _clocks(self, share: float, width: int) -> list[str]:
        """What stands behind the bar; the time left comes first where there is little room."""
        pace, left = self.pace, self.pace.left()
        iteration = f"iteration {pace.iteration}" + (f" of {pace.last}" if pace.last else "")
        if pace.done >= pace.total:  # the final episodes are played
            return [f"{share:.0%}", f"{duration(pace.elapsed)} so far"]
        if pace.seconds is None or left is None:
            shown = [f"{share:.0%}", f"{duration(pace.elapsed)} so far"]
            return [*shown, "measuring time left"] if pace.iteration else shown
        most = "probably at most " if pace.at_most else ""
        shown = [f"{share:.0%}", iteration, f"{pace.seconds:.1f} s each", f"{most}{duration(left)} left"]
        return shown if len("  ".join(shown)) <= width else [shown[0], shown[-1]]


class Interrupts:
    """Handles Ctrl-C and SIGTERM: both ask for a stop after the iteration; a second Ctrl-C stops at once.

    Python calls handlers between two of its own instructions, so not while TensorFlow compiles, and two signals are one
    by then. A thread reads them as they come, and says so at once.

    Args:
        seconds_left: of the iteration; 0 if it takes longer than usual, None while that is unknown.
        say: prints a line.

    Attributes:
        asked: whether a stop was asked for.
        again: whether Ctrl-C was pressed after that.
        terminated: whether SIGTERM asked first.
        work: what is finished first, and its pronoun.
    """

    def __init__(
        self,
        seconds_left: Callable[[], float | None] = lambda: None,
        say: Callable[[str], object] = lambda line: print(line, file=sys.stderr),
    ) -> None:
        self.seconds_left, self.say, self.asked, self.again, self.terminated = seconds_left, say, False, False, False
        self.work = ("this iteration", "it")
        self._taking = threading.RLock()  # a handler can be interrupted by a handler

    def __enter__(self) -> Interrupts:
        self._arriving, self._sent = socket.socketpair()
        for end in (self._arriving, self._sent):
            end.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._sent.fileno(), warn_on_full_buffer=False)
        self.before = [(number, signal.signal(number, self._ask)) for number in (signal.SIGINT, signal.SIGTERM)]
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.before:
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._sent.close()  # which ends the thread
        self._watching.join()
        self._arriving.close()

    def stop(self, where: str) -> KeyboardInterrupt:
        """The exception to end with, as `cli.main` reports it; `where` says what is saved."""
        return Terminated(where) if self.terminated else KeyboardInterrupt(where)

    def _ask(self, number: int, _: Any) -> None:
        self._take_all()
        if self.again:
            raise KeyboardInterrupt

    def _watch(self) -> None:
        while select.select([self._arriving], [], []) and self._take_all():
            pass

    def _take_all(self) -> bool:
        """Takes the signals that have arrived; whether there can be more."""
        with self._taking:
            try:
                arrived = self._arriving.recv(64)
            except BlockingIOError:  # the other thread has them
                return True
            first = [number for number in arrived if self._take(number)]
        # Not while holding the lock: a print waits for the row that the other thread prints, which may be interrupted.
        if first:
            self._say()
        return bool(arrived)

    def _take(self, number: int) -> bool:
        """Notes a signal; whether it is the first that asks for a stop."""
        if self.asked or number not in (signal.SIGINT, signal.SIGTERM):
            self.again |= self.asked and number == signal.SIGINT
            return False
        self.asked, self.terminated = True, number == signal.SIGTERM
        return True

    def _say(self) -> None:
        left = self.seconds_left()
        about = "" if left is None else f" (about {duration(left)})" if left else " (which takes longer than usual)"
        work, them = self.work
        again = "" if self.terminated else f"; press Ctrl-C again to stop now and lose {them}"
        self.say(f"finishing {work}{about}{again}")
