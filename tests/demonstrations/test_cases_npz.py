"""Recordings of one's own in .npz: choices in any shape that loses nothing, and what is missing or turned round."""

import numpy as np
import pytest

from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.typed import typed
from mgail_dyna.errors import UserError
from mgail_dyna.types import ActionSpec

EPISODES, ROOM = 3, 6
LENGTHS = np.array([6, 4, 5])
INSIDE = np.arange(ROOM) < LENGTHS[:, None]
CHOICES = np.where(INSIDE, np.array([0, 1, 1, 0, 1, 0]), 0)
OBSERVATIONS = np.where((np.arange(ROOM + 1) <= LENGTHS[:, None])[..., None], np.ones((EPISODES, ROOM + 1, 4)), np.nan)
GOOD = {"observations": OBSERVATIONS, "actions": CHOICES, "lengths": LENGTHS}


@pytest.fixture
def npz(tmp_path):
    """Writes the arrays above, some of them left out (None), replaced or added."""

    def write(**changes):
        arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
        np.savez(tmp_path / "own.npz", **arrays)
        return tmp_path / "own.npz"

    return write


TAKEN = {
    "numbers": (CHOICES, None),
    "few bits": (CHOICES.astype(np.uint8), None),
    "a column": (CHOICES[..., None], "a column taken as choices"),
    "one-hot rows": (np.eye(2)[CHOICES], "one-hot rows taken as choices"),
    "one-hot rows of bits": (np.eye(2, dtype=bool)[CHOICES], "one-hot rows taken as choices"),
    "floats": (CHOICES.astype(np.float32), "whole floats taken as choices"),
    "padded floats": (np.where(INSIDE, CHOICES, np.nan), "whole floats taken as choices"),
    "true and false": (CHOICES.astype(bool), "true and false taken as 1 and 0"),
    "a column of floats": (CHOICES[..., None] * 1.0, "a column taken as choices and whole floats taken as choices"),
}


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", TAKEN)
def test_choices_are_taken_in_any_shape_that_loses_nothing(case, npz):
    actions, said = TAKEN[case]
    demos, notes = convert(npz(actions=actions), "CartPole-v1")
    for episode, choices, length in zip(demos.trajectories, CHOICES, LENGTHS, strict=True):
        assert episode.actions.dtype == np.int64
        assert episode.actions.tolist() == choices[:length].tolist()
    told = [note for note in notes if note.startswith("actions")]
    assert told == ([] if said is None else [f"actions: {said} in 3 episodes"])


def test_rewards_and_flags_may_be_columns(npz):
    ends = np.arange(ROOM) == LENGTHS[:, None] - 1
    rewards = np.arange(EPISODES * ROOM, dtype=float).reshape(EPISODES, ROOM)
    flags = {"terminations": ends, "truncations": np.zeros_like(ends)}
    plain, _ = convert(npz(rewards=rewards, **flags), "CartPole-v1")
    columns = {name: array[..., None] for name, array in {"rewards": rewards, **flags}.items()}
    demos, _ = convert(npz(**columns), "CartPole-v1")
    assert demos.returns.tolist() == plain.returns.tolist()
    assert all(episode.terminated for episode in demos.trajectories)


def test_one_hot_rows_count_from_the_first_choice():
    spec = ActionSpec("discrete", 3, start=-1)
    arrays, _ = typed({"actions": np.eye(3)[[0, 2, 1]]}, spec)
    assert arrays["actions"].tolist() == [-1, 1, 0]


def test_one_number_a_step_is_an_action_of_one_coordinate():
    spec = ActionSpec("continuous", 1, np.array([-1], np.float32), np.array([1], np.float32))
    arrays, change = typed({"actions": np.array([0.5, 0.25, 0])}, spec)
    assert arrays["actions"].tolist() == [[0.5], [0.25], [0.0]] and change is not None


REFUSED = {
    "a half": ({"actions": CHOICES * 0.5}, ["actions: expected dtype int64, numbers of choices from 0 to 1", "0.5"]),
    "scores": ({"actions": np.eye(2)[CHOICES] * 0.9 + 0.05}, ["probabilities or scores", "argmax(axis=-1)"]),
    "text": ({"actions": CHOICES.astype(str)}, ["actions: expected dtype int64", "<U21"]),
    "three dimensions": ({"actions": np.zeros((3, 6, 2, 2))}, ["actions: expected dtype int64", "[6, 2, 2]"]),
    "a length beyond the arrays": (
        {"lengths": np.array([6, 4, 45])},
        ["observations: expected shape [3, at least 46, ...]", "lengths[2] is 45: is it right?"],
    ),
    "a length too few": ({"lengths": LENGTHS[:-1]}, ["lengths has 2 entries: one for each episode?"]),
    "no lengths": ({"lengths": None}, ["lengths: missing", "number of steps of each episode"]),
    "fractional lengths": ({"lengths": LENGTHS * 1.0}, ["lengths: expected shape [n] of integers", "astype(int)"]),
    "one episode": (
        {"observations": np.ones((7, 4)), "actions": CHOICES[0], "lengths": None},
        ["look like one episode", "observations[None]", "lengths np.array([6])"],
    ),
    "time first": (
        {"observations": OBSERVATIONS.swapaxes(0, 1), "actions": CHOICES.swapaxes(0, 1)},
        ["observations: expected shape [3, at least 7, ...], found [7, 3, 4]", "time seems to be first", "swapaxes"],
    ),
    "no last observation": (
        {"observations": OBSERVATIONS[:, :-1]},
        ["observations", "found [3, 6, 4]", "after the last action is missing", "subtract 1 from every length"],
    ),
    "NaN as rewards": ({"rewards": np.full((3, 6), np.nan)}, ["rewards: expected finite", "leave rewards out"]),
    "two rewards a step": ({"rewards": np.ones((3, 6, 2))}, ["rewards: expected shape [3, 6]", "found [3, 6, 2]"]),
    "rewards of every observation": ({"rewards": np.ones((3, 7))}, ["rewards: expected shape [3, 6]", "found [3, 7]"]),
}


@pytest.mark.parametrize("room", [ROOM, ROOM + 1])
def test_a_row_too_many_of_actions_is_not_read_and_says_so(room, npz):
    actions = np.concatenate([CHOICES, np.ones((EPISODES, 1), int)], axis=1)
    demos, notes = convert(npz(actions=actions, rewards=np.ones((EPISODES, room))), "CartPole-v1")
    assert [t.actions.tolist() for t in demos.trajectories] == [
        row[:n].tolist() for row, n in zip(CHOICES, LENGTHS, strict=True)
    ]
    assert [len(t.rewards) for t in demos.trajectories] == LENGTHS.tolist()
    assert any("actions has a row for every observation" in note for note in notes)


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_would_lose_something_is_refused_with_a_remedy(case, npz, refused):
    changes, said = REFUSED[case]
    path = npz(**changes)
    refused([path, *said], convert, path, "CartPole-v1")


def test_dones_are_not_read_and_that_is_told(npz):
    _, notes = convert(npz(dones=np.zeros((3, 6), bool)), "CartPole-v1")
    assert any(note.startswith("not read: dones") and "write terminations" in note for note in notes)


def test_the_remedy_for_a_missing_last_observation_works(npz):
    demos, _ = convert(npz(observations=OBSERVATIONS[:, :-1], lengths=LENGTHS - 1), "CartPole-v1")
    assert [len(episode) for episode in demos.trajectories] == [5, 3, 4]


def test_the_remedy_for_one_episode_works(npz):
    path = npz(observations=np.ones((1, 7, 4)), actions=CHOICES[0][None], lengths=np.array([6]))
    assert [len(episode) for episode in convert(path, "CartPole-v1")[0].trajectories] == [6]


def test_episodes_longer_than_their_lengths_are_noted(npz):
    rows = np.arange(4.0 * EPISODES * (ROOM + 1)).reshape(EPISODES, ROOM + 1, 4)
    _, notes = convert(npz(observations=rows), "CartPole-v1")
    assert any(note.startswith("1 of 3 episodes have observations beyond their lengths (number 1, ") for note in notes)
    padded = np.where((np.arange(ROOM + 1) <= LENGTHS[:, None])[..., None], rows, 0.0)
    assert not any("beyond their lengths" in note for note in convert(npz(observations=padded), "CartPole-v1")[1])


def test_observations_of_text_are_refused_in_one_line(npz, refused):
    text = np.array([[["a"] * 4, ["b"] * 4] * 4] * EPISODES)[:, : ROOM + 1]
    refused(["observations"], convert, npz(observations=text), "CartPole-v1")


def test_files_with_and_without_rewards_are_not_joined(npz, tmp_path):
    """Unknown rewards counted as 0 once, and a perfect clone had 200% of the expert."""
    np.savez(tmp_path / "rewarded.npz", **GOOD, rewards=np.ones((EPISODES, ROOM)))
    with pytest.raises(UserError, match=r"own.npz: expected rewards, as in .*rewarded.npz; convert them to data sets"):
        convert([tmp_path / "rewarded.npz", npz()], "CartPole-v1")
    convert([npz(), npz()], "CartPole-v1")


def test_a_forgotten_out_overwrites_no_input(npz, capsys):
    assert main(["data", "convert", str(npz()), str(npz()), "--env", "cartpole", "--overwrite"]) == 2
    assert "the last path is the directory to write to" in capsys.readouterr().err
