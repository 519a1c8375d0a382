"""The registry of algorithms, and parts of one's own: what must be given, and that it is used."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import small_config

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.algorithms.networks import Networks
from mgail_dyna.algorithms.registry import ALGORITHMS, Algorithm, algorithm_named, imitation_preset, register
from mgail_dyna.config.presets import apply
from mgail_dyna.ops.losses import dynamics_loss
from mgail_dyna.ops.unroll import Prediction
from mgail_dyna.runs.run import ImitationRun

# A value of every kind that an override or a default may have.
CHANGES = {"discount": 0.5, "plan": {"steps": 7}, "policy": {"hidden": (3, 2), "bptt_clip_norm": "none"}}


@pytest.fixture
def registered():
    """Forgets afterwards what was registered."""
    before = dict(ALGORITHMS)
    yield register
    ALGORITHMS.clear()
    ALGORITHMS.update(before)


def test_defaults_are_below_presets_and_overrides_above_everything(registered):
    registered(Algorithm("mine", "a test", "nowhere:Agent", sections=("dyna",), defaults={"env_steps": 5}))
    own, tuned = imitation_preset("tuned", "CartPole-v1", "mine"), imitation_preset("tuned", "CartPole-v1")
    assert own == tuned, "the preset's env_steps are above the default's"
    assert imitation_preset("tuned", "Pendulum-v1", "mine").env_steps == 30_000, "default.toml's"

    registered(replace(algorithm_named("mine"), overrides=CHANGES))
    config = imitation_preset("tuned", "CartPole-v1", "mine")
    assert (config.discount, config.plan.steps, config.policy.hidden) == (0.5, 7, (3, 2))
    assert config.policy.bptt_clip_norm is None
    assert algorithm_named("mine").configure(apply(config, {"discount": 0.9})) == config


class StandingStill:
    """An agent that learns nothing, with what `Agent` asks for."""

    def __init__(self, config, make_env, demos, networks=None):
        self.inner = DynaAgent(config, make_env, demos, networks)
        self.idle_env, self.acting, self.budget = self.inner.idle_env, self.inner.acting, self.inner.budget
        self.env_steps, self.steps = 0, 0

    @property
    def progress(self):
        return self.steps / 3

    def iterate(self):
        self.steps += 1
        return {"standing/steps": float(self.steps)}

    def act(self, observations):
        return self.inner.act(observations)

    def state(self):
        return {"acting": self.acting.state(), "steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"]


@pytest.mark.usefixtures("eager")
def test_an_algorithm_of_your_own_is_run_evaluated_and_restored(registered, cartpole_demos):
    registered(Algorithm("still", "learns nothing", StandingStill, sections=("dyna",), ignored_fields=("plan",)))
    config = small_config("still")
    run = ImitationRun(config, cartpole_demos, "still")
    rows = list(run.iterate())
    assert [row["standing/steps"] for row in rows] == [1.0, 2.0, 3.0]
    assert all(np.isfinite(row["return_mean"]) for row in rows)
    again = ImitationRun(config, cartpole_demos, "still")
    again.restore(run.state())
    assert again.ended() and again.agent.steps == 3
    assert algorithm_named("still").ignores("plan.steps", "none") and not algorithm_named("still").ignores("seed", "bc")


class Drift(keras.layers.Layer):
    """s_pred = s + drift: the fewest lines that the protocol `DynamicsModel` leaves. It counts steps in its memory."""

    def __init__(self, size):
        super().__init__()
        self.change_scale = self.add_weight(shape=(size,), initializer="ones", trainable=False)
        self.drift = self.add_weight(shape=(size,), initializer="zeros")

    def observe(self, states, mask):
        return tf.reduce_sum(mask, axis=0)[:, None]

    def predict(self, states, actions, memory):
        return Prediction(states + self.change_scale * self.drift, memory + 1, tf.zeros(states.shape[:1]))

    def loss(self, states, actions, mask):
        change = tf.zeros_like(states[1:]) + self.drift
        return dynamics_loss(change, (states[1:] - states[:-1]) / self.change_scale, mask)


@pytest.mark.parametrize("algorithm", ["dyna", "dyna-trpo"])
def test_a_dynamics_model_of_your_own_is_trained_and_planned_with(algorithm, cartpole_demos, registered, request):
    if algorithm != "dyna":  # one of them as a graph
        request.getfixturevalue("eager")
    built = []

    def build(demos, config, seed):
        built.append(Drift(demos.all_pairs()[0].shape[1]))
        return built[-1]

    registered(replace(algorithm_named(algorithm), name="drifting", networks=Networks(dynamics=build)))
    config = small_config(algorithm, discriminator={"imagined_fraction": 0.25 if algorithm == "dyna" else 0.0})
    run = ImitationRun(config, cartpole_demos, "drifting")
    for row in run.iterate(iterations=2):
        assert np.isfinite(list(row.values())).all()
        assert "plan/gradient_norm" in row and "dynamics/error_4" in row
    (model,) = built
    assert run.agent.dynamics.model is model
    assert np.abs(model.drift).max() > 0, "trained by Eq. 5"
    assert not np.array_equal(model.change_scale, np.ones(4)), "scaled as any other"
    if algorithm == "dyna":
        agent = run.agent
        starts = agent.replay.windows(agent.rng, (1, 6), 0, config.dynamics.burn_in)
        states, _ = agent.policy.imagine(starts, agent.acting.head.noise(agent.rng, (3, 6)))
        drift = np.broadcast_to(model.change_scale * model.drift, (2, 6, 4))
        np.testing.assert_allclose(np.diff(states, axis=0), drift, atol=1e-5)
