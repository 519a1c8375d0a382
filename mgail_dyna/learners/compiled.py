"""The one place that says how gradient steps are compiled."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf

from mgail_dyna import runtime

# Environment variable; "0" switches XLA off.
XLA_SWITCH = "MGAIL_DYNA_XLA"


def compiled(function: Callable[..., Any]) -> Any:
    """Compiles a method with XLA, or as a TensorFlow graph without XLA if `MGAIL_DYNA_XLA=0` is set at import.

    XLA takes seconds per function to compile. The tests, which take few steps with each, switch it off.
    """
    return tf.function(function, jit_compile=_by_xla())


def compile_side_by_side(*first_calls: Callable[[], Any]) -> bool:
    """Makes the first calls of compiled methods at the same time, as XLA takes one core to compile one of them.

    Returns:
        Whether they were made, which needs XLA and two cores.
    """
    worth_it = _by_xla() and runtime.cores() > 1
    if worth_it:
        with ThreadPoolExecutor(runtime.cores()) as pool:
            for call in [pool.submit(call) for call in first_calls]:
                call.result()
    return worth_it


def _by_xla() -> bool:
    return os.environ.get(XLA_SWITCH) != "0"
