"""The TRPO trainer, end to end and in parts."""

import csv
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.algorithms.trpo_expert import ExpertTrainer
from mgail_dyna.cli import expert_training
from mgail_dyna.cli.commands import expert as expert_command
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.wrappers import Nudged
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.normalization import ReturnScale, RunningMoments
from mgail_dyna.ops.distributions import for_actions
from mgail_dyna.storage import load_state
from mgail_dyna.types import ActionSpec

ROOT = Path(__file__).resolve().parents[2]
CONTINUOUS = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))
DISCRETE = ActionSpec("discrete", 3)


@pytest.mark.parametrize("action", [CONTINUOUS, DISCRETE])
def test_numpy_policy_is_the_keras_policy(action):
    network = PolicyNetwork(action, 5, hidden=(7, 6), initial_log_std=-0.3, seed=3)
    policy = NumpyPolicy(action, network.acting_weights())
    states = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    distribution = for_actions(action)(network(states))
    expected = distribution.mean() if action.kind == "continuous" else tf.argmax(distribution.logits, -1)
    np.testing.assert_allclose(policy.head.mode(policy.outputs(states)), expected, atol=1e-6)


@pytest.mark.parametrize("action", [CONTINUOUS, DISCRETE])
def test_sampled_actions_follow_the_distribution(action):
    network = PolicyNetwork(action, 5, initial_log_std=-0.5, seed=3)
    policy = NumpyPolicy(action, network.acting_weights())
    state = np.array([0.2, -1.0, 0.4, 2.0, -0.3], np.float32)
    outputs, rng = policy.outputs(state), np.random.default_rng(1)
    samples = policy.head.sample(outputs, policy.head.noise(rng, (20_000,)))
    distribution = for_actions(action)(network(state[None]))
    if action.kind == "continuous":
        np.testing.assert_allclose(samples.mean(axis=0), distribution.mean()[0], atol=0.02)
        np.testing.assert_allclose(samples.std(axis=0), distribution.stddev()[0], atol=0.02)
    else:
        frequencies = np.bincount(samples, minlength=3) / len(samples)
        np.testing.assert_allclose(frequencies, distribution.probs_parameter()[0], atol=0.02)


def test_running_moments_equal_those_of_the_whole_stream():
    stream = np.random.default_rng(0).normal(3.0, 2.0, (100, 4))
    moments = RunningMoments((4,))
    for chunk in np.split(stream, [10, 11, 60]):
        moments.update(chunk)
    np.testing.assert_allclose(moments.mean, stream.mean(axis=0))
    np.testing.assert_allclose(moments.variance, stream.var(axis=0))


def test_return_scale_is_the_deviation_of_discounted_returns():
    scale = ReturnScale(environments=1, discount=0.5)
    scale.update(np.array([[1.0], [2.0], [4.0]]), np.array([[False], [True], [False]]))
    np.testing.assert_allclose(scale.scale, np.std([1.0, 2.5, 4.0]), rtol=1e-6)


def small_config(**changes):
    return ExpertConfig(
        env="CartPole-v1", rollout=256, **{"length": 1_000, "steps": 20_480, "evaluation_episodes": 2, **changes}
    )


@pytest.mark.parametrize(("told", "limit"), [({}, 200), ({"length": 7}, 7)])
def test_an_expert_is_trained_under_the_environments_own_time_limit(told, limit):
    trainer = ExpertTrainer(ExpertConfig(env="Pendulum-v1", evaluation_episodes=1, **told))
    assert trainer.config.length == limit
    assert len(play_episode(trainer.evaluation_env, trainer.policy, 0)) == limit


def test_trpo_learns_cartpole():
    trainer = ExpertTrainer(small_config(steps=30_720, evaluate_every=5_120))
    iterations = list(trainer.iterate())
    assert iterations[-1].env_steps == trainer.collector.env_steps == 30_720
    assert trainer.choose()[1]["selection"]["return_mean"] > 900
    assert max(iteration.metrics["kl"] for iteration in iterations) <= 0.01 * (1 + 1e-4)
    assert trainer.update._update.experimental_get_tracing_count() == 1


def test_a_restored_trainer_has_lost_nothing_it_learned():
    trainer = ExpertTrainer(small_config(steps=2_048, evaluate_every=1_024))
    list(trainer.iterate())
    fresh = ExpertTrainer(small_config(steps=4_096, evaluate_every=1_024))
    fresh.restore(trainer.state())
    observations = np.random.default_rng(0).standard_normal((8, 4))
    np.testing.assert_array_equal(fresh.policy.act(observations), trainer.policy.act(observations))
    np.testing.assert_array_equal(fresh.policy.mean, trainer.policy.mean)
    assert [f["return_mean"] for f in fresh.finalists] == [f["return_mean"] for f in trainer.finalists]
    steps = [iteration.env_steps for iteration in fresh.iterate()]
    assert steps == [2_560, 3_072, 3_584, 4_096]


def test_nudging_adds_noise_to_what_is_executed_and_stays_inside_the_box():
    class Recorder(gym.Wrapper):
        def step(self, action):
            self.seen.append(action)
            return self.env.step(action)

    recorder = Recorder(make_env("Hopper-v5"))
    nudged = Nudged(recorder, 0.1)
    recorder.seen = []
    nudged.reset(seed=3)
    for _ in range(4):
        nudged.step(np.array([0.0, 0.5, 1.0], np.float32))
    first, recorder.seen = np.stack(recorder.seen), []
    nudged.reset(seed=3)
    for _ in range(4):
        nudged.step(np.array([0.0, 0.5, 1.0], np.float32))
    np.testing.assert_array_equal(recorder.seen, first)
    noise = np.random.default_rng(3).standard_normal((4, 3))
    np.testing.assert_allclose(first, np.minimum([0.0, 0.5, 1.0] + 0.1 * noise, 1.0), rtol=1e-6)
    cartpole = Nudged(make_env("CartPole-v1"), 0.1)
    cartpole.reset(seed=0)
    cartpole.step(1)


def test_an_expert_that_falls_when_nudged_is_not_chosen():
    trainer = ExpertTrainer(ExpertConfig(env="Hopper-v5", length=100, evaluation_episodes=1, rollout=1_024))
    calm, nervous = (trainer.policy.state() for _ in range(2))
    # Still, or thrown about by the least change of what is seen; the latter's word for itself is better.
    calm["weights"] = {name: 0 * value for name, value in calm["weights"].items()}
    nervous["weights"] = {name: 20 * value for name, value in nervous["weights"].items()}
    trainer.finalists = [
        {"policy": state, "return_mean": told, "env_steps": steps}
        for state, told, steps in ((nervous, 2.0, 1), (calm, 1.0, 2))
    ]
    _, chosen = trainer.choose()
    returns = {
        env: [trainer._returns(NumpyPolicy.from_state(state), 10, env) for state in (nervous, calm)]
        for env in (trainer.evaluation_env, trainer.nudging_env)
    }
    alone, nudged = returns.values()
    scores = [min(np.mean(r[k]) - np.std(r[k]) for r in returns.values()) for k in range(2)]
    assert not np.array_equal(alone[1], nudged[1]), "noise should tell"
    assert chosen["steps_at_selection"] == (1 if scores[0] > scores[1] else 2)
    assert chosen["selection"]["nudged_return_mean"] == np.mean(nudged[chosen["steps_at_selection"] - 1])


def command(out, *more):
    return [sys.executable, "run.py", "expert", "--env", "cartpole", "--rollout", "256", "--out", str(out), *more]


def test_an_interrupt_is_taken_between_two_iterations(tmp_path):
    process = subprocess.Popen(
        command(tmp_path, "--steps", "100000000", "--evaluate-every", "512", "--evaluation-episodes", "1"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    line = ""
    while "KL" not in line and process.poll() is None:
        line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopping after this iteration" in told
    assert f"resume with: python run.py expert --resume --out {tmp_path}" in told
    trainer = load_state(tmp_path / "checkpoint.h5", "an expert's training")["trainer"]
    assert trainer["collector"]["env_steps"] % 256 == 0
    under_way = sum(len(episode["actions"]) for episode in trainer["collector"]["episodes"])
    assert under_way <= trainer["collector"]["env_steps"]


def test_what_is_to_be_replaced_is_not_gone_on_with(tmp_path, monkeypatch):
    for name in ("checkpoint.h5", "progress.csv"):
        (tmp_path / name).write_text("of an earlier run")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(expert_training, "_Session", killed)
    with pytest.raises(KeyboardInterrupt):
        expert_command.main(["--env", "cartpole", "--out", str(tmp_path), "--overwrite"])
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_killed_and_resumed_training_goes_on_and_writes_a_dataset(tmp_path):
    options = ("--evaluate-every", "512", "--evaluation-episodes", "1", "--trajectories", "2", "--length", "50")
    endless = command(tmp_path, "--steps", "100000000", "--checkpoint-seconds", "0", *options)
    process = subprocess.Popen(endless, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "progress.csv").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = list(csv.DictReader((tmp_path / "progress.csv").open()))
    done = int(before[-1]["env_steps"])
    resume = [sys.executable, "run.py", "expert", "--resume", "--out", str(tmp_path), "--steps", str(done + 5_000)]
    finished = subprocess.run(resume, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    after = list(csv.DictReader((tmp_path / "progress.csv").open()))
    assert after[: len(before)] == before
    assert int(after[-1]["env_steps"]) >= done + 5_000
    expert = load_demonstrations(tmp_path)
    assert len(expert.trajectories) == 2
    assert expert.provenance["steps_trained"] >= done + 5_000

    changed = subprocess.run([*resume, "--max-kl", "0.5"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert changed.returncode == 2
    assert "trust-region cannot change" in changed.stderr
    again = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "holds an earlier run" in again.stderr
    assert again.stderr.count("\n") == 1
