"""When the environment is queried, and how much is planned before it is queried again (paper, sec. 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from mgail_dyna.config.imitation import ImitationConfig

# Share of a rollout's env steps between two decisions.
PART = 0.4

# How much the model foresees, see `DynamicsLearner.foreseen`, in windows that the generator draws from so many of the
# newest env steps; from all if None.
Foreseen = Callable[[np.random.Generator, int | None], float]


def sureness(known: float, new: float) -> float:
    """What the model foresees of `new` steps over what it foresees of `known` ones, from 0 (nothing) to 1 (no less)."""
    return min(new / known, 1.0) if known > 0 else 0.0


def learning_rounds(full: int, steps: int, rollout: int) -> int:
    """The share `steps` / `rollout` of `full` rounds, at most all of them."""
    return math.ceil(full * min(steps / rollout, 1.0))


class Switch:
    """The fixed schedule, Algorithm 1: an iteration takes a whole rollout, and every update round learns and plans.

    Args:
        config: everything.
        foreseen: measures the model.

    Attributes:
        every: env steps between two decisions on whether the environment is queried on; None: there are none.
        metrics: of the last decisions.
    """

    def __init__(self, config: ImitationConfig, foreseen: Foreseen) -> None:
        self.config, self.foreseen = config, foreseen
        self.every: int | None = None
        self.metrics: Mapping[str, float] = {}

    def begin(self, iteration: int, known_steps: int) -> None:
        """Called before iteration `iteration`, when the replay holds `known_steps` env steps."""

    def enough(self) -> bool:
        """Whether the newest `every` env steps are the last ones before the next updates."""
        return False

    def learning(self, full: int, steps: int) -> int:
        """How many of the next `full` update rounds also learn on real trajectories, `steps` env steps of them new."""
        return full


class AdaptiveSwitch(Switch):
    """Queries the environment while the model is unsure, and plans (paper, sec. 5).

    The quality of the model is 1 - (root mean square of its error) / (root mean square of the change of state), along a
    plan: from 0 (no better than "nothing changes") to 1 (exact). It is measured on steps that the model was trained on
    (`known`) and on the newest ones, that it was not (`new`).

    - The environment: after every two fifths of `rollout.steps` the episode continues if the sureness, `new / known`,
      is below `config.sure_from`: there is something to learn that the model does not know. Otherwise it waits where it
      is, and the next iteration continues it, so that replay has late parts of episodes as well as early ones. An
      iteration takes at most the rest of a rollout, so an agent that is never sure acts as one with the fixed schedule.
    - Every update round plans. The share of them that also learn on real trajectories, policy and model, is the
      iteration's env steps divided by `rollout.steps`, at most 1.

    So where the model is sure there are two and a half times as many plans per env step as in the fixed schedule (or
    more, as the fixed schedule also finishes its episode), and as much learning. Measuring draws from a generator of
    its own.
    """

    def __init__(self, config: ImitationConfig, foreseen: Foreseen) -> None:
        super().__init__(config, foreseen)
        self.every = math.ceil(PART * config.rollout.steps)

    def begin(self, iteration: int, known_steps: int) -> None:
        self.rng = np.random.default_rng(np.random.SeedSequence([self.config.seed, 4, iteration]))
        self.known = self.foreseen(self.rng, None) if known_steps else 0.0

    def enough(self) -> bool:
        return self.known > 0 and sureness(self.known, self.foreseen(self.rng, self.every)) >= self.config.sure_from

    def learning(self, full: int, steps: int) -> int:
        new = self.foreseen(self.rng, steps)
        learning = learning_rounds(full, steps, self.config.rollout.steps)
        self.metrics = {
            "known": self.known,
            "new": new,
            "sureness": sureness(self.known, new),
            "env_steps": float(steps),
            "learning_rounds": float(learning),
            "planning_rounds": float(full),
        }
        return learning


SWITCHES: dict[str, type[Switch]] = {"fixed": Switch, "adaptive": AdaptiveSwitch}
