"""Generalised advantage estimation."""

from __future__ import annotations

import tensorflow as tf


def generalised_advantages(
    rewards: tf.Tensor,
    values: tf.Tensor,
    next_values: tf.Tensor,
    terminated: tf.Tensor,
    ended: tf.Tensor,
    *,
    discount: float,
    gae_lambda: float,
) -> tf.Tensor:
    """GAE (Schulman 2016, eq. 16), with time limits bootstrapped and terminations not.

    Args:
        rewards: `[T, N]`.
        values: `[T, N]`, of the state each action was taken in.
        next_values: `[T, N]`, of the next state, before any reset.
        terminated: `[T, N]` bool; beyond it the value is zero.
        ended: `[T, N]` bool; beyond it the next row belongs to another episode.
        discount: gamma.
        gae_lambda: lambda.

    Returns:
        `[T, N]` advantages; added to `values` they are the value targets.
    """
    alive = 1.0 - tf.cast(terminated, rewards.dtype)
    same_episode = 1.0 - tf.cast(ended, rewards.dtype)
    errors = rewards + discount * alive * next_values - values
    return tf.scan(
        lambda later, now: now[0] + discount * gae_lambda * now[1] * later,
        (errors, same_episode),
        initializer=tf.zeros_like(errors[0]),
        reverse=True,
    )
