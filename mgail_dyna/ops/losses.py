"""The paper's losses, one function per equation.

D(s, a) = sigmoid(agent_logits) is the probability that (s, a) came from the agent, here and everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def discriminator_loss(agent_logits_on_agent: tf.Tensor, agent_logits_on_expert: tf.Tensor) -> tf.Tensor:
    """What the discriminator minimises: -(E_agent[log D] + E_expert[log(1 - D)]) (Eq. 4, 6).

    Args:
        agent_logits_on_agent: `[n]`.
        agent_logits_on_expert: `[m]`.
    """
    on_agent = tf.nn.softplus(-agent_logits_on_agent)  # -log D
    on_expert = tf.nn.softplus(agent_logits_on_expert)  # -log(1 - D)
    return tf.reduce_mean(on_agent) + tf.reduce_mean(on_expert)


def gradient_penalty(
    agent_logits: Callable[[tf.Tensor], tf.Tensor],
    agent: tf.Tensor,
    expert: tf.Tensor,
    mix: tf.Tensor,
    target: float = 1.0,
) -> tf.Tensor:
    """Mean of (|gradient| - target)^2 of the logits, at points between agent and expert.

    With target 1 (Gulrajani et al. 2017) the logits keep a slope even where agent and expert are alike. With target 0
    (Thanh-Tung et al. 2019) they can become flat there.

    Args:
        agent_logits: the discriminator, of its inputs.
        agent: inputs `[n, k]`.
        expert: inputs `[n, k]`.
        mix: `[n, 1]` in [0, 1]: 0 at the agent, 1 at the expert.
        target: norm of the gradient.
    """
    inputs = tf.convert_to_tensor(agent + mix * (expert - agent))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = tf.reduce_sum(agent_logits(inputs))
    norm = tf.sqrt(tf.reduce_sum(tf.square(tape.gradient(logits, inputs)), axis=-1) + 1e-12)
    return tf.reduce_mean(tf.square(norm - target))


def saturating_cost(agent_logits: tf.Tensor) -> tf.Tensor:
    """log D, the paper's (Eq. 7, 8). Its slope is 1 - D: it vanishes where D recognises the agent.

    It is never positive. With gail and dyna-trpo a longer episode costs less: it rewards staying alive.
    """
    return -tf.nn.softplus(-agent_logits)


def nonsaturating_cost(agent_logits: tf.Tensor) -> tf.Tensor:
    """-log(1 - D), as in MGAIL's code. Its slope is D: largest where D recognises the agent.

    It is never negative. With gail and dyna-trpo a longer episode costs more: it rewards ending early.
    """
    return tf.nn.softplus(agent_logits)


def logit_cost(agent_logits: tf.Tensor) -> tf.Tensor:
    """log D - log(1 - D), the sum of the two above. Its slope is 1 everywhere; it has either sign."""
    return agent_logits


# By the names of `ImitationConfig.cost`. For dyna and mgail only the slopes matter, not the signs: plans have no
# terminations, and no gradient flows through the end of an episode.
IMITATION_COSTS = {"saturating": saturating_cost, "nonsaturating": nonsaturating_cost, "logit": logit_cost}


def dynamics_loss(predicted_change: tf.Tensor, observed_change: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """1/2 |f(s, a) - (s' - s)|^2, the mean over the steps that `mask` keeps (Eq. 5).

    Args:
        predicted_change: `[..., d]`.
        observed_change: `[..., d]`, in the same units.
        mask: `[...]`, 1 where there is a step, 0 where there is padding.
    """
    errors = 0.5 * tf.reduce_sum(tf.square(predicted_change - observed_change), axis=-1)
    return tf.reduce_sum(errors * mask) / tf.maximum(tf.reduce_sum(mask), 1.0)
