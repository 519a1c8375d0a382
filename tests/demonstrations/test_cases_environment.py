"""Demonstrations recorded in another environment than they are used in: arguments, wrappers, limits, ids, dicts."""

import json
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from mgail_dyna.demonstrations import recorded_environment
from mgail_dyna.demonstrations.compatibility import check_compatible, compare, episode_limit, named_environment
from mgail_dyna.demonstrations.convert import convert
from mgail_dyna.demonstrations.dataset import Demonstrations
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.recorded_environment import (
    environment_arguments,
    environment_notes,
    other_env_note,
    parse_arguments,
    same_environment,
)
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.types import Trajectory

PENDULUM = "Pendulum-v1"


def episodes(steps=200, count=2, size=3, actions=1):
    rng = np.random.default_rng(0)
    return tuple(
        Trajectory(
            observations=rng.uniform(-1, 1, (steps + 1, size)).astype(np.float32),
            actions=rng.uniform(-1, 1, (steps, actions)).astype(np.float32),
            rewards=-np.ones(steps),
            terminated=False,
            truncated=True,
        )
        for _ in range(count)
    )


@pytest.fixture(scope="module")
def pendulum():
    """Two whole episodes of Pendulum with unlike numbers in them."""
    env = make_env(PENDULUM)
    return Demonstrations(episodes(), env.observation_space, env.action_space, env_id=PENDULUM, length=200)


@pytest.fixture
def saved(pendulum, tmp_path):
    """Saves the demonstrations with changes to the recorded environment; the directory."""

    def write(demos=pendulum, **spec):
        save_demonstrations(tmp_path / "demos", demos, overwrite=True)
        path = tmp_path / "demos" / "data" / "metadata.json"
        metadata = json.loads(path.read_text())
        metadata["env_spec"] = json.dumps({**json.loads(metadata["env_spec"]), **spec})
        path.write_text(json.dumps(metadata))
        return tmp_path / "demos"

    return write


def notes(demos, env_id=PENDULUM, length=200, **kwargs):
    return compare(demos, make_env(env_id, length, **kwargs), env_id, "mine")


# 02: keyword arguments


def test_the_same_environment_needs_no_note(saved):
    assert notes(load_demonstrations(saved())) == []


def test_an_environment_that_is_not_named_is_one_note(pendulum, saved, tmp_path):
    (note,) = notes(replace(pendulum, env_id=None))
    assert "do not name the environment they were recorded in; it is taken to be Pendulum-v1" in note
    save_demonstrations(tmp_path / "unnamed", replace(pendulum, env_id=None))
    demos, said = convert(tmp_path / "unnamed", PENDULUM)
    assert [f"note: {each}" for each in said] == [note]
    assert notes(demos) == [], "the user has named it"


def test_recorded_arguments_are_read_and_used_where_none_are_asked_for(saved):
    demos = load_demonstrations(saved(kwargs={"g": 1.6, "render_mode": "rgb_array"}))
    assert demos.env_kwargs == {"g": 1.6}, "how it was drawn does not matter"
    assert environment_arguments(demos, PENDULUM) == {"g": 1.6}
    assert environment_arguments(demos, PENDULUM, {"g": 9.0}) == {"g": 9.0}
    assert environment_arguments(demos, "CartPole-v1") == {}, "they are those of another environment"
    assert notes(demos, g=1.6) == []


def test_other_arguments_are_one_note_that_names_both(saved):
    (note,) = notes(load_demonstrations(saved(kwargs={"g": 1.6})))
    assert note == ("note: the demonstrations were recorded with g=1.6, and the environment is made with the default g")
    (note,) = notes(load_demonstrations(saved(kwargs={"g": 1.6})), g=9.8)
    assert "recorded with g=1.6" in note and "made with g=9.8" in note
    (note,) = notes(load_demonstrations(saved()), g=9.8)
    assert "recorded with the default g" in note and "made with g=9.8" in note


def test_lists_and_tuples_and_1_and_1_0_are_the_same_arguments(pendulum):
    demos = replace(pendulum, env_kwargs={"g": 10})
    assert notes(demos, g=10.0) == []
    env = make_env("Hopper-v5", healthy_z_range=(0.7, 2.0))
    hopper = replace(
        pendulum,
        env_id="Hopper-v5",
        env_kwargs={"healthy_z_range": [0.7, 2.0]},
        trajectories=episodes(size=11, actions=3),
        observation_space=env.observation_space,
        action_space=env.action_space,
    )
    assert compare(hopper, make_env("Hopper-v5", 200, healthy_z_range=(0.7, 2.0)), "Hopper-v5", "mine") == []


def test_long_arguments_that_differ_late_are_still_seen(pendulum):
    gym.register("Map-v0", entry_point=lambda map: gym.make(PENDULUM).unwrapped, kwargs={"map": [[0] * 100, [1]]})
    try:
        demos = replace(pendulum, env_id="Map-v0", env_kwargs={"map": [[0] * 100, [2]]})
        (note,) = notes(demos, "Map-v0")
    finally:
        gym.registry.pop("Map-v0")
    assert note.count("map=[[0, 0") == 2 and "..." in note and len(note) < 250


def test_convert_keeps_the_recorded_arguments(saved, tmp_path):
    path = saved(kwargs={"g": 1.6})
    demos, told = convert(path, PENDULUM)
    assert (demos.env_kwargs, told) == ({"g": 1.6}, ())
    save_demonstrations(tmp_path / "out", demos)
    spec = json.loads(json.loads((tmp_path / "out" / "data" / "metadata.json").read_text())["env_spec"])
    assert spec["kwargs"] == {"g": 1.6}
    assert load_demonstrations(tmp_path / "out").env_kwargs == {"g": 1.6}


def test_convert_with_other_arguments_says_so(saved):
    demos, told = convert(saved(kwargs={"g": 1.6}), PENDULUM, env_kwargs={"g": 3.0})
    assert demos.env_kwargs == {"g": 3.0}
    assert told == ("the demonstrations were recorded with g=1.6, and the environment is made with g=3.0",)


def test_only_what_json_cannot_hold_is_left_out_of_what_is_written(pendulum, tmp_path):
    gym.register("Odd-v0", entry_point=lambda **_: gym.make(PENDULUM).unwrapped, kwargs={"f": print, "n": [1, 2]})
    try:
        save_demonstrations(tmp_path / "out", replace(pendulum, env_id="Odd-v0"))
    finally:
        gym.registry.pop("Odd-v0")
    spec = json.loads(json.loads((tmp_path / "out" / "data" / "metadata.json").read_text())["env_spec"])
    assert spec["kwargs"] == {"n": [1, 2]}


def test_a_refusal_of_shapes_names_the_recorded_arguments(pendulum, tmp_path, refused):
    cheetah = replace(
        pendulum,
        env_id="HalfCheetah-v5",
        trajectories=episodes(size=18, actions=6),
        observation_space=gym.spaces.Box(-np.inf, np.inf, (18,)),
        action_space=gym.spaces.Box(-1, 1, (6,)),
        env_kwargs={"exclude_current_positions_from_observation": False},
    )
    said = ["expected 17", "found 18", "recorded with exclude_current_positions_from_observation=false"]
    refused(said, check_compatible, cheetah, make_env("HalfCheetah-v5"), "mine")
    save_demonstrations(tmp_path / "cheetah", cheetah)
    convert(tmp_path / "cheetah", "HalfCheetah-v5")
    said = ["observations: expected shape [17]", "found [18]", said[-1]]
    refused(said, convert, tmp_path / "cheetah", "HalfCheetah-v5", env_kwargs={})
    compare(cheetah, make_env("HalfCheetah-v5", 200, **cheetah.env_kwargs), "HalfCheetah-v5", "mine")


def test_wrappers_are_compared_by_name_and_those_that_only_watch_are_not(saved, tmp_path):
    flat = {"name": "FlattenObservation", "entry_point": "gymnasium.wrappers:FlattenObservation", "kwargs": {}}
    watching = {"name": "RecordEpisodeStatistics", "entry_point": "x:y", "kwargs": None}
    demos = load_demonstrations(saved(additional_wrappers=[watching, flat]))
    (note,) = notes(demos)
    assert (
        note == "note: the demonstrations were recorded through FlattenObservation, and the environment has no wrappers"
    )
    wrapped = gym.wrappers.FlattenObservation(make_env(PENDULUM, 200))
    assert compare(demos, wrapped, PENDULUM, "mine") == []
    demos, told = convert(tmp_path / "demos", PENDULUM)
    assert len(told) == 1 and "FlattenObservation" in told[0]
    save_demonstrations(tmp_path / "out", demos)
    assert (
        load_demonstrations(tmp_path / "out").env_wrappers
        == demos.env_wrappers
        == (
            "RecordEpisodeStatistics",
            "FlattenObservation",
        )
    )


@pytest.mark.parametrize(
    ("names", "remedy"),
    [
        (
            ("RescaleAction", "OrderEnforcing", "TimeAwareObservation"),
            "returns the environment in RescaleAction, TimeAwareObservation, and name it: --env module:Id",
        ),
        (
            ("NormalizeObservation",),
            "the running statistics of NormalizeObservation are not in the file, so that nothing gives the same "
            "numbers again: record the demonstrations without it",
        ),
    ],
)
def test_wrappers_that_the_environment_lacks_have_a_remedy(names, remedy, pendulum, refused):
    demos = replace(pendulum, env_wrappers=names)
    (note,) = notes(demos)
    assert note.startswith("note: the demonstrations were recorded through") and note.endswith(remedy)
    refused([f"recorded with {names[0]}", remedy], check_compatible, demos, make_env("Hopper-v5"), "mine")


def test_other_bounds_of_observations_are_a_note(pendulum):
    (note,) = notes(replace(pendulum, observation_space=gym.spaces.Box(-2, 2, (3,))))
    assert note == "note: observation 0 was recorded within -2 to 2, and the environment's lies within -1 to 1"


def test_a_bound_of_0_is_compared_without_a_warning(pendulum, recwarn):
    (note,) = notes(replace(pendulum, observation_space=gym.spaces.Box(0, 2, (3,))))
    assert "within 0 to 2" in note and not recwarn.list


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"kwargs": [1]}, ["env_spec: kwargs: expected a JSON object, found list"]),
        ({"kwargs": {"max_episode_steps": 3}}, ["env_spec: kwargs", "max_episode_steps"]),
        ({"additional_wrappers": 3}, ["additional_wrappers: expected a list, found int"]),
        ({"additional_wrappers": [{"nom": "x"}]}, ["additional_wrappers: expected wrappers with names"]),
    ],
)
def test_a_recorded_environment_that_cannot_be_read_is_refused(spec, said, saved, refused):
    refused(said, load_demonstrations, saved(**spec))


@pytest.mark.parametrize("text", ["{", "[1]", "3", "g=1.6", '{"max_episode_steps": 5}', '{"env_id": "x"}'])
def test_arguments_from_the_command_line_that_are_none(text, refused):
    refused(["--env-kwargs: expected"], parse_arguments, text)


def test_arguments_from_the_command_line():
    assert parse_arguments(None) is None
    assert parse_arguments('{"g": 1.6}') == {"g": 1.6}
    assert parse_arguments("{}") == {}


# 03: limits


def test_demonstrations_longer_than_the_recorded_limit_raise_it_with_a_note(saved):
    demos = load_demonstrations(saved(max_episode_steps=100))
    assert demos.length == 100
    assert episode_limit(demos, PENDULUM) == 200
    (note,) = notes(demos)
    assert note == (
        "note: the recorded time limit is 100 steps, and the longest demonstration has 200; episodes last up to 200"
    )
    converted, told = convert(saved(max_episode_steps=100), PENDULUM)
    assert converted.length == 200
    assert len(told) == 1 and told[0].startswith("the recorded time limit is 100 steps")


def test_the_recorded_limit_counts_where_demonstrations_are_shorter(pendulum):
    assert episode_limit(replace(pendulum, length=300), PENDULUM) == 300
    assert episode_limit(replace(pendulum, length=None), PENDULUM) == 200
    assert episode_limit(replace(pendulum, length=None), "CartPole-v1") == 500


def test_another_time_limit_than_that_of_the_demonstrations_is_a_note(pendulum):
    (note,) = notes(pendulum, length=500)
    assert note == "note: the demonstrations' episodes last up to 200 steps, and the environment's up to 500"


def test_that_nobody_has_a_time_limit_is_a_note(pendulum):
    gym.register("Boundless-v0", entry_point="gymnasium.envs.classic_control.pendulum:PendulumEnv")
    try:
        unlimited = replace(pendulum, length=None, env_id="Boundless-v0")
        env = make_env("Boundless-v0", episode_limit(unlimited, "Boundless-v0"))
        (note,) = compare(unlimited, env, "Boundless-v0", "demos")
        assert note.endswith("no time limit; every episode ends after 200 steps, as the longest demonstration does")
    finally:
        del gym.registry["Boundless-v0"]


def test_data_of_an_environment_without_a_time_limit_say_so_when_they_are_converted(pendulum, tmp_path):
    parts = {name: [getattr(each, name) for each in pendulum.trajectories] for name in ("observations", "actions")}
    np.savez(tmp_path / "mine.npz", lengths=[len(each) for each in pendulum.trajectories], **parts)
    gym.register("Boundless-v0", entry_point="gymnasium.envs.classic_control.pendulum:PendulumEnv")
    try:
        converted, said = convert(tmp_path / "mine.npz", "Boundless-v0")
    finally:
        del gym.registry["Boundless-v0"]
    assert converted.length == 200
    assert any("no time limit; every episode ends after 200 steps" in note for note in said)


# 08: an environment of one's own module


@pytest.mark.parametrize(
    ("recorded", "env_id", "same"),
    [
        ("Point-v0", "mine:Point-v0", True),
        ("mine:Point-v0", "Point-v0", True),
        ("mine:Point-v0", "mine:Point-v0", True),
        ("theirs:Point-v0", "mine:Point-v0", False),
        ("Point-v0", "mine:Point-v1", False),
        ("ns/Point-v0", "mine:ns/Point-v0", True),
        ("ns/Point-v0", "mine:Point-v0", False),
        (None, "Point-v0", False),
    ],
)
def test_an_id_with_and_without_its_module_is_the_same_environment(recorded, env_id, same, pendulum):
    assert same_environment(recorded, env_id) == same
    assert (other_env_note(replace(pendulum, env_id=recorded), env_id) is None) == same


def test_an_unknown_recorded_id_names_the_module_it_comes_from(saved, refused):
    path = saved(id="Own-v0", entry_point="ownenvs.points:Own")
    demos = load_demonstrations(path)
    said = ["names the environment Own-v0", "module ownenvs.points", "--env ownenvs.points:Own-v0"]
    refused(said, named_environment, demos, path / "data")
    assert "ownenvs" not in sys.modules
    for entry_point in ("gymnasium.envs.old:Own", None, 3):
        path = saved(id="Own-v0", entry_point=entry_point)
        assert named_environment(load_demonstrations(path), path / "data") == "Own-v0"


def test_demonstrations_of_an_own_environment_used_in_another_one_name_its_module(saved, refused):
    path = saved(id="Own-v0", entry_point="ownenvs.points:Own")
    said = ["demonstrations of Own-v0, of the module ownenvs.points (--env ownenvs.points:Own-v0)"]
    for name in (path, path / "data" / "main_data.hdf5"):
        refused(said, compare, load_demonstrations(name), make_env("HalfCheetah-v5"), "HalfCheetah-v5", str(name))
    path = saved(id="ownenvs:Own-v0", entry_point="ownenvs.points:Own")
    said = ["demonstrations of ownenvs:Own-v0 (--env ownenvs:Own-v0)"]
    refused(said, compare, load_demonstrations(path), make_env("HalfCheetah-v5"), "HalfCheetah-v5", str(path))
    path = saved(id="Own-v0", entry_point="ownenvs.points:Own")
    said = ["expected 17", "demonstrations of Own-v0 (--env Own-v0)"]
    refused(said, compare, load_demonstrations(path), make_env("HalfCheetah-v5"), "HalfCheetah-v5", "mine")


# 07: dict observations


def test_parts_that_are_no_vectors_are_refused_with_their_keys_and_a_way_to_flatten_them(saved, refused):
    path = saved()
    file = path / "data" / "metadata.json"
    box = {"type": "Box", "dtype": "float64", "shape": [2], "low": [0, 0], "high": [1, 1]}
    picture = {**box, "shape": [2, 2], "low": [[0, 0], [0, 0]], "high": [[1, 1], [1, 1]]}
    for kind, parts in (("Dict", {"goal": box, "state": picture}), ("Tuple", [box, box])):
        metadata = json.loads(file.read_text())
        metadata["observation_space"] = json.dumps({"type": kind, "subspaces": parts})
        file.write_text(json.dumps(metadata))
        names = "goal [2], state [2, 2]" if kind == "Dict" else "0 [2], 1 [2]"
        said = ["observation_space: expected a Box space", f"a {kind} with the keys {names}", "FlattenObservation"]
        refused([file, *said], load_demonstrations, path)
        refused([file, *said], convert, path, PENDULUM)


@pytest.mark.parametrize(
    "parts", [{}, [], {"a": 3}, {"a": {"type": "Box", "shape": [2], "dtype": "S3", "low": [], "high": 0}}]
)
def test_damaged_descriptions_of_parts_are_refused(parts, saved, refused):
    path = saved()
    file = path / "data" / "metadata.json"
    metadata = json.loads(file.read_text())
    metadata["observation_space"] = json.dumps({"type": "Dict", "subspaces": parts})
    file.write_text(json.dumps(metadata))
    refused([file, "observation_space"], load_demonstrations, path)


def test_discrete_observations_are_not_named_as_accepted(saved, refused):
    path = saved()
    file = path / "data" / "metadata.json"
    metadata = json.loads(file.read_text())
    metadata["observation_space"] = json.dumps({"type": "Discrete", "n": 16, "start": 0, "dtype": "int64"})
    file.write_text(json.dumps(metadata))
    message = refused(["expected observations in a Box", "Discrete(16)"], load_demonstrations, path)
    assert "or Discrete" not in message


def test_what_make_env_flattens_itself_is_no_difference(monkeypatch):
    demos = load_demonstrations("cartpole")
    env = make_env("CartPole-v1")
    monkeypatch.setattr(recorded_environment, "wrapper_names", lambda env: ("FlattenObservation",))
    assert not any("through" in note for note in environment_notes(demos, env, "CartPole-v1"))
