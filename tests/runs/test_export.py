"""Exported policies act as the policy does, in processes that have neither this package nor TensorFlow."""

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.runs import export
from mgail_dyna.runs.export import export_policy
from mgail_dyna.runs.policies import load_policy, save_policy
from mgail_dyna.types import ActionSpec

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
INF = np.float32(np.inf)
SPECS = {
    "box": ActionSpec("continuous", 2, np.float32([-1, 0]), np.float32([3, 0.5])),
    "open": ActionSpec("continuous", 2, np.float32([-INF, -1]), np.float32([INF, INF]), unit=np.float32([3, 0.1])),
    "choices": ActionSpec("discrete", 3, start=-4),
}


def policy_of(spec, squash=False, activation="relu"):
    rng = np.random.default_rng(0)
    sizes = [5, 16, 8, spec.size]
    weights = {
        name: array
        for i, (n, m) in enumerate(itertools.pairwise(sizes))
        for name, array in (
            (f"kernel_{i}", rng.normal(size=(n, m)).astype(np.float32)),
            (f"bias_{i}", rng.normal(size=m).astype(np.float32)),
        )
    }
    if spec.kind == "continuous":
        weights["log_std"] = np.zeros(spec.size, np.float32)
    mean, std = rng.normal(size=5) * 10, np.exp(rng.normal(size=5) * 3)
    return NumpyPolicy(spec, weights, activation, mean, std, clip=1.5, squash=squash)


@pytest.mark.parametrize("form", ["onnx", "keras", "npz"])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("squash", "activation"), [(False, "relu"), (True, "tanh")])
def test_an_exported_policy_acts_as_the_policy(tmp_path, form, spec, squash, activation):
    policy, file = policy_of(SPECS[spec], squash, activation), tmp_path / f"p.{form}"
    assert export_policy(file, policy, form) <= 1e-5
    act = export._FORMATS[form][1](file)
    observations = (policy.mean + 3 * policy.std * np.random.default_rng(1).normal(size=(50, 5))).astype(np.float32)
    found, expected = act(observations), policy.act(observations)
    assert found.shape == expected.shape and found.dtype.kind == expected.dtype.kind
    scale = SPECS[spec].scale if SPECS[spec].kind == "continuous" else 1
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [file.name], "nothing half written is left"


@pytest.mark.parametrize("form", ["onnx", "npz"])
@pytest.mark.parametrize(("expert", "env_id"), [("cartpole", "CartPole-v1"), ("hopper", "Hopper-v5")])
def test_the_example_returns_what_the_policy_does_without_tensorflow_or_this_package(
    tmp_path, cli, form, expert, env_id
):
    done = cli("export", expert, "--format", form, "--out", tmp_path / f"p.{form}")
    assert done.stdout.startswith(f"wrote {tmp_path / f'p.{form}'}; tried on 1,000 observations")
    alone = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'mgail_dyna', 'jax', 'torch')));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    )
    words = [sys.executable, "-c", alone, EXAMPLES / f"act_with_{form}.py", tmp_path / f"p.{form}", env_id]
    shown = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout
    episode = play_episode(gym.make(env_id), load_policy(expert), 0)
    assert float(shown.removeprefix("return ")) == pytest.approx(episode.episode_return, rel=0.01)


def test_a_policy_that_acts_otherwise_is_not_kept(tmp_path, monkeypatch, refused):
    policy, file = policy_of(SPECS["box"]), tmp_path / "p.npz"
    other = replace(policy.spec, high=np.float32([3, 0.4]))
    write, read = export._FORMATS["npz"]
    changed = NumpyPolicy.from_state({**policy.state(), "spec": vars(other)})
    monkeypatch.setitem(export._FORMATS, "npz", (lambda _policy, path: write(changed, path), read))
    refused([file, "expected the actions of the policy, found others"], export_policy, file, policy, "npz")
    assert not list(tmp_path.iterdir())


def test_mistakes_are_refused_in_one_line(tmp_path, refused, cli, monkeypatch):
    policy = policy_of(SPECS["box"])
    refused(["p.bin: expected a file ending in .onnx, found .bin"], export_policy, tmp_path / "p.bin", policy, "onnx")
    save_policy(tmp_path / "agent.h5", policy)
    done = cli("export", tmp_path / "agent.h5", "--out", tmp_path / "p.npz", "--format", "onnx")
    assert done.returncode == 2 and "p.npz: expected a file ending in .onnx, found .npz" in done.stderr
    there = tmp_path / "p.npz"
    assert cli("export", tmp_path / "agent.h5", "--out", there).returncode == 0
    done = cli("export", tmp_path / "agent.h5", "--out", there)
    assert done.returncode == 2 and f"{there}: there is such a file already; --overwrite replaces it" in done.stderr
    assert cli("export", tmp_path / "agent.h5", "--out", there, "--overwrite").returncode == 0
    done = cli("evaluate", there)
    assert done.returncode == 2 and "found .npz; an exported policy is run by other programs" in done.stderr
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install '\.\[onnx\]'"):
        export_policy(tmp_path / "p.onnx", policy, "onnx")
