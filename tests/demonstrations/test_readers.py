"""CSV, robomimic's HDF5, LeRobot's parquet, imitation's Arrow: as their libraries write them, and damaged."""

import csv
import json
import sys

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from datasets import Dataset

from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.errors import UserError

CARTPOLE, CHEETAH = "CartPole-v1", "HalfCheetah-v5"
OBSERVATIONS = [np.arange(4.0 * (length + 1)).reshape(length + 1, 4) for length in (5, 3)]
CHOICES = [np.arange(length) % 2 for length in (5, 3)]


def assert_whole(demos, terminated=(False, True)):
    for trajectory, observations, choices, ended in zip(
        demos.trajectories, OBSERVATIONS, CHOICES, terminated, strict=True
    ):
        np.testing.assert_array_equal(trajectory.observations, observations)
        np.testing.assert_array_equal(trajectory.actions, choices)
        assert (trajectory.terminated, trajectory.truncated) == (ended, not ended)


# CSV


def lines(columns=("episode", *(f"observation_{i}" for i in range(4)), "action_0", "reward", "terminated")):
    yield list(columns)
    for n, (observations, choices) in enumerate(zip(OBSERVATIONS, CHOICES, strict=True)):
        for t, row in enumerate(observations):
            last = t == len(choices)
            ended = n == 1 and t == len(choices) - 1
            yield [n, *row, "" if last else choices[t], "" if last else 1.0, "" if last else str(ended).lower()]


@pytest.fixture
def table(tmp_path):
    def write(rows):
        with (tmp_path / "own.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return tmp_path / "own.csv"

    return write


def test_a_table_of_text(table):
    demos, notes = convert(table(lines()), CARTPOLE)
    assert_whole(demos)
    assert demos.returns.tolist() == [5.0, 3.0]
    assert notes == ("actions: a column taken as choices and whole floats taken as choices in 2 episodes",)


def test_a_table_in_which_every_row_has_an_action_loses_a_step_an_episode(table):
    demos, notes = convert(table(row for row in lines() if row[5] != ""), CARTPOLE)
    assert [len(t) for t in demos.trajectories] == [4, 2]
    np.testing.assert_array_equal(demos.trajectories[0].observations, OBSERVATIONS[0][:5])
    assert any("not in the file in 2 episodes, so that step is left out" in note for note in notes)
    assert demos.provenance["ended_by_task"] == [1]


def test_a_table_without_actions_and_with_names_of_its_own(table):
    named = [["episode", "x", "v", "angle", "spin", "time"], *([*row[:5], 0.1] for row in list(lines())[1:])]
    path = table(named)
    with pytest.raises(
        UserError, match=r"expected columns episode, observation_0, .* found episode, x, .*--keys names"
    ):
        convert(path, CARTPOLE)
    demos, notes = convert(path, CARTPOLE, keys=("v", "x", "angle", "spin"))
    assert not demos.has_actions
    np.testing.assert_array_equal(demos.trajectories[1].observations, OBSERVATIONS[1][:, [1, 0, 2, 3]])
    assert any("not read: time; if these are the actions, name them action_0" in note for note in notes)
    assert any("nothing says whether the task or a time limit ended" in note for note in notes)


def edited(place, value):
    rows = [list(row) for row in lines()]
    rows[place[0]][place[1]] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "expected a header with a name for each column, found none"),
        ([*list(lines())[1:]], r"line 1: expected a header with names \(columns episode, observation_0, "),
        ([*list(lines())[1:]], r"found numbers \(0, 0.0, 1.0, 2.0, 3.0, 0, 1.0, false\); write one"),
        (list(lines())[:1], "expected at least 1 row, found 0"),
        (edited((0, 2), "observation_0"), "expected a header with a name for each column"),
        (
            edited((0, 2), "observation_9"),
            "observations: expected columns numbered from 0 without gaps, found 0, 2, 3, 9",
        ),
        (edited((0, 0), "who"), "episode: missing"),
        (edited((2, 3), "x"), "line 3: observation_2: expected a number, found 'x'"),
        (edited((2, 3), ""), "episode 0: observations: expected finite numbers, found NaN or infinity at step 1"),
        (edited((2, 5), ""), "episode 0: actions: expected dtype int64"),
        (edited((10, 0), 0), "expected the rows of an episode one after another, found episode"),
        ([*list(lines()), [1, 2]], "line 12: expected 8 cells, found 2"),
    ],
)
def test_a_bad_table(rows, message, table):
    with pytest.raises(UserError, match=message):
        convert(table(rows), CARTPOLE)


def test_an_unknown_key_of_a_table(table):
    with pytest.raises(UserError, match="--keys: unknown column 'observation_7'"):
        convert(table(lines()), CARTPOLE, keys=("observation_7",))


# robomimic


@pytest.fixture
def robomimic(tmp_path):
    """The layout of the library's documentation: data/demo_<i> with obs, next_obs, actions, rewards, dones, states."""
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((2, 7, 17))
    path = tmp_path / "low_dim.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {}})
        for n in range(2):
            demo = data.create_group(f"demo_{n}")
            for group, rows in (("obs", whole[n, :-1]), ("next_obs", whole[n, 1:])):
                demo[f"{group}/position"], demo[f"{group}/a_velocity"] = rows[:, :8], rows[:, 8:]
                demo[f"{group}/camera"] = np.zeros((6, 4, 4, 3), np.uint8)
            demo["actions"] = rng.uniform(-1, 1, (6, 6))
            demo["rewards"], demo["dones"] = np.ones(6), np.arange(6) == 5
            demo["states"] = np.zeros((6, 40))
            demo.attrs["num_samples"] = 6
        file["mask/train"] = np.array([b"demo_0"])
    return path, whole


def test_vectors_of_robomimic_are_joined_in_a_recorded_order(robomimic, tmp_path):
    path, whole = robomimic
    demos, notes = convert(path, CHEETAH)
    np.testing.assert_allclose(demos.trajectories[1].observations, np.roll(whole[1], 9, axis=1), rtol=1e-6)
    assert demos.provenance["observations"] == "a_velocity (9), position (8)"
    assert "observations are a_velocity (9), position (8), joined in this order" in notes
    assert any("dones do not say" in note for note in notes)
    assert (
        main(["data", "convert", str(path), str(tmp_path / "out"), "--env", CHEETAH, "--keys", "position,a_velocity"])
        == 0
    )
    saved = load_demonstrations(tmp_path / "out")
    np.testing.assert_allclose(saved.trajectories[0].observations, whole[0], rtol=1e-6)
    assert saved.provenance["observations"] == "position (8), a_velocity (9)"


def test_without_next_obs_a_step_is_left_out(robomimic):
    path, _ = robomimic
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            del demo["next_obs"]
    demos, notes = convert(path, CHEETAH)
    assert [len(t) for t in demos.trajectories] == [5, 5]
    assert any("no next_obs" in note for note in notes)


@pytest.mark.parametrize(
    ("spoil", "keys", "message"),
    [
        (lambda demo: demo.pop("obs"), (), r"data/demo_0/obs: missing; extract them from the states first"),
        (lambda demo: demo.pop("actions"), (), r"data/demo_0: .*actions"),
        (lambda demo: demo["obs"].pop("position"), ("position",), "--keys: unknown key 'position'"),
        (lambda demo: None, ("camera",), r"--keys: camera: expected a vector a step, found shape \[6, 4, 4, 3\]"),
        (lambda demo: demo["next_obs"].pop("position"), (), "data/demo_0: .*position"),
    ],
)
def test_a_damaged_robomimic_file(spoil, keys, message, robomimic):
    path, _ = robomimic
    with h5py.File(path, "a") as file:
        spoil(file["data/demo_0"])
    with pytest.raises(UserError, match=message):
        convert(path, CHEETAH, keys=keys)
    if "demo_0: " in message:
        demos, notes = convert(path, CHEETAH, keys=keys, skip_bad_episodes=True)
        assert len(demos.trajectories) == 1 and any("1 of 2 episodes left out" in note for note in notes)


# LeRobot


@pytest.fixture
def lerobot(tmp_path):
    """Version 3's layout: several episodes in a file; a row for every state that was acted in."""
    rows = {
        name: [] for name in ("observation.state", "action", "episode_index", "frame_index", "index", "next.reward")
    }
    for n, (observations, choices) in enumerate(zip(OBSERVATIONS, CHOICES, strict=True)):
        for t, choice in enumerate(choices):
            for name, value in zip(
                rows, (observations[t], [float(choice)], n, t, len(rows["index"]), 1.0), strict=True
            ):
                rows[name].append(value)
    (tmp_path / "set" / "meta").mkdir(parents=True)
    (tmp_path / "set" / "meta" / "info.json").write_text(json.dumps({"codebase_version": "v3.0", "fps": 50}))
    for part, kept in enumerate((slice(0, 5), slice(5, None))):
        file = tmp_path / "set" / "data" / "chunk-000" / f"file-{part:03d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_dict({name: values[kept] for name, values in rows.items()}).to_parquet(file)
    return tmp_path / "set"


def test_lerobot(lerobot):
    demos, notes = convert(lerobot, CARTPOLE)
    assert [len(t) for t in demos.trajectories] == [4, 2]
    for trajectory, observations, choices in zip(demos.trajectories, OBSERVATIONS, CHOICES, strict=True):
        np.testing.assert_array_equal(trajectory.observations, observations[:-1])
        np.testing.assert_array_equal(trajectory.actions, choices[:-1])
    assert demos.returns.tolist() == [4.0, 2.0]
    assert any("not in the file in 2 episodes" in note for note in notes)


def test_a_damaged_lerobot_data_set(lerobot):
    file = lerobot / "data" / "chunk-000" / "file-000.parquet"
    whole = file.read_bytes()
    for damaged in (whole[:50], whole[:-30], b"PAR1" + bytes(200)):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match="cannot be read: it is damaged or of another format"):
            convert(lerobot, CARTPOLE)
    file.write_bytes(whole)
    with pytest.raises(
        UserError, match=r"--keys: unknown column 'observation\.stat'; did you mean observation\.state\?"
    ):
        convert(lerobot, CARTPOLE, keys=("observation.stat",))
    pyarrow.parquet.write_table(pyarrow.table({"episode_index": [0, 0], "action": ["a", "b"]}), file)
    with pytest.raises(UserError, match=r"observation\.state: missing"):
        convert(lerobot, CARTPOLE)


# imitation


@pytest.fixture
def imitation(tmp_path):
    """One trajectory a row, as `imitation.data.serialize.save` writes it through Hugging Face's library."""
    rows = {
        "obs": [each.tolist() for each in OBSERVATIONS],
        "acts": [each.tolist() for each in CHOICES],
        "infos": [["{}"] * len(each) for each in CHOICES],
        "terminal": [False, True],
        "rews": [[1.0] * len(each) for each in CHOICES],
    }
    Dataset.from_dict(rows).save_to_disk(tmp_path / "set")
    return tmp_path / "set"


def test_imitation(imitation):
    demos, notes = convert(imitation, CARTPOLE)
    assert_whole(demos)
    assert demos.returns.tolist() == [5.0, 3.0] and not notes


def test_terminal_at_the_environments_limit_is_no_termination(tmp_path):
    rows = {
        "obs": [[[0.0] * 3] * 201, [[0.0] * 3] * 51],
        "acts": [[[0.0]] * 200, [[0.0]] * 50],
        "terminal": [True, True],
    }
    Dataset.from_dict(rows).save_to_disk(tmp_path / "set")
    demos, notes = convert(tmp_path / "set", "Pendulum-v1")
    assert [(t.terminated, t.truncated) for t in demos.trajectories] == [(False, True), (True, False)]
    assert "1 terminal episode of 200 steps, the environment's limit: counted as truncated" in notes


def test_a_damaged_imitation_data_set(imitation):
    (file,) = imitation.glob("*.arrow")
    whole = file.read_bytes()
    for damaged in (b"", whole[:60], bytes(len(whole))):
        file.write_bytes(damaged)
        with pytest.raises(UserError):
            convert(imitation, CARTPOLE)
    file.write_bytes(whole)
    with pytest.raises(UserError, match="--keys: has no effect"):
        convert(imitation, CARTPOLE, keys=("obs",))
    state = json.loads((imitation / "state.json").read_text())
    for names in ([{"filename": "../" + file.name}], [{"filename": "none.arrow"}], 3, [{}]):
        (imitation / "state.json").write_text(json.dumps({**state, "_data_files": names}))
        with pytest.raises(UserError, match=r"expected the (names of the data files|data file)"):
            convert(imitation, CARTPOLE)


def test_offsets_that_lead_out_of_an_arrow_file_are_refused(imitation):
    """Reading them crashed the process."""
    (file,) = imitation.glob("*.arrow")
    ends, far = (np.array(numbers, np.int32).tobytes() for numbers in ((0, 6, 10), (0, 2**28, 2**30)))
    assert file.read_bytes().count(ends) == 1
    file.write_bytes(file.read_bytes().replace(ends, far))
    with pytest.raises(UserError, match="cannot be read: it is damaged"):
        convert(imitation, CARTPOLE)


def test_a_trajectory_that_does_not_fit_can_be_left_out(imitation, tmp_path):
    rows = {"obs": [[[0.0] * 4] * 4] * 2, "acts": [[0, 1, 0], [0, 1]], "infos": [[], []], "terminal": [True, True]}
    Dataset.from_dict(rows).save_to_disk(tmp_path / "odd")
    with pytest.raises(UserError, match="trajectory 1: obs, acts: expected obs, acts and terminal of one length"):
        convert(tmp_path / "odd", CARTPOLE)
    demos, notes = convert(tmp_path / "odd", CARTPOLE, skip_bad_episodes=True)
    assert len(demos.trajectories) == 1 and any("1 of 2 episodes left out" in note for note in notes)


@pytest.mark.parametrize("kind", ["lerobot", "imitation"])
def test_without_pyarrow_the_extra_is_named(kind, request, monkeypatch):
    path = request.getfixturevalue(kind)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pyarrow: not installed.*pip install '\.\[arrow\]'"):
        convert(path, CARTPOLE)
