"""Gymnasium's contract: environments that keep it pass in silence, each breach is one line."""

import gymnasium as gym
import numpy as np
import pytest

from mgail_dyna.environments.contract import check_contract
from mgail_dyna.environments.make import make_env, wrapper_names
from mgail_dyna.environments.spaces import action_spec, observation_size

BOX = gym.spaces.Box


class Point(gym.Env):
    """A point on a line that keeps the contract."""

    observation_space = BOX(-np.inf, np.inf, (3,))
    action_space = BOX(-1, 1, (1,))
    resets = steps = 0

    def observed(self):
        return np.ones(3, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        type(self).resets += 1
        assert seed is not None
        return self.observed(), {}

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        type(self).steps += 1
        return self.observed(), -1.0, False, False, {}


def made(cls, limit=40):
    gym.register("Made-v0", entry_point=cls, max_episode_steps=limit)
    try:
        return make_env("Made-v0")
    finally:
        gym.registry.pop("Made-v0")


def variant(**methods):
    return type("Variant", (Point,), {"resets": 0, "steps": 0, **methods})


def gives(*values):
    return lambda self, action: (np.ones(3, np.float32), *values)


KEPT = {
    "a point": {},
    "numbers of NumPy": {"step": gives(np.float32(1), np.bool_(False), np.bool_(True), {})},
    "an array without dimensions": {"step": gives(np.array(1.0), False, False, {})},
    "a whole number as reward": {"step": gives(1, 0, 0, {})},
    "lists": {"observed": lambda self: [0.5, 1.0, 2.0]},
    "doubles": {"observed": lambda self: np.full(3, 450_000.25)},
    "beyond its own bounds": {"observation_space": BOX(0, 0.5, (3,))},
    "bytes": {"observation_space": BOX(0, 255, (3,), np.uint8), "observed": lambda self: np.zeros(3, np.uint8)},
    "choices": {"action_space": gym.spaces.Discrete(3, start=-1)},
    "actions without bounds": {"action_space": BOX(-np.inf, np.inf, (1,))},
    "ends at once": {"step": gives(0.0, True, False, {})},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", KEPT)
@pytest.mark.parametrize("limit", [40, None])
def test_an_environment_that_keeps_the_contract_passes_in_silence(case, limit, capsys):
    check_contract(made(variant(**KEPT[case]), limit), "mine:Made-v0")
    assert capsys.readouterr() == ("", "")


def test_one_reset_and_one_step_are_all_it_costs():
    cls = variant()
    check_contract(made(cls), "Made-v0")
    assert (cls.resets, cls.steps) == (1, 1)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1", "HalfCheetah-v5"])
def test_gymnasiums_own_pass(env_id):
    check_contract(make_env(env_id), env_id)


def no_seed(self):
    return np.ones(3, np.float32), {}


def raising(*_, **__):
    raise RuntimeError("lost the\nconnection")


def observation(value):
    return {"observed": lambda self: value}


BROKEN = {
    "reset takes no seed": ({"reset": no_seed}, ["reset: expected reset(self, *, seed=None, options=None)", "no seed"]),
    "reset gives the observation alone": (
        {"reset": lambda self, **_: np.ones(3)},
        ["reset: expected (observation, info), found an array of shape [3]"],
    ),
    "reset gives an observation of two numbers alone": (
        {"observation_space": BOX(-1, 1, (2,)), "reset": lambda self, **_: np.ones(2)},
        ["reset: expected (observation, info), found an array of shape [2]"],
    ),
    "reset gives a tuple of two numbers": (
        {"observation_space": BOX(-1, 1, (2,)), "reset": lambda self, **_: (0.5, 0.5)},
        ["reset: expected (observation, info), found a tuple of 2 (float, float)"],
    ),
    "reset gives nothing": ({"reset": lambda self, **_: None}, ["reset: expected (observation, info), found None"]),
    "reset raises": ({"reset": raising}, ["reset: raised RuntimeError: lost the connection"]),
    "step of four": (
        {"step": gives(1.0, False, {})},
        ["step: expected (observation, reward, terminated, truncated, info), found a tuple of 4", "in place of done"],
    ),
    "step of one": (
        {"step": lambda self, a: np.ones(3)},
        ["step: expected (observation, ", "of shape [3]"],
    ),
    "step raises": ({"step": raising}, ["step: raised RuntimeError: lost the connection"]),
    "reward in an array": (
        {"step": gives(np.array([1.0]), False, False, {})},
        ["step: reward: expected one finite number, found an array of shape [1]", "return a single number"],
    ),
    "reward in a list": ({"step": gives([1.0], False, False, {})}, ["step: reward", "a list of 1 (float)"]),
    "rewards of no shape": ({"step": gives([[1], [1, 2]], False, False, {})}, ["step: reward", "a list of 2"]),
    "no reward": ({"step": gives(None, False, False, {})}, ["step: reward", "found None"]),
    "reward as text": ({"step": gives("1", False, False, {})}, ["step: reward", "found str"]),
    "reward NaN": ({"step": gives(np.nan, False, False, {})}, ["step: reward", "found nan"]),
    "terminated in an array": ({"step": gives(1.0, np.array([False]), False, {})}, ["step: terminated", "shape [1]"]),
    "truncated in an array": ({"step": gives(1.0, False, np.zeros(2), {})}, ["step: truncated", "shape [2]"]),
    "no flag": ({"step": gives(1.0, False, None, {})}, ["step: truncated: expected true or false, found None"]),
    "a column": (observation(np.ones((3, 1))), ["reset: observation: expected shape [3]", "array of shape [3, 1]"]),
    "one more than declared": (observation(np.ones(4)), ["expected shape [3], as observation_space says", "[4]"]),
    "text": (observation(np.array(["a", "b", "c"])), ["reset: observation: expected numbers of shape [3]", "<U1"]),
    "a dict": (observation({"x": 1.0}), ["reset: observation: expected numbers", "found dict"]),
    "ragged rows": (observation([[1.0], [1.0, 2.0], [3.0]]), ["reset: observation", "rows of different lengths"]),
    "NaN": (observation(np.array([0.0, np.nan, 0.0])), ["reset: observation: expected finite", "nan at 1"]),
    "beyond float32": (observation(np.full(3, 1e300)), ["reset: observation: expected finite", "1e+300 at 0"]),
    "NaN after a step": (
        {"step": lambda self, a: (np.full(3, np.nan), 0.0, False, False, {})},
        ["step: observation: expected finite numbers, found nan"],
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", BROKEN)
def test_a_breach_is_one_line_that_names_method_expected_and_found(case, refused):
    methods, said = BROKEN[case]
    refused(["environment 'mine:Made-v0': ", *said], check_contract, made(variant(**methods)), "mine:Made-v0")


def test_a_users_own_wrapper_that_mends_a_reward_counts(refused):
    broken = variant(step=gives(np.array([1.0]), False, False, {}))
    check_contract(made(lambda: gym.wrappers.TransformReward(broken(), lambda reward: float(reward[0]))), "Made-v0")


SPACES = {
    "dict": (
        gym.spaces.Dict(goal=BOX(-1, 1, (2,)), state=BOX(-1, 1, (4,))),
        ["a Dict with the keys goal [2], state [4]", "gymnasium.wrappers.FlattenObservation"],
    ),
    "tuple": (gym.spaces.Tuple([BOX(-1, 1, (2,))]), ["a Tuple of 1 spaces", "FlattenObservation"]),
    "discrete": (gym.spaces.Discrete(16), ["Discrete(16)", "FlattenObservation"]),
    "picture": (BOX(0, 255, (8, 8, 1), np.uint8), ["integers of shape [8, 8, 1]", "features of your own"]),
    "stack of frames": (BOX(-1, 1, (4, 3)), ["numbers of shape [4, 3]", "FlattenObservation"]),
    "none": (None, ["found None, which is no space"]),
}


@pytest.mark.parametrize("case", SPACES)
def test_other_observations_are_refused_with_what_they_are_and_how_to_flatten_them(case, refused):
    space, said = SPACES[case]
    refused(["expected observations in a Box of one dimension", *said], observation_size, space)


ACTIONS = {
    "whole numbers": (BOX(-1, 1, (1,), np.int64), ["a Box of integers of shape [1] (int64)", "rounds them"]),
    "several choices": (gym.spaces.MultiDiscrete([3, 2]), ["MultiDiscrete([3 2])", "the 6 combinations"]),
    "switches": (gym.spaces.MultiBinary(3), ["MultiBinary(3)", "the 8 combinations"]),
    "a table": (BOX(-1, 1, (2, 3)), ["numbers of shape [2, 3]", "one vector of floats"]),
    "a dict": (gym.spaces.Dict(arm=BOX(-1, 1, (2,))), ["keys arm [2]", "one vector of floats"]),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_other_actions_are_refused_with_what_they_are_and_a_remedy(case, refused):
    space, said = ACTIONS[case]
    refused(["expected actions in a Discrete space or a Box of floats", *said], action_spec, space)


def fails(self, action):
    type(self).steps += 1
    if self.steps > 3:
        raise ZeroDivisionError("no wind")
    return self.observed(), 0.0, False, False, {}


def shrinks(self, action):
    type(self).steps += 1
    return np.ones(3 - self.steps // 4, np.float32), 0.0, False, False, {}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (fails, [f"step: raised ZeroDivisionError: no wind ({__file__}, line"]),
        (shrinks, ["step: expected an observation of shape [3], found [2]"]),
    ],
)
def test_what_breaks_later_is_one_line_too(step, said, refused):
    env = made(variant(step=step))
    check_contract(env, "Made-v0")
    env.reset(seed=0)

    def play():
        for _ in range(10):
            env.step(np.zeros(1, np.float32))

    refused(["environment 'Made-v0'", *said], play)


def test_the_guard_is_no_wrapper_of_the_task():
    env = make_env("CartPole-v1")
    assert wrapper_names(env) == () and env.spec.id == "CartPole-v1"
