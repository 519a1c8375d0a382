"""Progress of reading and writing many episodes, shown only if it takes long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

# Work that is over sooner shows nothing.
PATIENCE = 2.0

# Bytes of a file that may take long to open; smaller ones do not, but where the machine is busy.
LARGE = 10_000_000

Item = TypeVar("Item")


@contextlib.contextmanager
def announced(title: str) -> Iterator[None]:
    """Says `title` on standard error, in one line, once what is done inside has taken `PATIENCE` seconds."""

    def say() -> None:
        Console(stderr=True).print(title, highlight=False, soft_wrap=True, markup=False)

    timer = threading.Timer(PATIENCE, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def watched(items: Iterable[Item], total: int, title: str) -> Iterator[Item]:
    """Yields `items` and counts them, see `counting`."""
    with counting(total, title) as done:
        for item in items:
            yield item
            done()


@contextlib.contextmanager
def counting(total: int, title: str) -> Iterator[Callable[[], None]]:
    """Gives a function to call whenever one of `total` things is done.

    After `PATIENCE` seconds their number is shown on standard error: on a terminal as a bar, which is cleared at the
    end, elsewhere as one line.
    """
    began, count, shown, console = time.monotonic(), 0, False, Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(title, total=total)

    def done() -> None:
        nonlocal count, shown
        count += 1
        if not shown and time.monotonic() - began > PATIENCE:
            shown = True
            bar.start()
            if not console.is_terminal:
                console.print(f"{title}: {total:,}", highlight=False, soft_wrap=True, markup=False)
        bar.update(task, completed=count)

    try:
        yield done
    finally:
        if shown:
            bar.stop()
