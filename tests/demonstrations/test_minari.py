"""Minari reads what we write, and we read what it writes."""

import json
import warnings

import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from mgail_dyna.demonstrations.compatibility import check_compatible, compare
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.formats.minari import recorded_arguments
from mgail_dyna.demonstrations.reader import SHIPPED, load_demonstrations
from mgail_dyna.demonstrations.recorded_environment import environment_arguments
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.errors import UserError

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


class Reach(gym.Env):
    """A point and where it shall go: observations in three parts, as robotics has them."""

    def __init__(self):
        parts = {"observation": 3, "achieved_goal": 1, "desired_goal": 2}
        boxes = {name: gym.spaces.Box(-10.0, 10.0, (width,)) for name, width in parts.items()}
        self.observation_space, self.action_space = gym.spaces.Dict(boxes), gym.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._drawn(), {}

    def step(self, action):
        return self._drawn(), float(action.sum()), False, False, {}

    def _drawn(self):
        draw = self.np_random.uniform
        return {name: draw(-1, 1, space.shape).astype(np.float32) for name, space in self.observation_space.items()}


@pytest.fixture
def reach(tmp_path, monkeypatch):
    """A data set of the environment that Minari recorded, and what a flattened environment gives for the same seeds."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    gym.register("Reach-v0", entry_point=f"{__name__}:Reach", max_episode_steps=12)
    monkeypatch.setattr("mgail_dyna.environments.make._import_module", lambda _: None)
    env, buffers, expected = gym.make("Reach-v0"), [], []
    for seed in range(3):
        env.action_space.seed(seed)
        seen, actions = [env.reset(seed=seed)[0]], [env.action_space.sample() for _ in range(12)]
        steps = [env.step(action) for action in actions]
        seen += [step[0] for step in steps]
        rewards, *flags = zip(*(step[1:4] for step in steps), strict=True)
        observations = {name: [each[name] for each in seen] for name in env.observation_space}
        flags = dict(zip(("terminations", "truncations"), map(list, flags), strict=True))
        buffers.append(EpisodeBuffer(seed, seed, None, observations, actions, list(rewards), **flags))
        expected.append(np.array([gym.spaces.flatten(env.observation_space, each) for each in seen]))
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    create("reach/random-v0", buffers, env=env.spec, **spaces)
    yield tmp_path / "reach" / "random-v0", expected
    gym.registry.pop("Reach-v0")


def test_observations_of_several_parts_are_joined_as_the_environment_joins_them(reach, tmp_path):
    path, expected = reach
    demos = load_demonstrations(path)
    check_compatible(demos, make_env("Reach-v0"), "the demonstrations")
    for trajectory, rows in zip(demos.trajectories, expected, strict=True):
        np.testing.assert_array_equal(trajectory.observations, rows)
    assert demos.provenance["observations"] == "achieved_goal (1), desired_goal (2), observation (3)"
    converted, notes = convert(path, "Reach-v0")
    assert "observations are achieved_goal (1), desired_goal (2), observation (3), joined in this order" in notes
    save_demonstrations(tmp_path / "out", converted)
    np.testing.assert_array_equal(load_demonstrations(tmp_path / "out").trajectories[2].observations, expected[2])


def test_parts_are_chosen_by_name_in_the_order_asked_for(reach):
    path, expected = reach
    demos = load_demonstrations(path, keys=("observation", "achieved_goal"))
    assert demos.observation_space.shape == (4,)
    np.testing.assert_array_equal(demos.trajectories[1].observations, expected[1][:, [3, 4, 5, 0]])
    with pytest.raises(UserError, match=r"--keys: unknown key 'goal'; did you mean desired_goal"):
        load_demonstrations(path, keys=("goal",))


def test_pictures_among_the_parts_are_left_out_by_name(reach):
    path, expected = reach
    file = path / "data" / "metadata.json"
    metadata = json.loads(file.read_text())
    space = json.loads(metadata["observation_space"])
    picture = {"type": "Box", "dtype": "uint8", "shape": [1, 1, 3], "low": [[[0] * 3]], "high": [[[255] * 3]]}
    space["subspaces"]["desired_goal"] = picture
    spec = json.dumps({**json.loads(metadata["env_spec"]), "kwargs": {"pull": 2}})
    file.write_text(json.dumps({**metadata, "observation_space": json.dumps(space), "env_spec": spec}))
    assert recorded_arguments(path, "Reach-v0", ("observation",)) == {"pull": 2}
    with pytest.raises(UserError, match=r"choose among the vectors: data convert --keys achieved_goal,observation; or"):
        load_demonstrations(path)
    with pytest.raises(
        UserError, match=r"--keys: desired_goal: expected a Box of one dimension, found Box \[1, 1, 3\]"
    ):
        load_demonstrations(path, keys=("desired_goal",))
    demos, _ = convert(path, "Reach-v0", keys=("observation", "achieved_goal"), env_kwargs={})
    np.testing.assert_array_equal(demos.trajectories[1].observations, expected[1][:, [3, 4, 5, 0]])


def test_the_environment_joins_the_parts_that_were_chosen(reach, tmp_path):
    path, _ = reach
    demos, notes = convert(path, "Reach-v0", keys=("observation", "achieved_goal"))
    assert any(note.startswith("observation, achieved_goal are taken from a Dict with the keys") for note in notes)
    save_demonstrations(tmp_path / "out", demos)
    saved = load_demonstrations(tmp_path / "out")
    env = make_env("Reach-v0", **environment_arguments(saved, "Reach-v0"))
    np.testing.assert_array_equal(env.reset(seed=1)[0], saved.trajectories[1].observations[0])
    assert compare(saved, env, "Reach-v0", "out") == []


def test_parts_in_another_order_than_the_environments_are_refused_with_both_orders(reach, tmp_path, refused):
    path, expected = reach
    ours = "achieved_goal (1), desired_goal (2), observation (3)"
    theirs = "observation (3), achieved_goal (1), desired_goal (2)"
    said = [f"expected {ours}, as the environment joins them, found {theirs}", "--keys achieved_goal,desired_goal,obs"]
    mixed = ("observation", "achieved_goal", "desired_goal")
    wrong = load_demonstrations(path, keys=mixed)
    refused(said, check_compatible, wrong, make_env("Reach-v0"), "the demonstrations")
    save_demonstrations(tmp_path / "wrong", wrong)
    refused(said, check_compatible, load_demonstrations(tmp_path / "wrong"), make_env("Reach-v0"), "the demonstrations")
    right, _ = convert(path, "Reach-v0", keys=("achieved_goal", "desired_goal", "observation"))
    np.testing.assert_array_equal(right.trajectories[2].observations, expected[2])


def test_several_files_are_joined_from_the_same_parts_alone(reach, tmp_path, refused):
    path, _ = reach
    both, _ = convert([path, path], "Reach-v0")
    assert both.provenance["observations"] == "achieved_goal (1), desired_goal (2), observation (3)"
    other, _ = convert(path, "Reach-v0", keys=("desired_goal", "achieved_goal", "observation"))
    save_demonstrations(tmp_path / "out", other)
    said = ["parts of an observation", "achieved_goal (1)", "found desired_goal (2)", "data sets of their own"]
    refused(said, convert, [path, tmp_path / "out"], "Reach-v0")


def test_parts_are_joined_in_the_order_of_the_file_which_is_the_environments(reach, monkeypatch):
    path, expected = reach
    metadata = path / "data" / "metadata.json"
    raw = json.loads(metadata.read_text())
    space = json.loads(raw["observation_space"])
    order = ("observation", "achieved_goal", "desired_goal")
    space["subspaces"] = {name: space["subspaces"][name] for name in order}
    metadata.write_text(json.dumps({**raw, "observation_space": json.dumps(space)}))
    ordered = gym.spaces.Dict([(name, Reach().observation_space[name]) for name in order])
    made = Reach.__init__
    monkeypatch.setattr(Reach, "__init__", lambda self: (made(self), setattr(self, "observation_space", ordered))[0])
    demos, _ = convert(path, "Reach-v0")
    np.testing.assert_array_equal(demos.trajectories[0].observations, expected[0][:, [3, 4, 5, 0, 1, 2]])


def test_another_environment_is_refused_with_the_parts(reach):
    path, _ = reach
    parts = r"joined from achieved_goal \(1\), desired_goal \(2\), observation \(3\) \(`data convert --keys` chooses\)"
    with pytest.raises(UserError, match=rf"observations: expected shape \[3\] a step, found \[6\].*{parts}"):
        convert(path, "Pendulum-v1")
    with pytest.raises(UserError, match=parts):
        check_compatible(load_demonstrations(path), make_env("Pendulum-v1"), "the demonstrations")


def test_damaged_parts_are_refused_by_name(reach):
    path, _ = reach
    with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
        parts = file["episode_1/observations"]
        rows = parts["desired_goal"][:-1]
        del parts["desired_goal"]
        parts["desired_goal"] = rows
    with pytest.raises(UserError, match=r"episode_1/observations/desired_goal: expected length 13 .*found 12"):
        load_demonstrations(path)
    with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
        del file["episode_1/observations/desired_goal"]
    with pytest.raises(UserError, match="episode_1/observations/desired_goal: missing"):
        load_demonstrations(path)
