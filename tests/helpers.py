"""What many tests start from: tiny configurations, a policy of random weights, the command line in a process."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np

from mgail_dyna.algorithms.registry import ALGORITHMS, algorithm_named, imitation_preset
from mgail_dyna.config.presets import apply
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.simulator import reset_to
from mgail_dyna.environments.spaces import action_spec, observation_size
from mgail_dyna.networks.numpy_policy import NumpyPolicy

ROOT = Path(__file__).resolve().parents[1]
CLOCKS = ("cpu_seconds", "wall_seconds")
# Small enough for a second: what is learned does not matter, only that everything is done and counted.
SMALL = {
    "env_steps": 100_000,
    "evaluate_every": 1,
    "evaluation_episodes": 1,
    "final_episodes": 0,
    "updates_per_iteration": 1,
    "policy": {"hidden": (16,)},
    "cloning": {"interval": 20, "batch": 16},
    "discriminator": {"steps": 2, "batch": 16, "recent_fraction": 0.5, "imagined_fraction": 0.0},
    "dynamics": {"units": 16, "steps": 2, "batch": 8, "burn_in": 1, "length": 2},
    "learn": {"steps": 2, "batch": 8, "length": 2},
    "plan": {"steps": 1, "batch": 32, "length": 4},
    "rollout": {"steps": 128, "num_envs": 2},
    "trust_region": {"value_epochs": 2, "value_batch": 64},
}


def small_config(algorithm="dyna", env_id="CartPole-v1", **changes):
    """The tuned preset of an algorithm with `SMALL`; `changes` are fields, or groups of fields as dictionaries."""
    config = apply(imitation_preset("tuned", env_id, algorithm), SMALL)
    return algorithm_named(algorithm).configure(apply(config, changes))


def small_flags(algorithm="dyna", **changes):
    """`SMALL` as options of the command line, without those that the algorithm refuses."""
    flags = (
        ["--cloning.steps", "40"] if algorithm in ("dyna", "mgail", "dyna-natural") else []
    )  # the recipe starts from a clone
    for key, value in {**SMALL, **changes}.items():
        fields = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
        for name, number in zip(fields, value.values() if isinstance(value, dict) else [value], strict=True):
            if not ALGORITHMS[algorithm].ignores(name, "none"):
                numbers = number if isinstance(number, tuple) else (number,)
                flags += [f"--{name.replace('_', '-')}", *map(str, numbers)]
    return flags


def begins_with(after, before):
    """Whether rows of a `progress.csv` begin with those of an earlier one; the row of a clone has fewer columns."""
    return [{name: row[name] for name in before[0]} for row in after[: len(before)]] == before


def without_clocks(history):
    return [{name: value for name, value in row.items() if name not in CLOCKS} for row in history]


def assert_same_weights(one, other):
    """That two NumPy policies have equal weights, bit for bit."""
    assert one.weights.keys() == other.weights.keys()
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, other.weights[name], err_msg=name)


def compiled_functions():
    """Every method of a learner that is compiled: its class and its name."""
    found = set()
    for path in sorted((ROOT / "mgail_dyna" / "learners").glob("[!_]*.py")):
        for kind in vars(importlib.import_module(f"mgail_dyna.learners.{path.stem}")).values():
            methods = vars(kind).items() if isinstance(kind, type) else ()
            found |= {(kind, name) for name, each in methods if hasattr(each, "experimental_get_tracing_count")}
    return found


def run_py(*words, timeout=300):
    """`run.py` in a child process."""
    call = [sys.executable, "run.py", *map(str, words)]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout)


def cut(trajectory, steps):
    """The first `steps` of a trajectory, as if a time limit had ended it there."""
    arrays = {name: getattr(trajectory, name) for name in ("observations", "qpos", "qvel", "actions", "rewards")}
    extra = {"actions": 0, "rewards": 0}
    kept = {name: None if array is None else array[: steps + extra.get(name, 1)] for name, array in arrays.items()}
    return replace(trajectory, **kept, noise=None, terminated=False, truncated=True)


def first(demos, trajectories, steps=100):
    """The first `steps` of the first `trajectories` of `demos`; episodes end after as many."""
    return replace(demos, trajectories=tuple(cut(t, steps) for t in demos.trajectories[:trajectories]), length=steps)


def random_policy(env_id, seed=0):
    env = make_env(env_id)
    spec, inputs = action_spec(env.action_space), observation_size(env.observation_space)
    rng = np.random.default_rng(seed)
    weights = {
        "kernel_0": rng.standard_normal((inputs, 8)).astype(np.float32),
        "bias_0": rng.standard_normal(8).astype(np.float32),
        "kernel_1": rng.standard_normal((8, spec.size)).astype(np.float32),
        "bias_1": rng.standard_normal(spec.size).astype(np.float32),
    }
    if spec.kind == "continuous":
        weights["log_std"] = np.full(spec.size, -0.5, np.float32)
    mean, std = rng.standard_normal(inputs), rng.uniform(0.5, 2.0, inputs)
    return NumpyPolicy(spec, weights, "relu" if seed else "tanh", mean, std, clip=5.0)


class StepCounter(gym.Wrapper):
    """Counts by itself what the ledger should count."""

    def __init__(self, env):
        super().__init__(env)
        self.steps = self.resets = 0
        self.closed = False

    def close(self):
        self.closed = True
        super().close()

    def reset(self, **kwargs):
        self.resets += 1
        return self.env.reset(**kwargs)

    def step(self, action):
        self.steps += 1
        return self.env.step(action)


def replay(expert, trajectory):
    """Replays an episode and checks that it gives what was recorded."""
    env = make_env(expert.env_id, expert.length)
    if trajectory.qpos is None:
        env.reset(seed=trajectory.seed)
    else:
        observed, _ = env.reset()
        first = reset_to(env, trajectory.qpos[0], trajectory.qvel[0], observed)
        np.testing.assert_array_equal(first, trajectory.observations[0])
    steps = [env.step(action) for action in trajectory.actions]
    np.testing.assert_allclose([step[1] for step in steps], trajectory.rewards, rtol=0, atol=1e-6)
    np.testing.assert_allclose(steps[-1][0], trajectory.observations[-1], rtol=1e-5, atol=1e-5)
    assert steps[-1][2] == trajectory.terminated
    assert not any(step[2] or step[3] for step in steps[:-1])
