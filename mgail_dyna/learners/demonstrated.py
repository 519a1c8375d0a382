"""What demonstrations add to the policy's cost: the expert's actions, or the states that followed."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import tensorflow as tf

from mgail_dyna.learners.variables import read_once
from mgail_dyna.networks.dynamics import DynamicsModel
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import CloningLossFn, ReparameterizeFn
from mgail_dyna.types import FloatArray


class Learner(Protocol):
    """What of `PolicyLearner` the losses use."""

    network: PolicyNetwork
    dynamics: DynamicsModel
    cloning_loss: CloningLossFn
    reparameterize: ReparameterizeFn
    burn_in: int
    noise_size: int


class Cloning(NamedTuple):
    """Pairs whose cloning loss is added: `states [K, B, d]`, `actions [K, B, a]`, a scalar `weight`."""

    states: FloatArray
    actions: FloatArray
    weight: FloatArray

    def loss(self, learner: Learner, k: tf.Tensor) -> tf.Tensor:
        """Of minibatch `k`: the policy's mean action against the expert's."""
        return learner.cloning_loss(learner.network(self.states[k]), self.actions[k])


class Following(NamedTuple):
    """Transitions that the policy's mean action shall lead to, by the model: cloning where actions are unknown.

    Attributes:
        states: `[K, W + 2, B, d]` of demonstrations: W to observe, one to act in, and the one that followed.
        mask: `[K, W + 1, B]`.
        unit: `[d]` of changes.
        weight: a scalar.
    """

    states: FloatArray
    mask: FloatArray
    unit: FloatArray
    weight: FloatArray

    def loss(self, learner: Learner, k: tf.Tensor) -> tf.Tensor:
        """Of minibatch `k`: mean square of s + f(s, pi(s)) - s' in units of a step's change. No gradient reaches f."""
        seen, burn_in = self.states[k], learner.burn_in
        with read_once(learner.network, learner.dynamics):
            memory = learner.dynamics.observe(seen[:burn_in], self.mask[k, :burn_in])
            without_noise = tf.zeros((seen.shape[1], learner.noise_size))
            action = learner.reparameterize(learner.network(seen[burn_in]), without_noise)
            reached = learner.dynamics.predict(seen[burn_in], action, memory).state
        return tf.reduce_mean(tf.square((reached - seen[burn_in + 1]) / self.unit))
