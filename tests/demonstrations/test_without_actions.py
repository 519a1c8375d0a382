"""Recordings without actions: kept as such from file to file, and never mixed with others."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.dataset import fingerprint, subset
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.errors import UserError


def without(demos):
    return subset(demos, None, 1, observations_only=True)


@pytest.mark.parametrize("kind", ["cheetah", "cartpole"])
def test_they_are_saved_loaded_and_converted_as_they_are(kind, request, tmp_path, same):
    demos = request.getfixturevalue(kind)
    bare = without(demos)
    assert demos.has_actions and not bare.has_actions and bare.has_transitions and not bare.show_dynamics
    assert fingerprint(bare) != fingerprint(demos)
    assert [len(t) for t in bare.trajectories] == [len(t) for t in demos.trajectories]
    save_demonstrations(tmp_path / "bare", bare)
    same(load_demonstrations(tmp_path / "bare").trajectories, bare.trajectories)
    copy, notes = convert(tmp_path / "bare", demos.env_id)
    same(copy.trajectories, bare.trajectories)
    assert any("no actions: such demonstrations are imitated with --observations-only" in note for note in notes)


def test_an_npz_needs_no_actions(tmp_path):
    observations = np.arange(2 * 6 * 4, dtype=np.float32).reshape(2, 6, 4)
    ends = np.zeros((2, 5), bool)
    ends[1, 2] = True
    np.savez(tmp_path / "own.npz", observations=observations, lengths=np.array([5, 3]), terminations=ends)
    demos, _ = convert(tmp_path / "own.npz", "CartPole-v1")
    assert [t.actions for t in demos.trajectories] == [None, None]
    assert [(len(t), t.terminated, t.truncated) for t in demos.trajectories] == [(5, False, True), (3, True, False)]
    np.testing.assert_array_equal(demos.trajectories[1].observations, observations[1, :4])
    np.savez(tmp_path / "own.npz", observations=observations, lengths=np.array([5, 3]), rewards=np.zeros((2, 6)))
    with pytest.raises(UserError, match=r"rewards: expected shape \[2, 5\], one row less than observations"):
        convert(tmp_path / "own.npz", "CartPole-v1")


def test_a_misspelt_name_is_not_taken_for_none(tmp_path):
    arrays = {"observations": np.zeros((1, 6, 4)), "acts": np.zeros((1, 5), int), "lengths": np.array([5])}
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(UserError, match="acts"):
        convert(tmp_path / "own.npz", "CartPole-v1")


def test_actions_in_some_episodes_only_are_a_mistake(data_file):
    with h5py.File(data_file, "a") as file:
        del file["episode_1/actions"]
    with pytest.raises(UserError, match="episode_1/actions: missing"):
        load_demonstrations(data_file)


def test_they_are_not_joined_with_others(cartpole, tmp_path):
    for name, demos in (("whole", cartpole), ("bare", without(cartpole))):
        save_demonstrations(tmp_path / name, demos)
    with pytest.raises(UserError, match=r"bare: expected actions, as in .*whole; convert them to data sets"):
        convert([tmp_path / "whole", tmp_path / "bare"], "CartPole-v1")


def test_data_check_says_so(cheetah, tmp_path, capsys):
    save_demonstrations(tmp_path / "bare", replace(without(cheetah), policy=None))
    assert main(["data", "check", str(tmp_path / "bare"), "--env", "halfcheetah"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "unknown; imitated with --observations-only" in said and "not possible without actions" in said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "bare: expected actions, found none; imitate states alone: --observations-only"),
        (["--observations-only", "--mode", "bc"], "found none; without actions: --mode dyna"),
        (["--observations-only", "--warm-start", "bc"], "found none; without actions: --warm-start none"),
        (["--observations-only", "--subsample", "2"], "--subsample: expected 1 without actions"),
    ],
)
def test_training_says_what_to_do(flags, message, cartpole, tmp_path, capsys):
    save_demonstrations(tmp_path / "bare", without(cartpole))
    asked = ["--env", "cartpole", "--expert", str(tmp_path / "bare"), "--logdir", str(tmp_path), *flags]
    assert main(asked) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
