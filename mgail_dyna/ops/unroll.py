"""The multi-step computation graph: what makes MGAIL and Dyna-AIL end-to-end differentiable.

A trajectory is rebuilt step by step under the gradient tape. At each step the policy acts, the discriminator judges,
and the dynamics model predicts the next state:

    a_t     = the policy's action at s_t, reparameterised by noise      ->  gradient pi_theta, pi_s
    c_t     = cost of D(s_t, a_t)                                       ->  gradient D_s, D_a
    s_pred  = s_t + f(s_t, a_t), f being the dynamics model             ->  gradient f_s, f_a
    s_{t+1} = source.state(s_pred)

Differentiating sum_t gamma^t c_t through this chain gives the paper's recursion:

    J_s     = D_s + D_a pi_s + gamma J'_{s'} (f_s + f_a pi_s)           (Eq. 2)
    J_theta = D_a pi_theta + gamma (J'_{s'} f_a pi_theta + J'_theta)    (Eq. 3)

where f_s and f_a are the derivatives of s_pred. Model-free learning (Eq. 7) and model-based planning (Eq. 8) differ in
`source`, which gives recorded or predicted states, and in the noise, recorded or fresh. The gradient is the graph's in
both cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

# (states [B, d], noise [B, n]) -> actions [B, a]
ActionFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# (states [T, B, d], actions [T, B, a]) -> costs [T, B], or one step fewer where the last cannot be judged
CostFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# In units of the action. A smaller difference is rounding, not another action.
ROUNDING = 1e-5


class Prediction(NamedTuple):
    """What a dynamics model says of one step.

    Attributes:
        state: `[B, d]` s_pred, normalised.
        memory: `[B, h]`, to pass to the next prediction.
        disagreement: `[B]`, how far the model's members differ, in units of the state; 0 for a single model.
    """

    state: tf.Tensor
    memory: tf.Tensor
    disagreement: tf.Tensor


# (states [B, d], actions [B, a], memory [B, h]) -> prediction
PredictFn = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Prediction]


class Unrolled(NamedTuple):
    """An unrolled batch, `[T, B, ...]`. `states` are those acted in; `costs` are not discounted, see `CostFn`."""

    states: tf.Tensor
    actions: tf.Tensor
    costs: tf.Tensor


def reattach_gradient(computed: tf.Tensor, recorded: tf.Tensor) -> tf.Tensor:
    """computed + nu, with nu = recorded - computed held constant (paper sec. 2.3).

    The value is `recorded`, bit for bit (the difference is exactly zero); the gradient is that of `computed`.
    """
    return recorded + (computed - tf.stop_gradient(computed))


class Source(Protocol):
    """Where the trajectory's actions and next states come from."""

    def action(self, t: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        """The action `[B, a]` of step `t`, where the policy chooses `chosen`."""

    def state(self, t: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """The state `[B, d]` that step `t` leads to, where the model predicts `predicted`."""


class Replayed(NamedTuple):
    """MF: what was recorded, `actions [T, B, a]` and the `states [T, B, d]` after them.

    The policy chooses again with the recorded noise. With the weights that recorded them and noise of the same standard
    deviation, its actions are the recorded ones, bit for bit. With others, D judges its new actions, but the next
    states stay the recorded ones: nu absorbs the difference.
    """

    actions: tf.Tensor
    states: tf.Tensor

    def action(self, t: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        # Agents act in NumPy, which sums in another order than the graph.
        same = tf.abs(chosen - self.actions[t]) < ROUNDING
        return tf.where(same, reattach_gradient(chosen, self.actions[t]), chosen)

    def state(self, t: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return reattach_gradient(predicted, self.states[t])


class Imagined:
    """MB: the policy chooses, the model predicts."""

    def action(self, t: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        return chosen

    def state(self, t: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return predicted


def clip_step_gradient(states: tf.Tensor, memory: tf.Tensor, clip_norm: float | None) -> tuple[tf.Tensor, tf.Tensor]:
    """`states [B, d]` and `memory [B, h]`, with the gradient through both clipped on its way back; unclipped if None.

    The two together are the model's state, so their gradients together are J_s. Each trajectory's J_s is scaled down to
    norm `clip_norm`. In an unstable environment every step back multiplies it; without a limit the few trajectories
    that diverge dominate the batch.
    """
    if clip_norm is None:
        return states, memory

    @tf.custom_gradient
    def clipped(states: tf.Tensor, memory: tf.Tensor) -> tuple[Any, Callable[..., tuple[tf.Tensor, tf.Tensor]]]:
        def backwards(on_states: tf.Tensor, on_memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            squares = [tf.reduce_sum(tf.square(part), axis=-1, keepdims=True) for part in (on_states, on_memory)]
            scale = clip_norm / tf.maximum(tf.sqrt(tf.add_n(squares)), clip_norm)
            return scale * on_states, scale * on_memory

        return (tf.identity(states), tf.identity(memory)), backwards

    return clipped(states, memory)


def unroll(
    act: ActionFn,
    cost: CostFn,
    predict: PredictFn,
    source: Source,
    start: tf.Tensor,
    memory: tf.Tensor,
    noise: tf.Tensor,
    clip_norm: float | None = None,
) -> Unrolled:
    """Rebuilds `T` steps of `B` trajectories, differentiably.

    Args:
        act: the policy.
        cost: of the whole trajectories, from the discriminator, for all steps at once.
        predict: the dynamics model.
        source: `Replayed(actions, states)` (MF) or `Imagined()` (MB).
        start: `[B, d]` first states.
        memory: `[B, h]` of the dynamics model, after it has observed what came before `start`.
        noise: `[T, B, n]` of the actions, recorded (MF) or fresh (MB).
        clip_norm: largest norm, per trajectory, of the gradient that a step passes back through the state and the
            model's memory: gamma^t J_s.
    """
    steps = noise.shape[0]
    action = source.action(tf.constant(0), act(start, noise[0]))
    states, actions = (
        tf.TensorArray(tf.float32, steps, element_shape=first.shape, clear_after_read=False).write(0, first)
        for first in (start, action)
    )

    def step(t: tf.Tensor, state: tf.Tensor, action: tf.Tensor, memory: tf.Tensor, *trajectory: tf.TensorArray) -> Any:
        prediction = predict(state, action, memory)
        state, memory = clip_step_gradient(source.state(t - 1, prediction.state), prediction.memory, clip_norm)
        action = source.action(t, act(state, noise[t]))
        states, actions = (array.write(t, item) for array, item in zip(trajectory, (state, action), strict=True))
        return t + 1, state, action, memory, states, actions

    # Nothing needs the state after the last action: one prediction fewer than steps.
    loop = (tf.constant(1), start, action, memory, states, actions)
    *_, states, actions = tf.while_loop(lambda t, *_: t < steps, step, loop, maximum_iterations=steps - 1)
    trajectory = states.stack(), actions.stack()
    return Unrolled(*trajectory, cost(*trajectory))


def discounted_cost(costs: tf.Tensor, mask: tf.Tensor, discount: float) -> tf.Tensor:
    """sum_t gamma^t c_t, averaged over trajectories (Eq. 7, 8).

    Args:
        costs: `[T, B]`.
        mask: `[>= T, B]`, 0 after the end of a trajectory.
        discount: gamma.
    """
    weights = tf.constant([discount**t for t in range(costs.shape[0])], costs.dtype)
    return tf.reduce_mean(tf.reduce_sum(weights[:, None] * mask[: costs.shape[0]] * costs, axis=0))
