"""How fast iterations go, and when the last one will be over."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

# Iterations that the mean is over: enough to hold rare evaluations, few enough to follow what grows.
WINDOW = 20
# Iterations become shorter while the newest is below this share of the first, and hardly above the shortest.
SHORTER, HARDLY = 0.8, 1.1
# So small a share of an iteration is rounding.
ROUNDING = 0.01


class Pace:
    """The time an iteration takes and the time left, from the newest iterations of this session.

    The first iterations of a session compile TensorFlow's functions, so they are not counted. Where several do, the
    last of them bounds the time of the next one.

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
        self._compiling, self._first, self._shortest = compiling, math.nan, math.inf
        self._several, self._bound = compiling > 1, list[tuple[float, int]]()

    def finish(self, iteration: int, done: int) -> None:
        """Notes that an iteration is over; `done` counts all steps."""
        now = self._clock()
        seconds, steps = now - self._newest, done - self.done
        if self._compiling == 1 and self._several:
            self._bound = [(seconds, steps)]
        if self._compiling <= 0:
            self._recent.append((seconds, steps))
            per_step = seconds / max(steps, 1)
            self._first = per_step if math.isnan(self._first) else self._first
            self._shortest = min(self._shortest, per_step)
        self._compiling -= 1
        self._newest, self.iteration, self.done = now, iteration, done

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def shortening(self) -> bool:
        """Whether iterations become shorter, as where less and less is left to learn: the mean would be too long."""
        if not self._recent:
            return False
        seconds, steps = self._recent[-1]
        return seconds / max(steps, 1) < min(SHORTER * self._first, HARDLY * self._shortest)

    @property
    def at_most(self) -> bool:
        """Whether `seconds` and `left` are bounds: all iterations so far compile, or they become shorter."""
        return not self._recent or self.shortening

    @property
    def _counted(self) -> list[tuple[float, int]]:
        return list(self._recent)[-1:] if self.shortening else list(self._recent) or self._bound

    @property
    def seconds(self) -> float | None:
        """Seconds an iteration takes; None until that is known, or bounded."""
        counted = self._counted
        return sum(seconds for seconds, _ in counted) / len(counted) if counted else None

    def left(self) -> float | None:
        """Seconds until the end, at least one; None until that is known, or bounded."""
        if self.seconds is None:
            return None
        steps = sum(steps for _, steps in self._counted) / len(self._counted)
        # The last iteration takes as long as any, however few steps are left for it.
        by_steps = math.ceil((self.total - self.done) / steps - ROUNDING) if steps else math.inf
        to_do = by_steps if self.last is None else min(by_steps, self.last - self.iteration)
        if math.isinf(to_do):
            return None
        # One that takes longer than usual does not shorten the later ones.
        return max(to_do * self.seconds - min(self._clock() - self._newest, self.seconds), 1.0)

    def of_this_iteration(self) -> float | None:
        """Seconds until this iteration is over: 0 if it takes longer than usual, None if that is not known yet."""
        return None if self.seconds is None else max(self.seconds - (self._clock() - self._newest), 0.0)

    def shown_left(self) -> str:
        """The time left, above ten minutes in whole minutes, from one on in ten seconds; "" if unknown.

        "< 5 min" if it is probably less.
        """
        left = self.left()
        if left is None or self.done >= self.total:
            return ""
        unit = 1 if left < 60 else 10 if left < 600 and not self.at_most else 60
        shown = duration(unit * math.ceil(left / unit - ROUNDING))
        return f"< {shown}" if self.at_most else shown


def duration(seconds: float) -> str:
    """A length of time as people say it: `45 s`, `4 min 10 s`, `23 min`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
