"""The dynamics model's gradient steps, on real data."""

import numpy as np
import pytest
import tensorflow as tf

from mgail_dyna.config.imitation import (
    DynamicsConfig,
)
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.learners.dynamics import DynamicsLearner
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.ops.losses import dynamics_loss
from mgail_dyna.ops.unroll import Prediction
from mgail_dyna.replay import Replay, Windows


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


class Sum:
    """Predicts the state plus `rate` times the action."""

    trainable_variables = ()

    def __init__(self, rate):
        self.rate = rate

    def observe(self, states, mask):
        return tf.zeros(mask.shape[1])

    def predict(self, states, actions, memory):
        return Prediction(states + self.rate * actions, memory, memory)


@pytest.mark.parametrize(("rate", "foreseen"), [(1.0, 1.0), (0.75, 0.75), (0.0, 0.0), (-1.0, 0.0)])
def test_what_is_foreseen_of_the_changes_along_a_plan(rate, foreseen):
    replay, rng = Replay(2, 2, 2), np.random.default_rng(0)
    for length in (3, 5, 40):  # masked where an episode ends
        actions = rng.standard_normal((length, 2)).astype(np.float32)
        replay.add(np.concatenate([np.zeros((1, 2), np.float32), np.cumsum(actions, axis=0)]), actions)
    learner = DynamicsLearner(Sum(rate), DynamicsConfig(burn_in=2))
    assert learner.foreseen(replay.windows(rng, (1, 50), 6, 2)) == pytest.approx(foreseen, abs=1e-5)
    still = Replay(2, 2, 2)
    still.add(np.ones((9, 2), np.float32), np.zeros((8, 2), np.float32))
    assert learner.foreseen(still.windows(rng, (1, 50), 6, 2)) == 1.0, "nothing changes, as foreseen"


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


def test_members_disagree_more_where_nothing_was_learned():
    rng = np.random.default_rng(0)
    size, steps, length, batch = 3, 300, 4, 32
    actions = rng.uniform(-0.1, 0.1, (steps, length, batch, size)).astype(np.float32)
    start = rng.uniform(-0.1, 0.1, (steps, 1, batch, size)).astype(np.float32)
    states = np.concatenate([start, start + np.cumsum(actions, axis=1)], axis=1)
    model = GRUDynamics(size, size, 16, np.full(size, 0.1, np.float32), seed=0, members=4)
    update = DynamicsLearner(model, DynamicsConfig(units=16, burn_in=0, learning_rate=3e-3))
    update(Windows(states, actions, np.zeros_like(actions), np.ones(actions.shape[:3], np.float32)), 1.0)

    def disagreement(reach):
        inputs = [tf.constant(rng.uniform(-reach, reach, (256, size)), tf.float32) for _ in range(2)]
        return float(np.mean(model.predict(*inputs, model.initial_state(256)).disagreement))

    near, far = disagreement(0.1), disagreement(3.0)
    assert near < 0.05 and far > 5 * near
