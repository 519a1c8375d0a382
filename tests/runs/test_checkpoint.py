"""A damaged checkpoint is recognised, whatever byte is wrong, and the one before it is used."""

import h5py
import numpy as np
import pytest

from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import FORMAT, WITHOUT_CHECKSUM, DamagedError, load_state, save_state
from mgail_dyna.runs.checkpoint import has_checkpoint, load_checkpoint, previous_of, save_checkpoint
from mgail_dyna.seal import is_whole


@pytest.fixture
def checkpoint(tmp_path):
    """The second of two checkpoints."""
    path = tmp_path / "checkpoint.h5"
    for step in (1, 2):
        save_checkpoint(path, {"step": step, "weights": np.full(50, step, np.float32)}, "a test")
    return path


def flip(path, place, bit=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.unlink()  # the other name of a linked file must keep its content
    path.write_bytes(content)


def test_the_checkpoint_before_the_last_is_kept(checkpoint):
    assert load_checkpoint(checkpoint, "a test")["step"] == 2
    assert load_state(previous_of(checkpoint), "a test")["step"] == 1
    save_checkpoint(checkpoint, {"step": 3}, "a test")
    assert load_state(previous_of(checkpoint), "a test")["step"] == 2
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["checkpoint.h5", "checkpoint.previous.h5"]


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "state.h5"
    save_state(path, {"weights": np.arange(20)}, "a test")
    content = path.read_bytes()
    rng, missed = np.random.default_rng(0), []
    places = [*rng.integers(len(content), size=200), *range(len(content) - 80, len(content))]
    for place in places:
        path.write_bytes(content)
        flip(path, place, int(rng.integers(8)))
        try:
            load_state(path, "a test")
            missed.append(place)
        except DamagedError:
            pass
    assert not missed


def test_every_truncated_file_is_noticed(tmp_path):
    path = tmp_path / "state.h5"
    save_state(path, {"weights": np.arange(20)}, "a test")
    content = path.read_bytes()
    for length in (0, 1, 8, 100, len(content) // 2, len(content) - 74, len(content) - 73, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedError):
            load_state(path, "a test")


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(damage, checkpoint, capsys):
    if damage == "flipped":
        flip(checkpoint, 2_000)
    elif damage == "missing":
        checkpoint.unlink()
    else:
        content = checkpoint.read_bytes()[: 1_000 if damage == "truncated" else 0]
        checkpoint.unlink()
        checkpoint.write_bytes(content)
    assert has_checkpoint(checkpoint)
    assert load_checkpoint(checkpoint, "a test")["step"] == 1
    note = capsys.readouterr().err
    assert note.startswith(f"note: {checkpoint}: ") and "checkpoint.previous.h5" in note and note.count("\n") == 1
    assert load_checkpoint(checkpoint, "a test", quiet=True)["step"] == 1
    assert capsys.readouterr().err == ""
    # The damaged one does not take the place of the good one.
    save_checkpoint(checkpoint, {"step": 3}, "a test")
    assert load_state(checkpoint, "a test")["step"] == 3
    assert load_state(previous_of(checkpoint), "a test")["step"] == 1


def test_two_damaged_checkpoints_are_one_line(checkpoint, refused):
    flip(checkpoint, 2_000)
    flip(previous_of(checkpoint), 2_000)
    refused([checkpoint, "damaged", "checkpoint.previous.h5) is damaged too"], load_checkpoint, checkpoint, "a test")
    previous_of(checkpoint).unlink()
    refused([checkpoint, "damaged", "does not exist"], load_checkpoint, checkpoint, "a test")


def test_a_checkpoint_of_something_else_does_not_give_way(checkpoint):
    with pytest.raises(UserError, match="expected a checkpoint of another test"):
        load_checkpoint(checkpoint, "another test")


def test_a_checkpoint_without_links(checkpoint, monkeypatch):
    def unsupported(*_):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", unsupported)
    save_checkpoint(checkpoint, {"step": 3}, "a test")
    assert [load_state(path, "a test")["step"] for path in (checkpoint, previous_of(checkpoint))] == [3, 2]


def test_a_checkpoint_from_before_checksums_is_read(tmp_path):
    path = tmp_path / "checkpoint.h5"
    save_state(path, {"step": 1}, "a test")
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = WITHOUT_CHECKSUM
    path.write_bytes(path.read_bytes().partition(b"\nsha256 ")[0])
    assert is_whole(path) is None
    assert load_checkpoint(path, "a test") == {"step": 1}
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = FORMAT
    with pytest.raises(DamagedError, match="checksum is missing"):
        load_state(path, "a test")


@pytest.mark.parametrize("both", [False, True])
def test_a_damaged_run_is_resumed_from_the_checkpoint_before(both, tmp_path, capsys, refused):
    from mgail_dyna.runs.directory import CHECKPOINT, load_run, save_run
    from mgail_dyna.runs.lookup import CONFIG

    (tmp_path / CONFIG).write_text("{}")
    for step in (1, 2):
        save_run(tmp_path, {"history": [{"iteration": step}]})
    flip(tmp_path / CHECKPOINT, 1_000)
    if both:
        flip(previous_of(tmp_path / CHECKPOINT), 1_000)
        refused([tmp_path / CHECKPOINT, "damaged too"], load_run, tmp_path)
    else:
        assert load_run(tmp_path)["history"] == [{"iteration": 1}]
        assert "checkpoint before it" in capsys.readouterr().err
