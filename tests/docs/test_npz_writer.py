"""The writer of `.npz` files in docs/formats.md, as it stands there."""

import re
from pathlib import Path

import numpy as np

from mgail_dyna.demonstrations.reader import load_demonstrations

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def writer():
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "savez" in block)
    assert len([line for line in code.splitlines() if line.strip()]) <= 11, "ten lines and an import"
    names = {}
    exec(code, names)
    return names["save_npz"]


def test_what_it_writes_is_converted_and_read_back(tmp_path, cli):
    rng = np.random.default_rng(0)
    lengths, terminated = (7, 4, 9), (True, False, True)
    episodes = [
        (rng.uniform(-0.05, 0.05, (n + 1, 4)).astype(np.float32), rng.integers(2, size=n), np.ones(n), ended)
        for n, ended in zip(lengths, terminated, strict=True)
    ]
    writer()(tmp_path / "mine.npz", episodes)
    done = cli("data", "convert", tmp_path / "mine.npz", tmp_path / "out", "--env", "cartpole")
    assert done.returncode == 0, done.stderr
    for found, (observations, actions, rewards, ended) in zip(
        load_demonstrations(tmp_path / "out").trajectories, episodes, strict=True
    ):
        np.testing.assert_array_equal(found.observations, observations)
        np.testing.assert_array_equal(found.actions, actions)
        np.testing.assert_array_equal(found.rewards, rewards)
        assert (found.terminated, found.truncated) == (ended, not ended)


def test_continuous_actions_too(tmp_path):
    episodes = [(np.zeros((n + 1, 17)), np.full((n, 6), 0.5), np.arange(n), False) for n in (3, 2)]
    writer()(tmp_path / "mine.npz", episodes)
    with np.load(tmp_path / "mine.npz") as file:
        assert file["actions"].shape == (2, 3, 6) and file["observations"].shape == (2, 4, 17)
        assert not file["actions"][1, 2:].any() and (file["actions"][1, :2] == 0.5).all()
