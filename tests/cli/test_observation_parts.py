"""Observations with names: the parts that demonstrations are joined from, and their order, reach every environment."""

import importlib
import json
import sys

import gymnasium as gym
import h5py
import numpy as np
import pytest
from helpers import random_policy, small_flags

from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.demonstrations.record import record
from mgail_dyna.demonstrations.recorded_environment import environment_arguments
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.runs.policies import load_policy, observation_parts, save_policy

MODULE = """
import gymnasium as gym
import numpy as np

WIDTHS = {"arm": 3, "goal": 2, "hand": 1}

class Arm(gym.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    action_space = gym.spaces.Box(-1, 1, (2,))

    def __init__(self, eye=True, speed=1.0, render_mode=None):
        parts = {name: gym.spaces.Box(-np.inf, np.inf, (width,)) for name, width in WIDTHS.items()}
        parts |= {"eye": gym.spaces.Box(0, 255, (4, 4, 3), np.uint8)} if eye else {}
        self.observation_space, self.render_mode = gym.spaces.Dict(parts), render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self._seen(), {}

    def step(self, action):
        self.t += 1
        return self._seen(), float(action.sum()), False, False, {}

    def _seen(self):
        values = {"arm": [10, 11, 12], "goal": [20, 21], "hand": [30], "eye": np.zeros((4, 4, 3))}
        return {name: (np.array(values[name]) + self.t).astype(space.dtype)
                for name, space in self.observation_space.items()}

    def render(self):
        return np.zeros((8, 8, 3), np.uint8)

gym.register("Arm-v0", entry_point=Arm, max_episode_steps=12)
gym.register("Plain-v0", entry_point=Arm, max_episode_steps=12, kwargs={"eye": False})
"""
ENV = "own_arm:Arm-v0"
GIVEN = {"arm": [10.0, 11, 12], "goal": [20.0, 21], "hand": [30.0]}


@pytest.fixture
def arm(tmp_path, monkeypatch):
    """Its module where Python finds it, and demonstrations of it in robomimic's layout."""
    (tmp_path / "own_arm.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with h5py.File(tmp_path / "arm.hdf5", "w") as file:
        for n in range(2):
            demo = file.create_group(f"data/demo_{n}")
            for name, values in GIVEN.items():
                rows = np.array(values) + np.arange(13)[:, None]
                demo[f"obs/{name}"], demo[f"next_obs/{name}"] = rows[:-1], rows[1:]
            demo["obs/eye"] = demo["next_obs/eye"] = np.zeros((12, 4, 4, 3), np.uint8)
            demo["actions"] = np.random.default_rng(n).uniform(-1, 1, (12, 2))
            demo["rewards"] = np.ones(12)
    yield tmp_path / "arm.hdf5"
    sys.modules.pop("own_arm", None)
    for name in ("Arm-v0", "Plain-v0"):
        gym.registry.pop(name, None)


@pytest.fixture
def hand_and_arm(arm, tmp_path, cli):
    """A data set of two of the parts, in an order that is not the environment's."""
    done = cli("data", "convert", arm, tmp_path / "own", "--env", ENV, "--keys", "hand,arm")
    assert done.returncode == 0, done.stderr
    assert "hand, arm are taken from a Dict with the keys arm [3], eye [4, 4, 3], goal [2], hand [1]" in done.stderr
    assert "joined in this order to 4 numbers" in done.stderr and done.stderr.count("joined") == 1
    return tmp_path / "own"


def test_what_observations_are_joined_from_is_said_once(arm, tmp_path, cli):
    done = cli("data", "convert", arm, tmp_path / "own", "--env", "own_arm:Plain-v0")
    assert done.returncode == 0 and "note: observations are arm (3), goal (2), hand (1), joined" in done.stderr
    assert "goal [2]" not in done.stderr


def test_a_name_given_twice_is_refused(arm, tmp_path, cli):
    done = cli("data", "convert", arm, tmp_path / "own", "--env", ENV, "--keys", "hand,arm,hand")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --keys: expected each name once, found hand twice; leave one out\n"


@pytest.mark.usefixtures("eager")
def test_a_run_sees_the_parts_of_its_demonstrations_everywhere(hand_and_arm, tmp_path, cli):
    parts = "hand (1), arm (3)"
    demos = load_demonstrations(hand_and_arm)
    env = make_env(ENV, **environment_arguments(demos, ENV))
    np.testing.assert_array_equal(env.reset(seed=0)[0], [30, 10, 11, 12])
    np.testing.assert_array_equal(env.step(np.zeros(2, np.float32))[0], demos.trajectories[0].observations[1])
    assert cli("data", "check", hand_and_arm, "--env", ENV).returncode == 0
    flags = [*small_flags("gail", final_episodes=1), "--logdir", tmp_path / "runs"]
    done = cli("--env", ENV, "--expert", hand_and_arm, "--mode", "gail", *flags, "--iterations", 1)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "arm-gail-seed0"
    assert json.loads((run / "config.json").read_text())["env_kwargs"] == {"observation_parts": parts}
    assert len(load_policy(run).layers[0][0]) == 4
    for words in (
        ["--resume", run, "--iterations", 2],
        ["evaluate", run, "--episodes", 1],
        ["evaluate", run, "--episodes", 1, "--env-kwargs", '{"speed": 2.0}'],
        ["evaluate", run, "--episodes", 1, "--env", ENV, "--video", tmp_path / "film.gif"],
        ["evaluate", run, "--episodes", 1, "--env", "own_arm:Plain-v0"],
        ["doctor", run, "--play"],
    ):
        done = cli(*words)
        assert done.returncode == 0, (words, done.stderr)
    done = cli("export", run, "--out", tmp_path / "policy.npz")
    assert f"its observation is {parts}, joined in this order" in done.stdout


@pytest.mark.usefixtures("eager")
def test_a_run_resumes_with_the_parts_it_started_with_only(hand_and_arm, arm, tmp_path, cli):
    flags = [*small_flags("gail"), "--logdir", tmp_path / "runs"]
    assert cli("--env", ENV, "--expert", hand_and_arm, "--mode", "gail", *flags, "--iterations", 1).returncode == 0
    run = tmp_path / "runs" / "arm-gail-seed0"
    cli("data", "convert", arm, hand_and_arm, "--env", ENV, "--keys", "arm,hand", "--overwrite")
    done = cli("--resume", run, "--iterations", 2)
    assert done.returncode == 2
    assert 'the run has observation_parts="hand (1), arm (3)", and these' in done.stderr
    cli("data", "convert", arm, hand_and_arm, "--env", ENV, "--keys", "hand,arm", "--overwrite")
    about = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**about, "env_kwargs": {}}))  # as older runs wrote it
    done = cli("--resume", run, "--iterations", 2)
    assert done.returncode == 0, done.stderr


def test_an_environment_without_the_parts_is_refused_with_both(hand_and_arm, tmp_path, cli):
    (tmp_path / "own_arm.py").write_text(MODULE.replace('"hand": 1}', '"hand": 2}').replace("[30]", "[30, 31]"))
    sys.modules.pop("own_arm")
    for name in ("Arm-v0", "Plain-v0"):
        gym.registry.pop(name)
    for command in (["data", "check", hand_and_arm], ["--expert", hand_and_arm, "--logdir", tmp_path / "runs"]):
        done = cli(*command, "--env", ENV)
        assert done.returncode == 2
        assert (
            f"environment '{ENV}': observations: expected hand (1), arm (3), which the demonstrations are joined from, "
            "found a Dict with the keys arm [3], eye [4, 4, 3], goal [2], hand [2]" in done.stderr
        )
        assert done.stderr.strip().count("\n") == 0


def test_several_files_are_of_the_same_parts(arm, hand_and_arm, tmp_path, cli):
    both = cli("data", "convert", arm, arm, tmp_path / "both", "--env", ENV, "--keys", "goal,hand")
    assert both.returncode == 0, both.stderr
    assert load_demonstrations(tmp_path / "both").provenance["observations"] == "goal (2), hand (1)"
    other = cli("data", "convert", hand_and_arm, tmp_path / "both", tmp_path / "all", "--env", ENV)
    assert other.returncode == 2
    assert "parts of an observation: expected those of" in other.stderr


def test_what_is_recorded_says_what_it_is_joined_from(arm, tmp_path):
    importlib.import_module("own_arm")
    save_demonstrations(tmp_path / "expert", record("Plain-v0", 12, random_policy("Plain-v0"), 1))
    assert observation_parts(tmp_path / "expert") == "arm (3), goal (2), hand (1)"
    save_policy(tmp_path / "policy.h5", load_policy(tmp_path / "expert"))
    assert observation_parts(tmp_path / "policy.h5") == ""
    assert observation_parts("cartpole") == ""
