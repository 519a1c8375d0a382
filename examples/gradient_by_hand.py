"""Eq. 2 and 3 by hand, beside the gradient of `unroll`: the same number.

pip install -e .    # once, in the checkout
python examples/gradient_by_hand.py

The system is one number: a = theta s + noise, s' = s + 0.5 a, and the cost s^2 + a^2 stands in for log D.
"""

from __future__ import annotations

import tensorflow as tf

from mgail_dyna.ops.unroll import Imagined, Prediction, discounted_cost, unroll

THETA, GAMMA, START, NOISE = 0.7, 0.9, 1.0, [0.3, -0.5, 0.1]


def by_hand() -> float:
    """dJ/dtheta: forward through the trajectory, then back through it with Eq. 2 and 3."""
    states, actions = [START], []
    for noise in NOISE:
        actions.append(THETA * states[-1] + noise)
        states.append(states[-1] + 0.5 * actions[-1])
    j_s = j_theta = 0.0  # nothing follows the last step
    for s, a in zip(reversed(states[:-1]), reversed(actions), strict=True):
        d_s, d_a, pi_s, pi_theta, f_s, f_a = 2 * s, 2 * a, THETA, s, 1.0, 0.5
        j_theta = d_a * pi_theta + GAMMA * (j_s * f_a * pi_theta + j_theta)  # Eq. 3
        j_s = d_s + d_a * pi_s + GAMMA * j_s * (f_s + f_a * pi_s)  # Eq. 2
    return j_theta


def by_unroll() -> float:
    """The same number, differentiated by TensorFlow through the graph that agents use."""
    theta = tf.Variable(THETA)
    with tf.GradientTape() as tape:
        unrolled = unroll(
            act=lambda s, noise: theta * s + noise,
            cost=lambda s, a: (s**2 + a**2)[..., 0],
            predict=lambda s, a, memory: Prediction(s + 0.5 * a, memory, tf.zeros(1)),
            source=Imagined(),
            start=tf.constant([[START]]),
            memory=tf.zeros((1, 1)),
            noise=tf.constant(NOISE)[:, None, None],
        )
        loss = discounted_cost(unrolled.costs, tf.ones((3, 1)), GAMMA)
    return float(tape.gradient(loss, theta))


if __name__ == "__main__":
    print(f"by hand {by_hand():.6f}, by unroll {by_unroll():.6f}")
