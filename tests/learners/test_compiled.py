"""XLA: every compiled function computes what it computes without XLA, and is traced once."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import compiled_functions

from mgail_dyna.config.cloning import CloningConfig
from mgail_dyna.config.expert import TrustRegionConfig
from mgail_dyna.config.imitation import DiscriminatorConfig, DynamicsConfig, ImitationConfig
from mgail_dyna.learners.bc import BCLearner
from mgail_dyna.learners.compiled import XLA_SWITCH, compiled
from mgail_dyna.learners.demonstrated import Cloning
from mgail_dyna.learners.discriminator import DiscriminatorLearner, ImitationReward, mixing
from mgail_dyna.learners.dynamics import DynamicsLearner
from mgail_dyna.learners.imagination import Imagination
from mgail_dyna.learners.natural import NaturalPolicyLearner
from mgail_dyna.learners.policy import PolicyLearner
from mgail_dyna.learners.trpo import TRPOLearner
from mgail_dyna.learners.views import StateAction
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.networks.value import value_network
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec, Rollout

pytestmark = pytest.mark.xla
SIZE, STEPS, BATCH, BURN_IN, LENGTH = 3, 3, 4, 1, 3
ACTION = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))
CLASSES = {BCLearner, DiscriminatorLearner, DynamicsLearner, Imagination, ImitationReward, PolicyLearner, TRPOLearner}
COMPILED = compiled_functions()


def numbers(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def networks():
    policy = PolicyNetwork(ACTION, SIZE, (6,), "tanh", -1.0, squash=True, seed=1)
    return policy, Discriminator(SIZE, 2, (6,), "tanh", seed=2), GRUDynamics(SIZE, 2, 6, np.ones(SIZE), seed=3)


def windows():
    replay = Replay(SIZE, 2, 2)
    replay.add(numbers(20, SIZE), np.tanh(numbers(19, 2)), numbers(19, 2))
    return replay.windows(np.random.default_rng(0), (STEPS, BATCH), LENGTH, BURN_IN)


def bc():
    learner = BCLearner(networks()[0], ACTION, CloningConfig())
    states, actions = numbers(STEPS, BATCH, SIZE), np.tanh(numbers(STEPS, BATCH, 2))
    return learner, lambda: [learner(states, actions, 1.0), learner.loss(states[0], actions[0])]


def discriminator():
    learner = DiscriminatorLearner(networks()[1], DiscriminatorConfig(gradient_penalty=0.5))
    agent, expert = ((numbers(STEPS, BATCH, SIZE) + k, numbers(STEPS, BATCH, 2)) for k in range(2))
    mix = mixing(np.random.default_rng(0), STEPS, BATCH)
    return learner, lambda: list(learner(agent, expert, mix, 1.0).values())


def reward():
    learner = ImitationReward(networks()[1], "saturating")
    return learner, lambda: [learner((numbers(STEPS, BATCH, SIZE), numbers(STEPS, BATCH, 2)))]


def dynamics():
    learner = DynamicsLearner(networks()[2], DynamicsConfig(units=6, burn_in=BURN_IN))

    def call():
        return [
            *learner.errors(windows()).values(),
            *learner._missed(*(array[0] for array in (windows().states, windows().actions, windows().mask))),
            *learner(windows(), 1.0).values(),
        ]

    return learner, call


def policy(kind=PolicyLearner):
    network, judge, model = networks()
    average = PolicyNetwork(ACTION, SIZE, (6,), "tanh", -1.0, squash=True, seed=1)
    config = ImitationConfig(cost="saturating", discount=0.9, dynamics=DynamicsConfig(burn_in=BURN_IN))
    learner = kind(network, average, judge, model, ACTION, config, StateAction())
    pairs = Cloning(numbers(STEPS, BATCH, SIZE), np.tanh(numbers(STEPS, BATCH, 2)), np.float32(0.5))

    def call():
        return [
            *learner.learn(windows(), 1.0, pairs).values(),
            *learner.plan(windows(), numbers(STEPS, LENGTH, BATCH, 2), 1.0, pairs).values(),
            *learner.imagine(windows(), numbers(LENGTH, BATCH, 2)),
        ]

    return learner, call


def natural():
    return policy(NaturalPolicyLearner)


def imagination():
    network, judge, model = networks()
    learner = Imagination(network, model, judge, ACTION, "saturating", BURN_IN, StateAction())

    def call():
        rollout = learner(windows(), numbers(LENGTH + 1, BATCH, 2))
        return [rollout.states, rollout.next_states, rollout.actions, rollout.rewards]

    return learner, call


def trpo():
    config = TrustRegionConfig(value_epochs=2, value_batch=16)
    learner = TRPOLearner(networks()[0], value_network(SIZE, (6,), "tanh", 4), ACTION, config, seed=5)
    ended = np.zeros((20, 2), bool)
    ended[-1] = True
    states = numbers(21, 2, SIZE)
    rollout = Rollout(states[:-1], states[1:], numbers(20, 2, 2), numbers(20, 2), np.zeros_like(ended), ended)
    return learner, lambda: list(learner(rollout, 0.0).values())


MAKERS = (bc, discriminator, reward, dynamics, policy, natural, imagination, trpo)


def outcome(make):
    """What two calls return, and the variables afterwards."""
    learner, call = make()
    results = [np.asarray(each, np.float64) for _ in range(2) for each in call()]
    state = learner.state() if hasattr(learner, "state") else {}
    state.pop("rng", None)
    floats = [array for arrays in state.values() for array in arrays if np.asarray(array).dtype == np.float32]
    return learner, results, floats


# The natural gradient compiles longest.
TIMED = [pytest.param(make, marks=pytest.mark.slow) if make is natural else make for make in MAKERS]


@pytest.mark.parametrize("make", TIMED, ids=lambda make: make.__name__)
def test_with_xla_the_numbers_are_the_same(make, request):
    _, plain, plain_state = outcome(make)
    request.getfixturevalue("with_xla")
    learner, results, state = outcome(make)
    assert len(plain) == len(results) > 0 and len(plain_state) == len(state)
    for one, other in zip([*plain, *plain_state], [*results, *state], strict=True):
        np.testing.assert_allclose(other, one, rtol=2e-3, atol=2e-5)
    for kind, name in COMPILED:
        if isinstance(learner, kind):
            assert getattr(learner, name).experimental_get_tracing_count() == 1, name


def test_every_function_has_such_a_test():
    assert {kind for kind, _ in COMPILED} == CLASSES
    assert len(MAKERS) == len(CLASSES) + 1, "the natural steps are a kind of PolicyLearner's"
    assert len(COMPILED) == 12


def test_xla_is_on_unless_it_is_switched_off(monkeypatch):
    def text(x):  # XLA has no strings
        return tf.strings.length(tf.strings.as_string(x))

    monkeypatch.setenv(XLA_SWITCH, "0")
    assert int(compiled(text)(tf.constant(12))) == 2
    for value in (None, "1"):
        monkeypatch.delenv(XLA_SWITCH) if value is None else monkeypatch.setenv(XLA_SWITCH, value)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?i)xla|compil"):
            compiled(text)(tf.constant(12))
