"""Files that other libraries wrote, kept in `written/`: our readers find what `write.py` asked for there."""

import json
import shutil
from pathlib import Path

import gymnasium as gym
import h5py
import numpy as np
import pyarrow.parquet
import pytest

from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.errors import UserError

WRITTEN = Path(__file__).resolve().parent / "written"
STEPS = (5, 6)


class Arm(gym.Env):
    """The spaces of the robot in the files, named as robomimic names them."""

    def __init__(self, **widths):
        boxes = {name: gym.spaces.Box(-1e3, 1e3, (width,)) for name, width in widths.items()}
        self.observation_space = gym.spaces.Dict(boxes) if len(boxes) > 1 else next(iter(boxes.values()))
        self.action_space = gym.spaces.Box(-1, 1, (2,))


@pytest.fixture
def arm():
    """Registers environments with these parts of observations."""
    names = []

    def register(**widths):
        names.append(f"WrittenArm{len(names)}-v0")
        gym.register(names[-1], Arm, max_episode_steps=20, kwargs=widths)
        return names[-1]

    yield register
    for name in names:
        del gym.registry[name]


# LeRobot


@pytest.mark.parametrize(("version", "files"), [("v21", 2), ("v30", 1)])
def test_what_lerobot_wrote_is_read(version, files, arm):
    """Format v2.1 (lerobot 0.3.3) has a file for each episode, v3.0 (0.6.1) several episodes in one."""
    path = WRITTEN / f"lerobot_{version}"
    assert json.loads((path / "meta" / "info.json").read_text())["codebase_version"] == f"v{version[1]}.{version[2]}"
    (schema, *others) = (pyarrow.parquet.read_schema(file) for file in sorted(path.glob("data/chunk-000/*.parquet")))
    assert len(others) == files - 1
    assert [str(schema.field(name).type) for name in ("observation.state", "action", "next.reward", "next.done")] == [
        *("fixed_size_list<element: float>[3]", "fixed_size_list<element: float>[2]", "float", "bool")
    ]
    demos, notes = convert(path, arm(state=3))
    for e, trajectory in enumerate(demos.trajectories):
        t = np.arange(STEPS[e])
        np.testing.assert_allclose(trajectory.observations, np.stack([100 * e + 10 * t, 1 + 0 * t, 2 + 0 * t], axis=1))
        np.testing.assert_allclose(trajectory.actions, np.stack([0.1 * t, -0.1 * t], axis=1)[:-1], rtol=1e-6)
        np.testing.assert_array_equal(trajectory.rewards, t[:-1])
        assert trajectory.truncated
    assert "not read: observation.environment_state, next.done, next.success" in notes
    assert any("left out" in note for note in notes) and not any("meta/info.json" in note for note in notes)


@pytest.mark.parametrize("version", ["v21", "v30"])
def test_columns_of_lerobot_are_joined_in_a_recorded_order(version, arm):
    keys = ("observation.environment_state", "observation.state")
    demos, notes = convert(WRITTEN / f"lerobot_{version}", arm(whole=5), keys=keys)
    np.testing.assert_array_equal(demos.trajectories[1].observations[2], [2, -2, 120, 1, 2])
    named = "observation.environment_state (2), observation.state (3)"
    assert demos.provenance["observations"] == named
    assert f"observations are {named}, joined in this order" in notes
    with pytest.raises(UserError, match="found a Dict with the keys agent_pos"):
        convert(WRITTEN / f"lerobot_{version}", arm(agent_pos=3, environment_state=2), keys=keys)


def test_a_set_of_which_a_file_is_missing_is_noted(arm, tmp_path):
    shutil.copytree(WRITTEN / "lerobot_v21", tmp_path / "set")
    (tmp_path / "set" / "data" / "chunk-000" / "episode_000001.parquet").unlink()
    demos, notes = convert(tmp_path / "set", arm(state=3))
    assert len(demos.trajectories) == 1
    assert "meta/info.json counts 2 episodes, and 1 are in the data files" in notes
    for odd in ("[]", "{", "{}"):
        (tmp_path / "set" / "meta" / "info.json").write_text(odd)
        assert not any("info.json" in note for note in convert(tmp_path / "set", arm(state=3))[1])


# robomimic


def test_what_robomimic_wrote_is_read(arm):
    """robomimic 0.3.0: demonstrations counted from 1, float64, integers as dones, a picture, a split into sets."""
    path = WRITTEN / "robomimic.hdf5"
    with h5py.File(path) as file:
        demo = file["data/demo_1"]
        assert sorted(demo) == ["actions", "dones", "next_obs", "obs", "rewards", "states"]
        assert sorted(demo["obs"]) == sorted(demo["next_obs"]) == ["agentview_image", "object", "robot0_eef_pos"]
        assert (demo["obs/object"].dtype, demo["dones"].dtype, demo["obs/agentview_image"].dtype) == ("f8", "i8", "u1")
        assert set(json.loads(file["data"].attrs["env_args"])) == {"env_name", "type", "env_version", "env_kwargs"}
        assert (file["data"].attrs["total"], demo.attrs["num_samples"], demo.attrs["model_file"]) == (
            11,
            5,
            "<mujoco/>",
        )
    name = arm(robot0_eef_pos=3, object=2)
    demos, notes = convert(path, name, keys=("robot0_eef_pos", "object"))
    for e, trajectory in enumerate(demos.trajectories):
        t = np.arange(STEPS[e] + 1)
        expected = np.stack([100 * e + 10 * t, 1 + 0 * t, 2 + 0 * t, t, -t], axis=1)
        np.testing.assert_array_equal(trajectory.observations, expected)
        np.testing.assert_allclose(trajectory.actions[:, 0], 0.1 * t[:-1], rtol=1e-6)
        np.testing.assert_array_equal(trajectory.rewards, t[1:] >= 4)
    assert demos.provenance["observations"] == "robot0_eef_pos (3), object (2)"
    assert "not read: mask (train, valid); every demonstration is taken" in notes
    assert convert(path, name)[0].provenance["observations"] == "object (2), robot0_eef_pos (3)"


@pytest.fixture
def copied(tmp_path):
    """The last next_obs of each demonstration is its last obs, as the library's converter of D4RL writes it."""
    path = shutil.copyfile(WRITTEN / "robomimic.hdf5", tmp_path / "copied.hdf5")
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            for key in ("object", "robot0_eef_pos"):
                demo["next_obs"][key][-1] = demo["obs"][key][-1]
    return path


def test_a_copy_is_no_state_after_the_last_action(copied, arm):
    name = arm(object=2, robot0_eef_pos=3)
    demos, notes = convert(copied, name)
    assert [len(trajectory) for trajectory in demos.trajectories] == [4, 5]
    assert any(note.startswith("the last next_obs is a copy of obs in 2 episodes: ") for note in notes)
    with h5py.File(copied, "a") as file:
        file["data/demo_1/next_obs/robot0_eef_pos"][-1] += 1
    assert [len(each) for each in convert(copied, name)[0].trajectories] == [5, 5]
    assert [len(each) for each in convert(copied, arm(object=2), keys=("object",))[0].trajectories] == [5, 5], (
        "it rests"
    )
