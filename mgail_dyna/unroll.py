"""The multi-step computation graph: what makes MGAIL and Dyna-AIL end-to-end differentiable.

A trajectory is rebuilt step by step under the gradient tape. At each step the policy acts, the discriminator judges,
and the transition model says where the step leads:

    a_t     = the policy's action at s_t, reparameterised by noise      ->  gradient pi_theta, pi_s
    c_t     = cost of D(s_t, a_t)                                       ->  gradient D_s, D_a
    s_pred  = f(s_t, a_t) = s_t + the change the model tells            ->  gradient f_s, f_a
    s_{t+1} = follow.state(s_pred)

Differentiating sum_t gamma^t c_t through this chain is the recursion of the paper,

    J_s     = D_s + D_a pi_s + gamma J'_{s'} (f_s + f_a pi_s)           (Eq. 2)
    J_theta = D_a pi_theta + gamma (J'_{s'} f_a pi_theta + J'_theta)    (Eq. 3)

and model-free learning (Eq. 7) differs from model-based planning (Eq. 8) by the one argument `follow`: noise and states
are those that were recorded, or fresh noise and what the model predicts. The gradient is the graph's either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

# (states [B, d], noise [B, n]) -> actions [B, a]
ActionFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# (states [B, d], actions [B, a]) -> costs [B]
CostFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# (states [B, d], actions [B, a], recurrent state [B, h]) -> predicted states [B, d], recurrent state [B, h]
PredictFn = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

# In units of half the action space's width: less is a difference in rounding, not in what the policy does.
ROUNDING = 1e-5


class Trace(NamedTuple):
    """What an unroll went through, `[T, B, ...]`: `costs` are not discounted, `states` are those acted in."""

    states: tf.Tensor
    actions: tf.Tensor
    costs: tf.Tensor


def anchored(computed: tf.Tensor, recorded: tf.Tensor) -> tf.Tensor:
    """computed + nu, with nu = recorded - computed held constant (paper sec. 2.3).

    The value is what was recorded, bit for bit (the difference is exactly zero); the gradient is that of `computed`.
    """
    return recorded + (computed - tf.stop_gradient(computed))


class Follow(Protocol):
    """What the trajectory goes on with at step `t`."""

    def action(self, t: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        """The action `[B, a]` taken, where the policy chooses `chosen`."""

    def state(self, t: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """The state `[B, d]` it led to, where the model predicts `predicted`."""


class Recorded(NamedTuple):
    """MF: what happened, `actions [T, B, a]` and the `states [T, B, d]` they led to.

    Recorded noise lets the policy choose as it did when it acted, so that a policy that has changed since is judged by
    what it would do now. While it has not, the actions are those recorded, bit for bit.
    """

    actions: tf.Tensor
    states: tf.Tensor

    def action(self, t: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        # Agents act in NumPy, which rounds the network's sums in another order than the graph does.
        same = tf.abs(chosen - self.actions[t]) < ROUNDING
        return tf.where(same, anchored(chosen, self.actions[t]), chosen)

    def state(self, t: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return anchored(predicted, self.states[t])


class Imagined:
    """MB: nothing happened; the policy chooses and the model predicts."""

    def action(self, t: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        return chosen

    def state(self, t: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return predicted


def limited(states: tf.Tensor, limit: float | None) -> tf.Tensor:
    """`states [B, d]`, through each of which a gradient of norm `limit` at most flows back; any if None.

    Where the world is unstable every step back multiplies J_s, and the few trajectories that diverge would decide for
    all of them.
    """
    if limit is None:
        return states

    @tf.custom_gradient
    def passed(states: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return tf.identity(states), lambda gradient: tf.clip_by_norm(gradient, limit, axes=[-1])

    return passed(states)


def unroll(
    act: ActionFn,
    cost: CostFn,
    predict: PredictFn,
    follow: Follow,
    start: tf.Tensor,
    recurrent_state: tf.Tensor,
    noise: tf.Tensor,
    limit: float | None = None,
) -> Trace:
    """Rebuilds `T` steps of `B` trajectories, differentiably.

    Args:
        act: the policy.
        cost: of a state and an action, from the discriminator.
        predict: the transition model.
        follow: `Recorded(actions, states)` (MF) or `Imagined()` (MB).
        start: `[B, d]` first states.
        recurrent_state: `[B, h]` of the transition model, warmed on what came before `start`.
        noise: `[T, B, n]` of the actions, recorded (MF) or fresh (MB).
        limit: greatest norm, for each trajectory, of what a step passes back to the one before it: J_s, discounted to
            the first step.
    """
    steps, batch = noise.shape[:2]
    traces = [
        tf.TensorArray(tf.float32, steps, element_shape=shape)
        for shape in ((batch, start.shape[-1]), (batch, act(start, noise[0]).shape[-1]), (batch,))
    ]

    def step(t: tf.Tensor, state: tf.Tensor, memory: tf.Tensor, *traces: tf.TensorArray) -> tuple[tf.Tensor, ...]:
        action = follow.action(t, act(state, noise[t]))
        predicted, memory = predict(state, action, memory)
        written = [
            trace.write(t, item) for trace, item in zip(traces, (state, action, cost(state, action)), strict=True)
        ]
        return t + 1, limited(follow.state(t, predicted), limit), memory, *written

    loop = (tf.constant(0), start, recurrent_state, *traces)
    results = tf.while_loop(lambda t, *_: t < steps, step, loop, maximum_iterations=steps)
    return Trace(*(trace.stack() for trace in results[3:]))


def discounted_cost(costs: tf.Tensor, mask: tf.Tensor, discount: float) -> tf.Tensor:
    """sum_t gamma^t c_t, the mean over trajectories (Eq. 7, 8).

    Args:
        costs: `[T, B]`.
        mask: `[T, B]`, 0 from where the trajectory had ended.
        discount: gamma.
    """
    weights = tf.constant([discount**t for t in range(costs.shape[0])], costs.dtype)
    return tf.reduce_mean(tf.reduce_sum(weights[:, None] * mask * costs, axis=0))
