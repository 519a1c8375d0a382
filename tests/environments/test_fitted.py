"""Environments whose observations have parts and whose actions have several choices are fitted, and a note says so."""

import re

import gymnasium as gym
import numpy as np
import pytest

from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.record import record
from mgail_dyna.environments.contract import check_contract
from mgail_dyna.environments.make import MOST_CHOICES, fitted_note, joined_parts, make_env
from mgail_dyna.environments.spaces import flattens, parts_of, parts_text
from mgail_dyna.environments.wrappers import Chosen, Numbered
from mgail_dyna.errors import UserError

BOX = gym.spaces.Box
ONE = BOX(-1, 1, (1,))
PICTURE = BOX(0, 255, (8, 8, 3), np.uint8)
SPACES = {
    "dict": (gym.spaces.Dict(goal=BOX(-1, 1, (2,)), kind=gym.spaces.Discrete(3)), 5),
    "dict in a dict": (gym.spaces.Dict(arm=gym.spaces.Dict(angle=BOX(-1, 1, (2,)), grip=BOX(0, 1, ()))), 3),
    "tuple": (gym.spaces.Tuple([BOX(-1, 1, (2,)), gym.spaces.MultiBinary(3)]), 5),
    "discrete": (gym.spaces.Discrete(4), 4),
    "table": (BOX(-1, 1, (2, 3)), 6),
    "number": (BOX(-1, 1, ()), 1),
    "whole numbers": (BOX(0, 9, (3,), np.int64), 3),
    "vector": (BOX(-1, 1, (3,)), 3),
}


@pytest.fixture
def made():
    """Makes a registered environment with these spaces, whose reward is the sum of the parts of an action."""
    names = []

    def make(observations, actions=ONE):
        class Task(gym.Env):
            observation_space, action_space = observations, actions

            def reset(self, *, seed=None, options=None):
                super().reset(seed=seed)
                observations.seed(seed)
                return observations.sample(), {}

            def step(self, action):
                assert actions.contains(action), action
                return observations.sample(), float(np.sum(action)), False, False, {}

        names.append(f"Fitted{len(names)}-v0")
        gym.register(names[-1], Task, max_episode_steps=5)
        return names[-1]

    yield make
    for name in names:
        del gym.registry[name]


@pytest.mark.parametrize("case", SPACES)
def test_observations_become_one_vector(case, made):
    space, size = SPACES[case]
    name = made(space)
    env = make_env(name)
    check_contract(env, name)
    observation, _ = env.reset(seed=3)
    space.seed(3)
    assert env.observation_space.shape == observation.shape == (size,)
    np.testing.assert_array_equal(observation, gym.spaces.flatten(space, space.sample()))
    assert flattens(space) == (case not in ("vector", "whole numbers")) == (fitted_note(env) is not None)


def test_the_note_says_what_was_done(made):
    env = make_env(made(SPACES["dict"][0], gym.spaces.MultiDiscrete([3, 2])))
    assert fitted_note(env) == (
        "note: observations, a Dict with the keys goal [2], kind Discrete(3), are flattened to 5 numbers; "
        "actions, MultiDiscrete([3 2]), are numbered as one of 6 choices"
    )


def test_parts_are_joined_by_name_in_the_order_asked_for(made):
    several = gym.spaces.Dict(eye=PICTURE, goal=BOX(-1, 1, (2,)), kind=gym.spaces.Discrete(3))
    name = made(several)
    env = make_env(name, observation_parts="kind (3), goal (2)")
    check_contract(env, name)
    observation, _ = env.reset(seed=3)
    several.seed(3)
    drawn = several.sample()
    np.testing.assert_array_equal(observation, [*np.eye(3)[drawn["kind"]], *drawn["goal"]])
    assert "kind, goal are taken from a Dict with the keys eye [8, 8, 3], goal [2], kind Discrete(3)" in fitted_note(
        env
    )
    assert joined_parts(env) == "kind (3), goal (2)"
    same = make_env(made(SPACES["dict"][0]), observation_parts="goal (2), kind (3)")
    assert not isinstance(same.env, Chosen) and joined_parts(same) == "goal (2), kind (3)", "nothing to choose"
    assert make_env(made(SPACES["vector"][0]), observation_parts="goal (2), kind (3)").observation_space.shape == (3,)


@pytest.mark.parametrize("parts", ["goal (3)", "goal (2), none (1)", "eye (192)"])
def test_parts_that_an_environment_lacks_are_refused_with_those_it_has(parts, made):
    name = made(gym.spaces.Dict(eye=PICTURE, goal=BOX(-1, 1, (2,))))
    expected = f"expected {parts}, which the demonstrations are joined from, found a Dict with the keys eye [8, 8, 3]"
    with pytest.raises(UserError, match=re.escape(expected)):
        make_env(name, observation_parts=parts)


@pytest.mark.parametrize("parts", [{"a": 1}, {"a": 1, "b, c": 20, "d (2)": 3}, {}])
def test_parts_are_read_as_they_were_written(parts):
    assert list(parts_of(parts_text(parts)).items()) == list(parts.items())


@pytest.mark.parametrize("text", [None, 3, "raw", "a (1), b", "a (1), a (1)", " (1)", ["a (1)"]])
def test_other_text_names_no_parts(text):
    assert parts_of(text) == {}


@pytest.mark.parametrize("space", [gym.spaces.MultiDiscrete([3, 2, 4]), gym.spaces.MultiBinary(3)])
def test_every_combination_has_a_number(space, made):
    env = make_env(made(BOX(-1, 1, (2,)), space))
    env.reset(seed=0)
    count = env.action_space.n
    assert count == (24 if isinstance(space, gym.spaces.MultiDiscrete) else 8)
    inside = env.env
    assert isinstance(inside, Numbered)
    parts = np.array([inside.action(number) for number in range(count)])
    assert len({tuple(each) for each in parts}) == count and all(space.contains(each) for each in parts)
    np.testing.assert_array_equal(inside.numbers(parts), np.arange(count))
    assert env.step(np.int64(count - 1))[1] == parts[-1].sum()
    for wrong in (parts + 0.5, parts - 1, parts + 9):
        with pytest.raises(ValueError, match="actions: expected choices below"):
            inside.numbers(wrong)


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (PICTURE, ONE, "pictures need features of your own"),
        (
            gym.spaces.Dict(eye=BOX(0, 255, (8, 8, 3), np.uint8)),
            BOX(-1, 1, (1,)),
            r"a Dict with the keys eye \[8, 8, 3\]",
        ),
        (gym.spaces.Text(5), ONE, "expected observations in a Box"),
        (BOX(-1, 1, (2,)), gym.spaces.MultiBinary(12), f"the {2**12:,} combinations"),
        (BOX(-1, 1, (2,)), gym.spaces.MultiDiscrete([[2, 2], [2, 2]]), "expected actions in a Discrete space"),
    ],
)
def test_what_cannot_be_fitted_is_refused(observations, actions, message, made):
    assert MOST_CHOICES < 2**12
    with pytest.raises(UserError, match=message):
        make_env(made(observations, actions))


def test_demonstrations_with_several_choices_are_converted_to_numbers(made, tmp_path):
    name = made(SPACES["dict"][0], gym.spaces.MultiDiscrete([3, 2]))
    rng = np.random.default_rng(0)
    parts = np.stack([rng.integers(0, 3, (2, 5)), rng.integers(0, 2, (2, 5))], axis=-1)
    arrays = {"observations": rng.uniform(0, 1, (2, 6, 5)), "actions": parts, "lengths": np.array([5, 5])}
    np.savez(tmp_path / "own.npz", **arrays)
    demos, notes = convert(tmp_path / "own.npz", name)
    np.testing.assert_array_equal(demos.trajectories[1].actions, 2 * parts[1, :, 0] + parts[1, :, 1])
    assert any("are numbered as one of 6 choices" in note for note in notes)
    np.savez(tmp_path / "own.npz", **arrays | {"actions": parts + 2})
    with pytest.raises(UserError, match=r"episode 0: actions: expected choices below \[3, 2\]"):
        convert(tmp_path / "own.npz", name)


def test_what_is_recorded_there_is_flat(made):
    name = made(SPACES["dict"][0], gym.spaces.MultiBinary(2))

    class Third:
        spec = None

        def act(self, observation, noise=None):
            return np.int64(2)

    demos = record(name, 5, Third(), 2)
    assert demos.trajectories[0].observations.shape == (6, 5)
    assert demos.trajectories[0].actions.tolist() == [2] * 5 and demos.returns.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("case", ["discrete", "table", "number"])
def test_recordings_of_the_space_itself_are_flattened_too(case, made, tmp_path):
    space, size = SPACES[case]
    name = made(space)
    space.seed(0)
    rows = np.array([[space.sample() for _ in range(6)] for _ in range(2)])
    arrays = {"actions": np.zeros((2, 5, 1)), "lengths": np.array([5, 5])}
    np.savez(tmp_path / "own.npz", observations=rows, **arrays)
    demos, _ = convert(tmp_path / "own.npz", name)
    expected = [[gym.spaces.flatten(space, each) for each in episode] for episode in rows]
    np.testing.assert_allclose([t.observations for t in demos.trajectories], expected, rtol=1e-6)
    assert demos.trajectories[0].observations.shape == (6, size)
    if case == "discrete":
        np.savez(tmp_path / "own.npz", observations=rows + 9, **arrays)
        with pytest.raises(UserError, match=r"episode 0: observations: expected values in Discrete\(4\), found others"):
            convert(tmp_path / "own.npz", name)
