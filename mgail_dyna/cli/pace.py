"""How fast iterations go, and when the last one will be over."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

# Iterations that the mean is over: enough to hold rare evaluations, few enough to follow what grows.
WINDOW = 20


class Pace:
    """The time an iteration takes and the time left, from the newest iterations of this session.

    The first iterations of a session compile TensorFlow's functions, so they are not counted.

    Args:
        total: steps at which the work ends.
        done: steps done before, by a run that is resumed.
        iteration: iterations done before.
        last: the iteration at which the work ends if steps are left; None if there is no such limit.
        compiling: how many iterations compile.
        clock: seconds.

    Attributes:
        done: steps done.
        iteration: iterations done.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        iteration: int = 0,
        last: int | None = None,
        compiling: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.done, self.iteration, self.last, self._clock = total, done, iteration, last, clock
        self._recent: deque[tuple[float, int]] = deque(maxlen=WINDOW)  # seconds and steps of an iteration
        self._start = self._newest = clock()
        self._compiling = compiling

    def finish(self, iteration: int, done: int) -> None:
        """Notes that an iteration is over; `done` counts all steps."""
        now = self._clock()
        if self._compiling <= 0:
            self._recent.append((now - self._newest, done - self.done))
        self._compiling -= 1
        self._newest, self.iteration, self.done = now, iteration, done

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def seconds(self) -> float | None:
        """Seconds an iteration takes; None before two are over."""
        return sum(seconds for seconds, _ in self._recent) / len(self._recent) if self._recent else None

    def left(self) -> float | None:
        """Seconds until the end; None before two iterations are over."""
        if self.seconds is None:
            return None
        steps = sum(steps for _, steps in self._recent) / len(self._recent)
        by_steps = (self.total - self.done) / steps if steps else float("inf")
        to_do = by_steps if self.last is None else min(by_steps, self.last - self.iteration)
        return max(to_do * self.seconds - (self._clock() - self._newest), 0.0)

    def of_this_iteration(self) -> float | None:
        """Seconds until this iteration is over; None before two are over."""
        return None if self.seconds is None else max(self.seconds - (self._clock() - self._newest), 1.0)


def duration(seconds: float) -> str:
    """A length of time as people say it: `45 s`, `4 min 10 s`, `23 min`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
