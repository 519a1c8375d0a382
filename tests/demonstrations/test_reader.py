"""Files of demonstrations that are refused, each in one line."""

import json
from dataclasses import replace

import gymnasium as gym
import h5py
import numpy as np
import pytest

from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations

# A warning would be a second line on stderr. Files that NumPy leaves open are not shown to users.
QUIET = ("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
strict = pytest.mark.filterwarnings(*QUIET)


# What is refused: files


@strict
def test_missing_file(tmp_path, refused):
    refused([tmp_path / "none", "no such file"], load_demonstrations, tmp_path / "none")


@strict
def test_a_dataset_of_a_name_like_the_one_given_is_suggested(dataset, refused):
    misspelt = dataset.with_name(dataset.name + "t")
    said = refused([misspelt, "no such file or directory"], load_demonstrations, misspelt)
    assert f"; did you mean {dataset}? shipped experts: " in said


@strict
def test_directory_without_a_dataset(tmp_path, refused):
    refused([tmp_path, "main_data.hdf5"], load_demonstrations, tmp_path)


@strict
def test_missing_metadata(dataset, metadata_file, refused):
    metadata_file.unlink()
    refused([metadata_file, "no such file"], load_demonstrations, dataset)


@strict
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.99])
def test_truncated_hdf5(keep, dataset, data_file, refused):
    content = data_file.read_bytes()
    data_file.write_bytes(content[: int(len(content) * keep)])
    refused([data_file, "expected an HDF5 file", "truncated or damaged"], load_demonstrations, dataset)


@strict
@pytest.mark.parametrize("content", [b"", b"observations,actions\n1,2\n", b"\x89HDF\r\n\x1a\n"])
def test_not_hdf5(content, dataset, data_file, refused):
    data_file.write_bytes(content)
    refused([data_file, "expected an HDF5 file"], load_demonstrations, dataset)


@strict
@pytest.mark.parametrize("start", range(0, 60_000, 997))
def test_overwritten_bytes_never_end_in_a_traceback(start, dataset, data_file, complaint_of):
    content = bytearray(data_file.read_bytes())
    start %= len(content) - 64
    content[start : start + 64] = b"\xff" * 64
    data_file.write_bytes(content)
    message = complaint_of(load_demonstrations, dataset)
    assert message is None or (message.startswith(f"{data_file}: ") and "\n" not in message)


# What is refused: HDF5 contents

STEPS = np.zeros(6)
CONTENTS = {
    "no episodes": ("episode_{0,1,2}", None, ["episode_0", "found normalization, policy", "data convert"]),
    "observations missing": ("episode_1/observations", None, ["episode_1/observations", "missing"]),
    "actions missing": ("episode_1/actions", None, ["episode_1/actions", "missing"]),
    "terminations missing": ("episode_1/terminations", None, ["episode_1/terminations", "missing"]),
    "truncations missing": ("episode_1/truncations", None, ["episode_1/truncations", "missing"]),
    "an episode missing": ("episode_1", None, ["expected the 3 episodes", "found 2"]),
    "an episode that is an array": ("episode_1", STEPS, ["episode_1", "expected", "found"]),
    "observations of another size": (
        "episode_1/observations",
        np.zeros((7, 16)),
        ["episode_1/observations", "expected shape [T, 17]", "found [7, 16]"],
    ),
    "one observation too few": (
        "episode_1/observations",
        np.zeros((6, 17)),
        ["episode_1/observations", "expected length 7", "found 6"],
    ),
    "observations of no dimension": ("episode_1/observations", 1.0, ["episode_1/observations", "found []"]),
    "observations as a group": ("episode_1/observations", {}, ["episode_1/observations"]),
    "actions of another size": (
        "episode_1/actions",
        np.zeros((6, 3)),
        ["episode_1/actions", "expected shape [T, 6]", "found [6, 3]"],
    ),
    "one action too many": ("episode_1/actions", np.zeros((7, 6)), ["episode_1/", "expected length", "found"]),
    "rewards of another shape": ("episode_1/rewards", np.zeros((6, 1)), ["episode_1/rewards", "[T]", "found [6, 1]"]),
    "one reward too few": ("episode_1/rewards", np.zeros(5), ["episode_1/rewards", "expected length 6", "found 5"]),
    "one flag too few": ("episode_1/truncations", np.zeros(5, bool), ["episode_1/truncations", "length 6", "found 5"]),
    "qpos of another length": ("episode_1/infos/qpos", np.zeros((3, 9)), ["episode_1/", "qpos", "length 7", "found 3"]),
    "qpos of no dimension": ("episode_1/infos/qpos", 1.0, ["episode_1/", "qpos", "found []"]),
    "qpos of one dimension": ("episode_1/infos/qpos", np.zeros(7), ["episode_1/", "qpos", "found [7]"]),
    "qpos as a group": ("episode_1/infos/qpos", {}, ["episode_1/", "qpos"]),
    "observations as text": ("episode_1/observations", np.full((7, 17), b"x"), ["episode_1/observations", "float32"]),
    "actions as text": ("episode_1/actions", np.full((6, 6), b"x"), ["episode_1/actions", "float32", "|S1"]),
    "rewards as complex": ("episode_1/rewards", STEPS * 1j, ["episode_1/rewards", "float64", "complex128"]),
    "flags as fractions": ("episode_1/terminations", STEPS, ["episode_1/terminations", "bool", "float64"]),
    "qvel as text": ("episode_1/infos/qvel", np.full((7, 9), b"x"), ["episode_1/", "qvel", "|S1"]),
    "NaN observation": (
        "episode_1/observations",
        np.pad([[np.nan]], ((2, 4), (3, 13))),
        ["episode_1/observations", "finite", "NaN", "step 2"],
    ),
    "infinite action": (
        "episode_1/actions",
        np.pad([[np.inf]], ((1, 4), (0, 5))),
        ["episode_1/actions", "finite", "infinity", "step 1"],
    ),
    "NaN reward": ("episode_1/rewards", STEPS + np.nan, ["episode_1/rewards", "finite", "step 0"]),
    "NaN qpos": ("episode_1/infos/qpos", np.full((7, 9), np.nan), ["episode_1/", "qpos", "finite", "step 0"]),
    "observation beyond float32": (
        "episode_1/observations",
        np.pad([[1e300]], ((2, 4), (3, 13))),
        ["episode_1/observations", "finite", "step 2"],
    ),
    "action out of bounds": (
        "episode_1/actions",
        np.pad([[1.25]], ((4, 1), (0, 5))),
        ["episode_1/actions", "-1.0 to 1.0", "1.25", "step 4"],
    ),
    "end in the middle": (
        "episode_1/terminations",
        np.arange(6) == 2,
        ["episode_1/terminations", "last step only", "step 2"],
    ),
    "seed that is no number": ("episode_1@seed", "x", ["episode_1", "seed"]),
    "policy of another size": ("policy/kernel_0", np.zeros((5, 8), np.float32), ["policy"]),
    "policy with an output too few": ("policy/bias_1", np.zeros(5, np.float32), ["policy", "size 6", "(5,)"]),
    "policy without its deviation": ("policy/log_std", None, ["policy", "log_std"]),
    "policy without normalisation": ("normalization", None, ["normalization"]),
    "policy of NaN": ("policy/bias_0", np.full(8, np.nan, np.float32), ["policy", "bias_0", "finite"]),
    "policy of an unknown activation": ("policy@activation", "tanhh", ["policy", "tanhh", "tanh"]),
}


@strict
@pytest.mark.parametrize("case", CONTENTS)
def test_bad_contents(case, dataset, data_file, put, refused):
    key, value, said = CONTENTS[case]
    if "@" in key:
        with h5py.File(data_file, "r+") as file:
            node, name = key.split("@")
            file[node].attrs[name] = value
    elif "{" in key:
        for i in range(3):
            put(data_file, f"episode_{i}", None)
    else:
        put(data_file, key, value)
    refused([data_file, *said], load_demonstrations, dataset)


@strict
@pytest.mark.parametrize("steps", [0, 1])
def test_episodes_too_short_to_learn_from(steps, dataset, data_file, refused):
    with h5py.File(data_file, "r+") as file:
        episode = file["episode_2"]
        for name in ("observations", "actions", "rewards", "terminations", "truncations"):
            kept = episode[name][: steps + (name == "observations")]
            del episode[name]
            episode[name] = kept
    refused([data_file, "episode_2", "at least 2 steps", f"found {steps}"], load_demonstrations, dataset)


@strict
@pytest.mark.parametrize("action", [-1, 2])
def test_discrete_actions_out_of_bounds(action, cartpole, tmp_path, put, refused):
    save_demonstrations(tmp_path / "x", cartpole)
    data = tmp_path / "x" / "data" / "main_data.hdf5"
    put(data, "episode_0/actions", np.r_[action, cartpole.trajectories[0].actions[1:]])
    refused([data, "episode_0/actions", "0 to 1", f"found {action}", "step 0"], load_demonstrations, tmp_path / "x")


@strict
def test_fractional_actions_of_a_discrete_space(cartpole, tmp_path, put, refused):
    save_demonstrations(tmp_path / "x", cartpole)
    data = tmp_path / "x" / "data" / "main_data.hdf5"
    put(data, "episode_0/actions", np.zeros(len(cartpole.trajectories[0])))
    refused([data, "episode_0/actions", "int64", "float64"], load_demonstrations, tmp_path / "x")


@strict
def test_many_actions_out_of_bounds_still_take_one_line(cheetah, put, tmp_path, refused):
    wide = gym.spaces.Box(-1.0, 1.0, (40,), np.float32)
    episode = replace(cheetah.trajectories[0], actions=np.zeros((6, 40)))
    save_demonstrations(tmp_path / "x", replace(cheetah, trajectories=(episode,), action_space=wide, policy=None))
    put(tmp_path / "x" / "data" / "main_data.hdf5", "episode_0/actions", np.full((6, 40), 1.23456, np.float32))
    refused(["episode_0/actions", "step 0"], load_demonstrations, tmp_path / "x")


# What is refused: metadata

MATRIX = {"type": "Box", "dtype": "float32", "shape": [2, 2], "low": [[0, 1], [2, 3]], "high": [[4, 5], [6, 7]]}
BOX = {"type": "Box", "dtype": "float32", "shape": [2], "low": [0, 0], "high": [1, 1]}
TUPLE = {"type": "Tuple", "subspaces": [BOX]}
METADATA = {
    "no observation space": ("observation_space", None, ["observation_space", "missing"]),
    "no action space": ("action_space", None, ["action_space", "missing"]),
    "space that is no JSON": ("action_space", "Box(6,)", ["action_space", "expected JSON"]),
    "space that is no text": ("action_space", 3, ["action_space", "expected JSON"]),
    "space that is a list": ("action_space", "[1]", ["action_space", "Box or Discrete", "list"]),
    "space of another kind": ("action_space", json.dumps(TUPLE), ["action_space", "Box or Discrete", "Tuple"]),
    "box without bounds": ("action_space", '{"type": "Box", "dtype": "float32", "shape": [6]}', ["action_space"]),
    "box of another shape": ("action_space", json.dumps({**BOX, "shape": [3]}), ["action_space"]),
    "box of no type": ("action_space", json.dumps({**BOX, "dtype": "nonsense"}), ["action_space"]),
    "box beyond its type": ("action_space", json.dumps({**BOX, "dtype": "int8", "low": [-999, 0]}), ["action_space"]),
    "no choices": ("action_space", '{"type": "Discrete", "n": 0}', ["action_space"]),
    "matrix of observations": ("observation_space", json.dumps(MATRIX), ["observation_space", "one dimension"]),
    "other number of episodes": ("total_episodes", 7, ["7 episodes", "found 3"]),
    "environment that is no JSON": ("env_spec", "HalfCheetah-v5", ["env_spec", "expected JSON"]),
    "environment that is a list": ("env_spec", "[1]", ["env_spec", "expected", "list"]),
    "environment without text for a name": ("env_spec", '{"id": 3}', ["env_spec", "id"]),
    "time limit that is no number": ("env_spec", '{"id": "A-v0", "max_episode_steps": "x"}', ["env_spec", "steps"]),
    "provenance that is no object": ("provenance", [1], ["provenance", "expected", "list"]),
}


@strict
@pytest.mark.parametrize("case", METADATA)
def test_bad_metadata(case, dataset, metadata_file, refused):
    key, value, said = METADATA[case]
    metadata = json.loads(metadata_file.read_text())
    metadata[key] = value
    metadata_file.write_text(json.dumps({name: entry for name, entry in metadata.items() if entry is not None}))
    where = metadata_file.parent if key == "total_episodes" else metadata_file
    refused([where, *said], load_demonstrations, dataset)


@strict
@pytest.mark.parametrize("content", [b"", b"{", b"not JSON", b"\xff\xfe\x00", b"[" * 100_000])
def test_metadata_that_is_no_json(content, dataset, metadata_file, refused):
    metadata_file.write_bytes(content)
    refused([metadata_file, "expected JSON"], load_demonstrations, dataset)


@strict
def test_metadata_that_is_no_object(dataset, metadata_file, refused):
    metadata_file.write_text("[1, 2]")
    refused([metadata_file, "expected a JSON object", "found list"], load_demonstrations, dataset)
