"""Many episodes: bad ones left out, several files as one data set, progress, and short ones read fast."""

import time
from dataclasses import replace

import gymnasium as gym
import h5py
import numpy as np
import pytest

from mgail_dyna.demonstrations import progress, reader
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.episodes import EpisodeReader
from mgail_dyna.demonstrations.formats.source import left_out
from mgail_dyna.demonstrations.progress import watched
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.spaces import action_spec
from mgail_dyna.hdf5 import open_hdf5
from mgail_dyna.types import Trajectory

CHEETAH = "HalfCheetah-v5"

# Episodes that do not fit


BAD = {
    "NaN": ("observations", np.full((7, 17), np.nan), "observations: expected finite numbers"),
    "too short": ("actions", np.zeros((1, 6)), "expected at least 2 steps, found 1"),
    "out of bounds": ("actions", np.full((6, 6), 1.5), "actions: 6 steps outside the action space"),
    "another shape": ("observations", np.zeros((7, 3)), "observations: expected shape [T, 17], found [7, 3]"),
    "missing": ("actions", None, "actions: missing"),
    "an early end": ("terminations", np.eye(6, dtype=bool)[2], "terminations: expected true at the last step only"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_episode_is_left_out_when_asked_and_named(case, dataset, data_file, put, cheetah, same, refused):
    name, value, reason = BAD[case]
    put(data_file, f"episode_1/{name}", value)
    remedy = "--skip-bad-episodes leaves out 1 of 3 episodes"
    refused([data_file if case != "out of bounds" else dataset, remedy], convert, dataset, CHEETAH)
    said = refused([data_file, "; `data convert --skip-bad-episodes` leaves such"], load_demonstrations, dataset)
    assert said.count("skip") == 1
    demos, notes = convert(dataset, CHEETAH, skip_bad_episodes=True)
    same(demos.trajectories, [cheetah.trajectories[0], cheetah.trajectories[2]])
    (note,) = [note for note in notes if "left out" in note]
    assert note.startswith(f"1 of 3 episodes left out: episode 1 ({reason}")
    assert note in demos.provenance["notes"]


def test_two_bad_episodes_of_unlike_kinds_are_both_named(dataset, data_file, put):
    put(data_file, "episode_0/observations", np.full((7, 17), np.inf))
    put(data_file, "episode_2/actions", np.full((6, 6), -3.0))
    demos, notes = convert(dataset, CHEETAH, skip_bad_episodes=True)
    assert len(demos.trajectories) == 1
    assert any("left out: episode 0 (observations" in note and "; episode 2 (actions" in note for note in notes)


def test_episodes_left_out_are_grouped_by_reason():
    skipped = {n: f"actions: {n} steps outside" for n in range(30)} | {40: "rewards: missing", 41: "rewards: missing"}
    first = ", ".join(map(str, range(20)))
    assert left_out(skipped, 50) == (
        f"32 of 50 episodes left out: episodes {first} and 10 more (in 0: actions: 0 steps outside); "
        "episodes 40, 41 (rewards: missing)"
    )
    many = left_out({n: f"reason {'x' * n}" for n in range(8)}, 9)
    assert many.count("reason x") == 4 and many.endswith("; 3 others for other reasons")


def test_actions_outside_are_clipped_before_episodes_are_left_out(dataset, data_file, put):
    put(data_file, "episode_1/actions", np.full((6, 6), 1.5))
    demos, notes = convert(dataset, CHEETAH, skip_bad_episodes=True, clip_actions=True)
    assert len(demos.trajectories) == 3
    clipped = (
        "actions clipped to the action space: 6 steps outside, of 18, first [1.5 1.5 1.5 1.5 1.5 1.5] in episode 1, "
    )
    assert clipped + "step 0; are they in another unit?" in notes


def test_nothing_is_said_where_nothing_is_left_out(dataset):
    assert convert(dataset, CHEETAH, skip_bad_episodes=True)[1] == convert(dataset, CHEETAH)[1]


def test_a_file_of_bad_episodes_alone_is_refused(dataset, data_file, put, refused):
    for episode in range(3):
        put(data_file, f"episode_{episode}/observations", np.full((7, 17), np.nan))
    assert "skip" not in refused([data_file], convert, dataset, CHEETAH), "which would leave out all"
    assert "skip" not in refused([data_file], load_demonstrations, dataset)
    said = ["no episode can be read", "observations: expected finite"]
    refused([data_file, *said], convert, dataset, CHEETAH, skip_bad_episodes=True)


def rows(path, **changes):
    """Two episodes of three steps of CartPole in D4RL's layout."""
    ends = np.array([0, 0, 1, 0, 0, 1], bool)
    observations = np.arange(24.0).reshape(6, 4)
    arrays = {
        "observations": observations,
        "next_observations": np.where(ends[:, None], observations + 0.5, np.roll(observations, -1, axis=0)),
        "actions": np.array([0, 1, 1, 0, 1, 0]),
        "rewards": np.ones(6),
        "terminals": ends,
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def padded(path, **changes):
    """The same in .npz."""
    arrays = {
        "observations": np.arange(32.0).reshape(2, 4, 4),
        "actions": np.array([[0, 1, 1], [0, 1, 0]]),
        "rewards": np.ones((2, 3)),
        "lengths": np.array([3, 3]),
        "terminations": np.array([[0, 0, 1], [0, 0, 1]], bool),
        **changes,
    }
    np.savez(path, **arrays)
    return path


def test_bad_episodes_of_other_layouts_are_left_out_too(tmp_path, refused):
    flat = rows(tmp_path / "rows.hdf5", rewards=np.array([1, 1, 1, 1, np.nan, 1]))
    remedy = "--skip-bad-episodes leaves out 1 of 2 episodes"
    refused([flat, "episode 1: rewards", remedy], convert, flat, "CartPole-v1")
    demos, notes = convert(flat, "CartPole-v1", skip_bad_episodes=True)
    assert len(demos.trajectories) == 1 and demos.trajectories[0].actions.tolist() == [0, 1, 1]
    assert any(note.startswith("1 of 2 episodes left out: episode 1 (rewards") for note in notes)
    early = padded(tmp_path / "in.npz", terminations=np.array([[0, 1, 1], [0, 0, 1]], bool))
    refused([early, "terminations", remedy], convert, early, "CartPole-v1")
    demos, notes = convert(early, "CartPole-v1", skip_bad_episodes=True)
    assert demos.trajectories[0].actions.tolist() == [0, 1, 0]
    assert any(note.startswith("1 of 2 episodes left out: episode 0 (terminations") for note in notes)
    halves = padded(tmp_path / "in.npz", actions=np.array([[0, 0.5, 1], [0, 1, 0]]))
    demos, notes = convert(halves, "CartPole-v1", skip_bad_episodes=True)
    assert len(demos.trajectories) == 1
    assert any(note.startswith("1 of 2 episodes left out: episode 0 (actions") for note in notes)


def test_choices_counted_from_1_have_a_remedy(tmp_path, refused):
    remedy = "; choices seem to be counted from 1: subtract 1 from each"
    for path in (
        rows(tmp_path / "rows.hdf5", actions=np.array([1, 2, 2, 1, 2, 1])),
        padded(tmp_path / "in.npz", actions=np.array([[1, 2, 2], [1, 2, 1]])),
    ):
        refused([path, "expected all inside the action space", remedy], convert, path, "CartPole-v1")
    path = padded(tmp_path / "in.npz", actions=np.array([[0, 2, 2], [1, 2, 1]]))
    assert "subtract" not in refused([path], convert, path, "CartPole-v1")


def test_columns_of_one_number_a_step_are_taken_as_such_in_d4rls_rows(tmp_path, same):
    whole, _ = convert(rows(tmp_path / "rows.hdf5"), "CartPole-v1")
    ends = np.array([0, 0, 1, 0, 0, 1], bool)
    columns = {"rewards": np.ones((6, 1)), "terminals": ends[:, None], "timeouts": np.zeros((6, 1), bool)}
    demos, _ = convert(rows(tmp_path / "rows.hdf5", **columns), "CartPole-v1")
    same(demos.trajectories, whole.trajectories)


# Several inputs


def test_several_files_become_one_data_set_with_the_notes_of_each(cartpole, tmp_path, same):
    save_demonstrations(tmp_path / "minari", cartpole)
    paths = [rows(tmp_path / "rows.hdf5"), padded(tmp_path / "in.npz"), tmp_path / "minari"]
    alone = [convert(path, "CartPole-v1") for path in paths]
    demos, notes = convert(paths, "CartPole-v1")
    same(demos.trajectories, [trajectory for one, _ in alone for trajectory in one.trajectories])
    for path, (_, told) in zip(paths, alone, strict=True):
        for note in told:
            assert f"{path}: {note}" in notes
    assert demos.provenance["source"] == "rows.hdf5, D4RL; in.npz, .npz; minari, Minari"
    save_demonstrations(tmp_path / "out", demos)
    same(load_demonstrations(tmp_path / "out").trajectories, demos.trajectories)


def test_episodes_ended_by_the_task_are_counted_through_all_files(tmp_path):
    whole = rows(tmp_path / "whole.hdf5")
    lossy = rows(tmp_path / "lossy.hdf5")
    with h5py.File(lossy, "a") as file:
        del file["next_observations"]
    demos, _ = convert([whole, lossy], "CartPole-v1")
    assert demos.provenance["ended_by_task"] == [2, 3]


def test_files_of_environments_made_with_other_arguments_are_not_joined(tmp_path, refused):
    box = gym.spaces.Box(-np.array([1, 1, 8], np.float32), np.array([1, 1, 8], np.float32))
    episode = Trajectory(np.zeros((4, 3)), np.zeros((3, 1)), np.ones(3), False, True)
    demos = Demonstrations((episode,), box, gym.spaces.Box(-2, 2, (1,)), env_id="Pendulum-v1", length=200)
    paths = [tmp_path / name for name in ("earth", "moon")]
    for path, gravity in zip(paths, (10.0, 1.6), strict=True):
        save_demonstrations(path, replace(demos, env_kwargs={"g": gravity}))
    said = [paths[1], "keyword arguments of the environment", "g=10.0, found g=1.6;"]
    refused(said, convert, paths, "Pendulum-v1")
    assert len(convert(paths, "Pendulum-v1", env_kwargs={"g": 10.0})[0].trajectories) == 2


def test_the_file_that_does_not_fit_is_the_one_named(dataset, tmp_path, refused):
    paths = [rows(tmp_path / "rows.hdf5"), dataset]
    refused([dataset, "actions"], convert, paths, "CartPole-v1")
    refused(["at least 1 file"], convert, [], "CartPole-v1")


# Time


def test_what_takes_long_shows_a_sign_of_life_and_what_does_not_shows_none(monkeypatch, capsys):
    assert list(watched(range(5), 5, "reading it")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    assert list(watched(range(5), 5, "reading it")) == [0, 1, 2, 3, 4]
    out, err = capsys.readouterr()
    assert (out, err) == ("", "reading it: 5\n")


def test_progress_ends_where_reading_does(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with pytest.raises(ZeroDivisionError):
        list(watched((1 / (2 - number) for number in range(5)), 5, "reading it"))


def test_short_arrays_are_not_compressed_and_long_ones_are(cheetah, tmp_path):
    first = cheetah.trajectories[0]
    long = replace(
        first,
        observations=np.zeros((401, 17)),
        actions=np.zeros((400, 6)),
        rewards=np.zeros(400),
        qpos=None,
        qvel=None,
    )
    save_demonstrations(tmp_path / "out", replace(cheetah, trajectories=(replace(first, qpos=None, qvel=None), long)))
    with h5py.File(tmp_path / "out" / "data" / "main_data.hdf5") as file:
        assert file["episode_0/observations"].compression is None
        assert file["episode_1/observations"].compression == "gzip"


def test_an_episode_is_read_the_same_fast_and_slowly(data_file, cheetah, same, monkeypatch):
    """What the fast way does not take is read by h5py, and gives the same."""
    with open_hdf5(data_file) as file:
        reader = EpisodeReader(data_file, file, cheetah.observation_space, action_spec(cheetah.action_space))
        fast = [reader.read(f"episode_{i}") for i in range(3)]
        monkeypatch.setattr("mgail_dyna.demonstrations.episodes._CLASSES", {kind: set() for kind in "fib"})
        same([reader.read(f"episode_{i}") for i in range(3)], fast)
    same(fast, cheetah.trajectories)


def test_reading_costs_less_than_a_millisecond_an_episode(cheetah, tmp_path):
    """45,000 episodes are read in 20 s at 0.44 ms each; the bound leaves room for a busy processor."""
    episodes = tuple(replace(cheetah.trajectories[n % 3], qpos=None, qvel=None) for n in range(1_000))
    save_demonstrations(tmp_path / "many", replace(cheetah, trajectories=episodes))
    taken = []
    for _ in range(3):
        began = time.process_time()
        load_demonstrations(tmp_path / "many")
        taken.append(time.process_time() - began)
    assert min(taken) < 1.0, taken


def test_opening_a_large_file_is_said_if_it_takes_long_and_only_then(dataset, monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    before = reader._require_own
    monkeypatch.setattr(reader, "_require_own", lambda path: (time.sleep(0.3), before(path)))
    load_demonstrations(dataset)
    assert "opening" not in capsys.readouterr().err, "it is small"
    monkeypatch.setattr(reader, "LARGE", 0)
    load_demonstrations(dataset)
    assert capsys.readouterr().err.count("checking that main_data.hdf5 can be read\n") == 1
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    load_demonstrations(dataset)
    assert capsys.readouterr().err == ""
