"""Minari reads what we write, and we read what it writes."""

import warnings

import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from mgail_dyna.demonstrations.compatibility import check_compatible
from mgail_dyna.demonstrations.reader import SHIPPED, load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env

NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/trpo-v0"))


def buffer_of(episode, seed):
    arrays = {name: list(getattr(episode, name)) for name in ("observations", "actions", "rewards")}
    flags = {name: list(getattr(episode, name)) for name in ("terminations", "truncations")}
    return EpisodeBuffer(id=episode.id, seed=seed, infos=episode.infos or None, **arrays, **flags)


def create(dataset_id, buffers, **spaces):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of authors and the like not named
        return minari.create_dataset_from_buffers(dataset_id, buffers, **spaces)


def through_minari(dataset_id, root, monkeypatch, tmp_path):
    """Loads a dataset of ours with Minari, has Minari write it anew and returns where."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    dataset = minari.load_dataset(dataset_id)
    seeds = [attributes.get("seed") for attributes in dataset.storage.get_episode_metadata(dataset.episode_indices)]
    buffers = [buffer_of(*pair) for pair in zip(dataset.iterate_episodes(), seeds, strict=True)]
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "rewritten"))
    spaces = {"observation_space": dataset.observation_space, "action_space": dataset.action_space}
    create(dataset_id, buffers, env=dataset.env_spec, **spaces)
    return tmp_path / "rewritten" / dataset_id


@pytest.mark.parametrize("kind", ["cheetah", "cartpole"])
def test_ours_to_minari_to_ours_is_bit_for_bit(kind, request, tmp_path, monkeypatch, same):
    expert = request.getfixturevalue(kind)
    save_demonstrations(tmp_path / "own" / "random-v0", expert)
    rewritten = load_demonstrations(through_minari("own/random-v0", tmp_path, monkeypatch, tmp_path))
    same(rewritten.trajectories, expert.trajectories)
    assert rewritten.observation_space == expert.observation_space
    assert rewritten.action_space == expert.action_space
    assert (rewritten.env_id, rewritten.length) == (expert.env_id, expert.length)


def test_minari_opens_what_we_write(dataset, cheetah, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    opened = minari.load_dataset("cheetah/random-v0")
    assert (opened.total_episodes, opened.total_steps) == (3, 18)
    assert opened.spec.dataset_id == "cheetah/random-v0"
    assert "cheetah/random-v0" in minari.list_local_datasets()
    assert opened.recover_environment().spec.max_episode_steps == 6
    for episode in opened.sample_episodes(3):
        assert opened.observation_space.contains(episode.observations[0])
        assert opened.action_space.contains(episode.actions[0])
    for found, expected in zip(opened.iterate_episodes(), cheetah.trajectories, strict=True):
        np.testing.assert_array_equal(found.observations, expected.observations)
        np.testing.assert_array_equal(found.infos["qpos"], expected.qpos)
        assert found.truncations.tolist() == [False] * 5 + [True]
        assert not found.terminations.any()


@pytest.mark.parametrize("below", ["run.1", "a/b", "with space/cheetah v2", "deep/er/still-v1"])
def test_minari_takes_the_dataset_id_of_any_directory(below, cheetah, tmp_path):
    save_demonstrations(tmp_path / below, cheetah)
    assert minari.MinariDataset(tmp_path / below / "data").spec.total_steps == 18


def test_what_minari_wrote_loads(tmp_path, monkeypatch):
    """As Minari's own collector flatten it: float64 observations, one more entry of infos than steps, no seed."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    rng = np.random.default_rng(0)
    observations, actions = rng.standard_normal((4, 17)), rng.uniform(-1, 1, (3, 6)).astype(np.float32)
    qpos, qvel = rng.standard_normal((4, 9)), rng.standard_normal((4, 9))
    buffer = EpisodeBuffer(
        observations=list(observations),
        actions=list(actions),
        rewards=[1.0, 2.5, -0.1],
        terminations=[False, False, True],
        truncations=[False, False, False],
        infos={"qpos": list(qpos), "qvel": list(qvel), "x_position": [0.0, 0.1, 0.2, 0.3]},
    )
    create("cheetah/theirs-v0", [buffer, buffer], env="HalfCheetah-v5")
    expert = load_demonstrations(tmp_path / "cheetah" / "theirs-v0")
    assert (expert.env_id, expert.length, expert.policy, len(expert.trajectories)) == ("HalfCheetah-v5", 1000, None, 2)
    episode = expert.trajectories[1]
    np.testing.assert_array_equal(episode.observations, observations.astype(np.float32))
    np.testing.assert_array_equal(episode.actions, actions)
    np.testing.assert_array_equal(episode.rewards, [1.0, 2.5, -0.1])
    np.testing.assert_array_equal(episode.qpos, qpos)
    np.testing.assert_array_equal(episode.qvel, qvel)
    assert (episode.terminated, episode.truncated, episode.seed) == (True, False, None)
    check_compatible(expert, make_env("HalfCheetah-v5"), "theirs")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_dataset_survives_minari_bit_for_bit(name, monkeypatch, tmp_path, same):
    expert = load_demonstrations(name)
    rewritten = through_minari(f"{name}/trpo-v0", SHIPPED, monkeypatch, tmp_path)
    same(load_demonstrations(rewritten).trajectories, expert.trajectories)
