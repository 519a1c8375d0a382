"""Demonstrations in environments: do they fit, do their steps play again."""

import contextlib
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from helpers import random_policy, replay

from mgail_dyna.demonstrations.compatibility import (
    check_compatible,
    other_env_note,
    replay_check,
    replay_note,
)
from mgail_dyna.demonstrations.dataset import subset
from mgail_dyna.demonstrations.faults import data_notes, recorded_late, unseen
from mgail_dyna.demonstrations.reader import load_demonstrations, shipped_experts
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.reference import reference
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import RolloutCollector, play_episode
from mgail_dyna.environments.simulator import reset_to
from mgail_dyna.types import Trajectory


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


def test_another_task_of_the_same_sizes_is_told(cheetah):
    assert other_env_note(cheetah, "HalfCheetah-v5") is None
    assert "of HalfCheetah-v5, and the environment is HalfCheetah-v4" in other_env_note(cheetah, "HalfCheetah-v4")
    assert other_env_note(cheetah, "Walker2d-v5") == (
        "note: the demonstrations and the expert's return are of HalfCheetah-v5, and the environment is Walker2d-v5"
    )
    assert other_env_note(replace(cheetah, env_id=None), "Walker2d-v5") == (
        "note: the demonstrations do not name the environment they were recorded in; it is taken to be Walker2d-v5, "
        "also for percentages of the expert"
    )


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
    assert note.startswith("note: 18 of 18 steps replayed in HalfCheetah-v5 do not end as recorded")
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


@pytest.mark.parametrize("value", [1e6, -400.0])
def test_a_value_far_from_all_others_is_noted_as_it_sets_the_unit(value):
    demos = subset(load_demonstrations("halfcheetah"), 2, 1)
    demos.trajectories[1].observations[7, 3] = value
    (note,) = data_notes(demos)
    assert f"observation 3 is {value:.6g} in episode 1, step 7, far from all others, which go from" in note


def still(*coordinates):
    demos = subset(load_demonstrations("halfcheetah"), 2, 1)
    for trajectory in demos.trajectories:
        trajectory.observations[:, coordinates] = 0.5
    return demos


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        ([3], "1 of 17 observations never varies in the demonstrations (number 3, counted from 0); if it varies in"),
        ([3, 5], "2 of 17 observations never vary in the demonstrations (number 3, 5, counted from 0); if they vary"),
    ],
)
def test_observations_that_never_vary_are_noted(coordinates, said):
    assert any(said in note for note in data_notes(still(*coordinates)))


def test_what_only_the_environment_varies_cannot_be_learned():
    with contextlib.closing(make_env("HalfCheetah-v5")) as env:
        (note,) = (note for note in data_notes(still(3, 5), env) if "never vary" in note)
        assert unseen(still(3), env) == [3] and unseen(load_demonstrations("halfcheetah"), env) == []
    assert "(number 3, 5, counted from 0), but have other values after resets of the environment: the policy" in note
    assert note.endswith("cannot learn what they mean; add demonstrations in which they vary")


@pytest.mark.parametrize("name", ["ant", "humanoid", "inverteddoublependulum", "pusher"])
def test_what_the_environment_holds_still_too_does_no_harm(name):
    demos = load_demonstrations(name)
    with contextlib.closing(make_env(demos.env_id)) as env:
        assert unseen(demos, env) == []
        (note,) = (note for note in data_notes(demos, env) if "never var" in note)
    assert note.endswith(", nor after resets of the environment")


@pytest.mark.parametrize("name", shipped_experts())
def test_shipped_experts_have_no_such_fault(name):
    demos = load_demonstrations(name)
    assert not demos.alone and not recorded_late(demos)


@pytest.mark.parametrize("name", ["cartpole", "halfcheetah", "inverteddoublependulum"])
def test_actions_recorded_one_step_late_are_noted(name):
    demos = load_demonstrations(name)
    late = tuple(replace(t, actions=np.roll(t.actions, 1, axis=0)) for t in demos.trajectories)
    demos = replace(demos, trajectories=late)
    assert recorded_late(demos)
    assert "if moved one step back: were they recorded one step too late?" in data_notes(demos)[0]


@pytest.mark.parametrize("late", [False, True])
def test_a_goal_that_jumps_is_no_action_recorded_late(late):
    """The next action is chosen for the next goal, so it foretells the jump; but its own moves the rest."""
    rng, demos, shown = np.random.default_rng(0), load_demonstrations("halfcheetah"), []
    for _ in range(20):
        state, observations, actions = np.zeros(6), [], []
        for goal in np.repeat(rng.uniform(-1, 1, 20), 5):
            observations.append([*state, *state, *state[:4], goal])
            actions.append(np.clip(goal - state + 0.1 * rng.standard_normal(6), -1, 1))
            state = 0.9 * state + 0.3 * actions[-1]
        taken = np.roll(np.float32(actions[:-1]), late, axis=0)
        shown.append(Trajectory(np.float32(observations), taken, np.zeros(99), False, True))
    assert recorded_late(replace(demos, trajectories=tuple(shown))) == late


def test_numbers_of_choices_in_place_of_continuous_actions_are_noted():
    demos = subset(load_demonstrations("halfcheetah"), 2, 1)

    def note_of(change):
        changed = replace(demos, trajectories=tuple(replace(t, actions=change(t.actions)) for t in demos.trajectories))
        return [note for note in data_notes(changed) if "whole numbers" in note]

    (note,) = note_of(lambda actions: (actions > 0).astype(np.float32))
    assert "all actions are whole numbers (0, 1)" in note and "numbers of choices?" in note
    assert note_of(np.sign) == [] and note_of(np.zeros_like) == []


def test_actions_that_work_a_step_later_are_not_noted():
    """Where actuators lag, the action before explains a step best."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (600, 6)).astype(np.float32)
    pushed = np.concatenate([np.zeros((2, 6)), np.cumsum(actions[:-1], axis=0)])
    observations = np.concatenate([pushed, pushed, pushed], axis=1)[:, :17].astype(np.float32)
    lagging = Trajectory(observations, actions, np.zeros(600), terminated=False, truncated=True)
    demos = replace(load_demonstrations("halfcheetah"), trajectories=(lagging,))
    assert not recorded_late(demos) and not data_notes(demos)


def test_too_few_steps_say_nothing_of_actions():
    """117 random steps of 39 observations and 28 actions were taken for shifted ones."""
    rng, demos = np.random.default_rng(0), load_demonstrations("halfcheetah")
    for _ in range(40):
        observations = rng.standard_normal((41, 17)).astype(np.float32)
        actions = rng.uniform(-1, 1, (40, 6)).astype(np.float32)
        short = Trajectory(observations, actions, np.zeros(40), terminated=False, truncated=True)
        assert not recorded_late(replace(demos, trajectories=(short,)))
