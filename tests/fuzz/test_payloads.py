"""Reading runs nothing: a payload planted in a file of each kind leaves no trace."""

import json
import os
import pickle
import sys

import h5py
import numpy as np
import pytest

from mgail_dyna.seal import seal

EXPERT = ["--env", "cartpole", "--mode", "bc", "--cloning.steps", "1", "--logdir", "{}/runs", "--expert"]


class Payload:
    """Makes a file when a pickle of it is opened."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def in_npz(place, payload):
    with np.load(place / "padded.npz") as file:
        arrays = dict(file)
    np.savez(place / "padded.npz", **arrays, rewards=np.array([payload], object))
    return ["data", "convert", "{}/padded.npz", "{}/out", "--env", "cartpole"]


def in_a_pickle(place, payload):
    (place / "demos.pkl").write_bytes(pickle.dumps(payload))
    return ["data", "convert", "{}/demos.pkl", "{}/out", "--env", "cartpole"]


def in_a_pickle_called_npz(place, payload):
    (place / "padded.npz").write_bytes(pickle.dumps(payload))
    return ["data", "convert", "{}/padded.npz", "{}/out", "--env", "cartpole"]


def in_an_array_of_hdf5(place, payload):
    with h5py.File(place / "ours/data/main_data.hdf5", "r+") as file:
        del file["episode_0/actions"]
        file["episode_0/actions"] = np.void(pickle.dumps(payload))
        file["episode_1"].attrs["seed"] = np.void(pickle.dumps(payload))
    return [*EXPERT, "{}/ours"]


def in_the_metadata(place, payload):
    metadata = json.loads((place / "ours/data/metadata.json").read_text())
    spec = json.loads(metadata["env_spec"])
    wrapper = {"name": "planted", "entry_point": "planted:Planted", "kwargs": {"x": 1}}
    spec |= {"id": "planted:Planted-v0", "entry_point": "planted:Planted", "additional_wrappers": [wrapper]}
    metadata["env_spec"] = json.dumps(spec)
    (place / "ours/data/metadata.json").write_text(json.dumps(metadata))
    return ["data", "check", "{}/ours"]


def in_the_metadata_of_an_expert(place, payload):
    in_the_metadata(place, payload)
    return [*EXPERT, "{}/ours"]


def in_a_checkpoint(place, payload):
    return _in_a_state(place / "run/checkpoint.h5", payload, ["evaluate", "{}/run", "--episodes", "1"])


def in_a_policy(place, payload):
    return _in_a_state(place / "policy.h5", payload, ["evaluate", "{}/policy.h5", "--env", "cartpole"])


def _in_a_state(path, payload, command):
    path.write_bytes(path.read_bytes().rpartition(b"\nsha256 ")[0])
    with h5py.File(path, "r+") as file:
        file.attrs["state"] = np.void(pickle.dumps(payload))
        del file["tree"]
        file["tree"] = np.void(pickle.dumps(payload))
    seal(path)
    return command


def in_a_configuration(place, payload):
    tag = {"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": [str(payload.trace)]}]}
    config = json.loads((place / "run/config.json").read_text())
    (place / "run/config.json").write_text(json.dumps(config | {"algorithm": tag, "__reduce__": tag}))
    return ["evaluate", "{}/run", "--episodes", "1"]


KINDS = [value for name, value in list(globals().items()) if name.startswith("in_")]


@pytest.mark.parametrize("plant", KINDS, ids=lambda plant: plant.__name__)
def test_nothing_is_run(plant, copy, cli, tmp_path, monkeypatch):
    place, trace = copy(), tmp_path / "trace"
    (tmp_path / "planted.py").write_text(f"import os\nos.mkdir({str(trace)!r})\nclass Planted: ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    command = plant(place, Payload(trace))
    done = cli(*(word.format(place) for word in command))
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr
    assert not trace.exists(), "it was run"
    assert "planted" not in sys.modules
    if done.returncode == 2:
        assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1


def test_the_payload_would_be_seen(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()
