"""A run of imitation, as a generator of iterations. Logging, checkpoints and progress hang outside it."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from mgail_dyna import envs
from mgail_dyna.algorithms.agent import Agent
from mgail_dyna.algorithms.modes import BUILDERS
from mgail_dyna.collect import play_episode
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.errors import UserError, unknown_name
from mgail_dyna.expert import Expert, subset
from mgail_dyna.fit import check_fits, episode_limit
from mgail_dyna.presets import MODES

# NaN where no episode lasted long enough to tell.
_MEASURED = "transition/error_"
# Evaluation episodes begin from these seeds on, the same ones after every iteration.
EVALUATION_SEED = 20_000


class DivergenceError(UserError):
    """A loss or a gradient stopped being a number."""


class ImitationRun:
    """An agent, the environments it acts and is evaluated in, and everything that is counted.

    Modes dyna, mgail and bc open one environment; gail and dyna-trpo, which leave episodes unfinished from one
    iteration to the next, `config.rollout.copies` more.

    Args:
        config: everything.
        expert: the demonstrations.
        mode: a name in `presets.MODES`, of the algorithm: mgail does not plan, whatever `config` says.
        make_env: makes the environment, whose episodes must come to an end; from `config.env`, limited as
            `fit.episode_limit` has it, if None.

    Attributes:
        config: the same, as the mode has it.
        agent: what learns.
        ledger: env steps and episodes by purpose.
        history: one row an iteration: counters, returns, metrics, clocks.
    """

    def __init__(
        self,
        config: ImitationConfig,
        expert: Expert,
        mode: str,
        make_env: Callable[[], gym.Env[Any, Any]] | None = None,
    ) -> None:
        if mode not in MODES:
            raise unknown_name("mode", mode, MODES)
        self.config, self.expert, self.ledger = MODES[mode](config), expert, envs.Ledger()
        make = make_env or functools.partial(envs.make, config.env, episode_limit(expert, config.env))
        self.environments: list[gym.Env[Any, Any]] = []

        def opened() -> gym.Env[Any, Any]:
            self.environments.append(make())
            return self.environments[-1]

        own = opened()
        check_fits(expert, own, "the demonstrations")
        imitated = subset(expert, config.demonstrations, config.subsample)
        training, more = self.ledger.watch(own, "training"), lambda: self.ledger.watch(opened(), "training")
        self.agent: Agent = BUILDERS[mode](self.config, training, more, imitated)
        self.evaluation_env = self.ledger.watch(own, "evaluation")
        self.history: list[dict[str, float]] = []
        self.cpu_before = self.wall_before = 0.0
        self._cpu_start, self._wall_start = time.process_time(), time.monotonic()

    def close(self) -> None:
        """Closes the environments; nothing can be played any more."""
        for env in self.environments:
            env.close()

    @property
    def env_steps(self) -> int:
        """Env steps of training so far."""
        return self.ledger.steps["training"]

    def ended(self, iterations: int | None = None) -> bool:
        """Whether there is nothing left to do: the agent's budget is spent, or `iterations` in all are done."""
        return self.agent.progress >= 1.0 or (iterations is not None and len(self.history) >= iterations)

    def iterate(self, iterations: int | None = None) -> Iterator[dict[str, float]]:
        """Trains until the agent's budget is spent, or until `iterations` in all; yields a row of `history` each.

        Raises:
            DivergenceError: a metric is NaN or infinite; it says which, and when.
        """
        while not self.ended(iterations):
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
            yield row

    def _evaluated(self, due: bool) -> dict[str, float]:
        if not due or not self.config.evaluation_episodes:
            return {"return_mean": math.nan, "return_std": math.nan, "expert_percent": math.nan}
        returns = self.evaluate(self.config.evaluation_episodes)
        mean = float(returns.mean())
        return {"return_mean": mean, "return_std": float(returns.std()), "expert_percent": self.expert.percent(mean)}

    def evaluate(self, episodes: int, first_seed: int = EVALUATION_SEED) -> np.ndarray:
        """`[episodes]` returns of the acting policy's mean action; counted as evaluation."""
        seeds = range(first_seed, first_seed + episodes)
        return np.array([play_episode(self.evaluation_env, self.agent.acting, seed).episode_return for seed in seeds])

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        clocks = {name: self.history[-1][name] if self.history else 0.0 for name in ("cpu_seconds", "wall_seconds")}
        history = [dict(row) for row in self.history]
        return {"agent": self.agent.state(), "ledger": self.ledger.state(), "history": history, **clocks}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave; the configuration and the demonstrations must be the same.

        Raises:
            UserError: the demonstrations are others.
        """
        fresh, saved = self.agent.acting, state["agent"]["acting"]
        units = [(fresh.mean, saved["mean"]), (fresh.std, saved["std"]), (fresh.spec.unit, saved["spec"].get("unit"))]
        if not all(np.array_equal(np.asarray(now), np.asarray(then)) for now, then in units):
            raise UserError(
                "the demonstrations, or the units they are seen in, have changed since the run was begun; begin anew"
            )
        self.agent.restore(state["agent"])
        self.ledger.restore(state["ledger"])
        self.history = [dict(row) for row in state["history"]]
        self.cpu_before, self.wall_before = state["cpu_seconds"], state["wall_seconds"]
        self._cpu_start, self._wall_start = time.process_time(), time.monotonic()
