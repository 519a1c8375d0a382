"""D4RL files as people report them: flags that are all false, out of step, or under another name."""

import gymnasium as gym
import h5py
import numpy as np
import pytest
from helpers import first

from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.formats.d4rl import read
from mgail_dyna.demonstrations.formats.source import Reading
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.reference import ENDED, reference

PENDULUM, EPISODES, STEPS = "Pendulum-v1", 4, 200
ROWS = EPISODES * STEPS


def walks():
    """Observations that move a little at every step and jump between episodes; `[ROWS, 3]`, and what each led to."""
    rng = np.random.default_rng(0)
    starts = 10.0 * np.arange(EPISODES)[:, None, None] + np.zeros((EPISODES, 1, 3))
    moves = np.concatenate([starts, rng.normal(0, 0.01, (EPISODES, STEPS, 3))], axis=1).cumsum(axis=1)
    return moves[:, :-1].reshape(ROWS, 3), moves[:, 1:].reshape(ROWS, 3)


OBSERVATIONS, NEXT = walks()
ENDS = np.arange(ROWS) % STEPS == STEPS - 1
GOOD = {
    "observations": OBSERVATIONS,
    "actions": np.zeros((ROWS, 1)),
    "rewards": -np.ones(ROWS),
    "terminals": np.zeros(ROWS, bool),
    "timeouts": ENDS,
}


@pytest.fixture
def d4rl(tmp_path):
    """Writes the rows above, some of them left out (None), replaced or added."""

    def write(**changes):
        with h5py.File(tmp_path / "rows.hdf5", "w") as file:
            for name, value in {**GOOD, **changes}.items():
                if value is not None:
                    file[name] = value
        return tmp_path / "rows.hdf5"

    return write


def converted(path, env_id=PENDULUM):
    """Lengths of the episodes, and the notes; no step may lead from one episode into the next."""
    demos, notes = convert(path, env_id)
    for episode in demos.trajectories:
        assert np.abs(np.diff(episode.observations, axis=0)).max() < 1, "a reset was taken for a step"
    return [len(episode) for episode in demos.trajectories], notes


def test_timeouts_in_their_rows(d4rl):
    lengths, notes = converted(d4rl())
    assert lengths == [199] * 4
    assert len(notes) == 1 and notes[0].startswith("no next_observations")
    lengths, notes = converted(d4rl(next_observations=NEXT))
    assert (lengths, notes) == ([200] * 4, ())


@pytest.mark.parametrize(
    ("timeouts", "said"), [(np.zeros(ROWS, bool), "timeouts are all false"), (None, "no timeouts")]
)
def test_without_a_true_timeout_episodes_end_at_the_environments_limit_and_that_is_told(timeouts, said, d4rl):
    lengths, notes = converted(d4rl(timeouts=timeouts))
    assert lengths == [199] * 4
    assert notes[0] == f"{said}: 3 episodes cut after the environment's 200 steps"


@pytest.mark.parametrize("timeouts", [np.zeros(ROWS, bool), None])
def test_without_a_true_timeout_next_observations_tell_the_ends(timeouts, d4rl):
    lengths, notes = converted(d4rl(timeouts=timeouts, next_observations=NEXT))
    assert lengths == [200] * 4
    assert notes[0].startswith("3 episodes without a flag at the end")


@pytest.mark.parametrize("rows", [-5, -1, 1, 3])
def test_timeouts_out_of_step_are_mended_by_next_observations(rows, d4rl):
    lengths, notes = converted(d4rl(timeouts=np.roll(ENDS, rows), next_observations=NEXT))
    assert lengths == [200] * 4
    assert notes[0].startswith("timeouts are out of step with the rows")


@pytest.mark.parametrize("rows", [-5, -1, 1, 5])
def test_timeouts_out_of_step_without_next_observations_are_moved_to_where_observations_jump(rows, d4rl):
    lengths, notes = converted(d4rl(timeouts=np.roll(ENDS, rows)))
    assert lengths == [199] * 4
    count = f"{abs(rows)} row{'s' if abs(rows) > 1 else ''}"
    where, way = ("before", "earlier") if rows > 0 else ("after", "later")
    assert notes[0] == f"observations jump {count} {where} the timeouts and not at them: each counts {count} {way}"


@pytest.mark.parametrize("after", [None, NEXT])
def test_terminals_one_row_late_are_moved_and_stay_terminals(after, d4rl):
    ends = np.flatnonzero(ENDS)
    late = np.isin(np.arange(ROWS), ends[:-1] + 1)
    demos, notes = convert(d4rl(terminals=late, timeouts=None, next_observations=after), PENDULUM)
    assert [len(episode) for episode in demos.trajectories] == [199 + (after is not None)] * 4
    assert notes[0] == "observations jump 1 row before the terminals and not at them: each counts 1 row earlier"
    assert all(np.abs(np.diff(episode.observations, axis=0)).max() < 1 for episode in demos.trajectories)


@pytest.mark.parametrize("name", ["halfcheetah", "hopper", "ant", "walker2d", "inverteddoublependulum", "cartpole"])
@pytest.mark.parametrize("rows", [0, 1])
def test_timeouts_of_the_shipped_demonstrations_are_moved_if_they_are_late_and_only_then(name, rows, d4rl):
    """Their fast steps jump as far as resets do."""
    episodes = first(load_demonstrations(name), 6, steps=200).trajectories
    ends = np.cumsum([len(episode) for episode in episodes]) - 1
    steps = sum(map(len, episodes))
    changes = {
        "observations": np.concatenate([episode.observations[:-1] for episode in episodes]),
        "actions": np.concatenate([episode.actions for episode in episodes]),
        "rewards": np.ones(steps),
        "terminals": np.zeros(steps, bool),
        "timeouts": np.isin(np.arange(steps), ends + rows),
    }
    source = read(d4rl(**changes), Reading())
    assert [len(episode["actions"]) for episode in source.episodes.values()] == [len(each) - 1 for each in episodes]
    assert any("1 row earlier" in note for note in source.notes) == bool(rows)


@pytest.mark.parametrize("name", ["halfcheetah", "hopper", "walker2d", "swimmer"])
def test_flags_too_late_to_be_moved_are_not_moved_to_where_nothing_jumps(name, d4rl):
    """Among few flags, some row beside them surprises in most episodes."""
    episodes = first(load_demonstrations(name), 6, steps=1_000).trajectories
    steps, late = sum(map(len, episodes)), 8
    ends = np.cumsum([len(episode) for episode in episodes]) - 1
    changes = {
        "observations": np.concatenate([episode.observations[:-1] for episode in episodes]),
        "actions": np.concatenate([episode.actions for episode in episodes]),
        "rewards": np.ones(steps),
        "terminals": np.isin(np.arange(steps), ends[:-1] + late),
        "timeouts": None,
    }
    notes = read(d4rl(**changes), Reading()).notes
    assert not any("each counts" in note for note in notes)
    assert any("as a reset does" in note for note in notes)


@pytest.mark.parametrize("name", ["halfcheetah", "hopper", "pusher", "invertedpendulum"])
@pytest.mark.parametrize("flag", ["terminals", "timeouts"])
@pytest.mark.parametrize("rows", [0, 6, 20])
def test_resets_inside_episodes_are_noted_where_flags_come_many_rows_late(name, flag, rows, d4rl):
    episodes = first(load_demonstrations(name), 20, steps=50).trajectories
    steps = sum(map(len, episodes))
    ends = np.cumsum([len(episode) for episode in episodes]) - 1
    flags = {name: np.zeros(steps, bool) for name in ("terminals", "timeouts")}
    flags[flag] = np.isin(np.arange(steps), ends + rows)
    observations = np.concatenate([episode.observations[:-1] for episode in episodes])
    actions = np.concatenate([episode.actions for episode in episodes])
    source = read(d4rl(observations=observations, actions=actions, rewards=np.ones(steps), **flags), Reading())
    found = [note for note in source.notes if "as a reset does" in note]
    assert len(found) == bool(rows)
    if rows:
        assert "first from row 49 to 50 (counted from 0)" in found[0]
        assert 10 <= int(found[0].partition(" places")[0].rpartition(" ")[2]) <= 19


def test_a_missing_flag_leaves_a_reset_inside_an_episode_and_two_are_noted(d4rl):
    _, notes = convert(d4rl(timeouts=np.isin(np.arange(ROWS), [2 * STEPS - 1])), PENDULUM)
    assert any("in 2 places, first from row 199 to 200" in note for note in notes)


@pytest.mark.parametrize("rows", [-5, -1, 1, 5])
def test_timeouts_of_another_length_than_the_others_are_told(rows, d4rl):
    _, notes = convert(d4rl(timeouts=np.roll(ENDS, rows), observations=np.zeros((ROWS, 3))), PENDULUM)
    assert any(note.startswith("1 of 4 timeouts end an episode of another length") for note in notes)


def test_demonstrations_cut_to_one_length_are_no_timeouts_in_wrong_rows(d4rl):
    _, notes = convert(d4rl(timeouts=np.arange(ROWS) % 50 == 49, observations=np.zeros((ROWS, 3))), PENDULUM)
    assert not any("right rows" in note for note in notes)


def test_terminals_that_all_lie_at_the_limit_are_timeouts(d4rl):
    demos, notes = convert(d4rl(terminals=ENDS, timeouts=None, next_observations=NEXT), PENDULUM)
    assert [(len(episode), episode.terminated) for episode in demos.trajectories] == [(200, False)] * 4
    assert notes == ("every terminal ends an episode of 200 steps, the environment's limit: they count as timeouts",)


def test_episodes_longer_than_the_environments_limit_are_told(d4rl):
    timeouts = ENDS.copy()
    timeouts[STEPS - 1] = False
    _, notes = convert(d4rl(timeouts=timeouts), PENDULUM)
    assert notes[-1].startswith("1 episode of more than the environment's 200 steps, up to 400")


def test_next_observations_that_are_only_the_next_row_are_not_believed_where_an_episode_ends(d4rl):
    shifted = np.roll(OBSERVATIONS, -1, axis=0)
    for timeouts in (ENDS, np.zeros(ROWS, bool)):
        lengths, notes = converted(d4rl(next_observations=shifted, timeouts=timeouts))
        assert lengths == [199] * 4
        assert any(note.startswith("next_observations are the next row's also where an episode ends") for note in notes)


def test_without_flags_and_without_a_limit_it_is_said_that_all_is_one_episode(d4rl):
    gym.register("Endless-v0", entry_point="gymnasium.envs.classic_control.pendulum:PendulumEnv")
    try:
        demos, notes = convert(d4rl(timeouts=None), "Endless-v0")
    finally:
        gym.registry.pop("Endless-v0")
    assert [len(episode) for episode in demos.trajectories] == [ROWS - 1]
    assert notes[0].startswith("no timeouts, no terminals, and the environment has no time limit")


def test_a_key_that_begins_like_minaris_does_not_make_it_minari(d4rl):
    lengths, _ = converted(d4rl(episode_ids=np.repeat(np.arange(EPISODES), STEPS)))
    assert lengths == [199] * 4


def test_dones_without_terminals_say_what_to_write(d4rl, refused):
    path = d4rl(terminals=None, timeouts=None, dones=ENDS)
    said = ["dones in place of terminals", "dones do not say whether the task or a time limit", "terminals", "timeouts"]
    refused([path, *said], convert, path, PENDULUM)


def test_episodes_the_task_ended_stay_complete_without_their_last_step(d4rl):
    ends = np.isin(np.arange(ROWS), [149, 299, 499, 799])
    demos, _ = convert(d4rl(terminals=ends, timeouts=None), PENDULUM)
    assert [episode.terminated for episode in demos.trajectories] == [False] * 5, "that step is not in the file"
    assert demos.provenance[ENDED] == [0, 1, 2, 4]
    assert reference(demos, 1_000).mean == pytest.approx(-(149 + 149 + 199 + 99) / 4)
    cut, _ = convert(d4rl(), PENDULUM)
    assert ENDED not in cut.provenance
    assert reference(cut, 1_000).reason is not None
