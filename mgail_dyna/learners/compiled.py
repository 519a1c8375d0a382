"""The one place that says how gradient steps are compiled."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Environment variable; "0" switches XLA off.
XLA_SWITCH = "MGAIL_DYNA_XLA"


def compiled(function: Callable[..., Any]) -> Any:
    """Compiles a method with XLA, or as a TensorFlow graph without XLA if `MGAIL_DYNA_XLA=0` is set at import.

    XLA takes seconds per function to compile. The tests, which take few steps with each, switch it off.
    """
    return tf.function(function, jit_compile=os.environ.get(XLA_SWITCH) != "0")
