"""Demonstrations written and read again; what cannot be written."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import load_demonstrations, locate
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env


@pytest.mark.parametrize("kind", ["cheetah", "cartpole"])
def test_saving_and_loading_keeps_everything(kind, request, tmp_path, same):
    expert = request.getfixturevalue(kind)
    save_demonstrations(tmp_path / "one" / "two-v3", expert)
    loaded = load_demonstrations(tmp_path / "one" / "two-v3")
    same(loaded.trajectories, expert.trajectories)
    assert loaded.observation_space == expert.observation_space
    assert loaded.action_space == expert.action_space
    assert (loaded.env_id, loaded.length) == (expert.env_id, expert.length)
    assert loaded.provenance == expert.provenance
    assert loaded.policy.activation == expert.policy.activation
    assert loaded.policy.clip == expert.policy.clip
    assert loaded.policy.squash == expert.policy.squash
    np.testing.assert_array_equal(loaded.policy.mean, expert.policy.mean)
    np.testing.assert_array_equal(loaded.policy.std, expert.policy.std)
    assert loaded.policy.weights.keys() == expert.policy.weights.keys()
    for name, weight in expert.policy.weights.items():
        np.testing.assert_array_equal(loaded.policy.weights[name], weight)
        assert loaded.policy.weights[name].dtype == weight.dtype


@pytest.mark.parametrize("kind", ["cheetah", "cartpole"])
def test_loaded_policy_gives_the_stored_actions(kind, request, tmp_path):
    save_demonstrations(tmp_path / "expert", request.getfixturevalue(kind))
    loaded = load_demonstrations(tmp_path / "expert")
    for trajectory in loaded.trajectories:
        np.testing.assert_allclose(loaded.policy.act(trajectory.observations[:-1]), trajectory.actions, atol=1e-5)


def test_unknown_things_stay_unknown(cheetah, tmp_path):
    bare = [replace(episode, qpos=None, qvel=None, seed=None) for episode in cheetah.trajectories]
    expert = replace(cheetah, trajectories=tuple(bare), policy=None, env_id=None, length=None)
    save_demonstrations(tmp_path / "bare", expert)
    loaded = load_demonstrations(tmp_path / "bare")
    assert loaded.policy is loaded.env_id is loaded.length is None
    assert all(episode.qpos is episode.qvel is episode.seed is None for episode in loaded.trajectories)


def test_more_than_ten_episodes_keep_their_order(cheetah, tmp_path):
    many = tuple(replace(cheetah.trajectories[0], seed=seed) for seed in range(12))
    save_demonstrations(tmp_path / "many", replace(cheetah, trajectories=many))
    assert [episode.seed for episode in load_demonstrations(tmp_path / "many").trajectories] == list(range(12))


@pytest.mark.parametrize("below", ["", "data", "data/main_data.hdf5"])
def test_a_dataset_is_found_by_any_of_its_names(below, dataset):
    assert locate(dataset / below) == dataset / "data"
    assert len(load_demonstrations(dataset / below).trajectories) == 3


def test_thinned_demonstrations_are_not_saved_as_whole_ones(cheetah, tmp_path, refused):
    thinned = subset(cheetah, 2, 5)
    assert cheetah.has_transitions and not thinned.has_transitions
    refused(["every step", "every 5th in trajectory 0", "--subsample"], save_demonstrations, tmp_path / "thin", thinned)
    assert not list(tmp_path.iterdir())


def test_a_dataset_is_replaced_only_when_asked(dataset, cheetah, refused):
    shorter = replace(cheetah, trajectories=cheetah.trajectories[:1])
    refused([dataset / "data", "exists already", "--overwrite"], save_demonstrations, dataset, shorter)
    assert len(load_demonstrations(dataset).trajectories) == 3
    save_demonstrations(dataset, shorter, overwrite=True)
    assert len(load_demonstrations(dataset).trajectories) == 1
    assert [path.name for path in dataset.iterdir()] == ["data"]


def test_an_environment_from_a_module_can_be_saved(cheetah, tmp_path, monkeypatch):
    module = "import gymnasium as gym\ngym.register('MyCheetah-v0', gym.spec('HalfCheetah-v5').entry_point)\n"
    (tmp_path / "my_tasks.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    env_id = "my_tasks:MyCheetah-v0"
    make_env(env_id)
    save_demonstrations(tmp_path / "out", replace(cheetah, env_id=env_id))
    assert make_env(load_demonstrations(tmp_path / "out").env_id).observation_space.shape == (17,)


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_path_below_a_file_cannot_be_written(below, cheetah, tmp_path, refused):
    file = tmp_path / "file"
    file.write_text("here before")
    refused([Path(file, below), "cannot be written"], save_demonstrations, file / below, cheetah)
    assert file.read_text() == "here before"
    assert list(tmp_path.iterdir()) == [file]


def test_the_same_demonstrations_give_the_same_file_at_any_time(cartpole, tmp_path):
    """HDF5 would write the time."""
    files = [tmp_path / name / "data" / "main_data.hdf5" for name in ("one", "two")]
    save_demonstrations(tmp_path / "one", cartpole)
    time.sleep(1.1)  # it counts whole seconds
    save_demonstrations(tmp_path / "two", cartpole)
    assert files[0].read_bytes() == files[1].read_bytes()
