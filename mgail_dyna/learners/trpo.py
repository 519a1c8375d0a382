"""TRPO's update of a policy and a value network."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.config.expert import TrustRegionConfig
from mgail_dyna.learners.compiled import compiled
from mgail_dyna.learners.variables import flatten, restore_variables, unflatten, variable_state
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import for_actions
from mgail_dyna.ops.gae import generalised_advantages
from mgail_dyna.ops.trpo import trust_region_step
from mgail_dyna.types import ActionSpec, Rollout


class TRPOLearner:
    """TRPO's update of a policy and a value network from one rollout, in one compiled call.

    Args:
        network: the policy.
        value: `[n, d]` to `[n, 1]`.
        action: what the policy acts with.
        config: of the step and of the regression.
        seed: of the minibatches.
    """

    def __init__(
        self, network: PolicyNetwork, value: keras.Model, action: ActionSpec, config: TrustRegionConfig, seed: int
    ) -> None:
        self.network, self.value, self.config = network, value, config
        self.distribution = for_actions(action)
        self.optimizer = keras.optimizers.Adam(config.value_learning_rate)
        self.optimizer.build(value.trainable_variables)
        self.rng = np.random.default_rng(seed)

    def __call__(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Updates both networks.

        Args:
            rollout: `[T, N]` steps under the current policy.
            progress: share of training done, for the schedule of `max_kl`.

        Returns:
            Scalars: `kl`, `surrogate_gain`, `step_accepted`, `gradient_norm`, `entropy`, `value_loss`,
            `explained_variance`.
        """
        samples, batch = rollout.rewards.size, self.config.value_batch
        shuffled = [self.rng.permutation(samples) for _ in range(self.config.value_epochs)]
        whole = samples // batch * batch
        minibatches = np.concatenate([order[:whole] for order in shuffled]).reshape(-1, batch).astype(np.int32)
        metrics = self._update(
            rollout.states,
            rollout.next_states,
            rollout.actions,
            rollout.rewards,
            rollout.terminated,
            rollout.ended,
            minibatches,
            np.float32(self.config.max_kl_at(progress)),
        )
        return {name: float(number) for name, number in metrics.items()}

    @compiled
    def _update(
        self,
        states: tf.Tensor,
        next_states: tf.Tensor,
        actions: tf.Tensor,
        rewards: tf.Tensor,
        terminated: tf.Tensor,
        ended: tf.Tensor,
        minibatches: tf.Tensor,
        max_kl: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        size = states.shape[-1]
        steps = rewards.shape
        flat_states = tf.reshape(states, [-1, size])
        values = tf.reshape(self.value(flat_states), steps)
        next_values = tf.reshape(self.value(tf.reshape(next_states, [-1, size])), steps)
        advantages = generalised_advantages(
            rewards,
            values,
            next_values,
            terminated,
            ended,
            discount=self.config.discount,
            gae_lambda=self.config.gae_lambda,
        )
        targets = tf.reshape(advantages + values, [-1])
        metrics = self._policy_step(flat_states, tf.reshape(actions, [-1, *actions.shape[2:]]), advantages, max_kl)
        metrics["value_loss"] = self._fit_value(flat_states, targets, minibatches)
        residual = tf.math.reduce_variance(targets - tf.reshape(values, [-1]))
        metrics["explained_variance"] = 1.0 - residual / (tf.math.reduce_variance(targets) + 1e-8)
        return metrics

    def _policy_step(
        self, states: tf.Tensor, actions: tf.Tensor, advantages: tf.Tensor, max_kl: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        weights = self.network.trainable_variables
        fixed = self.network.non_trainable_variables  # the standard deviations, if they are not trained
        advantages = tf.reshape(advantages, [-1])
        advantages = (advantages - tf.reduce_mean(advantages)) / (tf.math.reduce_std(advantages) + 1e-8)

        def parameters_at(theta: tf.Tensor) -> tf.Tensor:
            return self.network.stateless_call(unflatten(theta, weights), fixed, states)[0]

        step = trust_region_step(
            parameters_at,
            self.distribution,
            flatten(weights),
            actions,
            advantages,
            max_kl,
            self.config,
        )
        entropy = tf.reduce_mean(self.distribution(self.network(states)).entropy())
        for variable, new in zip(weights, unflatten(step.parameters, weights), strict=True):
            variable.assign(new)
        return {
            "kl": step.kl,
            "surrogate_gain": step.after - step.before,
            "step_accepted": tf.cast(step.accepted, tf.float32),
            "gradient_norm": step.gradient_norm,
            "entropy": entropy,
        }

    def _fit_value(self, states: tf.Tensor, targets: tf.Tensor, minibatches: tf.Tensor) -> tf.Tensor:
        variables = self.value.trainable_variables
        total = tf.constant(0.0)
        for i in tf.range(tf.shape(minibatches)[0]):
            chosen = minibatches[i]
            with tf.GradientTape() as tape:
                predicted = self.value(tf.gather(states, chosen))[:, 0]
                loss = tf.reduce_mean(tf.square(predicted - tf.gather(targets, chosen)))
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss
        return total / tf.cast(tf.shape(minibatches)[0], tf.float32)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs: weights, optimizer, generator."""
        models = variable_state(network=self.network, value=self.value, optimizer=self.optimizer)
        return {**models, "rng": self.rng.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, network=self.network, value=self.value, optimizer=self.optimizer)
        self.rng.bit_generator.state = state["rng"]
