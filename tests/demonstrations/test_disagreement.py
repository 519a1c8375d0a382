"""Where demonstrations disagree, on two tracks with known differences; and the figure of `data check --plot`."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from mgail_dyna.cli.main import main
from mgail_dyna.demonstrations.dataset import Demonstrations, subset
from mgail_dyna.demonstrations.disagreement import disagreement
from mgail_dyna.demonstrations.writer import save_demonstrations
from mgail_dyna.experiments.figures.dataset import dataset_figure
from mgail_dyna.types import Trajectory

BOX = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)


def two(difference, steps=50):
    """Two demonstrations along the same line; after half of it the second one's action differs."""
    line = np.stack([np.arange(steps + 1.0), np.zeros(steps + 1)], axis=1)
    actions = np.where(np.arange(steps) % 2, 0.5, -0.5)[:, None]
    other = actions + np.where(np.arange(steps) < steps // 2, 0.0, difference)[:, None]
    episodes = tuple(Trajectory(line, each, np.ones(steps), False, True) for each in (actions, other))
    return Demonstrations(episodes, BOX, gym.spaces.Box(-2, 2, (1,), np.float32))


def test_actions_differ_where_they_were_made_to():
    demos = two(0.4)
    found = disagreement(demos)
    np.testing.assert_allclose(found.distances, 0.0, atol=1e-3)
    spread = np.concatenate(demos.actions).std()
    np.testing.assert_allclose(found.actions, np.where(found.steps < 25, 0.0, 0.4 / spread), atol=1e-5)


def test_choices_differ_or_not(cartpole_demos):
    found = disagreement(cartpole_demos)
    assert set(found.actions) <= {0.0, 1.0} and (found.distances > 0).all()


def test_there_is_none_without_actions_or_without_another():
    assert disagreement(subset(two(0.1), None, 1, observations_only=True)) is None
    assert disagreement(subset(two(0.1), 1, 1)) is None


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_figure_is_written(suffix, cheetah, tmp_path, capsys):
    save_demonstrations(tmp_path / "mine", cheetah)
    out = tmp_path / f"data.{suffix}"
    assert main(["data", "check", str(tmp_path / "mine"), "--plot", str(out)]) == 0
    assert out.stat().st_size > 5_000 and str(out) in capsys.readouterr().err
    assert main(["data", "check", str(tmp_path / "mine"), "--plot", "data.txt"]) == 2
    assert "--plot: expected a file ending in .png, .svg, .pdf, found data.txt" in capsys.readouterr().err


def test_a_panel_that_cannot_be_drawn_says_why(cheetah):
    bare = subset(cheetah, 1, 1, observations_only=True)
    bare = replace(bare, trajectories=tuple(replace(t, rewards=np.zeros(len(t))) for t in bare.trajectories))
    said = [text.get_text() for axes in dataset_figure(bare).axes for text in axes.texts]
    assert said == [
        "returns: rewards are all 0, or there are none",
        "where demonstrations disagree: the file has no actions",
    ]
