"""The one place that says how gradient steps are compiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import tensorflow as tf

from mgail_dyna import runtime

# Environment variable; "0" switches XLA off.
XLA_SWITCH = "MGAIL_DYNA_XLA"


def compiled(function: Callable[..., Any]) -> Any:
    """Compiles a method with XLA, or as a TensorFlow graph without XLA if `MGAIL_DYNA_XLA=0` is set at import.

    XLA takes seconds per function to compile. The tests, which take few steps with each, switch it off.
    """
    return tf.function(function, jit_compile=_by_xla())


class Stateful(Protocol):
    """What can be taken back to where it was."""

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""


def compile_side_by_side(first_calls: Iterable[Callable[[], Any]], changed: Iterable[Stateful]) -> None:
    """Makes the first calls of compiled methods at the same time, as XLA takes one core to compile one of them.

    Args:
        first_calls: to make.
        changed: by them; afterwards they are as before.
    """
    before = [(each, each.state()) for each in changed]
    try:
        with ThreadPoolExecutor(runtime.cores()) as pool:
            for call in [pool.submit(call) for call in first_calls]:
                call.result()
    finally:
        for each, state in before:
            each.restore(state)


def side_by_side() -> bool:
    """Whether that is worth while: XLA compiles, and there are two cores."""
    return _by_xla() and runtime.cores() > 1


def _by_xla() -> bool:
    return os.environ.get(XLA_SWITCH) != "0"
