"""State trees come back as they went; what is no such file is refused."""

import h5py
import numpy as np
import pytest

from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import DamagedError, kind_of, load_state, open_hdf5, raise_on_mismatch, read_array, save_state
from mgail_dyna.seal import seal


def test_a_state_comes_back_as_it_went(tmp_path):
    generator = np.random.default_rng(3)
    state = {
        "rng": generator.bit_generator.state,
        "layers": [{"kernel": generator.standard_normal((3, 2)).astype(np.float32)}, {"bias": np.zeros(0)}],
        "flags": np.array([True, False]),
        "count": np.int64(7),
        "scalar": np.array(2.5),
        "nothing": None,
        "text": "Grüße",
        "numbers": (1, 2.5, True, float("inf")),
        "array": {"array": 1},
    }
    save_state(tmp_path / "state.h5", state, "a test")
    loaded = load_state(tmp_path / "state.h5", "a test")
    assert loaded.keys() == state.keys()
    assert loaded["rng"] == state["rng"]
    for found, expected in (
        (loaded["layers"][0]["kernel"], state["layers"][0]["kernel"]),
        (loaded["layers"][1]["bias"], state["layers"][1]["bias"]),
        (loaded["flags"], state["flags"]),
        (loaded["scalar"], state["scalar"]),
    ):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert (loaded["count"], loaded["nothing"], loaded["text"]) == (7, None, "Grüße")
    assert loaded["numbers"] == [1, 2.5, True, float("inf")]
    assert loaded["array"] == {"array": 1}


def test_a_state_is_replaced_whole(tmp_path):
    save_state(tmp_path / "state.h5", {"old": np.zeros(3)}, "a test")
    save_state(tmp_path / "state.h5", {"new": np.ones(2)}, "a test")
    assert load_state(tmp_path / "state.h5", "a test").keys() == {"new"}


def test_another_hdf5_file_is_no_checkpoint(data_file, refused):
    refused([data_file, "expected a checkpoint", "another HDF5 file"], load_state, data_file, "a test")


def test_a_checkpoint_without_its_tree(tmp_path, refused):
    save_state(tmp_path / "state.h5", {"x": np.zeros(3)}, "a test")
    with h5py.File(tmp_path / "state.h5", "r+") as file:
        del file["tree"]
    seal(tmp_path / "state.h5")
    refused([tmp_path / "state.h5", "tree"], load_state, tmp_path / "state.h5", "a test")


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_damaged_checkpoint(content, tmp_path, refused):
    path = tmp_path / "state.h5"
    save_state(path, {"x": np.arange(1000)}, "a test")
    path.write_bytes(path.read_bytes()[:4000] if content is None else content)
    refused([path, "expected an HDF5 file"], load_state, path, "a test")


def test_a_missing_checkpoint_and_a_directory(tmp_path, refused):
    refused([tmp_path / "none.h5", "no such file"], load_state, tmp_path / "none.h5", "a test")
    refused([tmp_path, "found a directory"], load_state, tmp_path, "a test")


def test_a_checkpoint_of_something_else(tmp_path, refused):
    save_state(tmp_path / "state.h5", {"x": 1}, "a run")
    said = [tmp_path / "state.h5", "expected a checkpoint of an expert's training, found one of a run"]
    refused(said, load_state, tmp_path / "state.h5", "an expert's training")


@pytest.mark.parametrize("tree", ["{", "\udcff"])
def test_a_checkpoint_whose_tree_is_damaged(tree, tmp_path, refused):
    save_state(tmp_path / "state.h5", {"x": 1}, "a test")
    with h5py.File(tmp_path / "state.h5", "r+") as file:
        del file["tree"]
        file["tree"] = tree.encode(errors="surrogateescape")
    seal(tmp_path / "state.h5")
    refused([tmp_path / "state.h5", "its tree cannot be read"], load_state, tmp_path / "state.h5", "a test")


def test_a_checkpoint_that_does_not_fit(tmp_path):
    said = r"state.h5: does not match \(KeyError\('steps'\)\)"
    with pytest.raises(UserError, match=said), raise_on_mismatch(tmp_path / "state.h5"):
        raise KeyError("steps")


def test_hdf5_is_not_held_open(dataset, data_file):
    with open_hdf5(data_file) as file:
        assert "episode_0" in file
    assert not file
    load_demonstrations(dataset)
    with h5py.File(data_file, "r+") as file:  # fails if it is open for reading elsewhere
        assert file.mode == "r+"


def test_a_checkpoint_of_another_version_is_told_from_a_foreign_file(tmp_path):
    path = tmp_path / "checkpoint.h5"
    save_state(path, {"steps": 1}, "a test")
    for found, said in (
        ("mgail_dyna state 1", "another version, which cannot be resumed"),
        ("else", "another HDF5 file"),
    ):
        with h5py.File(path, "a") as file:
            file.attrs["format"] = found
        with pytest.raises(UserError, match=said):
            load_state(path, "a test")


def test_no_memory_is_taken_for_what_is_not_stored(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("whole", data=np.zeros((2_000, 2_000)), compression="gzip")
        file.create_dataset("never written", (10**6,), "?")
        file.create_dataset("declared", (2**40,), "f8", chunks=(1024,))
    said = "declared is said to have 8,796,093,022,208 bytes, and 0 are stored"
    with open_hdf5(path) as file:
        assert read_array(file["whole"]).shape == (2_000, 2_000) and not read_array(file["never written"]).any()
    with pytest.raises(DamagedError, match=said), open_hdf5(path) as file:
        read_array(file["declared"])


def test_hdf5_does_not_open_what_its_checksum_gives_away(tmp_path, monkeypatch):
    path = tmp_path / "state.h5"
    save_state(path, {"x": np.zeros(3)}, "a test")
    assert kind_of(path) == "a test" and kind_of(tmp_path / "none.h5") is None
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    monkeypatch.setattr("mgail_dyna.hdf5.open_hdf5", lambda _: pytest.fail("opened"))
    for read in (kind_of, lambda where: load_state(where, "a test")):
        with pytest.raises(DamagedError, match="checksum does not match"):
            read(path)


@pytest.mark.parametrize(
    ("reads", "said"),
    [("kill -SEGV $$", "HDF5 crashes on it"), ("exec sleep 9", "HDF5 hangs on it")],
)
def test_another_process_reads_first_what_no_checksum_covers(reads, said, tmp_path, monkeypatch):
    path, python = tmp_path / "foreign.h5", tmp_path / "python"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    save_state(tmp_path / "own.h5", {}, "a test")
    python.write_text(f"#!/bin/sh\n{reads}\n")
    python.chmod(0o755)
    with open_hdf5(path):
        pass
    path.touch()
    monkeypatch.setattr("mgail_dyna.hdf5.sys.executable", str(python))
    monkeypatch.setattr("mgail_dyna.hdf5._HANGS", 0.2)
    with pytest.raises(DamagedError, match=f"foreign.h5: damaged HDF5 file: {said}"), open_hdf5(path):
        pytest.fail("opened")
    assert load_state(tmp_path / "own.h5", "a test") == {}


def test_a_type_that_no_array_can_have(tmp_path):
    kind = h5py.h5t.IEEE_F64LE.copy()
    kind.set_fields(63, 48, 15, 0, 48)
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((3,)))
    with (
        pytest.raises(DamagedError, match="damaged HDF5 file: Insufficient precision"),
        open_hdf5(tmp_path / "odd.h5") as f,
    ):
        read_array(f["x"])
    with pytest.raises(ValueError, match="own"), open_hdf5(tmp_path / "odd.h5"):
        raise ValueError("own")
