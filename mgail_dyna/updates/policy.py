"""The policy's updates: learning on real trajectories (Eq. 7) and planning on imagined ones (Eq. 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from mgail_dyna.config.imitation import PolicyConfig
from mgail_dyna.distributions import cloning_loss_for, rebuild_for
from mgail_dyna.losses import IMITATION_COSTS
from mgail_dyna.networks.discriminator import Discriminator
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.networks.transition import TransitionModel
from mgail_dyna.replay import Windows
from mgail_dyna.types import ActionSpec, FloatArray
from mgail_dyna.unroll import Follow, Imagined, Recorded, Trace, discounted_cost, unroll
from mgail_dyna.updates.variables import read_once, restore_variables, variable_state


class Anchor(NamedTuple):
    """Demonstrations that a policy goes on cloning while it learns: `states [K, B, d]`, `actions [K, B, a]`."""

    states: FloatArray
    actions: FloatArray
    weight: FloatArray


class PolicyUpdate:
    """Gradient steps on the policy through the unrolled graph, as many as there are minibatches, in one compiled call.

    Args:
        policy: trained here.
        average: of the same shape; follows `policy` as an exponential moving average.
        discriminator: held fixed.
        transition: held fixed.
        action: what the policy is over.
        config: of the policy.
        cost: name in `losses.IMITATION_COSTS`.
        discount: gamma.
        warmup: observed steps at the head of every window, that warm the GRU.
    """

    def __init__(
        self,
        policy: PolicyNetwork,
        average: PolicyNetwork,
        discriminator: Discriminator,
        transition: TransitionModel,
        action: ActionSpec,
        config: PolicyConfig,
        cost: str,
        discount: float,
        warmup: int,
    ) -> None:
        self.policy, self.average = policy, average
        self.discriminator, self.transition = discriminator, transition
        self.config, self.discount, self.warmup = config, discount, warmup
        self.rebuild, self.imitation_cost = rebuild_for(action), IMITATION_COSTS[cost]
        self.cloning_loss = cloning_loss_for(action)
        self.optimizer = keras.optimizers.Adam(config.learning_rate)
        self.optimizer.build(policy.trainable_variables)
        for variable, start in zip(average.variables, policy.variables, strict=True):
            variable.assign(start)

    def learn(self, windows: Windows, learning_rate: float, anchor: Anchor | None = None) -> dict[str, float]:
        """`K` steps of Eq. 7 on recorded windows `[K, W + T, B, ...]` with their recorded noise.

        Args:
            windows: from replay.
            learning_rate: share of the configured one.
            anchor: what else it is to minimise.

        Returns:
            Means over the steps: `cost`, `gradient_norm`; the former without the anchor's part.
        """
        return self._steps(
            learning_rate, self._learn, windows.states, windows.mask, windows.actions, windows.noise, anchor
        )

    def plan(
        self, windows: Windows, noise: FloatArray, learning_rate: float, anchor: Anchor | None = None
    ) -> dict[str, float]:
        """`K` steps of Eq. 8 from the last states of `windows [K, W, B, ...]`.

        Args:
            windows: from replay or the demonstrations; only their warm-up and its last state are used.
            noise: `[K, Tp, B, n]`, fresh.
            learning_rate: share of the configured one.
            anchor: as for `learn`.

        Returns:
            As `learn`.
        """
        return self._steps(learning_rate, self._plan, windows.states, windows.mask, noise, anchor)

    def _steps(self, learning_rate: float, update: Callable[..., Any], *minibatches: Any) -> dict[str, float]:
        self.optimizer.learning_rate.assign(self.config.learning_rate * learning_rate)
        cost, gradient_norm = update(*minibatches)
        return {"cost": float(cost), "gradient_norm": float(gradient_norm)}

    @tf.function(jit_compile=True)
    def _learn(
        self, states: tf.Tensor, mask: tf.Tensor, actions: tf.Tensor, noise: tf.Tensor, anchor: Anchor | None
    ) -> tuple[tf.Tensor, ...]:
        taken, noise, kept = (array[:, self.warmup :] for array in (actions, noise, mask))
        led_to = states[:, self.warmup + 1 :]

        def loss(k: tf.Tensor) -> tf.Tensor:
            return self.loss(Recorded(taken[k], led_to[k]), states[k], mask[k], noise[k], kept[k])

        return self._descend(loss, states.shape[0], anchor)

    @tf.function(jit_compile=True)
    def _plan(
        self, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor, anchor: Anchor | None
    ) -> tuple[tf.Tensor, ...]:
        everything = tf.ones(noise.shape[1:3])

        def loss(k: tf.Tensor) -> tf.Tensor:
            return self.loss(Imagined(), states[k], mask[k], noise[k], everything)

        return self._descend(loss, states.shape[0], anchor)

    def _descend(
        self, loss_of: Callable[[tf.Tensor], tf.Tensor], steps: int, anchor: Anchor | None
    ) -> tuple[tf.Tensor, ...]:
        variables = self.policy.trainable_variables
        total_cost, total_norm = tf.constant(0.0), tf.constant(0.0)
        for k in tf.range(steps):
            with tf.GradientTape() as tape:
                total = loss = loss_of(k)
                if anchor is not None:
                    total += anchor.weight * self.cloning_loss(self.policy(anchor.states[k]), anchor.actions[k])
            gradients, norm = tf.clip_by_global_norm(tape.gradient(total, variables), self.config.clip_norm)
            self.optimizer.apply(gradients, variables)
            for mean, now in zip(self.average.variables, self.policy.variables, strict=True):
                mean.assign(now + self.config.averaging * (mean - now))
            total_cost, total_norm = total_cost + loss, total_norm + norm
        return total_cost / float(steps), total_norm / float(steps)

    def loss(self, follow: Follow, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        """sum_t gamma^t c_t through the graph (Eq. 7 or 8, by `follow`).

        Args:
            follow: the one difference between learning and planning.
            states: `[>= W + 1, B, d]`; W that warm the GRU, then the one to start from.
            mask: `[>= W, B]`, of the first W states.
            noise: `[T, B, n]`.
            kept: `[T, B]`, 0 from where the trajectory had ended.
        """
        return discounted_cost(self.trace(follow, states, mask, noise).costs, kept, self.discount)

    def trace(self, follow: Follow, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor) -> Trace:
        """The unroll that `loss` takes the costs of; arguments as there."""
        warmup, clip_norm = self.warmup, self.config.state_clip_norm
        with read_once(self.policy, self.discriminator, self.transition):
            return unroll(
                act=lambda state, noise: self.rebuild(self.policy(state), noise),
                cost=lambda state, action: self.imitation_cost(self.discriminator(state, action)),
                predict=self.transition.predict_state,
                follow=follow,
                start=states[warmup],
                recurrent_state=self.transition.warmed(states[:warmup], mask[:warmup]),
                noise=noise,
                limit=clip_norm and clip_norm / noise.shape[1],  # the loss is the mean over trajectories
            )

    def imagine(self, windows: Windows, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        """States `[Tp, B, d]` and actions `[Tp, B, a]` of imagined trajectories under the policy as it is now.

        Args:
            windows: one batch, `[1, W, B, ...]`, to start from the last states of.
            noise: `[Tp, B, n]`, fresh.
        """
        states, actions = self._imagine(windows.states[0], windows.mask[0], noise)
        return states.numpy(), actions.numpy()

    @tf.function(jit_compile=True)
    def _imagine(self, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        trace = self.trace(Imagined(), states, mask, noise)
        return trace.states, trace.actions

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return variable_state(model=self.policy, average=self.average, optimizer=self.optimizer)

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, model=self.policy, average=self.average, optimizer=self.optimizer)
