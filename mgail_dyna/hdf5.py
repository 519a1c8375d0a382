"""HDF5 files: written whole, read with care, and state trees in them, without pickles."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from mgail_dyna.errors import UserError
from mgail_dyna.seal import is_whole, seal
from mgail_dyna.storage import replacing

# The number grows when the content of a state changes.
OURS = "mgail_dyna state "
FORMAT = OURS + "7"
# States of this format had no checksum; they are still read.
WITHOUT_CHECKSUM = OURS + "6"
# No filter of HDF5 shrinks an array by more (deflate: 1,032 times). Arrays of at most so many bytes are read anyway:
# some programs declare one and write only what is not 0.
_MOST_SHRUNK, _SMALL = 1_100, 1 << 24
# Seconds that reading a file is tried for in a process of its own, and after which HDF5 is taken to hang.
_TRIED, _HANGS = 5.0, 30.0


class DamagedError(UserError):
    """A file does not hold what was written to it."""


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

    HDF5 can crash or hang on a damaged file. Where no checksum shows that a file is whole, another process reads it
    first.

    Raises:
        UserError: it is missing, no HDF5, or damaged.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: expected an HDF5 file, found a directory")
    try:
        state = path.stat()
        if not is_whole(path) and (problem := _problem(path.resolve(), state.st_size, state.st_mtime_ns)):
            raise DamagedError(f"{path}: damaged HDF5 file: HDF5 {problem}")
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
        except (ValueError, TypeError) as error:
            if _raised_in(error.__traceback__).startswith("h5py"):  # a type that no array can have
                raise DamagedError(f"{path}: damaged HDF5 file: {' '.join(str(error).split())}") from error
            raise


def _raised_in(traceback: TracebackType | None) -> str:
    """The name of the module that raised."""
    name = ""
    while traceback is not None:
        name, traceback = str(traceback.tb_frame.f_globals.get("__name__")), traceback.tb_next
    return name


@functools.lru_cache(maxsize=1_000)
def _problem(path: Path, size: int, changed: int) -> str:
    """What happens to a process of its own that reads the file; "" if nothing does.

    `size` and `changed` tell the file from an earlier one at `path`.
    """
    home = str(Path(__file__).resolve().parents[1])
    code = f"import sys; sys.path.insert(0, {home!r}); from {__name__} import visit; visit()"
    command = [sys.executable, "-c", code, str(path)]
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_HANGS).returncode
    except subprocess.TimeoutExpired:
        return "hangs on it"
    except OSError:  # there may be no other processes
        return ""
    return "crashes on it" if ended < 0 else ""


def visit() -> None:
    """Reads what the file named on the command line holds, for at most five seconds; errors are not reported."""
    end = time.monotonic() + _TRIED

    def read(_: str, node: h5py.Group | h5py.Dataset) -> bool | None:
        with contextlib.suppress(Exception):
            dict(node.attrs)
            if isinstance(node, h5py.Dataset):
                read_array(node)
        return True if time.monotonic() > end else None

    with contextlib.suppress(Exception), h5py.File(sys.argv[1], "r") as file:
        read("", file)
        file.visititems(read)


def read_array(node: h5py.Dataset) -> Any:
    """All values of an array.

    Raises:
        OSError: see `require_stored`; `open_hdf5` makes a `DamagedError` of it.
    """
    require_stored(node.id)
    return node[()]


def require_stored(node: h5py.h5d.DatasetID) -> None:
    """Checks that an array is not far larger than what is stored of it, before memory is taken for it.

    Raises:
        OSError: it is.
    """
    size = math.prod(node.shape) * node.get_type().get_size()
    if size <= _SMALL:
        return
    stored = min(node.get_storage_size(), h5py.h5i.get_file_id(node).get_filesize())  # the first is only a claim
    if size > stored * (_MOST_SHRUNK if node.get_create_plist().get_nfilters() else 1):
        name = h5py.h5i.get_name(node).decode(errors="replace")
        raise OSError(f"{name} is said to have {size:,} bytes, and {stored:,} are stored")


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
    """The kind that `save_state` wrote the file at `path` as; None if there is no such file, or it is another one.

    Raises:
        DamagedError: it was written by `save_state` and is not as it was. HDF5 itself can crash on such a file.
    """
    if path.is_file() and is_whole(path) is False:
        raise DamagedError(f"{path}: damaged: its checksum does not match")
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
                    array = read_array(file[node["array"]])
                    if array.dtype.kind not in "biuf":
                        raise ValueError(f"{node['array']} holds {array.dtype}")
                    return array
                return {key: filled(child) for key, child in node.items()}
            return [filled(child) for child in node] if isinstance(node, list) else node

        try:
            state = filled(json.loads(file["tree"].asstr()[()]))
        # JSON's errors and those of text are among them, and what no text raises.
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedError(f"{path}: damaged: its tree cannot be read ({error})") from None
        if not isinstance(state, dict):
            raise DamagedError(f"{path}: damaged: expected a tree of names and values, found {type(state).__name__}")
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
