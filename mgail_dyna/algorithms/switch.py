"""How long the environment is queried before the next updates (paper, sec. 5)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mgail_dyna.config.imitation import ImitationConfig

# Share of a rollout's env steps between two decisions, and the most decisions of an iteration.
PART, MOST = 0.2, 2

# How much the model foresees, see `DynamicsLearner.foreseen`, in windows that the generator draws from so many of the
# newest env steps; from all if None.
Foreseen = Callable[[np.random.Generator, int | None], float]


def sureness(known: float, new: float) -> float:
    """What the model foresees of `new` steps over what it foresees of `known` ones, from 0 (nothing) to 1 (no less)."""
    return min(new / known, 1.0) if known > 0 else 0.0


class Switch:
    """The fixed schedule, Algorithm 1: an iteration takes a whole rollout.

    Args:
        config: everything.
        foreseen: measures the model.

    Attributes:
        every: env steps between two decisions on whether the environment is queried on; None: there are none.
    """

    def __init__(self, config: ImitationConfig, foreseen: Foreseen) -> None:
        self.config, self.foreseen = config, foreseen
        self.every: int | None = None

    def begin(self, iteration: int, known_steps: int) -> None:
        """Called before iteration `iteration`, when the replay holds `known_steps` env steps."""

    def enough(self) -> bool:
        """Whether the newest `every` env steps are the last ones before the next updates."""
        return False

    def report(self, steps: int) -> dict[str, float]:
        """Scalars of the iteration, which took `steps` env steps."""
        return {}


class AdaptiveSwitch(Switch):
    """Queries the environment while the model is unsure, and plans (paper, sec. 5).

    The quality of the model is 1 - (root mean square of its error) / (root mean square of the change of state), along a
    plan: from 0 (no better than "nothing changes") to 1 (exact). It is measured on steps that the model was trained on
    (`known`) and on the newest ones, that it was not (`new`).

    After a fifth of `rollout.steps` the episode waits where it is if the sureness, `new / known`, is at least
    `config.sure_from`: there is little to learn that the model does not know. Otherwise it waits after another fifth.
    All update rounds of the iteration follow, and the next iteration continues the episode. The first iteration takes a
    whole rollout.

    So the fixed schedule's updates are made every two fifths of its env steps where the model is unsure, and every
    fifth where it is sure. Measuring draws from a generator of its own.
    """

    def __init__(self, config: ImitationConfig, foreseen: Foreseen) -> None:
        super().__init__(config, foreseen)
        self.every = math.ceil(PART * config.rollout.steps)

    def begin(self, iteration: int, known_steps: int) -> None:
        self.rng = np.random.default_rng(np.random.SeedSequence([self.config.seed, 4, iteration]))
        self.known, self.decisions = self.foreseen(self.rng, None) if known_steps else 0.0, 0

    def enough(self) -> bool:
        self.decisions += 1
        if not self.known:
            return False
        if self.decisions >= MOST:
            return True
        return sureness(self.known, self.foreseen(self.rng, self.every)) >= self.config.sure_from

    def report(self, steps: int) -> dict[str, float]:
        new = self.foreseen(self.rng, steps)
        return {"known": self.known, "new": new, "sureness": sureness(self.known, new), "env_steps": float(steps)}


SWITCHES: dict[str, type[Switch]] = {"fixed": Switch, "adaptive": AdaptiveSwitch}
