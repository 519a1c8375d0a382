"""What this process runs on: how it was started, TensorFlow imported quietly, and the versions for a record."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

INSTALLED_COMMAND = "mgail-dyna"
PACKAGES = ("tensorflow", "tensorflow-probability", "keras", "gymnasium", "mujoco", "numpy", "h5py")
# They name a repository for git, as in a hook of another one.
_GIT_VARIABLES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"}


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    # TensorFlow's C++ writes to file descriptor 2 while it is imported, before any setting can stop it.
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def cores() -> int:
    """Cores this process may use, or fewer where `OMP_NUM_THREADS` says so."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, max(int(wanted), 1)) if wanted.isdecimal() else found


def import_tensorflow(threads: int = 1) -> None:
    """Imports TensorFlow for this process, without its banner and its search for accelerators on the screen.

    Where the program has imported TensorFlow before, everything stays as it is. So a program that wants other threads
    or devices imports and configures TensorFlow first.

    Args:
        threads: for one operation, and for operations at once; at most `cores()`.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "keras" not in sys.modules:  # TensorFlow Probability imports it
        os.environ["KERAS_BACKEND"] = "tensorflow"
    threads = min(threads, cores())
    with _silent_stderr():
        import tensorflow as tf
        import tensorflow_probability  # noqa: F401

        with contextlib.suppress(RuntimeError):  # TensorFlow has already run something; its threads are fixed
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.zeros(())  # looks for accelerators now, while its messages about them are silenced


def versions() -> dict[str, str]:
    """Versions of Python and of every package results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def checkout() -> Path | None:
    """The directory of the checkout this package is imported from: it holds `run.py`. None where it is installed."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "run.py").is_file() and (root / "pyproject.toml").is_file() else None


def program() -> str:
    """How the user starts this program: for usage lines, and for commands that a message suggests.

    What it returns can be pasted into the shell that this process was started from: `python` is the path of the
    interpreter where the shell would find another one, and `run.py` is named as it was.
    """
    started = Path(sys.argv[0])
    if started.name == INSTALLED_COMMAND:
        return INSTALLED_COMMAND if _is_found(started) else shlex.quote(_shown(started))
    if started.name == "__main__.py" and started.parent.name == "mgail_dyna":
        return f"{_python()} -m mgail_dyna"
    if started.name == "run.py":
        return f"{_python()} {shlex.quote(str(started))}"
    return INSTALLED_COMMAND if checkout() is None else "python run.py"


def installing(what: str) -> str:
    """The command that installs `what` for this Python."""
    return f"{_python()} -m pip install {shlex.quote(what)}"


def _python() -> str:
    """The interpreter as the user's shell finds it."""
    running = Path(sys.executable)
    name = next((name for name in ("python", "python3") if _is_found(running.with_name(name))), None)
    return name or shlex.quote(_shown(running))


def _is_found(file: Path) -> bool:
    """Whether a shell finds `file` by its name alone."""
    found = shutil.which(file.name)
    return found is not None and Path(found).parent.resolve() == file.parent.resolve()


def _shown(file: Path) -> str:
    """`file` as people type it: below the current directory where it is there."""
    with contextlib.suppress(ValueError, OSError):
        return str(file.absolute().relative_to(Path.cwd()))
    return str(file)


def say(line: str) -> None:
    """Prints a note or an error on standard error. On a terminal its lines end between words; one that holds a command
    stays whole, so that it can be pasted."""
    if sys.stderr is not None and sys.stderr.isatty() and program() not in line:
        width = shutil.get_terminal_size().columns
        wrap = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        line = "\n".join(wrap.fill(part) for part in line.split("\n"))
    print(line, file=sys.stderr)


def program_call() -> list[str]:
    """The words that start this program in a child process, from any directory."""
    root = checkout()
    return [sys.executable, "-m", "mgail_dyna"] if root is None else [sys.executable, str(root / "run.py")]


def git_commit() -> str | None:
    """The commit of this checkout, with `+` where it has changes.

    None for an installed package, and for a checkout that is not the top level of a git repository: the repository
    around it belongs to something else.
    """
    root = checkout()
    if root is None:
        return None
    # Git must neither look above the checkout nor take another repository from its environment.
    env = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    env["GIT_CEILING_DIRECTORIES"] = str(root.parent)
    call = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=5, env=env).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
