"""Writing that cannot leave half a file, and locks."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mgail_dyna.errors import UserError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file or a directory to; it replaces `path` when all is written.

    If anything goes wrong, `path` is unchanged and nothing half written is left beside it.

    Raises:
        UserError: it cannot be written (permissions, a full disk).
    """
    scratch: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        fresh = scratch / "new"
        yield fresh
        _flush(fresh)
        if path.is_dir() and not fresh.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.is_dir():
            _exchange(fresh, path)
        else:
            fresh.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def clear_scratch(path: Path) -> None:
    """Removes what processes that were killed while they wrote `path` have left beside it; no other may be writing."""
    for left in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(left, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Swaps two paths in one step, so that neither is ever missing, even if the process is killed.

    Linux has a system call for it, which is not in Python's standard library.
    """
    at_fdcwd, exchange = -100, 2
    names = (at_fdcwd, os.fsencode(one.absolute()), at_fdcwd, os.fsencode(other.absolute()))
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None and rename(*names, exchange) == 0:
        return
    between = one.with_name("between")
    try:
        other.rename(between)
        one.rename(other)
    except BaseException:
        if not other.exists():
            between.rename(other)
        raise


def _flush(path: Path) -> None:
    """Flushes `path`, or every file below it, to the disk."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def ensure_writable(directory: Path) -> None:
    """Makes `directory` if needed, and checks that a file can be written into it.

    Raises:
        UserError: it cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise unwritable(directory, error) from error


def unwritable(path: Path, error: OSError) -> UserError:
    """The error for a `path` that could not be written."""
    # h5py wraps the system's reason into a long message of its own and may leave errno unset.
    reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    return UserError(f"{path}: cannot be written: {reason}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int | None]:
    """Locks the file at `path`; yields its descriptor, which children can inherit, or None if it is locked already.

    Raises:
        UserError: the file at `path` cannot be written.
    """
    try:
        file = path.open("a")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file.fileno()


def in_use(path: Path) -> bool:
    """Whether a process has locked the file at `path`; nothing is written."""
    try:
        file = path.open()
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_text(path: Path, text: str) -> None:
    """Replaces the file at `path` by `text`."""
    with replacing(path) as fresh:
        fresh.write_text(text, encoding="utf-8")
