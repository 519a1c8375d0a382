"""Films: endless floors, two episodes side by side, and what is said where there is nothing to show."""

import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.video import MUJOCO_PLANE, _endless_floor, film_episode, side_by_side
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import RunSettings, save_run, write_settings


def frames(colour, count, height=60, width=80):
    return [np.full((height, width, 3), colour + n, np.uint8) for n in range(count)]


def test_two_films_stand_side_by_side_and_the_shorter_one_keeps_its_last_frame():
    film = side_by_side({"expert": frames(10, 2), "agent": frames(100, 4)})
    assert [frame.shape for frame in film] == [(60, 160, 3)] * 4
    corners = [(frame[-1, 0, 0], frame[-1, -1, 0]) for frame in film]
    assert corners == [(10, 100), (11, 101), (11, 102), (11, 103)]
    names = film[0][:30]
    written = [part > 150 for part in np.split(names, 2, axis=1)]
    assert all(map(np.any, written)) and not np.array_equal(*written), "each has its own name at its top"


def test_a_floor_without_end_changes_no_physics():
    plain, endless = gym.make("HalfCheetah-v5"), gym.make("HalfCheetah-v5")
    model = plain.unwrapped.model
    (floor,) = np.flatnonzero(model.geom_type == MUJOCO_PLANE)
    assert model.geom_size[floor, 0] == 40, "the floor would end after 40 metres"
    _endless_floor(endless.unwrapped)
    assert not endless.unwrapped.model.geom_size[floor, :2].any()
    rng = np.random.default_rng(0)
    found = [env.reset(seed=0)[0] for env in (plain, endless)]
    for action in rng.uniform(-1, 1, (50, 6)).astype(np.float32):
        np.testing.assert_array_equal(*found)
        found = [env.step(action)[0] for env in (plain, endless)]


def test_a_film_is_made_by_this_package_whatever_the_current_directory_holds(tmp_path, monkeypatch):
    policy = load_demonstrations("halfcheetah").policy
    (tmp_path / "mgail_dyna").mkdir()
    (tmp_path / "mgail_dyna" / "__init__.py").write_text("raise SystemExit('another package')")
    monkeypatch.chdir(tmp_path)
    try:
        shown, rate = film_episode("HalfCheetah-v5", policy, 2, None, 0)
    except UserError as error:
        if "cannot render" not in str(error):
            raise
        pytest.skip("no EGL")
    assert (len(shown), rate) == (3, 20.0)


def test_environments_without_a_floor_are_left_as_they_are():
    _endless_floor(gym.make("CartPole-v1").unwrapped)


AFAR = """
import gymnasium as gym, numpy as np
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.video import _endless_floor
env = gym.make("HalfCheetah-v5", render_mode="rgb_array", camera_name="track").unwrapped
if {endless}:
    _endless_floor(env)
env.reset(seed=0)
env.set_state(np.r_[200.0, env.data.qpos[1:]], env.data.qvel)
print("contrast", env.render()[-100:].std())
"""


@pytest.mark.parametrize("endless", [True, False])
def test_the_floor_is_still_there_after_200_metres(endless):
    """The expert gets there in 550 steps; the floor of Gymnasium's model ends at 40."""
    call = [sys.executable, "-c", AFAR.format(endless=endless)]  # MuJoCo's renderer crashes beside TensorFlow
    done = subprocess.run(call, env={**os.environ, "MUJOCO_GL": "egl"}, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no EGL: {done.stderr.strip().splitlines()[-1]}")
    contrast = float(done.stdout.split("contrast")[1])
    assert contrast > 50 if endless else contrast < 25, "the squares of the floor, or the sky"


@pytest.fixture
def a_run(trained, tmp_path):
    """The directory of a run on CartPole, of the shipped demonstrations."""
    run = trained()
    write_settings(tmp_path, RunSettings("dyna", "tuned", "cartpole", 2, run.config), 1000.0, 100)
    save_run(tmp_path, run.state())
    return tmp_path


def test_the_expert_is_shown_beside_the_agent(a_run, cli):
    imageio = pytest.importorskip("imageio.v3")
    alone, beside = a_run / "alone.mp4", a_run / "beside.mp4"
    for file, flags in ((alone, []), (beside, ["--beside-expert"])):
        done = cli("evaluate", a_run, "--episodes", 1, "--video", file, "--video-steps", 5, *flags)
        assert done.returncode == 0, done.stderr
    (_, height, width, _), (_, same, twice, _) = (imageio.imread(file).shape for file in (alone, beside))
    assert (same, twice) == (height, 2 * width)


def test_what_cannot_stand_beside_gives_one_line(a_run, cli):
    for words, said in (
        ((a_run, "--beside-expert"), "--beside-expert: expected --video FILE"),
        (
            ("cartpole", "--beside-expert", "--video", a_run / "f.gif"),
            "expected the directory of a run, found cartpole",
        ),
    ):
        done = cli("evaluate", *words)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
