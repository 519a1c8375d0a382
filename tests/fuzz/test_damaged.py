"""Damaged files are read as they should be, or refused in one line; none brings the program down.

`FUZZ_CASES` is the number of cases in all, 1,000 if not set. `FUZZ_CASES=20000 pytest tests/fuzz -m slow` is the run
that docs/formats.md names.
"""

import contextlib
import io
import os
import resource
import signal
from dataclasses import dataclass

import fuzz.damage as damage
import h5py
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgail_dyna.cli.main import main
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.records import read_record

CASES = int(os.environ.get("FUZZ_CASES", "1000"))
SECONDS = 20  # for one case
MEGABYTES = 400  # more than before all cases of a kind; the files have up to 1


@dataclass(frozen=True)
class Target:
    """A file and the command that reads it; `{}` is the directory of all files."""

    file: str
    command: tuple[str, ...]
    damage: str
    drawn: st.SearchStrategy
    share: float = 1.0  # of the cases that others have


BYTES, SEALED = ("damage_bytes", damage.EDITS), ("damage_bytes_and_seal", damage.EDITS)
JSON, HDF5, NPZ = ("damage_json", damage.PLACES), ("damage_hdf5", damage.NODES), ("damage_npz", damage.NODES)
CHECK = ("data", "check", "{}/ours")
CONVERT = ("--env", "CartPole-v1")
EVALUATE, DOCTOR = ("evaluate", "{}/run", "--episodes", "1"), ("doctor", "{}/run")
POLICY = ("evaluate", "{}/policy.h5", "--episodes", "1", "--env", "CartPole-v1")
D4RL = ("data", "convert", "{}/rows.hdf5", "{}/out", *CONVERT)
PADDED = ("data", "convert", "{}/padded.npz", "{}/out", *CONVERT)
TABLE = ("data", "convert", "{}/rows.csv", "{}/out", *CONVERT)
ROBOMIMIC = ("data", "convert", "{}/demos.hdf5", "{}/out", *CONVERT)
LEROBOT = ("data", "convert", "{}/lerobot", "{}/out", *CONVERT)
IMITATION = ("data", "convert", "{}/imitation", "{}/out", *CONVERT)
LEROBOT_FILES = (("data/file-000.parquet", BYTES), ("meta/info.json", JSON))
IMITATION_FILES = (("data-00000-of-00001.arrow", BYTES), ("state.json", JSON))
RECORD = ("record",)
RESUME = ("--resume", "{}/run", "--iterations", "1")  # there is nothing to do, but everything is restored
TARGETS = [
    *(Target("ours/data/main_data.hdf5", CHECK, *how) for how in (BYTES, HDF5)),
    *(Target("ours/data/metadata.json", CHECK, *how) for how in (BYTES, JSON)),
    *(Target("rows.hdf5", D4RL, *how) for how in (BYTES, HDF5)),
    *(Target("padded.npz", PADDED, *how) for how in (BYTES, NPZ)),
    Target("rows.csv", TABLE, *BYTES),
    *(Target("demos.hdf5", ROBOMIMIC, *how) for how in (BYTES, HDF5)),
    *(Target(f"lerobot/{name}", LEROBOT, *how) for name, how in LEROBOT_FILES),
    *(Target(f"imitation/{name}", IMITATION, *how) for name, how in IMITATION_FILES),
    *(Target("run/config.json", EVALUATE, *how) for how in (BYTES, JSON)),
    *(Target("run/checkpoint.h5", EVALUATE, *how) for how in (BYTES, SEALED, HDF5)),
    Target("run/checkpoint.h5", RESUME, *HDF5, share=0.2),
    Target("run/progress.csv", DOCTOR, *BYTES),
    *(Target("policy.h5", POLICY, *how) for how in (BYTES, SEALED, HDF5)),
    *(Target("record.json", RECORD, *how) for how in (BYTES, JSON)),
]


def read(command, place):
    """The exit code and what a command says."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if command is RECORD:
            try:
                read_record(place / "record.json")
                return 0, ""
            except UserError as error:
                return 2, f"error: {error}\n"
        code = main([word.format(place) for word in command])
    return code, err.getvalue()


@contextlib.contextmanager
def limits():
    """No case hangs."""

    def hung(*_):
        raise TimeoutError(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.file}-{t.damage}-{t.command[0].strip('-')}")
def test_a_damaged_file_is_read_or_refused_in_one_line(target, copy):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=max(int(target.share * CASES / sum(each.share for each in TARGETS)), 1),
        deadline=None,
        derandomize="FUZZ_CASES" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.drawn)
    def case(drawn):
        place = copy()
        getattr(damage, target.damage)(place / target.file, drawn)
        with limits():
            code, said = read(target.command, place)
        assert code in (0, 2), (code, said)
        if code == 2:
            complaints = [line for line in said.splitlines() if not line.startswith("note: ")]
            assert len(complaints) == 1 and complaints[0].startswith("error: "), said
            assert not (place / "out").exists()
        assert not list(place.rglob(".*")), "something half written"

    case()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES, f"memory grew by {grown:.0f} MB"


def test_names_and_shapes_that_only_damage_gives(copy):
    """What 20,000 cases found once."""
    place = copy()
    with h5py.File(place / "ours/data/main_data.hdf5", "r+") as file:
        file.create_group(b"\x80\xff")
    assert read(CHECK, place)[0] == 0
    damage.damage_hdf5(place / "run/checkpoint.h5", [(8, ((2,), "O", 0.0))])
    code, said = read(RESUME, place)
    assert (code, said.count("\n")) == (2, 1), said
    header = (place / "padded.npz").read_bytes().replace(b"{'descr'", b"{'descr\0", 1)
    (place / "padded.npz").write_bytes(header)
    code, said = read(PADDED, place)
    assert (code, said.count("\n")) == (2, 1), said
