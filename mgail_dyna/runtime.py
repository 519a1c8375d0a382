"""What this process runs on: TensorFlow brought in quietly, and the versions a record should name."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("tensorflow", "tensorflow-probability", "keras", "gymnasium", "mujoco", "numpy", "h5py")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    # TensorFlow's C++ speaks on file descriptor 2 while it is imported, before any setting can quiet it.
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def import_tensorflow(threads: int = 1) -> None:
    """Imports TensorFlow for this process, without its banner.

    Args:
        threads: for one operation and between operations. The networks here are too small to share out; one thread
            computes as fast and leaves the other cores to other runs.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _silent_stderr():
        import tensorflow as tf
        import tensorflow_probability  # noqa: F401

        with contextlib.suppress(RuntimeError):  # too late to change: TensorFlow has already computed something
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.zeros(())  # looks for accelerators, and speaks of those it does not find


def versions() -> dict[str, str]:
    """Versions of Python and of every package results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def git_commit() -> str | None:
    """The commit of this checkout, with `+` where it has changes; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        call = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
