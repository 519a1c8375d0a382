"""Demonstrations from Minari, D4RL and .npz, against arrays made by hand."""

import pathlib
import pickle
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations

CHEETAH = "HalfCheetah-v5"
# A warning would be a second line on stderr. Files that NumPy flatten open are not shown to users.
QUIET = ("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
strict = pytest.mark.filterwarnings(*QUIET)


def ramp(*shape, scale=1.0):
    return scale * np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


# Minari


def test_a_minari_directory_comes_over_whole(dataset, cheetah, same):
    expert, notes = convert(dataset, CHEETAH)
    same(expert.trajectories, cheetah.trajectories)
    assert (expert.env_id, expert.length, expert.policy) == (CHEETAH, 6, None)
    assert len(notes) == 1 and "policy" in notes[0] and "not copied" in notes[0]
    assert expert.provenance["algorithm"] == cheetah.provenance["algorithm"]


def test_a_minari_datasets_time_limit_comes_over(cartpole, tmp_path):
    save_demonstrations(tmp_path / "short", replace(cartpole, length=300))
    assert convert(tmp_path / "short", "CartPole-v1")[0].length == 300


def test_minari_data_under_another_file_name(dataset, data_file, cheetah, same):
    renamed = data_file.rename(data_file.with_name("mine.hdf5"))
    same(convert(renamed, CHEETAH)[0].trajectories, cheetah.trajectories)


@pytest.mark.parametrize("kind", ["cheetah", "cartpole"])
def test_what_was_converted_can_be_saved_and_loaded(kind, request, tmp_path, same):
    original = request.getfixturevalue(kind)
    save_demonstrations(tmp_path / "in", original)
    expert, _ = convert(tmp_path / "in", original.env_id)
    save_demonstrations(tmp_path / "out", expert)
    loaded = load_demonstrations(tmp_path / "out")
    same(loaded.trajectories, original.trajectories)
    assert loaded.provenance == expert.provenance


# D4RL: two episodes in seven rows, three steps ended by the task and four by the clock

ROWS = 7


def led_to(*ends, observations=None):
    """What each row's step led to: the next row, but where an episode ends."""
    observations = ramp(ROWS, 17) if observations is None else observations
    ending = np.isin(np.arange(len(observations)), [*ends, len(observations) - 1])
    return np.where(ending[:, None], observations + 0.5, np.roll(observations, -1, axis=0))


D4RL = {
    "observations": ramp(ROWS, 17),
    "next_observations": led_to(2),
    "actions": ramp(ROWS, 6, scale=0.01),
    "rewards": ramp(ROWS) ** 2,
    "terminals": np.arange(ROWS) == 2,
    "timeouts": np.arange(ROWS) == 6,
    "infos/qpos": -ramp(ROWS, 9),
    "infos/qvel": ramp(ROWS, 9) + 1000,
}


@pytest.fixture
def d4rl(tmp_path):
    """Writes the rows above, some of them left out (None) or replaced; slashes in names are two underscores."""

    def write(name="rows.hdf5", **changes):
        changes = {key.replace("__", "/"): value for key, value in changes.items()}
        with h5py.File(tmp_path / name, "w") as file:
            for key, value in {**D4RL, **changes}.items():
                if value is not None:
                    file[key] = value
        return tmp_path / name

    return write


def flags(expert):
    return [(len(episode), episode.terminated, episode.truncated) for episode in expert.trajectories]


def test_d4rl_with_next_observations_keeps_every_step(d4rl):
    expert, notes = convert(d4rl(), CHEETAH)
    assert flags(expert) == [(3, True, False), (4, False, True)]
    first, second = expert.trajectories
    expected = np.vstack([ramp(ROWS, 17)[3:], ramp(ROWS, 17)[-1:] + 0.5])
    np.testing.assert_array_equal(second.observations, expected.astype(np.float32))
    np.testing.assert_array_equal(first.observations[-1], ramp(ROWS, 17)[2] + 0.5)
    np.testing.assert_array_equal(second.actions, ramp(ROWS, 6, scale=0.01)[3:].astype(np.float32))
    np.testing.assert_array_equal(first.rewards, [0.0, 1.0, 4.0])
    np.testing.assert_array_equal(second.rewards, [9.0, 16.0, 25.0, 36.0])
    np.testing.assert_array_equal(first.qpos, -ramp(ROWS, 9)[:3])
    np.testing.assert_array_equal(second.qvel, ramp(ROWS, 9)[3:] + 1000)
    assert (first.observations.dtype, first.actions.dtype, first.rewards.dtype) == (np.float32, np.float32, np.float64)
    assert notes == ()


def test_d4rl_without_next_observations_drops_each_last_step(d4rl):
    expert, notes = convert(d4rl(next_observations=None), CHEETAH)
    assert flags(expert) == [(2, False, True), (3, False, True)]
    first, second = expert.trajectories
    np.testing.assert_array_equal(first.observations, ramp(ROWS, 17)[:3])
    np.testing.assert_array_equal(second.observations, ramp(ROWS, 17)[3:])
    np.testing.assert_array_equal(second.actions, ramp(ROWS, 6, scale=0.01)[3:6].astype(np.float32))
    np.testing.assert_array_equal(first.rewards, [0.0, 1.0])
    np.testing.assert_array_equal(second.qpos, -ramp(ROWS, 9)[3:])
    assert len(notes) == 1 and "no next_observations" in notes[0]


def test_d4rl_without_timeouts_ends_with_the_file(d4rl):
    expert, notes = convert(d4rl(timeouts=None), CHEETAH)
    assert flags(expert) == [(3, True, False), (4, False, True)]
    assert len(notes) == 1 and "cut off" in notes[0]


def test_d4rl_terminal_in_the_last_row_is_not_cut_off(d4rl):
    expert, notes = convert(d4rl(timeouts=None, terminals=np.isin(np.arange(ROWS), [2, 6])), CHEETAH)
    assert flags(expert) == [(3, True, False), (4, True, False)]
    assert notes == ()


def test_d4rl_terminal_and_timeout_at_once_is_terminal(d4rl):
    both = np.isin(np.arange(ROWS), [2, 6])
    assert flags(convert(d4rl(timeouts=both), CHEETAH)[0]) == [(3, True, False), (4, False, True)]


def test_d4rl_without_any_end_is_one_truncated_episode(d4rl):
    expert, notes = convert(d4rl(terminals=np.zeros(ROWS), timeouts=None, next_observations=led_to()), CHEETAH)
    assert flags(expert) == [(7, False, True)]
    assert len(notes) == 1 and "cut off" in notes[0]


@pytest.mark.parametrize("whole", [True, False])
def test_d4rl_without_timeouts_ends_at_the_environments_limit(whole, d4rl):
    rows = 2_500
    path = d4rl(
        observations=ramp(rows, 17),
        next_observations=led_to(999, 1_999, observations=ramp(rows, 17)) if whole else None,
        actions=np.zeros((rows, 6)),
        rewards=np.ones(rows),
        terminals=np.zeros(rows, bool),
        timeouts=None,
        infos__qpos=None,
        infos__qvel=None,
    )
    expert, notes = convert(path, CHEETAH)
    assert [len(episode) for episode in expert.trajectories] == ([1_000, 1_000, 500] if whole else [999, 999, 499])
    assert expert.length == 1_000
    told = (
        "2 episodes without a flag at the end"
        if whole
        else "no timeouts: 2 episodes cut after the environment's 1,000 steps"
    )
    assert notes[0].startswith(told)


def test_d4rl_takes_no_step_from_one_episode_into_the_next(d4rl):
    expert, notes = convert(d4rl(next_observations=led_to(2, 4)), CHEETAH)
    assert flags(expert) == [(3, True, False), (2, False, True), (2, False, True)]
    assert len(notes) == 1 and notes[0].startswith("1 episode without a flag at the end")


def test_d4rl_in_another_order_than_that_of_time(d4rl, refused):
    path = d4rl(next_observations=led_to()[::-1].copy())
    refused([path, "next_observations", "4 of 7 rows", "in the order of time"], convert, path, CHEETAH)


def test_d4rl_leaves_out_episodes_of_one_step_and_says_so(d4rl):
    expert, notes = convert(d4rl(terminals=np.isin(np.arange(ROWS), [0, 3]), next_observations=led_to(0, 3)), CHEETAH)
    assert flags(expert) == [(3, True, False), (3, False, True)]
    np.testing.assert_array_equal(expert.trajectories[0].rewards, [1.0, 4.0, 9.0])
    assert len(notes) == 1 and notes[0].startswith("1 episode shorter than 2 steps")


def test_d4rl_without_simulator_states(d4rl):
    expert, _ = convert(d4rl(infos__qpos=None, infos__qvel=None), CHEETAH)
    assert all(episode.qpos is episode.qvel is None for episode in expert.trajectories)


def test_d4rl_of_a_discrete_task(d4rl):
    path = d4rl(
        observations=ramp(ROWS, 4),
        next_observations=led_to(2, observations=ramp(ROWS, 4)),
        actions=np.array([0, 1, 1, 0, 1, 0, 0]),
        infos__qpos=None,
        infos__qvel=None,
    )
    expert, _ = convert(path, "CartPole-v1")
    assert expert.trajectories[0].actions.dtype == np.int64
    assert [episode.actions.tolist() for episode in expert.trajectories] == [[0, 1, 1], [0, 1, 0, 0]]


def test_rewards_are_not_needed(d4rl):
    expert, notes = convert(d4rl(rewards=None), CHEETAH)
    assert not expert.has_rewards
    assert len(notes) == 1 and notes[0].startswith("no rewards: imitation needs none")


def test_rewards_of_0_count_as_none_and_that_is_said(d4rl, npz, dataset, data_file, put):
    for episode in range(3):
        put(data_file, f"episode_{episode}/rewards", np.zeros(6))
    # What lies beyond an episode's end is not 0, and no reward either.
    for path in (d4rl(rewards=np.zeros(ROWS)), npz(rewards=padded(np.zeros((2, ROOM)))), dataset):
        expert, notes = convert(path, CHEETAH)
        assert not expert.has_rewards
        assert len(notes) == 1 + (path == dataset) and notes[0].startswith(
            "every reward is 0, which counts as none: imitation needs none"
        )
        assert expert.provenance["notes"] == list(notes)


BAD_ROWS = {
    "no observations": ({"observations": None}, ["observations: missing"]),
    "no actions": ({"actions": None}, ["actions: missing"]),
    "no terminals": ({"terminals": None}, ["terminals: missing", "D4RL"]),
    "other length": ({"rewards": np.zeros(5)}, ["rewards", "expected length 7", "found 5"]),
    "other observations": ({"observations": np.zeros((ROWS, 3)), "next_observations": None}, ["[17]", "found [3]"]),
    "other next observations": ({"next_observations": np.zeros((ROWS, 3))}, ["next_observations", "3]"]),
    "other actions": ({"actions": np.zeros((ROWS, 5))}, ["actions", "expected shape [6]", "found [5]"]),
    "rewards in two columns": ({"rewards": np.zeros((ROWS, 2))}, ["rewards", "expected", "2]"]),
    "no qvel": ({"infos__qvel": None}, ["episode 0", "qvel: expected it beside qpos", "both or neither"]),
    "qpos as a line": ({"infos__qpos": np.zeros(ROWS)}, ["qpos", "expected", "found"]),
    "terminals as text": ({"terminals": np.full(ROWS, b"x")}, ["terminals", "expected dtype bool", "|S1"]),
    "observations as text": (
        {"observations": np.full((ROWS, 17), b"x"), "next_observations": None},
        ["observations", "float32", "|S1"],
    ),
    "next observations as text": ({"next_observations": np.full((ROWS, 17), b"x")}, ["next_observations", "|S1"]),
    "no dimension": ({"actions": 1.0}, ["actions", "expected", "found"]),
    "a group": ({"actions": None, "actions__x": np.zeros(3)}, ["actions"]),
    "NaN": ({"observations": np.full((ROWS, 17), np.nan)}, ["episode 0", "observations", "finite", "step 0"]),
    "infinity": ({"rewards": np.r_[0, 0, 0, 0, np.inf, 0, 0]}, ["episode 1", "rewards", "finite", "step 1"]),
    "beyond float32": ({"observations": np.full((ROWS, 17), 1e300)}, ["episode 0", "observations", "finite"]),
    "out of bounds": ({"actions": np.full((ROWS, 6), 1.5)}, ["actions", "found 7 steps outside", "--clip-actions"]),
    "timeouts in two columns": ({"timeouts": np.zeros((ROWS, 2))}, ["timeouts", "expected shape [7]", "found [7, 2]"]),
    "no rows": ({key.replace("/", "__"): value[:0] for key, value in D4RL.items()}, ["expected at least 1", "found 0"]),
    "single rows": ({"terminals": np.ones(ROWS, bool)}, ["expected at least 1 episode", "found 0"]),
}


@strict
@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_d4rl(case, d4rl, refused):
    changes, said = BAD_ROWS[case]
    path = d4rl(**changes)
    refused([path, *said], convert, path, CHEETAH)


def test_actions_out_of_bounds_are_clipped_when_asked(d4rl):
    actions = ramp(ROWS, 6, scale=0.01)
    actions[2, 3], actions[5] = -7.0, 1.01
    expert, notes = convert(d4rl(actions=actions), CHEETAH, clip_actions=True)
    first, second = expert.trajectories
    assert first.actions[2].tolist() == np.clip(actions[2], -1, 1).astype(np.float32).tolist()
    assert second.actions[2].tolist() == [1.0] * 6
    first = "first [ 0.12  0.13  0.14 -7.    0.16  0.17] in episode 0, step 2"
    asked = "are they in another unit?"  # more than a tenth of the steps
    assert notes == (f"actions clipped to the action space: 2 steps outside, of {ROWS}, {first}; {asked}",)


@strict
def test_discrete_actions_out_of_bounds(d4rl, refused):
    changes = {"observations": ramp(ROWS, 4), "next_observations": None, "infos__qpos": None, "infos__qvel": None}
    path = d4rl(actions=np.array([0, 2, 1, 0, 1, 0, 0]), **changes)
    refused([path, "actions", "Discrete(2)"], convert, path, "CartPole-v1")


# .npz: two episodes of three and two steps in room for five; what lies beyond an episode's end is nobody's business

ROOM = 5
LENGTHS = np.array([3, 2])


def padded(array, beyond=0):
    array = array.copy()
    for episode, length in enumerate(LENGTHS):
        array[episode, length + beyond :] = np.nan
    return array


NPZ = {
    "observations": padded(ramp(2, ROOM + 1, 17), beyond=1),
    "actions": padded(ramp(2, ROOM, 6, scale=0.01)),
    "rewards": padded(ramp(2, ROOM)),
    "lengths": LENGTHS,
    "terminations": np.array([[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool),
    "truncations": np.array([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], bool),
    "qpos": padded(ramp(2, ROOM + 1, 9), beyond=1),
    "qvel": padded(-ramp(2, ROOM + 1, 9), beyond=1),
}


@pytest.fixture
def npz(tmp_path):
    """Writes the arrays above, some of them left out (None) or replaced."""

    def write(save=np.savez, **changes):
        save(tmp_path / "in.npz", **{key: value for key, value in {**NPZ, **changes}.items() if value is not None})
        return tmp_path / "in.npz"

    return write


def test_npz_gives_each_episode_up_to_its_length(npz):
    expert, notes = convert(npz(), CHEETAH)
    assert flags(expert) == [(3, True, False), (2, False, True)]
    second = expert.trajectories[1]
    np.testing.assert_array_equal(second.observations, ramp(2, ROOM + 1, 17)[1, :3])
    np.testing.assert_array_equal(second.actions, ramp(2, ROOM, 6, scale=0.01)[1, :2].astype(np.float32))
    np.testing.assert_array_equal(second.rewards, [5.0, 6.0])
    np.testing.assert_array_equal(second.qpos, ramp(2, ROOM + 1, 9)[1, :3])
    np.testing.assert_array_equal(second.qvel, -ramp(2, ROOM + 1, 9)[1, :3])
    assert notes == ()


@pytest.mark.parametrize("room", [3, ROOM])
def test_npz_with_a_simulator_state_a_step_takes_none_of_the_padding(room, npz):
    given = np.arange(room)[:, None] < LENGTHS[:, None, None]
    shorter = {name: np.where(given, NPZ[name][:, :room], np.nan) for name in ("qpos", "qvel")}
    first, second = convert(npz(**shorter), CHEETAH)[0].trajectories
    assert (len(first.qpos), len(second.qpos)) == (3, 2)


def test_npz_without_flags_counts_as_truncated(npz):
    expert, notes = convert(npz(terminations=None, truncations=None, qpos=None, qvel=None), CHEETAH)
    assert flags(expert) == [(3, False, True), (2, False, True)]
    assert expert.trajectories[0].qpos is None
    assert len(notes) == 1 and "truncated" in notes[0]


def test_npz_with_terminations_alone_counts_the_rest_as_truncated(npz):
    assert flags(convert(npz(truncations=None), CHEETAH)[0]) == [(3, True, False), (2, False, True)]


def test_npz_flags_beyond_the_end_do_not_count(npz):
    terminations = np.array([[0, 0, 0, 1, 1], [0, 0, 1, 0, 1]], bool)
    expert, _ = convert(npz(terminations=terminations, truncations=None), CHEETAH)
    assert flags(expert) == [(3, False, True), (2, False, True)]


def test_npz_may_hold_arrays_that_nobody_reads_and_they_are_named(npz):
    expert, notes = convert(npz(next_observations=np.zeros(3), seeds=np.zeros(2)), CHEETAH)
    assert expert.has_rewards
    assert len(notes) == 1 and notes[0].startswith("not read: next_observations, seeds; ")


def test_npz_of_a_discrete_task_may_be_compressed(npz):
    path = npz(
        np.savez_compressed,
        observations=ramp(2, ROOM + 1, 4),
        actions=np.array([[1, 0, 1, 9, 9], [0, 0, 9, 9, 9]], np.uint8),
        qpos=None,
        qvel=None,
    )
    expert, _ = convert(path, "CartPole-v1")
    assert [episode.actions.tolist() for episode in expert.trajectories] == [[1, 0, 1], [0, 0]]
    assert expert.trajectories[0].actions.dtype == np.int64


OBSERVATIONS, ACTIONS, REWARDS = np.zeros((2, 6, 17)), np.zeros((2, 5, 6)), np.zeros((2, 5))
BAD_ARRAYS = {
    "no observations": ({"observations": None}, ["observations: missing"]),
    "no lengths": ({"lengths": None}, ["lengths: missing", ".npz needs"]),
    "fractional lengths": ({"lengths": LENGTHS * 1.0}, ["lengths", "integers", "float64"]),
    "lengths of no dimension": ({"lengths": np.array(3)}, ["lengths", "[n]", "found []"]),
    "more lengths than episodes": ({"lengths": np.array([3, 2, 2])}, ["observations", "[3, ", "found [2, 6, 17]"]),
    "longer than the arrays": ({"lengths": np.array([3, 6])}, ["observations", "at least 7", "found [2, 6, 17]"]),
    "negative length": ({"lengths": np.array([3, -1])}, ["lengths", "found -1"]),
    "an end before the last step": (
        {"terminations": np.array([[0, 0, 0, 0, 0], [1, 1, 0, 0, 0]], bool)},
        ["terminations", "expected true at the last step only, 1 of episode 1", "found true at 0"],
    ),
    "no episodes": ({"lengths": LENGTHS[:0], **{k: v[:0] for k, v in NPZ.items() if k != "lengths"}}, ["at least 1"]),
    "zero-length episode": ({"lengths": np.array([3, 0])}, ["episode 1", "at least", "found 0"]),
    "one-step episode": ({"lengths": np.array([3, 1])}, ["episode 1", "at least 2 steps", "found 1"]),
    "one observation too few": ({"observations": OBSERVATIONS[:, :3]}, ["observations", "at least 4", "[2, 3, 17]"]),
    "other observations": ({"observations": OBSERVATIONS[..., :11]}, ["observations", "[17]", "found [11]"]),
    "flat observations": ({"observations": OBSERVATIONS[..., 0]}, ["observations", "found"]),
    "other actions": ({"actions": ACTIONS[..., :3]}, ["actions", "expected shape [6]", "found [3]"]),
    "flat actions": ({"actions": ACTIONS[..., 0]}, ["actions", "found []"]),
    "two rewards a step": ({"rewards": np.stack([REWARDS] * 2, -1)}, ["rewards", "expected", "2]"]),
    "rewards of more steps": ({"rewards": np.zeros((2, 8))}, ["rewards: expected shape [2, 5]", "found [2, 8]"]),
    "rewards of fewer steps": ({"rewards": REWARDS[:, :4]}, ["rewards: expected shape [2, 5]", "found [2, 4]"]),
    "truncations of more steps": ({"truncations": np.zeros((2, 6), bool)}, ["truncations", "[2, 5]", "found [2, 6]"]),
    "reward": ({"rewards": None, "reward": REWARDS}, ["unknown array 'reward'; did you mean rewards?", "leave it out"]),
    "lenghts": ({"lengths": None, "lenghts": LENGTHS}, ["unknown array 'lenghts'; did you mean lengths?"]),
    "terminals": ({"terminations": None, "terminals": REWARDS}, ["'terminals'", "did you mean terminations"]),
    "no qvel": ({"qvel": None}, ["episode 0", "qvel: expected it beside qpos", "both or neither"]),
    "no qpos": ({"qpos": None}, ["episode 0", "qpos: expected it beside qvel"]),
    "flat rewards": ({"rewards": REWARDS[0]}, ["rewards", "found [5]"]),
    "flat terminations": ({"terminations": np.array([True, False])}, ["terminations", "found [2]"]),
    "terminations as text": ({"terminations": np.full((2, 5), "x")}, ["terminations", "expected dtype bool", "<U1"]),
    "observations as text": ({"observations": np.full((2, 6, 17), "x")}, ["observations", "float32", "<U1"]),
    "complex rewards": ({"rewards": REWARDS * 1j}, ["rewards", "float64", "complex128"]),
    "qpos one too few": ({"qpos": np.zeros((2, 2, 9))}, ["qpos", "at least 3", "found [2, 2, 9]"]),
    "qpos as text": ({"qpos": np.full((2, 6, 9), "x")}, ["qpos", "float64", "<U1"]),
    "NaN inside": ({"observations": OBSERVATIONS * np.nan}, ["episode 0", "observations", "finite", "step 0"]),
    "infinite qvel": ({"qvel": np.full((2, 6, 9), np.inf)}, ["episode 0", "qvel", "finite"]),
    "beyond float32": ({"actions": np.full((2, 5, 6), 1e300)}, ["actions"]),
    "out of bounds": ({"actions": ACTIONS - 1.01}, ["actions", "found 5 steps outside"]),
    "a line of actions": ({"actions": np.zeros(10)}, ["actions: expected shape [2, at least 3, ...], found [10]"]),
    "terminations of two columns": ({"terminations": np.zeros((2, 5, 2))}, ["terminations: expected shape [2, 5]"]),
    "an empty episode": ({"lengths": np.array([3, 0], np.uint8)}, ["episode 1", "expected at least 1 step, found 0"]),
}


@strict
@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_npz(case, npz, refused):
    changes, said = BAD_ARRAYS[case]
    path = npz(**changes)
    refused([path, *said], convert, path, CHEETAH)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["observations", "extra"])
def test_pickled_objects_in_npz_are_refused_and_never_unpickled(key, npz, tmp_path, refused):
    mark = tmp_path / "exploded"
    path = npz(**{key: np.array([Bomb(mark)], object)})
    refused([path, "Python objects (a pickle)"], convert, path, CHEETAH)
    assert not mark.exists()
    np.load(path, allow_pickle=True)[key]
    assert mark.exists()  # the bomb was live


def test_a_pickle_named_npz_is_refused_and_never_unpickled(tmp_path, refused):
    path, mark = tmp_path / "in.npz", tmp_path / "exploded"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    refused([path, "cannot be read"], convert, path, CHEETAH)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()


# Files that are not what they seem


@strict
@pytest.mark.parametrize("content", [b"", b"text, not arrays\n", b"PK\x03\x04 and nothing more"])
def test_no_npz(content, tmp_path, refused):
    path = tmp_path / "in.npz"
    path.write_bytes(content)
    message = refused([path, "cannot be read"], convert, path, CHEETAH)
    assert "pickle" not in message


@strict
def test_a_single_array_named_npz(tmp_path, refused):
    with (tmp_path / "in.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    refused([tmp_path / "in.npz", "cannot be read"], convert, tmp_path / "in.npz", CHEETAH)


@strict
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("start", range(0, 6000, 377))
def test_overwritten_bytes_never_end_in_a_traceback(start, save, npz, complaint_of):
    path = npz(save)
    content = bytearray(path.read_bytes())
    start %= len(content)
    content[start : start + 48] = b"\xaa" * len(content[start : start + 48])
    path.write_bytes(content)
    message = complaint_of(convert, path, CHEETAH)
    assert message is None or (message.startswith(f"{path}: ") and "\n" not in message)


@strict
def test_half_an_npz(npz, refused):
    path = npz()
    path.write_bytes(path.read_bytes()[:3000])
    refused([path, "cannot be read", "damaged"], convert, path, CHEETAH)


@strict
@pytest.mark.parametrize("content", [b"", b"text\n", None])
def test_no_hdf5(content, d4rl, refused):
    path = d4rl()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    refused([path, "expected an HDF5 file"], convert, path, CHEETAH)


@strict
def test_another_suffix_a_missing_file_and_an_empty_directory(tmp_path, refused):
    (tmp_path / "data.txt").write_text("1,2\n")
    refused(
        [tmp_path / "data.txt", "expected a data set, or for data convert a D4RL or robomimic", ".npz", "found '.txt'"],
        convert,
        tmp_path / "data.txt",
        CHEETAH,
    )
    refused([tmp_path / "no.npz", "no such file"], convert, tmp_path / "no.npz", CHEETAH)
    (tmp_path / "drone.npz").touch()
    said = refused([tmp_path / "dron.npz", "no such file"], convert, tmp_path / "dron.npz", CHEETAH)
    assert said.endswith(f"; did you mean {tmp_path / 'drone.npz'}?")
    refused([tmp_path, "main_data.hdf5"], convert, tmp_path, CHEETAH)


def test_spaces_that_do_not_fit_the_environment(dataset, saved_cheetah, refused):
    refused([dataset, "observations", "[11]", "found [17]"], convert, dataset, "Hopper-v5")
    refused([saved_cheetah, "actions", "int64", "float32"], convert, saved_cheetah, "CartPole-v1")


def test_an_unknown_environment_is_told_before_anything_is_read(tmp_path, refused):
    refused(["environment 'HalfCheeta-v5'", "HalfCheetah-v5"], convert, tmp_path / "none", "HalfCheeta-v5")


def test_the_source_is_left_as_it_was(dataset, data_file, cheetah, tmp_path):
    before = data_file.read_bytes()
    save_demonstrations(tmp_path / "out", convert(dataset, CHEETAH)[0])
    assert data_file.read_bytes() == before
    shutil.rmtree(dataset)
    assert len(load_demonstrations(tmp_path / "out").trajectories) == len(cheetah.trajectories)


def test_episodes_longer_than_the_time_limit_raise_it(cartpole, tmp_path):
    long = replace(
        cartpole.trajectories[0],
        observations=np.zeros((601, 4), np.float32),
        actions=np.zeros(600, np.int64),
        rewards=np.ones(600),
    )
    save_demonstrations(tmp_path / "in", replace(cartpole, trajectories=(long,), policy=None))
    assert convert(tmp_path / "in", "CartPole-v1")[0].length == 600
