"""Progress of reading and writing many episodes, shown only if it takes long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
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
    """Yields `items`; after `PATIENCE` seconds shows on standard error how many of `total` are done.

    A terminal shows a bar, which is cleared at the end; anything else one line.
    """
    began, bar, task = time.monotonic(), None, None
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - began > PATIENCE:
                console = Console(stderr=True)
                bar = Progress(console=console, transient=True, disable=not console.is_terminal)
                bar.start()
                task = bar.add_task(title, total=total)
                if not console.is_terminal:
                    console.print(f"{title}: {total:,}", highlight=False, soft_wrap=True, markup=False)
            if bar is not None and task is not None:
                bar.update(task, completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()
