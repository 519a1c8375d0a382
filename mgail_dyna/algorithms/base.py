"""What every agent has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np

from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.types import Array

Env = gym.Env[Any, Any]
# Makes an environment; called once for each that an agent needs.
MakeEnv = Callable[[], Env]


class Budget(NamedTuple):
    """What an agent may spend, in some unit (plural)."""

    total: int
    unit: str


class Agent(Protocol):
    """Learns from demonstrations, one iteration at a time.

    Every agent is made by `Class(config, make_env, demos)`: an `ImitationConfig`, a function that makes the
    environment, and the demonstrations, all of which are imitated (`subset` takes fewer).

    Attributes:
        idle_env: an environment whose episodes are over between two iterations, so that it can be used for
            evaluation; None if there is none.
    """

    idle_env: Env | None

    @property
    def acting(self) -> NumpyPolicy:
        """The policy that is evaluated, as it is now."""

    @property
    def env_steps(self) -> int:
        """Env steps of training so far."""

    @property
    def budget(self) -> Budget:
        """What `progress` is a share of."""

    @property
    def progress(self) -> float:
        """Share of the budget spent; 1 when there is nothing left to learn."""

    def iterate(self) -> dict[str, float]:
        """Learns for one iteration; scalars named `part/what`, without those of parts that it skips."""

    def act(self, observations: Array) -> Array:
        """The acting policy's mean actions, as executed, for raw `observations [..., d]`."""

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs, with the `state` of `acting` under that name."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; configuration and demonstrations must be the same."""


def prefixed(part: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """`metrics` with names `part/name`."""
    return {f"{part}/{name}": value for name, value in metrics.items()}


def mean_metrics(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over those of `rows` that have it; empty if there are none."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
