"""What the discriminator judges: states with actions, or states with how they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from mgail_dyna.replay import Replay
from mgail_dyna.types import FloatArray

# Two arrays with equal leading axes: states `[..., d]`, and what D sees beside them `[..., k]`.
Pairs = tuple[FloatArray, FloatArray]


class View(Protocol):
    """Makes D's pairs, of data and of unrolled trajectories alike.

    Attributes:
        blind: steps at a trajectory's end that have no pair.
    """

    blind: int

    def of_steps(self, states: Any, actions: Any, next_states: Any) -> tuple[Any, Any]:
        """The pairs of steps with any leading axes, in arrays of their kind."""

    def along(self, states: Any, actions: Any) -> tuple[Any, Any]:
        """The pairs `[T - blind, B, ...]` of trajectories with `states [T, B, d]` and `actions [T, B, a]`."""

    def draw(
        self, replay: Replay, rng: np.random.Generator, shape: tuple[int, ...], recent_steps: int | None = None
    ) -> Pairs:
        """Pairs `[*shape, ...]` from `replay`; arguments as of `Replay.pairs`."""

    def every(self, replay: Replay) -> Pairs:
        """All pairs `[n, ...]` of `replay`."""


class StateAction:
    """(s, a), the paper's. D's gradient reaches the action directly (D_a in Eq. 2 and 3)."""

    blind = 0

    def of_steps(self, states: Any, actions: Any, next_states: Any) -> tuple[Any, Any]:
        return states, actions

    def along(self, states: Any, actions: Any) -> tuple[Any, Any]:
        return states, actions

    def draw(
        self, replay: Replay, rng: np.random.Generator, shape: tuple[int, ...], recent_steps: int | None = None
    ) -> Pairs:
        return replay.pairs(rng, shape, recent_steps)

    def every(self, replay: Replay) -> Pairs:
        return replay.all_pairs()


class Transition:
    """(s, s' - s), where the expert's actions are unknown. D's gradient reaches the action through the model (f_a).

    Args:
        unit: of changes, `[d]`; a state changes little in one step, and D must see it all the same.
    """

    blind = 1

    def __init__(self, unit: FloatArray) -> None:
        self.unit = unit

    def of_steps(self, states: Any, actions: Any, next_states: Any) -> tuple[Any, Any]:
        return states, (next_states - states) / self.unit

    def along(self, states: Any, actions: Any) -> tuple[Any, Any]:
        return self.of_steps(states[:-1], actions[:-1], states[1:])

    def draw(
        self, replay: Replay, rng: np.random.Generator, shape: tuple[int, ...], recent_steps: int | None = None
    ) -> Pairs:
        return self.of_steps(*replay.transitions(rng, shape, recent_steps))

    def every(self, replay: Replay) -> Pairs:
        return self.of_steps(*replay.all_transitions())


def costs_along(
    view: View, cost: Callable[[tf.Tensor], tf.Tensor], discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """What judges trajectories with states `[T, B, d]` and actions `[T, B, a]`: costs `[T - blind, B]`, all at once.

    Args:
        view: what of them D sees.
        cost: of logits, one of `ops.losses.IMITATION_COSTS`.
        discriminator: gives the logits `[n]` of pairs `[n, ...]`.
    """

    def costs(states: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        pairs = view.along(states, actions)
        flat = (tf.reshape(part, (-1, part.shape[-1])) for part in pairs)
        return tf.reshape(cost(discriminator(*flat)), pairs[0].shape[:-1])

    return costs
