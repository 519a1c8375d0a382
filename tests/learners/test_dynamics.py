"""The dynamics model's gradient steps, on real data."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.config.imitation import (
    DynamicsConfig,
)
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.learners.dynamics import DynamicsLearner, multi_step_loss
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.ops.losses import dynamics_loss
from mgail_dyna.replay import Replay


@pytest.fixture(scope="module")
def cheetah_model():
    """A transition model fitted to six of eight HalfCheetah trajectories, and windows on the other two."""
    whole = load_demonstrations("halfcheetah")
    assert whole.policy is not None
    observations = np.concatenate([trajectory.observations for trajectory in whole.trajectories[:6]])
    mean, std = observations.mean(axis=0), observations.std(axis=0)
    size, actions = observations.shape[1], whole.action.size
    train, held_out = (Replay(size, actions, actions) for _ in range(2))
    for number, trajectory in enumerate(whole.trajectories[:8]):
        states = np.clip((trajectory.observations - mean) / std, -10, 10)
        (train if number < 6 else held_out).add(states, trajectory.actions)
    model = GRUDynamics(size, actions, 64, train.changes().std(axis=0), seed=0)
    update = DynamicsLearner(model, DynamicsConfig(units=64, learning_rate=2e-3))
    rng = np.random.default_rng(0)
    told = [update(train.windows(rng, (100, 64), length=4, burn_in=1), 1.0)["loss"] for _ in range(4)]
    return update, told, held_out.windows(rng, (1, 500), length=4, burn_in=1)


def test_the_transition_model_learns_real_dynamics_it_was_not_shown(cheetah_model):
    update, told, windows = cheetah_model
    states, actions, mask = (tf.constant(array[0]) for array in (windows.states, windows.actions, windows.mask))
    change = (states[1:] - states[:-1]) / update.model.change_scale
    no_change = float(dynamics_loss(tf.zeros_like(change), change, mask))
    size = states.shape[-1]
    assert 0.4 * size < no_change < 0.6 * size  # "about d / 2"
    found = float(update.model.loss(states, actions, mask))
    assert told[-1] < told[0]
    assert found < 0.5 * no_change


def test_every_coordinate_is_predicted_in_units_of_its_change_wherever_it_changes():
    # A contact the expert never makes, another that nobody makes, one that hardly moves, and a clock.
    steps = np.arange(6, dtype=np.float32)
    demonstrations, replay, empty = (Replay(5, 1, 1) for _ in range(3))
    columns = [steps % 2, 0 * steps, 0 * steps, 1e-4 * (steps % 2), -0.2 * steps]
    demonstrations.add(np.stack(columns, axis=1), np.zeros((5, 1)))
    replay.add(np.stack([9 * steps, steps % 3 == 1, 0 * steps, 0 * steps, -0.2 * steps], axis=1), np.zeros((5, 1)))
    update = DynamicsLearner(GRUDynamics(5, 1, 3, seed=0), DynamicsConfig(units=3))
    update.scale(empty, demonstrations, replay)
    expected = [demonstrations.changes()[:, 0].std(), replay.changes()[:, 1].std(), 1.0, 1e-3, 0.2]
    np.testing.assert_allclose(update.model.change_scale, expected, rtol=1e-5)


class Straight:
    """s_pred = s + a + what it remembers, which is the sum of the states it observed."""

    change_scale = tf.constant([2.0])

    def observe(self, states, mask):
        return tf.reduce_sum(states * mask[..., None], axis=0)

    def predict(self, states, actions, memory):
        return states + actions + memory, memory, None


def test_the_loss_along_predictions_is_that_of_each_step_predicted_from_the_prediction():
    states = tf.constant([1.0, 3.0, 10.0, 20.0, 40.0])[:, None, None]
    actions, mask = tf.constant([9.0, 5.0, 7.0, 8.0])[:, None, None], tf.ones((4, 1))
    predicted = [3 + 5 + 1, 9 + 7 + 1, 17 + 8 + 1]  # from the second state on; the first one is remembered
    errors = [0.5 * ((p - s) / 2) ** 2 / k for k, (p, s) in enumerate(zip(predicted, [10, 20, 40], strict=True), 1)]
    found = float(multi_step_loss(Straight(), states, actions, mask, burn_in=1))
    np.testing.assert_allclose(found, sum(errors) / 3, rtol=1e-6)
    ended = tf.constant([1.0, 1.0, 1.0, 0.0])[:, None]  # the last step is not there
    found = float(multi_step_loss(Straight(), states, actions, ended, burn_in=1))
    np.testing.assert_allclose(found, sum(errors[:2]) / 3, rtol=1e-6)


def test_one_step_ahead_it_is_the_loss_of_single_steps():
    model, rng = GRUDynamics(3, 2, 8, seed=0), np.random.default_rng(0)
    shapes = (2, 5, 3), (1, 5, 2)
    states, actions = (tf.constant(rng.standard_normal(shape), tf.float32) for shape in shapes)
    mask = tf.constant([[1.0, 1.0, 0.0, 1.0, 1.0]])
    along = multi_step_loss(model, states, actions, mask, burn_in=0)
    np.testing.assert_allclose(along, model.loss(states, actions, mask), rtol=1e-5)


@pytest.mark.slow
def test_along_predictions_the_model_learns_to_predict_further():
    """The same steps on the same windows; half of the loss is on predictions of predictions."""
    demos = load_demonstrations("halfcheetah")
    states = [np.clip((t.observations - demos.observations.mean(axis=0)) / demos.observations.std(axis=0), -10, 10)
              for t in demos.trajectories[:2]]  # fmt: skip
    train, held_out = (Replay(17, 6, 6) for _ in range(2))
    for replay, each, trajectory in zip((train, held_out), states, demos.trajectories[:2], strict=True):
        replay.add(each.astype(np.float32), trajectory.actions)
    far = held_out.windows(np.random.default_rng(1), (1, 500), length=20, burn_in=4)

    def error(multi_step):
        update = DynamicsLearner(GRUDynamics(17, 6, 64, seed=0), DynamicsConfig(multi_step=multi_step))
        update.scale(train)
        rng = np.random.default_rng(0)
        for _ in range(8):
            update(train.windows(rng, (100, 64), length=5, burn_in=4), 1.0)
        return update.errors(far)["error_20"]

    assert error(0.5) < 0.9 * error(0.0)
