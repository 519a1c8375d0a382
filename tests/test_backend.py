"""Keras is set up for this package, whatever the user's own settings are."""

import json
import os
import subprocess
import sys
import types

import pytest

from mgail_dyna.errors import UserError

BUILD = """
import numpy as np
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.types import ActionSpec
policy = PolicyNetwork(ActionSpec("discrete", 2), 3)
print(policy(np.zeros((1, 3))).dtype.name)
"""


@pytest.mark.slow
def test_another_backend_and_another_precision_in_keras_json_do_not_matter(tmp_path):
    settings = {"floatx": "float64", "epsilon": 1e-7, "backend": "torch", "image_data_format": "channels_last"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    env = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", BUILD], env=env, capture_output=True, text=True)
    assert done.stdout == "float32\n", done.stderr
    assert json.loads((tmp_path / "keras.json").read_text()) == settings, "the user's file is not changed"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "numpy", "nonsense"])
def test_the_command_line_sets_the_backend_before_anything_imports_keras(backend):
    """TensorFlow Probability does, and Keras then imported what `KERAS_BACKEND` said."""
    script = "from mgail_dyna import runtime; runtime.import_tensorflow(); " + BUILD
    env = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.stdout == "float32\n", done.stderr


def test_keras_loaded_with_another_backend_is_one_line(monkeypatch):
    other = types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: "torch"))
    monkeypatch.setitem(sys.modules, "keras", other)
    monkeypatch.delitem(sys.modules, "mgail_dyna.backend", raising=False)
    with pytest.raises(UserError, match="expected the backend tensorflow, found torch"):
        __import__("mgail_dyna.backend")
