"""The policy's gradient steps: learning on real trajectories (Eq. 7) and planning on imagined ones (Eq. 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from mgail_dyna.backend import keras
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.learners.compiled import compiled
from mgail_dyna.learners.demonstrated import Cloning, Following
from mgail_dyna.learners.variables import read_once, restore_variables, variable_state
from mgail_dyna.learners.views import View, costs_along
from mgail_dyna.networks.discriminator import DiscriminatorModel
from mgail_dyna.networks.dynamics import DynamicsModel
from mgail_dyna.networks.policy import PolicyNetwork
from mgail_dyna.ops.distributions import cloning_loss_for, reparameterize_for
from mgail_dyna.ops.losses import IMITATION_COSTS
from mgail_dyna.ops.unroll import Imagined, Replayed, Source, Unrolled, discounted_cost, unroll
from mgail_dyna.replay import Windows
from mgail_dyna.types import ActionSpec, FloatArray

# What demonstrations add to the cost.
Regularizer = Cloning | Following


class Objective(NamedTuple):
    """What one step lowers.

    Attributes:
        total: scalar: the cost and the regularizer.
        cost: scalar: Eq. 7 or 8.
        states: `[T, B, d]` of the unroll, those after the end of a trajectory included.
    """

    total: tf.Tensor
    cost: tf.Tensor
    states: tf.Tensor


class PolicyLearner:
    """Adam's steps on the policy through the unrolled graph, one per minibatch, all in one compiled call.

    Args:
        network: the policy, trained here.
        average: of the same shape; an exponential moving average of `network`.
        discriminator: not changed.
        dynamics: not changed.
        action: what the policy acts with.
        config: `policy`, `cost`, `discount`, and of `dynamics` the burn-in, W observed steps at the head of a window.
        view: what D judges.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        average: PolicyNetwork,
        discriminator: DiscriminatorModel,
        dynamics: DynamicsModel,
        action: ActionSpec,
        config: ImitationConfig,
        view: View,
    ) -> None:
        self.network, self.average = network, average
        self.discriminator, self.dynamics = discriminator, dynamics
        self.config, self.discount, self.burn_in = config.policy, config.discount, config.dynamics.burn_in
        self.reparameterize = reparameterize_for(action)
        self.costs = costs_along(view, IMITATION_COSTS[config.cost], discriminator)
        self.cloning_loss, self.noise_size = cloning_loss_for(action), action.size
        self.optimizer = keras.optimizers.Adam(self.config.learning_rate)
        self.optimizer.build(network.trainable_variables)
        for variable, start in zip(average.variables, network.variables, strict=True):
            variable.assign(start)

    # What every step says, see `learn`.
    METRICS: ClassVar[tuple[str, ...]] = ("cost", "gradient_norm")

    def learn(self, windows: Windows, learning_rate: float, regularizer: Regularizer | None = None) -> dict[str, float]:
        """`K` steps of Eq. 7 on recorded windows `[K, W + T, B, ...]` with their recorded noise.

        Args:
            windows: from replay.
            learning_rate: factor on the configured one.
            regularizer: added to the cost.

        Returns:
            Means over the steps: `cost` (without the regularizer) and `gradient_norm`.
        """
        return self._steps(
            learning_rate, self._learn, windows.states, windows.mask, windows.actions, windows.noise, regularizer
        )

    def plan(
        self, windows: Windows, noise: FloatArray, learning_rate: float, regularizer: Regularizer | None = None
    ) -> dict[str, float]:
        """`K` steps of Eq. 8 from the last states of `windows [K, W, B, ...]`.

        Args:
            windows: from replay or the demonstrations; only their burn-in and the state after it are used.
            noise: `[K, Tp, B, n]`, fresh.
            learning_rate: factor on the configured one.
            regularizer: added to the cost.

        Returns:
            As `learn`.
        """
        return self._steps(learning_rate, self._plan, windows.states, windows.mask, noise, regularizer)

    def _steps(self, learning_rate: float, update: Callable[..., Any], *minibatches: Any) -> dict[str, float]:
        self.pace(learning_rate)
        return {name: float(number) for name, number in update(*minibatches).items()}

    def pace(self, learning_rate: float) -> None:
        """Sets how far the next steps go, as a factor on what is configured."""
        self.optimizer.learning_rate.assign(self.config.learning_rate * learning_rate)

    @compiled
    def _learn(
        self,
        states: tf.Tensor,
        mask: tf.Tensor,
        actions: tf.Tensor,
        noise: tf.Tensor,
        regularizer: Regularizer | None,
    ) -> dict[str, tf.Tensor]:
        actions, noise, kept = (array[:, self.burn_in :] for array in (actions, noise, mask))
        next_states = states[:, self.burn_in + 1 :]

        def unrolled(k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self.cost(Replayed(actions[k], next_states[k]), states[k], mask[k], noise[k], kept[k])

        return self._descend(unrolled, states.shape[0], regularizer)

    @compiled
    def _plan(
        self, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor, regularizer: Regularizer | None
    ) -> dict[str, tf.Tensor]:
        everything = tf.ones(noise.shape[1:3])

        def unrolled(k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self.cost(Imagined(), states[k], mask[k], noise[k], everything)

        return self._descend(unrolled, states.shape[0], regularizer)

    def _descend(
        self,
        unrolled: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        steps: int,
        regularizer: Regularizer | None,
    ) -> dict[str, tf.Tensor]:
        totals = dict.fromkeys(self.METRICS, tf.constant(0.0))
        for k in tf.range(steps):

            def objective(k: tf.Tensor = k) -> Objective:
                total, states = unrolled(k)
                cost = total
                if regularizer is not None:
                    total += regularizer.weight * regularizer.loss(self, k)
                return Objective(total, cost, states)

            metrics = self.step(objective)
            kept = self._kept()
            for mean, now in zip(self.average.variables, self.network.variables, strict=True):
                mean.assign(now + kept * (mean - now))
            totals = {name: totals[name] + metrics[name] for name in totals}
        return {name: total / float(steps) for name, total in totals.items()}

    def _kept(self) -> tf.Tensor | float:
        """Share of itself that the average keeps after a step: 1 - 1/n where it remembers n steps."""
        if self.config.averaging_share is None:
            return self.config.averaging
        remembered = 1.0 + self.config.averaging_share * tf.cast(self.optimizer.iterations, tf.float32)
        return tf.minimum(self.config.averaging, 1.0 - 1.0 / remembered)

    def step(self, objective: Callable[[], Objective]) -> dict[str, tf.Tensor]:
        """One step of Adam down the gradient of `objective`; returns `METRICS`."""
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            found = objective()
        gradients, norm = tf.clip_by_global_norm(tape.gradient(found.total, variables), self.config.clip_norm)
        self.optimizer.apply(gradients, variables)
        return {"cost": found.cost, "gradient_norm": norm}

    def cost(
        self, source: Source, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor, kept: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """sum_t gamma^t c_t through the graph (Eq. 7 or 8, by `source`), and all states `[T, B, d]` of the unroll.

        Args:
            source: of actions and states, for learning or for planning.
            states: `[>= W + 1, B, d]`: W to observe, then the one to start from.
            mask: `[>= W, B]`, of the first W states.
            noise: `[T, B, n]`.
            kept: `[T, B]`, 0 after the end of a trajectory.
        """
        unrolled = self.unroll(source, states, mask, noise)
        return discounted_cost(unrolled.costs, kept, self.discount), unrolled.states

    def unroll(self, source: Source, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor) -> Unrolled:
        """The trajectories that `cost` adds up the costs of; arguments as there."""
        burn_in, clip_norm = self.burn_in, self.config.bptt_clip_norm
        with read_once(self.network, self.discriminator, self.dynamics):
            return unroll(
                act=lambda state, noise: self.reparameterize(self.network(state), noise),
                cost=self.costs,
                predict=self.dynamics.predict,
                source=source,
                start=states[burn_in],
                memory=self.dynamics.observe(states[:burn_in], mask[:burn_in]),
                noise=noise,
                clip_norm=clip_norm and clip_norm / noise.shape[1],  # the loss is the mean over trajectories
            )

    def imagine(self, windows: Windows, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        """States `[Tp, B, d]` and actions `[Tp, B, a]` of imagined trajectories under the current policy.

        Args:
            windows: one batch, `[1, W, B, ...]`, to start from the last states of.
            noise: `[Tp, B, n]`, fresh.
        """
        states, actions = self._imagine(windows.states[0], windows.mask[0], noise)
        return states.numpy(), actions.numpy()

    @compiled
    def _imagine(self, states: tf.Tensor, mask: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        unrolled = self.unroll(Imagined(), states, mask, noise)
        return unrolled.states, unrolled.actions

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return variable_state(network=self.network, average=self.average, optimizer=self.optimizer)

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        restore_variables(state, network=self.network, average=self.average, optimizer=self.optimizer)
