"""Replay: windows are contiguous stretches of one episode, whatever was drawn."""

import signal

import numpy as np
import pytest

from mgail_dyna.replay import Replay

# Every state says where it is from: 10_000 times the episode's number, plus the step. Actions and noise repeat it.
EPISODE = 10_000


def episode(number, length):
    steps = EPISODE * number + np.arange(length + 1, dtype=np.float32)[:, None]
    return np.concatenate([steps, -steps], axis=1), steps[:-1] + 0.5, steps[:-1] + 0.25


def filled(lengths):
    replay = Replay(state_size=2, action_size=1, noise_size=1)
    for number, length in enumerate(lengths):
        replay.add(*episode(number, length))
    return replay


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("length", "burn_in"), [(1, 0), (3, 2), (0, 3), (10, 6)])
def test_windows_are_contiguous_within_one_episode_and_masked_outside_it(length, burn_in):
    lengths = [1, 4, 7, 2]
    windows = filled(lengths).windows(rng(), (3, 50), length, burn_in)
    assert windows.states.shape == (3, burn_in + length + 1, 50, 2)
    assert windows.actions.shape == windows.noise.shape == (3, burn_in + length, 50, 1)
    assert windows.mask.shape == (3, burn_in + length, 50)
    assert {a.dtype for a in (windows.states, windows.actions, windows.noise, windows.mask)} == {np.dtype(np.float32)}
    number, drawn = np.divmod(windows.states[:, burn_in, :, 0], EPISODE)
    ends = np.array(lengths)[number.astype(int)][:, None]
    steps = drawn[:, None] + np.arange(-burn_in, length + 1)[:, None]
    states = EPISODE * number[:, None] + np.clip(steps, 0, ends)  # the first and last states are held outside
    np.testing.assert_array_equal(windows.states[..., 0], states)
    np.testing.assert_array_equal(windows.states[..., 1], -states)
    kept = (steps[:, :-1] >= 0) & (steps[:, :-1] < ends)
    np.testing.assert_array_equal(windows.mask, kept)
    np.testing.assert_array_equal(windows.actions[..., 0][kept], states[:, :-1][kept] + 0.5)
    np.testing.assert_array_equal(windows.noise[..., 0][kept], states[:, :-1][kept] + 0.25)
    assert set(map(tuple, np.stack([number, drawn], -1).reshape(-1, 2))) == {
        (n, t) for n, length in enumerate(lengths) for t in range(length)
    }


def test_windows_start_near_the_demonstrations_only_where_it_is_asked_for():
    replay = Replay(state_size=2, action_size=1, noise_size=1)
    near = np.array([True, False, False, True, False])
    replay.add(*episode(0, 5), near=near)
    assert set(replay.windows(rng(), (2, 40), 1, 0, near=True).states[:, 0, :, 0].ravel()) == {0, 3}
    assert set(replay.windows(rng(), (2, 40), 1).states[:, 0, :, 0].ravel()) == {0, 1, 2, 3, 4}
    assert set(replay.windows(rng(), (2, 40), 1, 0, 1, near=True).states[:, 0, :, 0].ravel()) == {3}, "the last one"
    again = Replay(state_size=2, action_size=1, noise_size=1)
    again.restore(replay.state())
    assert set(again.windows(rng(), (2, 40), 1, 0, near=True).states[:, 0, :, 0].ravel()) == {0, 3}
    away = Replay(state_size=2, action_size=1, noise_size=1)
    away.add(*episode(0, 3), near=np.zeros(3, bool))
    assert set(away.windows(rng(), (2, 40), 1, 0, near=True).states[:, 0, :, 0].ravel()) == {0, 1, 2}, "all of them"


def test_pairs_count_as_near_however_far_the_replay_has_grown():
    replay = Replay(state_size=1, action_size=1, noise_size=1)
    states = np.arange(3_000, dtype=np.float32)[:, None]
    replay.add_pairs(states, states)
    drawn = replay.windows(rng(), (1, 3_000), 0, 0, near=True).states
    assert drawn.max() > 2_900


def test_an_episode_added_in_parts_is_one_episode():
    whole, parts = filled([4, 7]), filled([4])
    states, actions, noise = episode(1, 7)
    for begin, end in ((0, 2), (2, 3), (3, 7)):
        parts.add(states[begin : end + 1], actions[begin:end], noise[begin:end], continues=begin > 0)
    assert parts.steps == whole.steps == 11
    found, expected = parts.state(), whole.state()
    for name, column in expected["columns"].items():
        np.testing.assert_array_equal(found["columns"][name], column, err_msg=name)
    for name in ("first", "last", "acted"):
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_pairs_come_from_every_acted_step_and_from_no_final_state():
    states, actions = filled([1, 4, 2]).pairs(rng(), (40, 5))
    assert states.shape == (40, 5, 2) and actions.shape == (40, 5, 1)
    np.testing.assert_array_equal(actions, states[..., :1] + 0.5)
    assert set(states[..., 0].ravel()) == {0, 10_000, 10_001, 10_002, 10_003, 20_000, 20_001}


def test_newest_keeps_to_the_last_acted_steps():
    replay = filled([5, 3, 2])
    recent_steps = {10_002, 20_000, 20_001}
    assert set(replay.pairs(rng(), (100,), recent_steps=3)[0][:, 0]) == recent_steps
    windows = replay.windows(rng(), (2, 50), length=1, burn_in=2, recent_steps=3)
    assert set(windows.states[:, 2, :, 0].ravel()) == recent_steps
    assert set(replay.pairs(rng(), (500,), recent_steps=1000)[0][:, 0]) == set(replay.pairs(rng(), (500,))[0][:, 0])


def test_nothing_is_lost_when_the_replay_grows():
    lengths = [600, 600, 3000, 1, 5]
    replay = filled(lengths)
    assert replay.steps == sum(lengths)
    states, actions = replay.pairs(rng(), (60_000,))
    np.testing.assert_array_equal(actions[:, 0], states[:, 0] + 0.5)
    expected = {EPISODE * n + t for n, length in enumerate(lengths) for t in range(length)}
    assert set(states[:, 0]) == expected
    mask = replay.windows(rng(), (1, 200), length=700).mask
    assert set(np.unique(mask)) == {0, 1}


def test_noise_that_was_not_recorded_is_zero():
    replay = Replay(2, 1, 1)
    states, actions, _ = episode(1, 3)
    replay.add(states, actions)
    assert not replay.windows(rng(), (1, 5), length=3).noise.any()


def test_changes_are_those_within_episodes():
    replay = Replay(1, 1, 1)
    replay.add(np.array([[1.0], [3.0], [2.0]]), np.zeros((2, 1)))
    replay.add(np.array([[50.0], [50.5]]), np.zeros((1, 1)))
    np.testing.assert_array_equal(replay.changes(), [[2.0], [-1.0], [0.5]])


def test_a_restored_replay_draws_the_same_and_goes_on_the_same():
    replay, restored = filled([4, 1500]), filled([9])
    state = replay.state()
    replay.add(*episode(2, 30))
    restored.restore(state)
    assert restored.steps == 1504
    restored.add(*episode(2, 30))
    one, other = (r.windows(rng(), (2, 20), length=5, burn_in=3, recent_steps=100) for r in (replay, restored))
    for name in ("states", "actions", "noise", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for drawn, expected in zip(restored.pairs(rng(), (99,)), replay.pairs(rng(), (99,)), strict=True):
        np.testing.assert_array_equal(drawn, expected)


def test_an_empty_replay_can_be_restored_and_filled():
    def too_long(*_):
        raise TimeoutError("the restored replay never grows")

    replay = filled([])
    replay.restore(filled([]).state())
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(2)
    try:
        replay.add(*episode(0, 3))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert replay.steps == 3


def test_pairs_lead_nowhere():
    replay, rng = Replay(2, 1, 1), np.random.default_rng(0)
    states = np.arange(6, dtype=np.float32).reshape(3, 2)
    replay.add_pairs(states, np.ones((3, 1), np.float32))
    assert replay.steps == 3 and replay.changes().shape == (0, 2)
    drawn, _ = replay.pairs(rng, (50,))
    assert {tuple(s) for s in drawn} == {tuple(s) for s in states}
    windows = replay.windows(rng, (1, 20), length=2, burn_in=2)
    assert windows.mask.max() == 0
    np.testing.assert_array_equal(windows.states, np.broadcast_to(windows.states[:, 2:3], windows.states.shape))
    replay.add(states, np.ones((2, 1), np.float32))
    np.testing.assert_array_equal(replay.changes(), np.full((2, 2), 2.0))


def test_replay_lets_go_of_the_oldest_episodes():
    replay, rng = Replay(1, 1, 1, capacity=10), np.random.default_rng(0)
    for episode in range(20):
        states = np.arange(5, dtype=np.float32)[:, None] + 100 * episode
        replay.add(states, states[:-1])
        assert replay.steps == 4 * (episode + 1) if episode < 4 else 10 <= replay.steps < 20
    states, actions = replay.pairs(rng, (500,))
    np.testing.assert_array_equal(states, actions)
    assert states.max() == 1903
    assert len(np.unique(states)) == replay.steps
    windows = replay.windows(rng, (1, 200), 6, 2)
    steps = np.diff(windows.states[0, :, :, 0], axis=0)
    assert (steps[windows.mask[0] > 0] == 1).all()
