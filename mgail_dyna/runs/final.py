"""The episodes at the end of a run: how its last policy acts from many initial states that no evaluation used."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mgail_dyna.demonstrations.reference import Reference
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.errors import UserError
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.storage import write_text

FINAL = "final_episodes.csv"
# In a checkpoint.
FINAL_EPISODES = "final_episodes"
COLUMNS = ("seed", "steps", "return")


@dataclass(frozen=True)
class FinalEpisodes:
    """Episodes of the mean action.

    Attributes:
        seeds: `[n]`, of the environment's resets.
        steps: `[n]`.
        returns: `[n]`, undiscounted.
    """

    seeds: NDArray[np.int64]
    steps: NDArray[np.int64]
    returns: NDArray[np.float64]

    @classmethod
    def play(
        cls,
        env: gym.Env[Any, Any],
        policy: NumpyPolicy,
        first_seed: int,
        episodes: int,
        before_each: Callable[[int], object] = lambda number: None,
    ) -> FinalEpisodes:
        """Plays `episodes` of them; the first is reset with `first_seed`, the next with the seed after it.

        `before_each` is called with the number of the one that begins, from 1 on.
        """
        seeds, played = np.arange(first_seed, first_seed + episodes), []
        for number, seed in enumerate(seeds, 1):
            before_each(number)
            played.append(play_episode(env, policy, int(seed)))
        steps, returns = ([len(one) for one in played], [one.episode_return for one in played])
        return cls(seeds, np.array(steps, np.int64), np.array(returns, np.float64))

    def percents(self, reference: Reference) -> NDArray[np.float64]:
        """`[n]` returns in percent of the expert's."""
        return np.array([reference.percent(float(value)) for value in self.returns])

    def state(self) -> dict[str, Any]:
        """Everything `from_state` needs."""
        return {"seeds": self.seeds, "steps": self.steps, "returns": self.returns}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FinalEpisodes:
        """The episodes that gave `state`."""
        return cls(state["seeds"], state["steps"], state["returns"])


def write_final(directory: Path, final: FinalEpisodes | None) -> None:
    """Writes `final_episodes.csv`, one row per episode; removes it if there are none, as in a run that is extended."""
    if final is None:
        (directory / FINAL).unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(zip(final.seeds, final.steps, (f"{value:.6g}" for value in final.returns), strict=True))
    write_text(directory / FINAL, text.getvalue())


def read_final(directory: Path) -> FinalEpisodes | None:
    """Reads `final_episodes.csv`; None if there is none, as before a run's end.

    Raises:
        UserError: it is damaged.
    """
    path = directory / FINAL
    if not path.exists():
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        seeds, steps = (np.array([int(row[name]) for row in rows], np.int64) for name in COLUMNS[:2])
        returns = np.array([float(row["return"]) for row in rows])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: expected whole numbers and a return in every row, found {error}") from None
    return FinalEpisodes(seeds, steps, returns)
