"""Keras as this package needs it: on TensorFlow, in float32, whatever `KERAS_BACKEND` or `keras.json` say.

Modules that build or train networks import `keras` from here. The setting holds for this process alone.
"""

from __future__ import annotations

import os
import sys

from mgail_dyna.errors import UserError

if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

if (found := keras.backend.backend()) != "tensorflow":
    raise UserError(
        f"Keras: expected the backend tensorflow, found {found}, which this process has loaded already; "
        "set KERAS_BACKEND=tensorflow, or import mgail_dyna's networks before keras"
    )
keras.config.set_floatx("float32")

__all__ = ["keras"]
