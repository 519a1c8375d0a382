"""Writing that cannot leave half a file, and state trees in HDF5 without pickles."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgail_dyna.errors import UserError
from mgail_dyna.seal import is_whole, seal

# The number grows when the content of a state changes.
OURS = "mgail_dyna state "
FORMAT = OURS + "7"
# States of this format had no checksum; they are still read.
WITHOUT_CHECKSUM = OURS + "6"


class DamagedError(UserError):
    """A file does not hold what was written to it."""


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


def write_text(path: Path, text: str) -> None:
    """Replaces the file at `path` by `text`."""
    with replacing(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def writing_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file built in memory and written to `path` at the end.

    The HDF5 library crashes the process if a write fails half way (a full disk).
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    path.write_bytes(content.getbuffer())


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Opens an HDF5 file for reading.

    Raises:
        UserError: it is missing, no HDF5, or damaged.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: expected an HDF5 file, found a directory")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if isinstance(error, PermissionError):
            raise UserError(f"{path}: cannot be read: permission denied") from error
        if error.errno in (errno.EAGAIN, errno.ENOLCK):
            raise UserError(
                f"{path}: cannot be read: another process has it open for writing; close it there"
            ) from error
        with path.open("rb") as handle:
            is_hdf5 = handle.read(8) == b"\x89HDF\r\n\x1a\n"
        found = "one that is truncated or damaged" if is_hdf5 else f"another kind of file ({path.stat().st_size} bytes)"
        raise DamagedError(f"{path}: expected an HDF5 file, found {found}") from error
    with file:
        try:
            yield file
        except (OSError, RuntimeError, KeyError) as error:
            if getattr(error, "filename", None) is not None:
                raise  # the error concerns another file
            raise DamagedError(f"{path}: damaged HDF5 file: {' '.join(str(error).split())}") from error


def save_state(path: Path, state: dict[str, Any], kind: str, previous: Path | None = None) -> None:
    """Writes a tree of dicts, lists, numbers, text, None and arrays as one HDF5 file, atomically.

    A checksum follows what HDF5 reads.

    Args:
        path: of the file.
        state: the tree.
        kind: of the state; `load_state` must ask for the same.
        previous: where to keep the file that is at `path` now, if it is whole.
    """
    with replacing(path) as fresh:
        with writing_hdf5(fresh) as file:
            _write_tree(file, state, kind)
        seal(fresh)
        if previous is not None and path.is_file() and is_whole(path):
            kept = fresh.with_name("kept")
            try:
                kept.hardlink_to(path)
            except OSError:  # a file system without links
                shutil.copyfile(path, kept)
            kept.replace(previous)


def _write_tree(file: h5py.File, state: dict[str, Any], kind: str) -> None:
    def skeleton(node: Any, name: str) -> Any:
        if isinstance(node, dict):
            return {key: skeleton(child, f"{name}/{key}") for key, child in node.items()}
        if isinstance(node, list | tuple):
            return [skeleton(child, f"{name}/{i}") for i, child in enumerate(node)]
        if isinstance(node, np.ndarray):
            file.create_dataset(name, data=node)
            return {"array": name}
        return node.item() if isinstance(node, np.generic) else node

    file.attrs["format"], file.attrs["kind"] = FORMAT, kind
    file.create_dataset("tree", data=json.dumps(skeleton(state, "arrays")))


def kind_of(path: Path) -> str | None:
    """The kind that `save_state` wrote the file at `path` as; None if there is no such file."""
    try:
        with open_hdf5(path) as file:
            return file.attrs.get("kind")
    except UserError:
        return None


def load_state(path: Path, kind: str) -> dict[str, Any]:
    """Reads what `save_state` wrote as `kind`; tuples come back as lists.

    Raises:
        DamagedError: the file is not as it was written.
        UserError: the file is missing or holds something else.
    """
    whole = None
    with contextlib.suppress(OSError):  # reported below
        whole = is_whole(path)
    if whole is False:
        raise DamagedError(f"{path}: damaged: its checksum does not match")
    with open_hdf5(path) as file:
        found = file.attrs.get("format")
        if found == FORMAT and not whole:
            raise DamagedError(f"{path}: damaged: its checksum is missing")
        if found not in (FORMAT, WITHOUT_CHECKSUM):
            what = (
                "one of another version, which cannot be resumed; start a new run"
                if str(found).startswith(OURS)
                else "another HDF5 file"
            )
            raise UserError(f"{path}: expected a checkpoint of this package, found {what}")
        if file.attrs.get("kind") != kind:
            raise UserError(f"{path}: expected a checkpoint of {kind}, found one of {file.attrs.get('kind')}")

        def filled(node: Any) -> Any:
            if isinstance(node, dict):
                if set(node) == {"array"} and str(node["array"]).startswith("arrays/"):
                    return file[node["array"]][()]
                return {key: filled(child) for key, child in node.items()}
            return [filled(child) for child in node] if isinstance(node, list) else node

        try:
            state: dict[str, Any] = filled(json.loads(file["tree"].asstr()[()]))
        except ValueError as error:  # JSON's errors and those of text are among them
            raise DamagedError(f"{path}: damaged: its tree cannot be read ({error})") from None
        return state


@contextlib.contextmanager
def raise_on_mismatch(path: Path) -> Iterator[None]:
    """Wraps the restoring of a state that `load_state` read from `path`.

    Raises:
        UserError: the state does not match what is restored.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: does not match ({error!r}); it is damaged or was made by another version") from error
