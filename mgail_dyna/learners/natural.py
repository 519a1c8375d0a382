"""The policy's steps along the natural gradient of the unrolled graph, inside a trust region (paper, sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf

from mgail_dyna.learners.policy import Objective, PolicyLearner
from mgail_dyna.learners.variables import flatten, unflatten
from mgail_dyna.ops.distributions import for_actions
from mgail_dyna.ops.trpo import fisher_product, mean_kl, natural_step


class NaturalPolicyLearner(PolicyLearner):
    """`PolicyLearner` with natural-gradient steps in place of Adam's.

    Each step goes along F^-1 g. g is the gradient of Eq. 7 or 8 and the regularizer through the graph. F is the damped
    Fisher matrix of the policy in all states of the unroll, padding included. The mean KL of a step is at most
    `trust_region.max_kl`. A step is taken only if it lowers the unrolled objective.
    """

    METRICS: ClassVar[tuple[str, ...]] = (*PolicyLearner.METRICS, "kl", "step_accepted")

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        *_, action, config, _ = parts
        self.distribution, self.trust_region = for_actions(action), config.trust_region
        self.max_kl = tf.Variable(self.trust_region.max_kl)

    def pace(self, learning_rate: float) -> None:
        """As of `PolicyLearner`; the KL of a step grows with the square of its length."""
        self.max_kl.assign(self.trust_region.max_kl * learning_rate**2)

    def step(self, objective: Callable[[], Objective]) -> dict[str, tf.Tensor]:
        """One natural-gradient step down `objective`; returns `METRICS`."""
        network, variables = self.network, self.network.trainable_variables
        theta, fixed = flatten(variables), network.non_trainable_variables
        with tf.GradientTape() as tape:
            found = objective()
        gradient = flatten(tape.gradient(found.total, variables))
        states = tf.stop_gradient(tf.reshape(found.states, [-1, found.states.shape[-1]]))

        def parameters_at(candidate: tf.Tensor) -> tf.Tensor:
            return network.stateless_call(unflatten(candidate, variables), fixed, states)[0]

        def assign(candidate: tf.Tensor) -> None:
            for variable, new in zip(variables, unflatten(candidate, variables), strict=True):
                variable.assign(new)

        old = tf.stop_gradient(parameters_at(theta))

        def judge(candidate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            assign(candidate)
            return -objective().total, mean_kl(self.distribution, old, parameters_at(candidate))

        fisher = fisher_product(parameters_at, self.distribution, theta, self.trust_region.damping)
        max_kl = tf.convert_to_tensor(self.max_kl)
        step = natural_step(judge, -gradient, fisher, theta, -found.total, max_kl, self.trust_region)
        assign(step.parameters)
        self.optimizer.iterations.assign_add(1)  # Adam itself is not used
        accepted = tf.cast(step.accepted, tf.float32)
        return {"cost": found.cost, "gradient_norm": step.gradient_norm, "kl": step.kl, "step_accepted": accepted}
