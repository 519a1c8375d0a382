"""The TRPO trainer, end to end and in parts."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.algorithms.trpo_expert import ExpertTrainer
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.demonstrations.record import record
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.wrappers import Nudged
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import for_actions
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


def small_config(**changes):
    return ExpertConfig(
        env="CartPole-v1", rollout=256, **{"length": 1_000, "steps": 20_480, "evaluation_episodes": 2, **changes}
    )


@pytest.mark.parametrize(("told", "limit"), [({}, 200), ({"length": 7}, 7)])
def test_an_expert_is_trained_under_the_environments_own_time_limit(told, limit):
    trainer = ExpertTrainer(ExpertConfig(env="Pendulum-v1", evaluation_episodes=1, **told))
    assert trainer.config.length == limit
    assert len(play_episode(trainer.evaluation_env, trainer.policy, 0)) == limit


def test_an_expert_is_trained_in_the_environment_that_was_asked_for():
    trainer = ExpertTrainer(ExpertConfig(env="Pendulum-v1", env_kwargs='{"g": 1.6}'))
    envs = [*(copy.env for copy in trainer.collector.copies), trainer.evaluation_env, trainer.nudging_env]
    assert {env.unwrapped.g for env in envs} == {1.6}
    demos = record("Pendulum-v1", 5, trainer.policy, 1, env_kwargs=trainer.env_kwargs)
    assert demos.env_kwargs == {"g": 1.6}


@pytest.mark.slow
@pytest.mark.xla
def test_trpo_learns_cartpole(with_xla):
    trainer = ExpertTrainer(small_config(steps=30_720, evaluate_every=5_120))
    iterations = list(trainer.iterate())
    assert iterations[-1].env_steps == trainer.collector.env_steps == 30_720
    assert trainer.choose()[1]["selection"]["return_mean"] > 900
    assert max(iteration.metrics["kl"] for iteration in iterations) <= 0.01 * (1 + 1e-4)
    assert trainer.learner._update.experimental_get_tracing_count() == 1


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
