"""Datasets: what ships, what Minari makes of them, and what is refused."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest
from helpers import random_policy
from minari.data_collector import EpisodeBuffer

from mgail_dyna.demonstrations.compatibility import check_compatible, other_env_note, replay_check, replay_note
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.reader import SHIPPED, file_has_simulator_states, load_demonstrations, locate
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.reference import reference
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import RolloutCollector, play_episode
from mgail_dyna.environments.simulator import reset_to
from mgail_dyna.types import Trajectory

NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/trpo-v0"))
LEVELS = {
    "cartpole": lambda returns, lengths: (returns == 1000).all(),
    "hopper": lambda returns, lengths: returns.mean() >= 3500 and (lengths == 1000).all(),
    "halfcheetah": lambda returns, lengths: returns.mean() >= 6000,
    "walker2d": lambda returns, lengths: returns.mean() >= 5000 and (lengths == 1000).all(),
    "swimmer": lambda returns, lengths: returns.mean() >= 120 and (lengths == 1000).all(),
    "inverteddoublependulum": lambda returns, lengths: returns.mean() >= 9000 and (lengths == 1000).sum() == 49,
}
# A warning would be a second line on stderr. Files that NumPy flatten open are not shown to users.
QUIET = ("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
strict = pytest.mark.filterwarnings(*QUIET)


# What ships


@pytest.mark.parametrize("name", LEVELS)
def test_shipped_expert_is_there_and_as_good_as_promised(name):
    expert = load_demonstrations(name)
    lengths = np.array([len(trajectory) for trajectory in expert.trajectories])
    assert [trajectory.seed for trajectory in expert.trajectories] == list(range(50))
    assert LEVELS[name](expert.returns, lengths), (expert.returns.mean(), expert.returns.min(), lengths.min())


@pytest.mark.parametrize("name", NAMES)
def test_shipped_policy_gives_the_stored_actions(name):
    expert = load_demonstrations(name)
    for trajectory in expert.trajectories:
        np.testing.assert_allclose(expert.policy.act(trajectory.observations[:-1]), trajectory.actions, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_episodes_begin_where_their_seed_says(name):
    expert = load_demonstrations(name)
    env = make_env(expert.env_id, expert.length)
    for trajectory in expert.trajectories:
        first, _ = env.reset(seed=trajectory.seed)
        np.testing.assert_array_equal(np.asarray(first, np.float32), trajectory.observations[0])


@pytest.mark.parametrize("name", NAMES)
def test_shipped_episode_replayed_gives_its_rewards(name):
    expert = load_demonstrations(name)
    for trajectory in expert.trajectories[::25]:
        replay(expert, trajectory)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_dataset_survives_minari_bit_for_bit(name, monkeypatch, tmp_path, same):
    expert = load_demonstrations(name)
    rewritten = through_minari(f"{name}/trpo-v0", SHIPPED, monkeypatch, tmp_path)
    same(load_demonstrations(rewritten).trajectories, expert.trajectories)


# Replay


def replay(expert, trajectory):
    env = make_env(expert.env_id, expert.length)
    if trajectory.qpos is None:
        env.reset(seed=trajectory.seed)
    else:
        observed, _ = env.reset()
        first = reset_to(env, trajectory.qpos[0], trajectory.qvel[0], observed)
        np.testing.assert_array_equal(first, trajectory.observations[0])
    steps = [env.step(action) for action in trajectory.actions]
    np.testing.assert_allclose([step[1] for step in steps], trajectory.rewards, rtol=0, atol=1e-6)
    np.testing.assert_allclose(steps[-1][0], trajectory.observations[-1], rtol=1e-5, atol=1e-5)
    assert steps[-1][2] == trajectory.terminated
    assert not any(step[2] or step[3] for step in steps[:-1])


def test_stored_actions_replayed_from_the_stored_state_give_the_stored_rewards(dataset):
    expert = load_demonstrations(dataset)
    for trajectory in expert.trajectories:
        replay(expert, trajectory)


def test_every_stored_state_is_the_one_its_step_began_in(cheetah):
    env = make_env("HalfCheetah-v5")
    episode = cheetah.trajectories[1]
    for t, action in enumerate(episode.actions):
        observed, _ = env.reset()
        reset_to(env, episode.qpos[t], episode.qvel[t], observed)
        np.testing.assert_allclose(env.step(action)[1], episode.rewards[t], atol=1e-6)


def test_seed_gives_the_first_observation(cheetah):
    env = make_env("HalfCheetah-v5")
    for trajectory in cheetah.trajectories:
        first, _ = env.reset(seed=trajectory.seed)
        np.testing.assert_array_equal(np.asarray(first, np.float32), trajectory.observations[0])


def test_reset_to_refuses_states_of_another_size_and_environments_without_any(refused):
    said = ["expected qpos [9] and qvel [9]", "found [3] and [4]"]
    env, cartpole = make_env("HalfCheetah-v5"), make_env("CartPole-v1")
    refused(said, reset_to, env, np.zeros(3), np.zeros(4), env.reset()[0])
    refused(["not a MuJoCo task"], reset_to, cartpole, np.zeros(3), np.zeros(4), cartpole.reset()[0])
    wrapped = gym.wrappers.TransformObservation(env, lambda observation: 100 * observation, env.observation_space)
    said = ["a wrapper of the environment changes its observations", "--rollout.initial-states reset"]
    refused(said, reset_to, wrapped, np.zeros(9), np.zeros(9), wrapped.reset()[0])


def test_numbers_an_environment_should_not_give_are_told(refused):
    class Broken(gym.ObservationWrapper):
        def observation(self, observation):
            return observation * (np.nan if abs(observation[1]) > 0.3 else 1.0)

    env, policy = Broken(make_env("CartPole-v1")), random_policy("CartPole-v1")
    refused(["the episode of seed 3: observations: expected finite numbers, found NaN"], play_episode, env, policy, 3)
    collector = RolloutCollector([env], policy, seed=0, normalising=False)
    refused(["the environment: an observation: expected finite numbers, found NaN"], collector.collect, 100)
    env.reset = lambda **_: (np.full(4, np.nan, np.float32), {})
    refused(["the environment: an observation: expected"], RolloutCollector([env], policy, seed=0).collect, 1)


# Round trips


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
    refused(["every step", "every 5th in number 0", "--subsample"], save_demonstrations, tmp_path / "thin", thinned)
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


# Minari


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


# What is refused: files


@strict
def test_missing_file(tmp_path, refused):
    refused([tmp_path / "none", "no such file"], load_demonstrations, tmp_path / "none")


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


# What is refused: another environment, and arrays that do not go together


def test_demonstrations_of_another_environment(cheetah, cartpole, refused):
    check_compatible(cheetah, make_env("HalfCheetah-v5"), "mine")
    said = ["mine", "observations", "expected 11", "found 17"]
    refused(said, check_compatible, cheetah, make_env("Hopper-v5"), "mine")
    refused(["mine", "expected 17", "found 4"], check_compatible, cartpole, make_env("HalfCheetah-v5"), "mine")


def test_demonstrations_with_other_actions(cheetah, refused):
    def acting(space, shape):
        shorter = tuple(replace(episode, actions=np.zeros(shape, int)) for episode in cheetah.trajectories)
        return replace(cheetah, trajectories=shorter, action_space=space)

    discrete = acting(gym.spaces.Discrete(6), 6)
    said = ["mine", "actions", "expected continuous of size 6", "found discrete of size 6"]
    refused(said, check_compatible, discrete, make_env("Walker2d-v5"), "mine")
    wide = acting(gym.spaces.Box(-1.0, 1.0, (7,), np.float32), (6, 7))
    refused(["actions", "size 6", "size 7"], check_compatible, wide, make_env("HalfCheetah-v5"), "mine")
    strong = replace(cheetah, action_space=gym.spaces.Box(-2.0, 2.0, (6,), np.float32))
    refused(["mine: actions: low", "-1", "-2"], check_compatible, strong, make_env("HalfCheetah-v5"), "mine")


def test_whether_simulator_states_are_told_is_seen_without_reading(dataset, data_file, cartpole, put, tmp_path):
    assert file_has_simulator_states(dataset)
    put(data_file, "episode_1/infos/qvel", None)
    assert not file_has_simulator_states(dataset)
    save_demonstrations(str(tmp_path / "pole"), cartpole)
    assert not file_has_simulator_states(tmp_path / "pole")
    assert file_has_simulator_states(tmp_path / "nowhere"), "loading it tells what is wrong"


def test_another_task_of_the_same_sizes_is_told(cheetah):
    assert other_env_note(cheetah, "HalfCheetah-v5") is None
    assert "of HalfCheetah-v5, and the environment is HalfCheetah-v4" in other_env_note(cheetah, "HalfCheetah-v4")
    assert other_env_note(cheetah, "Walker2d-v5") == (
        "note: the demonstrations are of HalfCheetah-v5, and the environment is Walker2d-v5"
    )
    assert other_env_note(replace(cheetah, env_id=None), "Walker2d-v5") is None


@pytest.mark.parametrize(
    ("own", "found", "percent"),
    [(200.0, 200.0, 100.0), (200.0, 50.0, 25.0), (-150.0, -150.0, 100.0), (-150.0, -300.0, 0.0), (-150.0, 0.0, 200.0)],
)
def test_percent_of_the_expert_rises_with_the_return_whatever_its_sign(own, found, percent, cartpole):
    (first, *_) = cartpole.trajectories
    rewards = np.zeros(len(first))
    rewards[0] = own
    demos = replace(cartpole, trajectories=(replace(first, rewards=rewards),))
    assert reference(demos, demos.length).percent(found) == percent


def test_states_of_the_simulator_are_positions_and_velocities(cheetah):
    assert cheetah.has_simulator_states
    assert not replace(cheetah, trajectories=(replace(cheetah.trajectories[0], qvel=None),)).has_simulator_states


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("observations", np.zeros((6, 17), np.float32)),
        ("observations", np.zeros(7, np.float32)),
        ("observations", np.full((7, 17), np.nan, np.float32)),
        ("observations", np.full((7, 17), None)),
        ("actions", np.zeros((0, 6), np.float32)),
        ("actions", np.zeros((6, 2, 3), np.float32)),
        ("rewards", np.zeros(5)),
        ("rewards", np.zeros((6, 1))),
        ("rewards", np.full(6, np.inf)),
        ("qpos", np.zeros((5, 9))),
        ("qpos", np.zeros(7)),
        ("qvel", np.full((7, 9), -np.inf)),
    ],
)
def test_a_trajectory_names_the_array_that_does_not_fit(name, array, cheetah):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, found "):
        replace(cheetah.trajectories[0], **{name: array})


def test_simulator_states_may_stop_before_the_last(cheetah):
    episode = cheetah.trajectories[0]
    shorter = replace(episode, qpos=episode.qpos[:-1], qvel=episode.qvel[:-1])
    assert isinstance(shorter, Trajectory) and len(shorter.qpos) == len(shorter) == 6


# What cannot be written


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_path_below_a_file_cannot_be_written(below, cheetah, tmp_path, refused):
    file = tmp_path / "file"
    file.write_text("here before")
    refused([Path(file, below), "cannot be written"], save_demonstrations, file / below, cheetah)
    assert file.read_text() == "here before"
    assert list(tmp_path.iterdir()) == [file]


# Played again, each step from its own simulator state


def test_demonstrations_play_again_where_they_were_recorded(cheetah):
    again = replay_check(cheetah, make_env("HalfCheetah-v5"))
    assert (again.steps, again.elsewhere) == (18, 0)
    assert again.error < 1e-6
    assert replay_note(again, "HalfCheetah-v5") is None


@pytest.mark.parametrize("env_id", ["Ant-v5", "Pusher-v5"])
def test_forces_that_a_state_does_not_restore_are_no_other_environment(env_id):
    expert = record(env_id, 10, random_policy(env_id), 2)
    assert replay_check(expert, make_env(env_id)).elsewhere == 0


def test_steps_played_again_are_spread_over_episodes_and_times(cheetah):
    seen = []

    class Watched(gym.Wrapper):
        def step(self, action):
            seen.append(np.array(self.unwrapped.data.qpos))
            return self.env.step(action)

    assert replay_check(cheetah, Watched(make_env("HalfCheetah-v5")), steps=4).steps == 4
    states = np.stack([trajectory.qpos[:-1] for trajectory in cheetah.trajectories])
    places = [tuple(np.argwhere((states == qpos).all(axis=-1))[0]) for qpos in seen]
    assert places == [(0, 0), (0, 5), (1, 5), (2, 5)]


def test_another_mass_is_told_by_where_steps_end(cheetah):
    env = make_env("HalfCheetah-v5")
    env.unwrapped.model.body_mass[:] *= 1.2
    again = replay_check(cheetah, env)
    assert again.elsewhere == 18
    assert 0.01 < again.error < 10
    note = replay_note(again, "HalfCheetah-v5")
    assert note.startswith(
        "note: 18 of 18 steps replayed in HalfCheetah-v5 do not end as recorded"
    )
    assert "\n" not in note


def test_other_observations_are_told_too(cheetah):
    second = cheetah.trajectories[1]
    other = replace(second, observations=second.observations[:, ::-1])
    expert = replace(cheetah, trajectories=(cheetah.trajectories[0], other, cheetah.trajectories[2]))
    assert replay_check(expert, make_env("HalfCheetah-v5")).elsewhere == 6


def test_a_step_that_ends_in_no_number_ends_elsewhere(cheetah):
    class Broken(gym.Wrapper):
        def step(self, action):
            observation, *rest = self.env.step(action)
            return observation * np.nan, *rest

    assert replay_check(cheetah, Broken(make_env("HalfCheetah-v5"))).elsewhere == 18


def test_what_cannot_be_put_into_a_state_says_so(cheetah, refused):
    misfits = tuple(replace(t, qpos=t.qpos[:, 1:]) for t in cheetah.trajectories)
    said = ["simulator state", "expected qpos [9]", "found [8]"]
    refused(said, replay_check, replace(cheetah, trajectories=misfits), make_env("HalfCheetah-v5"))
