"""Dyna-AIL's and MGAIL's agent end to end, as small as it gets."""

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
from mgail_dyna.learners.demonstrated import Cloning

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
        weightless, loss_weightless = told_and_loss(learn, Cloning(states, actions, np.float32(0.0)))
        held, loss_held = told_and_loss(learn, Cloning(states, actions, np.float32(1e4)))
        assert weightless == pytest.approx(free, rel=1e-3)
        assert loss_weightless == pytest.approx(loss_free, rel=1e-3)
        assert loss_held < loss_free - 0.01
        assert abs(held["cost"]) < 100, "the anchor's part is not told as cost"
    update.restore(kept)


@pytest.mark.parametrize(("reset_length", "ended"), [(4, False), (200, True)])
def test_once_the_task_has_ended_an_episode_plans_and_episodes_are_longer(reset_length, ended, demos):
    config = tiny_config(plan_steps=1)
    config = replace(
        config,
        plan=replace(config.plan, length=2, ended_length=5),
        rollout=replace(config.rollout, reset_length=reset_length, ended_length=150),
    )
    agent = DynaAgent(config, lambda: make_env("CartPole-v1"), demos)
    assert agent.plan_length == 2
    agent.iterate()
    planned, learner = [], agent.policy.plan
    agent.policy.plan = lambda windows, noise, *rest: planned.append(noise.shape[1]) or learner(windows, noise, *rest)
    agent.iterate()
    assert planned == [5 if ended else 2], "CartPole ends an episode of more than a few steps"
    assert agent.collector.length == (150 if ended else reset_length)
    again = DynaAgent(config, lambda: make_env("CartPole-v1"), demos)
    again.restore(agent.state())
    assert again.plan_length == planned[0]
