"""The averaged policy: how many of the gradient steps it remembers."""

import numpy as np
import pytest

from mgail_dyna.config.imitation import DynamicsConfig, ImitationConfig, PolicyConfig
from mgail_dyna.learners.natural import NaturalPolicyLearner
from mgail_dyna.learners.policy import PolicyLearner
from mgail_dyna.learners.views import StateAction
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.replay import Replay
from mgail_dyna.types import ActionSpec

SIZE, BATCH, LENGTH, STEPS = 3, 4, 2, 6
BOX = ActionSpec("continuous", 2, -np.ones(2, np.float32), np.ones(2, np.float32))


def learned_and_averaged(kind, **policy):
    """Weights after each gradient step: those that learn, and their average."""
    networks = [PolicyNetwork(BOX, SIZE, (4,), "tanh", -1.0, squash=True, seed=1) for _ in range(2)]
    config = ImitationConfig(
        policy=PolicyConfig(learning_rate=0.1, **policy), dynamics=DynamicsConfig(burn_in=1), cost="logit"
    )
    judge, model = Discriminator(SIZE, 2, (8,), "tanh", seed=2), GRUDynamics(SIZE, 2, 6, np.ones(SIZE), seed=3)
    learner, rng = kind(*networks, judge, model, BOX, config, StateAction()), np.random.default_rng(0)
    replay = Replay(SIZE, 2, 2)
    replay.add(rng.standard_normal((20, SIZE)), rng.uniform(-1, 1, (19, 2)))
    weights = [[np.array(network.trainable_variables[0]) for network in networks]]
    for _ in range(STEPS):
        noise = rng.standard_normal((1, LENGTH, BATCH, 2)).astype(np.float32)
        learner.plan(replay.windows(rng, (1, BATCH), 0, 1), noise, 1.0)
        weights.append([np.array(network.trainable_variables[0]) for network in networks])
    return zip(*weights, strict=True)


@pytest.mark.parametrize("kind", [PolicyLearner, NaturalPolicyLearner])
@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({"averaging": 0.9}, [0.9] * STEPS),
        ({"averaging": 0.9, "averaging_share": 1.0}, [1 / 2, 2 / 3, 3 / 4, 4 / 5, 5 / 6, 6 / 7]),
        ({"averaging": 0.5, "averaging_share": 0.5}, [1 / 3, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2]),
        ({"averaging": 0.0, "averaging_share": 0.5}, [0.0] * STEPS),
    ],
)
def test_the_average_remembers_no_more_than_its_share_of_the_steps(kind, policy, kept):
    learned, averaged = learned_and_averaged(kind, **policy)
    expected = learned[0]
    for share, now, average in zip(kept, learned[1:], averaged[1:], strict=True):
        expected = now + share * (expected - now)
        np.testing.assert_allclose(average, expected, atol=1e-6)
    assert np.abs(learned[-1] - learned[0]).max() > 1e-2
