"""The writer of `.npz` files in docs/formats.md, as it stands there, and the loop that records an expert."""

import re
from pathlib import Path

import gymnasium as gym
import numpy as np

from mgail_dyna.demonstrations.reader import load_demonstrations

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def block_with(word):
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if word in block)
    return code


def writer():
    code = block_with("savez")
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


def test_an_expert_is_recorded(tmp_path, cli, monkeypatch):
    env = gym.make("CartPole-v1", max_episode_steps=30)
    names = {"save_npz": writer(), "env": env, "expert": lambda observation: int(observation[2] > 0)}
    monkeypatch.chdir(tmp_path)
    exec(block_with("def record"), names)
    done = cli("data", "convert", tmp_path / "mine.npz", tmp_path / "out", "--env", "cartpole")
    assert done.returncode == 0, done.stderr
    found = load_demonstrations(tmp_path / "out").trajectories
    assert len(found) == 20
    observation, _ = env.reset(seed=19)
    np.testing.assert_array_equal(found[19].observations[0], observation)
    for step, action in enumerate(found[19].actions):
        observation, _, terminated, truncated, _ = env.step(int(action))
        np.testing.assert_array_equal(found[19].observations[step + 1], observation)
    assert (found[19].terminated, found[19].truncated) == (terminated, truncated)


def test_continuous_actions_too(tmp_path):
    episodes = [(np.zeros((n + 1, 17)), np.full((n, 6), 0.5), np.arange(n), False) for n in (3, 2)]
    writer()(tmp_path / "mine.npz", episodes)
    with np.load(tmp_path / "mine.npz") as file:
        assert file["actions"].shape == (2, 3, 6) and file["observations"].shape == (2, 4, 17)
        assert not file["actions"][1, 2:].any() and (file["actions"][1, :2] == 0.5).all()
