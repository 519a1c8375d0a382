"""The agent end to end, as small as it gets, and the transition model on real data."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from helpers import StepCounter

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.config.imitation import (
    DiscriminatorConfig,
    DynamicsConfig,
    ImitationConfig,
    LearnConfig,
    PlanConfig,
    PolicyConfig,
    RolloutConfig,
)
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.environments.make import make_env
from mgail_dyna.environments.wrappers import Ledger
from mgail_dyna.learners.dynamics import DynamicsLearner
from mgail_dyna.learners.policy import BCRegularizer
from mgail_dyna.networks.dynamics import GRUDynamics
from mgail_dyna.ops.losses import dynamics_loss
from mgail_dyna.replay import Replay

PARTS = ("discriminator", "learn", "dynamics", "plan")


@pytest.fixture(scope="module")
def demos():
    whole = load_demonstrations("cartpole")
    return replace(whole, trajectories=whole.trajectories[:3])


def tiny_config(plan_steps):
    return ImitationConfig(
        env="CartPole-v1",
        env_steps=200,
        updates_per_iteration=1,
        policy=PolicyConfig(hidden=(8,)),
        discriminator=DiscriminatorConfig(hidden=(8,), steps=2, batch=4, imagined_fraction=0.0),
        dynamics=DynamicsConfig(units=8, steps=2, batch=4, length=2, burn_in=1),
        learn=LearnConfig(steps=2, batch=4, length=3, recent_steps=50),
        plan=PlanConfig(steps=plan_steps, batch=4, length=3),
        rollout=RolloutConfig(steps=20, initial_states="reset"),
    )


class Run:
    """An agent after two iterations, with its ledger, its counter and the metrics of both."""

    def __init__(self, demos, plan_steps):
        self.ledger, self.counter = Ledger(), StepCounter(make_env("CartPole-v1"))
        self.agent = DynaAgent(tiny_config(plan_steps), lambda: self.ledger.watch(self.counter, "training"), demos)
        self.before = self.weights()
        self.metrics = [self.agent.iterate(), self.agent.iterate()]

    def weights(self):
        agent = self.agent
        models = {
            "policy": agent.policy.network,
            "average": agent.policy.average,
            "discriminator": agent.discriminator.network,
            "dynamics": agent.dynamics.model,
        }
        return {name: [v.numpy() for v in model.trainable_variables] for name, model in models.items()}

    def changed(self, before):
        after = self.weights()
        return {name for name in after if any((a != b).any() for a, b in zip(after[name], before[name], strict=True))}

    def traces(self):
        agent = self.agent
        functions = (agent.discriminator._update, agent.policy._learn, agent.dynamics._update, agent.policy._plan)
        counts = [function.experimental_get_tracing_count() for function in functions]
        return dict(zip(PARTS, counts, strict=True))


@pytest.fixture(scope="module")
def dyna(demos):
    return Run(demos, plan_steps=2)


@pytest.fixture(scope="module")
def mgail(demos):
    return Run(demos, plan_steps=0)


def test_two_iterations_of_dyna_run_every_part_and_report_finite_numbers(dyna):
    for metrics in dyna.metrics:
        assert {name.split("/")[0] for name in metrics} == {"rollout", *PARTS}
        assert np.isfinite(list(metrics.values())).all(), metrics
        assert all(metrics[f"{part}/gradient_norm"] > 0 for part in ("learn", "plan"))
    assert dyna.changed(dyna.before) == {"policy", "average", "discriminator", "dynamics"}


def test_mgail_is_the_same_without_planning(dyna, mgail):
    for metrics in mgail.metrics:
        assert {name.split("/")[0] for name in metrics} == {"rollout", "discriminator", "learn", "dynamics"}
        assert np.isfinite(list(metrics.values())).all(), metrics
    assert mgail.changed(mgail.before) == {"policy", "average", "discriminator", "dynamics"}
    assert mgail.traces() == {"discriminator": 1, "learn": 1, "dynamics": 1, "plan": 0}
    for name, value in mgail.metrics[0].items():
        np.testing.assert_allclose(value, dyna.metrics[0][name], rtol=1e-6, err_msg=name)


def test_every_compiled_function_is_traced_once(dyna):
    dyna.agent.iterate()
    assert dyna.traces() == dict.fromkeys(PARTS, 1)


def test_env_steps_are_counted_alike_by_the_agent_the_ledger_and_the_environment(dyna):
    agent, ledger, counter = dyna.agent, dyna.ledger, dyna.counter
    assert agent.env_steps == ledger.steps["training"] == counter.steps == agent.replay.steps
    assert agent.env_steps >= 2 * agent.config.rollout.steps
    assert ledger.episodes["training"] == counter.resets
    assert ledger.steps["evaluation"] == ledger.episodes["evaluation"] == 0


@pytest.mark.parametrize(
    ("part", "trained"),
    [
        ("plan", {"policy", "average"}),
        ("learn", {"policy", "average"}),
        ("update_discriminator", {"discriminator"}),
        ("update_dynamics", {"dynamics"}),
    ],
)
def test_every_part_trains_its_own_and_only_collecting_touches_the_environment(dyna, part, trained):
    counts = (dyna.agent.env_steps, dyna.ledger.state(), dyna.counter.steps, dyna.counter.resets)
    before, held = dyna.weights(), dyna.agent.replay.steps
    getattr(dyna.agent, part)(1.0)
    assert (dyna.agent.env_steps, dyna.ledger.state(), dyna.counter.steps, dyna.counter.resets) == counts
    assert dyna.agent.replay.steps == held
    assert dyna.changed(before) == trained


def test_the_averaged_policy_explores_and_an_average_over_iterations_acts(dyna):
    agent = dyna.agent
    before = agent.acting.weights
    agent.iterate()
    average = agent.policy.average.acting_weights()
    for name, weight in agent.averager.exploring.weights.items():
        np.testing.assert_array_equal(weight, average[name])
    kept = min(agent.config.policy.acting_averaging, agent.averager.iterations / (4 + agent.averager.iterations))
    assert 0 < kept < 1
    for name, weight in agent.acting.weights.items():
        expected = kept * before[name] + (1 - kept) * agent.averager.exploring.weights[name]
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-7)


def test_the_averaged_policy_is_an_exponential_moving_average(dyna):
    agent, config = dyna.agent, dyna.agent.config
    kept, share = agent.policy.state(), config.policy.averaging
    for variable in agent.policy.average.variables:
        variable.assign(tf.zeros_like(variable))
    windows = agent.replay.windows(agent.rng, (2, 4), config.learn.length, config.dynamics.burn_in)
    agent.policy.learn(windows, 1.0)
    for average, now in zip(agent.policy.average.variables, agent.policy.network.variables, strict=True):
        # After two steps, up to what one of Adam's steps changes.
        np.testing.assert_allclose(average, (1 - share**2) * now.numpy(), atol=0.02 * config.policy.learning_rate)
    agent.policy.restore(kept)
    for name, arrays in agent.policy.state().items():
        for one, other in zip(arrays, kept[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_anchor_holds_the_policy_to_what_it_demonstrates(dyna):
    agent, config = dyna.agent, dyna.agent.config
    kept, update = agent.policy.state(), agent.policy
    windows = agent.replay.windows(agent.rng, (40, 16), config.learn.length, config.dynamics.burn_in)
    noise = agent.acting.head.noise(agent.rng, (40, config.plan.length, 16))
    states, actions = agent.demo_replay.pairs(agent.rng, (40, 32))

    def told_and_loss(learn, anchor):
        update.restore(kept)
        told = learn(anchor)
        outputs = update.network(states.reshape(-1, states.shape[-1]))
        return told, float(update.cloning_loss(outputs, actions.reshape(-1, actions.shape[-1])))

    for learn in (
        lambda anchor: update.learn(windows, 1.0, anchor),
        lambda anchor: update.plan(windows, noise, 1.0, anchor),
    ):
        free, loss_free = told_and_loss(learn, None)
        weightless, loss_weightless = told_and_loss(learn, BCRegularizer(states, actions, np.float32(0.0)))
        held, loss_held = told_and_loss(learn, BCRegularizer(states, actions, np.float32(1e4)))
        assert weightless == pytest.approx(free, rel=1e-3)
        assert loss_weightless == pytest.approx(loss_free, rel=1e-3)
        assert loss_held < loss_free - 0.01
        assert abs(held["cost"]) < 100, "the anchor's part is not told as cost"
    update.restore(kept)


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
