"""A run of imitation, as a generator of iterations. Logging, checkpoints and progress are outside."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna.algorithms.registry import algorithm_named
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.compatibility import episode_limit
from mgail_dyna.demonstrations.dataset import Demonstrations, fingerprint, subset
from mgail_dyna.demonstrations.recorded_environment import environment_arguments, parse_arguments
from mgail_dyna.demonstrations.reference import reference
from mgail_dyna.environments.make import make_env as make_by_id
from mgail_dyna.environments.rollout import play_episode
from mgail_dyna.environments.wrappers import Ledger
from mgail_dyna.errors import UserError
from mgail_dyna.runs.directory import DEMONSTRATIONS
from mgail_dyna.runs.final import FINAL_EPISODES, FinalEpisodes
from mgail_dyna.runs.policies import BEST, BestPolicy

# NaN if no episode lasted that long.
_MEASURED = "dynamics/error_"
# First seed of evaluation episodes, the same ones after every iteration.
EVALUATION_SEED = 1_000_000
# The same for the episodes at the end.
FINAL_SEED = 1_000_000_000
# Seeds of either kind that each run has to itself.
EVALUATION_SEEDS = 1_000


class DivergenceError(UserError):
    """A metric became NaN or infinite."""


class ImitationRun:
    """An agent, the environments it acts and is evaluated in, and everything that is counted.

    Evaluation uses the agent's environment if its episodes are over between iterations, and opens another if not.

    Args:
        config: everything.
        demos: the demonstrations.
        algorithm: a name in `algorithms.registry.ALGORITHMS`.
        make_env: makes the environment, whose episodes must end; `config.env`, with the time limit of
            `compatibility.episode_limit`, if None.

    Attributes:
        config: the same, with what the algorithm overrides.
        imitated: the demonstrations that are imitated, all of them or a part.
        environment_arguments: keyword arguments of the environment, unless `make_env` was given.
        agent: what learns.
        reference: the expert's return, in percent of which the agent's is given.
        ledger: env steps and episodes by purpose.
        history: one row per iteration: counters, returns, metrics, clocks.
        best: the policy whose evaluation returned most so far; None before the first evaluation.
        final: the episodes at the end; None before.
    """

    def __init__(
        self,
        config: ImitationConfig,
        demos: Demonstrations,
        algorithm: str = "dyna",
        make_env: Callable[[], gym.Env[Any, Any]] | None = None,
    ) -> None:
        entry = algorithm_named(algorithm)
        self.config, self.demos, self.ledger = entry.configure(config), demos, Ledger()
        self.environments: list[gym.Env[Any, Any]] = []
        self.environment_arguments = environment_arguments(demos, config.env, parse_arguments(config.env_kwargs))
        self._make = make_env or functools.partial(
            make_by_id, config.env, episode_limit(demos, config.env), **self.environment_arguments
        )
        self.imitated = subset(demos, config.demonstrations, config.subsample, config.observations_only)
        self.agent = entry.build(self.config, lambda: self.ledger.watch(self._open(), "training"), self.imitated)
        self.evaluation_env = self.ledger.watch(self.agent.idle_env or self._open(), "evaluation")
        spec, longest = self.evaluation_env.spec, max(len(trajectory) for trajectory in demos.trajectories)
        limit = spec.max_episode_steps if spec is not None else None
        self.reference = reference(demos, limit or max(demos.length or 0, longest))
        self.history: list[dict[str, float]] = []
        self.best: BestPolicy | None = None
        self.final: FinalEpisodes | None = None
        self.cpu_before = self.wall_before = 0.0
        self._cpu_start, self._wall_start = time.process_time(), time.monotonic()

    def _open(self) -> gym.Env[Any, Any]:
        self.environments.append(self._make())
        return self.environments[-1]

    def close(self) -> None:
        """Closes the environments."""
        for env in self.environments:
            env.close()

    @property
    def env_steps(self) -> int:
        """Env steps of training so far."""
        return self.ledger.steps["training"]

    def ended(self, iterations: int | None = None) -> bool:
        """Whether the agent's budget is spent, or `iterations` in all are done."""
        return self.agent.progress >= 1.0 or (iterations is not None and len(self.history) >= iterations)

    @property
    def final_due(self) -> bool:
        """Whether the budget is spent and the final episodes are still to be played."""
        return self.agent.progress >= 1.0 and self.final is None and self.config.final_episodes > 0

    def iterate(
        self, iterations: int | None = None, before_final: Callable[[int], object] = lambda number: None
    ) -> Iterator[dict[str, float]]:
        """Trains until the agent's budget is spent or `iterations` in all are done; yields the rows of `history`.

        Once the budget is spent and the last row was taken, the final episodes are played, if they are not yet;
        `before_final` is called with the number of each.

        Raises:
            DivergenceError: a metric is NaN or infinite; the message names it, the iteration and the env step.
        """
        while not self.ended(iterations):
            self.final = None  # an extended run has another end
            metrics = self.agent.iterate()
            number = len(self.history) + 1
            for name, value in metrics.items():
                if not math.isfinite(value) and not (math.isnan(value) and name.startswith(_MEASURED)):
                    raise DivergenceError(f"{name} became {value} at iteration {number}, env step {self.env_steps:,}")
            due = self.agent.progress >= 1.0 or number == iterations or number % self.config.evaluate_every == 0
            row = {
                "iteration": number,
                "env_steps": self.env_steps,
                "real_trajectories": self.ledger.episodes["training"],
                **self._evaluated(due),
                **metrics,
                "evaluation_steps": self.ledger.steps["evaluation"],
                "cpu_seconds": self.cpu_before + time.process_time() - self._cpu_start,
                "wall_seconds": self.wall_before + time.monotonic() - self._wall_start,
            }
            self.history.append(row)
            returned = row["return_mean"]  # NaN without an evaluation
            if not math.isnan(returned) and not (self.best and self.best.stays(self.agent.acting, returned)):
                self.best = BestPolicy.of(self.agent.acting, row)
            yield row
        if self.final_due:
            first = FINAL_SEED + EVALUATION_SEEDS * self.config.seed
            episodes = self.config.final_episodes
            self.final = FinalEpisodes.play(self.evaluation_env, self.agent.acting, first, episodes, before_final)

    def _evaluated(self, due: bool) -> dict[str, float]:
        if not due or not self.config.evaluation_episodes:
            return {"return_mean": math.nan, "return_std": math.nan, "expert_percent": math.nan}
        returns = self.evaluate(self.config.evaluation_episodes)
        mean = float(returns.mean())
        return {"return_mean": mean, "return_std": float(returns.std()), "expert_percent": self.reference.percent(mean)}

    @property
    def evaluation_seed(self) -> int:
        """Seed of the first evaluation episode, the same after every iteration of this run.

        Runs of different seeds are evaluated from different initial states, up to 1,000 episodes each. So constants
        chosen on some seeds are reported on initial states that they were not chosen on. No evaluation shares a seed
        with the demonstrations (from 0), an expert's selection (from 10,000) or `run.py evaluate` (from 30,000).

        Records made before this rule evaluate every run from seed 20,000 on. Training is the same either way.
        """
        return EVALUATION_SEED + EVALUATION_SEEDS * self.config.seed

    def evaluate(self, episodes: int, first_seed: int | None = None) -> np.ndarray:
        """Plays the acting policy's mean action; counted as evaluation.

        Args:
            episodes: to play.
            first_seed: of the first episode, the others follow one by one; `evaluation_seed` if None.

        Returns:
            `[episodes]` returns.
        """
        first = self.evaluation_seed if first_seed is None else first_seed
        seeds = range(first, first + episodes)
        return np.array([play_episode(self.evaluation_env, self.agent.acting, seed).episode_return for seed in seeds])

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        clocks = {name: self.history[-1][name] if self.history else 0.0 for name in ("cpu_seconds", "wall_seconds")}
        history = [dict(row) for row in self.history]
        return {
            DEMONSTRATIONS: fingerprint(self.imitated),
            "agent": self.agent.state(),
            "ledger": self.ledger.state(),
            "history": history,
            BEST: self.best.state() if self.best else None,
            FINAL_EPISODES: self.final.state() if self.final else None,
            **clocks,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same.

        Raises:
            UserError: the demonstrations are others.
        """
        fresh, saved = self.agent.acting, state["agent"]["acting"]
        same = state.get(DEMONSTRATIONS) in (None, fingerprint(self.imitated))  # old checkpoints have none
        units = [(fresh.mean, saved["mean"]), (fresh.std, saved["std"]), (fresh.spec.unit, saved["spec"].get("unit"))]
        if not same or not all(np.array_equal(np.asarray(now), np.asarray(then)) for now, then in units):
            raise UserError(
                "the demonstrations, or the units of observations and actions, have changed since the run started; "
                "give the same demonstrations (--expert), or start a new run"
            )
        self.agent.restore(state["agent"])
        self.ledger.restore(state["ledger"])
        self.history = [dict(row) for row in state["history"]]
        best = state.get(BEST)  # old checkpoints have none
        self.best = BestPolicy.from_state(best) if best else None
        final = state.get(FINAL_EPISODES)
        self.final = FinalEpisodes.from_state(final) if final else None
        self.cpu_before, self.wall_before = state["cpu_seconds"], state["wall_seconds"]
        self._cpu_start, self._wall_start = time.process_time(), time.monotonic()
