"""Files are written whole or not at all, also on a full disk."""

import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgail_dyna import storage
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.hdf5 import save_state
from mgail_dyna.storage import replacing, write_text

ROOT = Path(__file__).resolve().parent.parent


def snapshot(directory):
    """Every file below, with its bytes."""
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# Replacing


def test_a_new_file_takes_the_place_of_the_old(tmp_path):
    for text in ("first", "second"):
        write_text(tmp_path / "deep" / "er" / "note.txt", text)
        assert (tmp_path / "deep" / "er" / "note.txt").read_text() == text
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["note.txt"]


@pytest.mark.parametrize("problem", [ValueError("x"), KeyboardInterrupt()])
def test_what_goes_wrong_while_writing_leaves_the_old(problem, dataset):
    before = snapshot(dataset)

    def write_half():
        with replacing(dataset / "data") as fresh:
            fresh.mkdir()
            (fresh / "main_data.hdf5").write_text("half")
            raise problem

    with pytest.raises(type(problem)):
        write_half()
    assert snapshot(dataset.parent) == before
    assert [path.name for path in dataset.iterdir()] == ["data"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_the_systems_reason_is_told(code, tmp_path, refused):
    def write():
        with replacing(tmp_path / "file"):
            raise OSError(code, "not for users")

    refused([tmp_path / "file", "cannot be written", os.strerror(code)], write)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_cannot_be_put_in_place_leaves_the_old(dataset, cheetah, monkeypatch, refused):
    before = snapshot(dataset)

    def fail(one, other):
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(storage, "_exchange", fail)
    refused([dataset / "data", "cannot be written"], save_demonstrations, dataset, cheetah, overwrite=True)
    assert snapshot(dataset) == before
    assert [path.name for path in dataset.iterdir()] == ["data"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("renames", [1, 2])
def test_an_interrupt_between_two_renames_loses_no_dataset(renames, at_once, dataset, cheetah, monkeypatch):
    before, rename, left = snapshot(dataset), Path.rename, [renames]

    def interrupted(one, other):
        rename(one, other)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    if not at_once:  # a system that cannot
        monkeypatch.setattr(storage.ctypes, "CDLL", lambda *_, **__: None)
    fewer = replace(cheetah, trajectories=cheetah.trajectories[:2])
    with contextlib.nullcontext() if at_once else pytest.raises(KeyboardInterrupt):
        save_demonstrations(dataset, fewer, overwrite=True)
    monkeypatch.undo()
    assert [path.name for path in dataset.iterdir()] == ["data"]
    kept = not at_once and renames == 1
    assert snapshot(dataset) == before if kept else len(load_demonstrations(dataset).trajectories) == 2


def test_a_file_that_another_process_writes_is_not_called_damaged(data_file, refused):
    holding = (
        f"import h5py, time; file = h5py.File({str(data_file)!r}, 'r+'); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        refused([data_file, "another process has it open for writing"], load_demonstrations, data_file)
        process.kill()
    assert load_demonstrations(data_file).trajectories


def test_a_directory_is_not_lost_to_a_file_of_its_name(tmp_path, refused):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "precious").write_text("weeks of work")
    refused([tmp_path / "runs", "cannot be written"], write_text, tmp_path / "runs", "a note")
    assert (tmp_path / "runs" / "precious").read_text() == "weeks of work"


@pytest.mark.parametrize("below", ["x", "x/y"])
@pytest.mark.parametrize("write", [lambda p: write_text(p, "x"), lambda p: save_state(p, {"x": np.zeros(3)}, "a test")])
def test_a_path_below_a_file_cannot_be_written(write, below, tmp_path, refused):
    (tmp_path / "file").write_text("here before")
    refused([tmp_path / "file" / below, "cannot be written"], write, tmp_path / "file" / below)
    assert snapshot(tmp_path) == {tmp_path / "file": b"here before"}


# A full disk: no file may grow beyond a limit, and writing on fails as it would there

FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
import numpy as np
from mgail_dyna.errors import UserError
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.hdf5 import save_state
from mgail_dyna.storage import write_text
dataset, checkpoint, note, size = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
expert, outcomes = load_demonstrations(dataset), []
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
state = {"weights": np.random.default_rng(0).standard_normal(20_000), "step": 2}
for limit in (0, 100, 3_000, size // 2, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for write in (
        lambda: save_demonstrations(dataset, expert, overwrite=True),
        lambda: save_state(checkpoint, state, "a test"),
        lambda: write_text(note, "x" * 100_000),
    ):
        try:
            write()
            outcomes.append(["nothing", "nothing raised"])
        except Exception as error:
            outcomes.append([type(error).__name__, str(error)])
print(json.dumps(outcomes))
"""


def run(command, **kwargs):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, **kwargs)


def test_a_full_disk_is_told_and_leaves_everything_as_it_was(dataset, data_file, tmp_path):
    checkpoint, note = tmp_path / "run" / "checkpoint.h5", tmp_path / "run" / "progress.csv"
    save_state(checkpoint, {"weights": np.zeros(20_000), "step": 1}, "a test")
    write_text(note, "step\n1\n")
    before = snapshot(tmp_path)
    size = data_file.stat().st_size
    done = run([sys.executable, "-c", FULL_DISK, str(dataset), str(checkpoint), str(note), str(size)])
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = json.loads(done.stdout)
    assert len(outcomes) == 15
    for (kind, message), path in zip(outcomes, [dataset / "data", checkpoint, note] * 5, strict=True):
        assert (kind, message) == ("UserError", f"{path}: cannot be written: {os.strerror(errno.EFBIG)}")
    assert snapshot(tmp_path) == before
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_dir()) == ["cheetah", "data", "random-v0", "run"]


def test_a_full_disk_at_the_command_line_is_one_line(dataset, data_file, tmp_path):
    def fill_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (data_file.stat().st_size // 2, resource.RLIM_INFINITY))

    before = snapshot(tmp_path)
    command = [sys.executable, "run.py", "data", "convert", str(dataset), str(dataset), "--env", "halfcheetah"]
    done = run([*command, "--overwrite"], preexec_fn=fill_disk)
    assert done.returncode == 2
    assert done.stderr == f"error: {dataset / 'data'}: cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert snapshot(tmp_path) == before
