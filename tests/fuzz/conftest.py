"""Files to damage, of each kind that is read."""

import csv
import json
import shutil

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from datasets import Dataset
from helpers import random_policy, small_config

from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.experiments.records import from_run, record_path, write_record
from mgail_dyna.experiments.suites import SUITES
from mgail_dyna.runs.directory import RunSettings, save_run, write_settings
from mgail_dyna.runs.policies import save_policy


@pytest.fixture(scope="session")
def files(tmp_path_factory, trained, cartpole_demos):
    """A directory with one of each kind."""
    place = tmp_path_factory.mktemp("files")
    episodes = [{name: getattr(t, name) for name in ("observations", "actions")} for t in cartpole_demos.trajectories]
    save_demonstrations(place / "ours", cartpole_demos)
    np.savez(
        place / "padded.npz",
        **{name: np.stack([episode[name] for episode in episodes]) for name in episodes[0]},
        lengths=np.array([len(episode["actions"]) for episode in episodes]),
    )
    with h5py.File(place / "rows.hdf5", "w") as file:
        file["observations"] = np.concatenate([episode["observations"][:-1] for episode in episodes])
        file["next_observations"] = np.concatenate([episode["observations"][1:] for episode in episodes])
        file["actions"] = np.concatenate([episode["actions"] for episode in episodes])
        file["terminals"] = np.zeros(len(file["actions"]), bool)
        file["timeouts"] = np.arange(1, len(file["actions"]) + 1) % 100 == 0
    write_foreign(place, episodes)
    save_policy(place / "policy.h5", random_policy("CartPole-v1"))
    run = trained("dyna")
    settings = RunSettings("dyna", "tuned", str(place / "ours"), None, small_config("dyna"))
    (place / "run").mkdir()
    write_settings(place / "run", settings, 100.0, 100)
    save_run(place / "run", run.state())
    recorded = SUITES["learning"][0].run(0)
    write_record(place / "records", recorded, from_run(place / "run", recorded))
    record_path(place / "records", recorded).rename(place / "record.json")
    return place


def write_foreign(place, episodes):
    """The same episodes as a table of text, and as robomimic, LeRobot and imitation keep them."""
    with h5py.File(place / "demos.hdf5", "w") as file:
        for n, episode in enumerate(episodes):
            demo = file.create_group(f"data/demo_{n}")
            demo["obs/state"], demo["next_obs/state"] = episode["observations"][:-1], episode["observations"][1:]
            demo["actions"], demo["dones"] = episode["actions"], np.arange(1, len(episode["actions"]) + 1) == 100
    names = ("episode_index", "observation.state", "action")
    rows = [
        (n, state.tolist(), [float(action)])
        for n, episode in enumerate(episodes)
        for state, action in zip(episode["observations"][:-1], episode["actions"], strict=True)
    ]
    with (place / "rows.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["episode", *(f"observation_{i}" for i in range(4)), "action_0"])
        table.writerows([n, *state, *action] for n, state, action in rows)
    (place / "lerobot" / "meta").mkdir(parents=True)
    (place / "lerobot" / "meta" / "info.json").write_text(json.dumps({"codebase_version": "v3.0"}))
    (place / "lerobot" / "data").mkdir()
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    pyarrow.parquet.write_table(pyarrow.table(columns), place / "lerobot" / "data" / "file-000.parquet")
    trajectories = {
        "obs": [episode["observations"].tolist() for episode in episodes],
        "acts": [episode["actions"].tolist() for episode in episodes],
        "terminal": [False] * len(episodes),
    }
    Dataset.from_dict(trajectories).save_to_disk(place / "imitation")


@pytest.fixture
def copy(files, tmp_path):
    """A fresh copy of all of them, made anew with every call."""

    def make():
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        return shutil.copytree(files, tmp_path / "copy")

    return make
