"""Files of other tools, as they lay them out: each is refused by its name, with what to do."""

import pickle

import h5py
import numpy as np
import pytest

from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.formats.recognise import (
    CSV,
    D4RL,
    IMITATION,
    LEROBOT,
    MINARI,
    NPZ,
    ROBOMIMIC,
    recognise,
)
from mgail_dyna.demonstrations.formats.registry import READERS
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.runs.policies import save_policy

ROWS = np.zeros((8, 3))
REMEDY = "observations [n, T+1, d], actions [n, T, ...], lengths [n]"


def hdf5(**arrays):
    def write(path):
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name.replace("__", "/")] = array

    return write


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def content(start):
    return lambda path: path.write_bytes(start + bytes(64))


D3RLPY_2 = {f"{name}_{i}": ROWS for name in ("observations", "actions", "rewards", "terminated") for i in range(2)}
OBJECTS = np.empty(2, object)
OBJECTS[:] = [ROWS, ROWS[:4]]
FOREIGN = {
    "imitation, older": (
        "in.npz",
        npz(obs=ROWS, acts=ROWS, rews=ROWS, infos=ROWS, terminal=ROWS, indices=np.array([4])),
        ["the older .npz of imitation", "split obs and acts at indices", REMEDY],
    ),
    "stable-baselines": (
        "in.npz",
        npz(obs=ROWS, actions=ROWS, rewards=ROWS, episode_returns=ROWS, episode_starts=ROWS),
        ["stable-baselines", "split obs and actions at episode_starts", REMEDY],
    ),
    "openai/baselines": (
        "in.npz",
        npz(obs=ROWS[None], acs=ROWS[None], rews=ROWS, ep_rets=ROWS),
        ["openai/baselines", "acs actions", REMEDY],
    ),
    "D4RL in an npz": (
        "in.npz",
        npz(observations=ROWS, actions=ROWS, terminals=ROWS[:, 0]),
        ["D4RL's arrays in an .npz file", "HDF5 file under the same names"],
    ),
    "ragged": ("in.npz", npz(observations=OBJECTS, actions=OBJECTS), ["Python objects (a pickle)", REMEDY]),
    "one object": ("in.npz", npz(demos=np.array({"x": 1}, object)), ["Python objects (a pickle)", REMEDY]),
    "other names": ("in.npz", npz(states=ROWS, moves=ROWS), ["observations: missing", "found states, moves", REMEDY]),
    "d3rlpy 1": (
        "in.h5",
        hdf5(observations=ROWS, actions=ROWS, rewards=ROWS, terminals=ROWS, episode_terminals=ROWS, version="1.0"),
        ["d3rlpy 1", "rename episode_terminals to timeouts"],
    ),
    "d3rlpy 2": ("in.h5", hdf5(**D3RLPY_2, total_size=2, version="2.1"), ["d3rlpy 2", "observations_0", REMEDY]),
    "openai/imitation": (
        "in.h5",
        hdf5(obs_B_T_Do=ROWS[None], a_B_T_Da=ROWS[None], r_B_T=ROWS, len_B=[8]),
        ["openai/imitation", "len_B - 1 as lengths", REMEDY],
    ),
    "ManiSkill": ("in.h5", hdf5(traj_0__obs=ROWS, traj_0__actions=ROWS), ["ManiSkill", "traj_<i>/obs", REMEDY]),
    "Keras": ("in.h5", hdf5(model_weights__dense=ROWS), ["a model of Keras", "not a network"]),
    "other HDF5": ("in.hdf5", hdf5(x=ROWS, y=ROWS), ["episode_0", "(Minari)", "(D4RL)", "found x, y", REMEDY]),
    "a dataset that is called like an episode": ("in.hdf5", hdf5(episode_0=ROWS), ["(Minari)", "found episode_0"]),
    "nothing": ("in.hdf5", hdf5(), ["(Minari)", "found nothing"]),
    "parquet": ("in.parquet", content(b"PAR1"), ["'.parquet', a parquet file (give LeRobot's directory", REMEDY]),
    "Arrow": ("in.arrow", content(b"ARROW1"), ["'.arrow', an Arrow file", REMEDY]),
    "pickle": ("in.pkl", lambda path: path.write_bytes(pickle.dumps([1])), ["a pickle", "no pickle is opened", REMEDY]),
    "a pickle by its content": ("in.data", lambda path: path.write_bytes(pickle.dumps([1])), ["a pickle", REMEDY]),
    "npy": ("in.npy", lambda path: np.save(path, ROWS), ["a single array of NumPy (.npy)", REMEDY]),
    "tfrecord": ("in.tfrecord", content(b""), ["a TFRecord file", REMEDY]),
    "PyTorch": ("in.pt", content(b"PK\x03\x04"), ["a file of PyTorch", REMEDY]),
    "no suffix": ("blob", content(b"x"), ["'blob'", REMEDY]),
}


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_of_another_tool_is_refused_by_name_with_what_to_do(case, tmp_path, refused):
    name, write, said = FOREIGN[case]
    path = tmp_path / name
    write(path)
    refused([path, *said], convert, path, "Pendulum-v1")
    if path.suffix != ".npz":
        refused([path, *said], load_demonstrations, path)


def files(*names):
    def write(path):
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text("{}")

    return write


DIRECTORIES = {
    "RLDS": (files("features.json", "x.tfrecord-00000-of-00001"), "RLDS"),
    "TFRecords alone": (files("x.tfrecord-00000-of-00001"), "TFRecord files"),
    "zarr": (files(".zgroup"), "zarr"),
}


@pytest.mark.parametrize("case", DIRECTORIES)
def test_a_directory_of_another_tool_is_refused_by_name_with_what_to_do(case, tmp_path, refused):
    write, layout = DIRECTORIES[case]
    path = tmp_path / "in"
    write(path)
    refused([path, layout, REMEDY], convert, path, "Pendulum-v1")
    refused([path, layout, REMEDY], load_demonstrations, path)


def test_a_policy_of_this_package_is_no_demonstrations(cheetah, tmp_path, refused):
    save_policy(tmp_path / "policy.h5", cheetah.policy)
    refused(["a checkpoint or a policy of this package"], convert, tmp_path / "policy.h5", "HalfCheetah-v5")


def test_every_layout_that_is_recognised_has_a_reader(dataset, data_file, tmp_path):
    hdf5(observations=ROWS, actions=ROWS, terminals=ROWS)(tmp_path / "rows.hdf5")
    hdf5(data__demo_0__actions=ROWS, data__demo_0__obs__state=ROWS)(tmp_path / "robomimic.hdf5")
    npz(observations=ROWS, actions=ROWS, lengths=ROWS)(tmp_path / "padded.npz")
    (tmp_path / "table.csv").write_text("episode,observation_0\n")
    directories = {
        "imitation": ("data-00000-of-00001.arrow", "dataset_info.json", "state.json"),
        "lerobot": ("meta/info.json", "data/chunk-000/episode_000000.parquet"),
        "parquet": ("chunk-000/episode_000000.parquet",),
    }
    for name, inside in directories.items():
        files(*inside)(tmp_path / name)
    own = (dataset, data_file, *(tmp_path / n for n in ("rows.hdf5", "robomimic.hdf5", "padded.npz", "table.csv")))
    found = [recognise(path) for path in (*own, *(tmp_path / name for name in directories))]
    assert found == [MINARI, MINARI, D4RL, ROBOMIMIC, NPZ, CSV, IMITATION, LEROBOT, LEROBOT]
    assert set(found) == set(READERS)


@pytest.mark.parametrize("inside", [("state.json", "dataset_info.json"), ("meta/info.json",)])
def test_a_directory_that_can_be_converted_is_told_so_where_demonstrations_are_asked_for(inside, tmp_path, refused):
    files(*inside)(tmp_path / "in")
    refused([tmp_path / "in", "bring them in with", "data convert"], load_demonstrations, tmp_path / "in")


def test_hdf5_is_recognised_by_its_content_whatever_its_name(data_file, tmp_path, cheetah, same):
    """Caches of hubs keep files under a hash, and data sets as links to them."""
    blob = data_file.rename(tmp_path / "9f86d081884c7d65")
    (blob.parent / "metadata.json").write_bytes((data_file.parent / "metadata.json").read_bytes())
    same(convert(blob, "HalfCheetah-v5")[0].trajectories, cheetah.trajectories)
    data_file.symlink_to(blob)
    same(load_demonstrations(data_file).trajectories, cheetah.trajectories)


@pytest.mark.parametrize("name", ["in.npz", "in.hdf5"])
def test_what_can_be_converted_is_told_so_where_demonstrations_are_asked_for(name, tmp_path, refused):
    write = npz if name == "in.npz" else hdf5
    write(observations=ROWS, actions=ROWS, **{"lengths" if name == "in.npz" else "terminals": ROWS})(tmp_path / name)
    refused([tmp_path / name, "bring them in with", "data convert"], load_demonstrations, tmp_path / name)


def test_the_advice_leads_to_a_file_that_is_read(tmp_path):
    """What the remedies say to write is what is read."""
    demos = {"observations": np.zeros((2, 5, 3)), "actions": np.zeros((2, 4, 1)), "lengths": np.array([4, 3])}
    np.savez(tmp_path / "out.npz", **demos)
    assert [len(t) for t in convert(tmp_path / "out.npz", "Pendulum-v1")[0].trajectories] == [4, 3]
    renamed = {"observations": ROWS, "actions": ROWS[:, :1], "terminals": ROWS[:, 0], "timeouts": np.eye(8)[3]}
    hdf5(**renamed)(tmp_path / "d3rlpy.h5")
    assert [len(t) for t in convert(tmp_path / "d3rlpy.h5", "Pendulum-v1")[0].trajectories] == [3, 3]
