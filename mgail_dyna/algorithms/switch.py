"""When the environment is queried, and how much is planned before it is queried again (paper, sec. 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from mgail_dyna.config.imitation import ImitationConfig

# Share of a rollout's env steps between two decisions.
PART = 0.2
# Share of a full schedule's update rounds that always plan.
FEWEST_PLANS = 0.1

# How much the model foresees, see `DynamicsLearner.foreseen`, in windows that the generator draws from so many of the
# newest env steps; from all if None.
Foreseen = Callable[[np.random.Generator, int | None], float]


class Round(NamedTuple):
    """An update round; D takes its steps in every one.

    Attributes:
        learns: the policy learns on real trajectories, and the model on real steps.
        plans: the policy plans.
    """

    learns: bool
    plans: bool


def sureness(known: float, new: float) -> float:
    """What the model foresees of `new` steps over what it foresees of `known` ones, from 0 (nothing) to 1 (no less)."""
    return min(new / known, 1.0) if known > 0 else 0.0


def planning_rounds(full: int, new: float) -> int:
    """How many of `full` rounds plan: the share that the model foresees of `new` steps, and always a few."""
    return math.ceil(full * max(new, FEWEST_PLANS))


def learning_rounds(full: int, steps: int, rollout: int) -> int:
    """How many of `full` rounds learn on real trajectories: `steps` / `rollout` of them, at most all."""
    return math.ceil(full * min(steps / rollout, 1.0))


def schedule(learning: int, planning: int) -> list[Round]:
    """So many rounds that learn and that plan; the latter come last, as the model is better then."""
    total = max(learning, planning)
    return [Round(number < learning, number >= total - planning) for number in range(total)]


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

    def rounds(self, full: int, steps: int) -> list[Round]:
        """The update rounds after `steps` env steps that the model has not learned from; `full` of them at most."""
        return schedule(full, full)


class AdaptiveSwitch(Switch):
    """Queries the environment while the model is unsure, and plans as far as the model can be trusted (paper, sec. 5).

    The quality of the model is 1 - (root mean square of its error) / (root mean square of the change of state), along a
    plan: from 0 (no better than "nothing changes") to 1 (exact). It is measured on steps that the model was trained on
    (`known`) and on the newest ones, that it was not (`new`).

    - The environment: after every fifth of `rollout.steps` the episode continues if the sureness, `new / known`, is
      below `config.sure_from`: there is something to learn that the model does not know. Otherwise it waits where it
      is, and the next iteration continues it, so that replay has late parts of episodes as well as early ones. An
      iteration takes at most the rest of a rollout, so an agent that is never sure acts as one with the fixed schedule.
    - Plans: the share of a full schedule's rounds that plan is `new`, at least a tenth. A share of what happens can
      stay unforeseen however much is learned, so plans depend on `new` itself, queries on its relation to `known`.
    - Learning on real trajectories: the share of the rounds is the iteration's env steps divided by `rollout.steps`,
      at most 1.

    So where the model is sure there are about five times as many plans per env step as in the fixed schedule (or more,
    as the fixed schedule also finishes its episode). Where it foresees nothing, a tenth of the rounds plan. Measuring
    draws from a generator of its own.
    """

    def __init__(self, config: ImitationConfig, foreseen: Foreseen) -> None:
        super().__init__(config, foreseen)
        self.every = math.ceil(PART * config.rollout.steps)

    def begin(self, iteration: int, known_steps: int) -> None:
        self.rng = np.random.default_rng(np.random.SeedSequence([self.config.seed, 4, iteration]))
        self.known = self.foreseen(self.rng, None) if known_steps else 0.0

    def enough(self) -> bool:
        return self.known > 0 and sureness(self.known, self.foreseen(self.rng, self.every)) >= self.config.sure_from

    def rounds(self, full: int, steps: int) -> list[Round]:
        new = self.foreseen(self.rng, steps)
        learning = learning_rounds(full, steps, self.config.rollout.steps)
        planning = planning_rounds(full, new)
        self.metrics = {
            "known": self.known,
            "new": new,
            "sureness": sureness(self.known, new),
            "env_steps": float(steps),
            "learning_rounds": float(learning),
            "planning_rounds": float(planning),
        }
        return schedule(learning, planning)


SWITCHES: dict[str, type[Switch]] = {"fixed": Switch, "adaptive": AdaptiveSwitch}
