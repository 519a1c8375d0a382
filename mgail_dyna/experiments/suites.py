"""The suites of runs that figures and tables are made of: data only.

A kind is what is compared, the same but for the seed; its runs are recorded under the suite it belongs to, so that a
figure can share runs with a table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mgail_dyna.algorithms.registry import imitation_preset

SEEDS = 5
TASKS = ("cartpole", "hopper", "halfcheetah")
TITLES = {
    "cartpole": "CartPole",
    "hopper": "Hopper",
    "halfcheetah": "HalfCheetah",
    "walker2d": "Walker2d",
    "Swimmer-v5": "Swimmer",
    "InvertedDoublePendulum-v5": "InvertedDoublePendulum",
}
CLONING = "bc"
# Demonstrations in each shipped file.
SHIPPED = 50


@dataclass(frozen=True)
class DemonstrationSubset:
    """Some of the expert's: so many trajectories, of each of which one step in so many is kept."""

    trajectories: int
    subsample: int = 1

    @property
    def name(self) -> str:
        """For file names."""
        return f"{self.trajectories}x{self.subsample}" if self.subsample > 1 else str(self.trajectories)

    @property
    def label(self) -> str:
        """For legends and tables."""
        whole = "" if self.subsample > 1 else "whole "
        kept = f", every {self.subsample}th step" if self.subsample > 1 else ""
        return f"{self.trajectories} {whole}trajector{'y' if self.trajectories == 1 else 'ies'}{kept}"

    @property
    def flags(self) -> str:
        """Of `run.py`."""
        subsample = f" --subsample {self.subsample}" if self.subsample > 1 else ""
        return f"--demonstrations {self.trajectories}{subsample}"


@dataclass(frozen=True)
class Run:
    """One run of a kind.

    Attributes:
        suite: it is recorded under.
        name: of its record and directory.
        arguments: of `run.py`.
    """

    suite: str
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """Runs that differ in their seed alone.

    Attributes:
        suite: they are recorded under.
        task: short name of the environment.
        name: within suite and task, for file names.
        label: for legends and tables.
        arguments: of `run.py`, without the seed.
        baseline: takes no part in the environment and is drawn as a level line.
    """

    suite: str
    task: str
    name: str
    label: str
    arguments: tuple[str, ...]
    baseline: bool = False

    @property
    def algorithm(self) -> str:
        """Of `run.py`."""
        return self.arguments[self.arguments.index("--mode") + 1]

    @property
    def demonstrations(self) -> DemonstrationSubset:
        """What is imitated."""
        told = dict(itertools.pairwise(self.arguments))
        return DemonstrationSubset(int(told.get("--demonstrations", SHIPPED)), int(told.get("--subsample", 1)))

    def run(self, seed: int) -> Run:
        name = f"{self.task}-{self.name}-seed{seed}"
        return Run(self.suite, name, (*self.arguments, "--seed", str(seed)))


def _kind(suite: str, task: str, name: str, label: str, flags: str = "") -> Kind:
    mode = name.split("_")[0]
    return Kind(suite, task, name, label, ("--env", task, "--mode", mode, *flags.split()), mode == CLONING)


def _cloning(task: str) -> Kind:
    return _kind("cloning", task, CLONING, "behavioural cloning")


def _dyna(task: str) -> Kind:
    return _kind("learning", task, "dyna", "Dyna-AIL")


def _mgail(task: str) -> Kind:
    return _kind("learning", task, "mgail", "MGAIL")


def _more_steps(task: str) -> Kind:
    """MGAIL given what Dyna-AIL is given, env steps and policy gradient steps: what is left is planning's.

    Twice as many gradient steps where its own rollouts are longer: an iteration but the last ends with the episode
    under way, and so may take twice the env steps it is told. And at least twice its preset's.
    """
    dyna, mgail = (imitation_preset("tuned", task, mode) for mode in ("dyna", "mgail"))
    rate = dyna.updates_per_iteration * (dyna.learn.steps + dyna.plan.steps) / dyna.rollout.steps
    overrun = 1 if mgail.rollout == dyna.rollout else 2
    rounds = max(2 * mgail.updates_per_iteration, math.ceil(overrun * rate * mgail.rollout.steps / mgail.learn.steps))
    flags = f"--updates-per-iteration {rounds} --env-steps {dyna.env_steps}"
    return _kind("control", task, "mgail_more_steps", "MGAIL, no fewer gradient steps", flags)


def _planning_apart(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL with one of its two uses of imagination: plans (Eq. 8), or imagined pairs for D (Eq. 6).

    Without imagined pairs, half of the agent's are the newest real ones. Without plans, learning takes their gradient
    steps.
    """
    config = imitation_preset("tuned", task)
    plans = "--discriminator.imagined-fraction 0 --discriminator.recent_steps-share 0.5"
    pairs = f"--plan.steps 0 --learn.steps {config.learn.steps + config.plan.steps}"
    return (
        _kind("control", task, "dyna_plans_only", "plans, no imagined pairs", plans),
        _kind("control", task, "dyna_pairs_only", "imagined pairs, no plans", pairs),
    )


def _lengths(task: str) -> tuple[Kind, ...]:
    """The paper's planning lengths and the preset's own, whose runs are those of `_dyna`."""
    own = imitation_preset("tuned", task).plan.length
    return tuple(
        replace(_dyna(task), label=f"plans of {length} steps (preset)")
        if length == own
        else _kind("lengths", task, f"dyna_tp{length}", f"plans of {length} steps", f"--plan.length {length}")
        for length in sorted({5, 10, 50, own})
    )


SCARCE = (DemonstrationSubset(11, 20), DemonstrationSubset(4, 20), DemonstrationSubset(1))
NUMBERS = tuple(DemonstrationSubset(number, kept) for kept in (1, 20) for number in (1, 4, 11, 25, SHIPPED))


def _scarce(task: str, mode: str, label: str, demonstrations: DemonstrationSubset) -> Kind:
    name, words = f"{mode}_{demonstrations.name}", f"{label}, {demonstrations.label}"
    return _kind("scarce", task, name, words, demonstrations.flags)


def _from_scarce(task: str, mode: str, label: str) -> tuple[Kind, ...]:
    return tuple(_scarce(task, mode, label, demonstrations) for demonstrations in SCARCE)


def _by_number(task: str) -> Iterator[Kind]:
    """Every algorithm from every number of demonstrations."""
    for demonstrations in NUMBERS:
        if demonstrations == DemonstrationSubset(SHIPPED):
            yield from (_dyna(task), _mgail(task), _cloning(task))
        else:
            for mode, label in (("dyna", "Dyna-AIL"), ("mgail", "MGAIL"), (CLONING, "cloning")):
                yield _scarce(task, mode, label, demonstrations)


def _paper(task: str) -> tuple[Kind, ...]:
    """The paper's own constants, with as many env steps as the tuned MGAIL is given."""
    flags = _paper_flags(task)
    return _kind("paper", task, "dyna", "Dyna-AIL", flags), _kind("paper", task, "mgail", "MGAIL", flags)


def _paper_flags(task: str) -> str:
    return f"--preset paper-like --env-steps {imitation_preset('tuned', task, 'mgail').env_steps}"


def _paper_lengths(task: str) -> tuple[Kind, ...]:
    """Figure 5 with the paper's own constants, beside `_paper`, whose plans have 10 steps."""
    return tuple(
        _kind(
            "paper",
            task,
            f"dyna_tp{length}",
            f"Dyna-AIL, plans of {length} steps",
            f"{_paper_flags(task)} --plan.length {length}",
        )
        for length in (5, 50)
    )


def _paper_trust_region(task: str) -> tuple[Kind, ...]:
    """Figure 6 with the paper's own constants."""
    flags = "--preset paper-like --env-steps 300000"
    return (
        _kind("paper", task, "dyna-trpo", "Dyna-AIL with TRPO", flags),
        _kind("paper", task, "gail", "GAIL", flags),
    )


def _reset(task: str) -> Kind:
    return _kind("reset", task, "dyna", "Dyna-AIL without simulator resets", "--preset reset")


def _warm(task: str) -> Kind:
    return _kind("warm", task, "dyna", "Dyna-AIL from cloning", "--warm-start bc")


def _untuned(task: str) -> Kind:
    return _kind("untuned", task, "dyna", "Dyna-AIL")


def _trust_region(task: str) -> tuple[Kind, ...]:
    return (
        _kind("trpo", task, "dyna-trpo", "Dyna-AIL with TRPO"),
        _kind("trpo", task, "gail", "GAIL"),
        _cloning(task),
    )


CONTINUOUS = ("hopper", "halfcheetah")
UNTUNED = ("walker2d", "Swimmer-v5", "InvertedDoublePendulum-v5")

SUITES: dict[str, tuple[Kind, ...]] = {
    "learning": tuple(kind for task in TASKS for kind in (_dyna(task), _mgail(task), _cloning(task))),
    "scarce": tuple(
        kind
        for task in CONTINUOUS
        for mode, label in (("dyna", "Dyna-AIL"), (CLONING, "cloning"))
        for kind in _from_scarce(task, mode, label)
    ),
    "demonstrations": tuple(kind for task in CONTINUOUS for kind in _by_number(task)),
    # From few demonstrations the clone is forgotten, and the runs would be those of the suite scarce.
    "warm": tuple(kind for task in TASKS for kind in (_dyna(task), _warm(task), _cloning(task))),
    "reset": tuple(kind for task in CONTINUOUS for kind in (_dyna(task), _reset(task))),
    "paper": (
        *(kind for task in TASKS for kind in _paper(task)),
        *(kind for task in CONTINUOUS for kind in _paper_lengths(task)),
        *_paper_trust_region("hopper"),
    ),
    # What of imagination does it: plans, pairs for the discriminator, or both.
    "planning": tuple(
        kind for task in TASKS for kind in (_dyna(task), *_planning_apart(task), _mgail(task), _more_steps(task))
    ),
    # What figure 6 shows, on the other task.
    "trpo": _trust_region("halfcheetah"),
    # Tasks that no preset names: every number is the default.
    "untuned": tuple(kind for task in UNTUNED for kind in (_untuned(task), _cloning(task))),
}

# The paper's figures.
FIGURES: dict[str, tuple[Kind, ...]] = {
    **{
        name: (_dyna(task), _mgail(task), _more_steps(task), _cloning(task))
        for name, task in zip(("4a", "4b", "4c"), TASKS, strict=True)
    },
    "5a": (*_lengths("hopper"), _cloning("hopper")),
    "5b": (*_lengths("halfcheetah"), _cloning("halfcheetah")),
    "6": _trust_region("hopper"),
}


def runs_of(kinds: Iterable[Kind], seeds: int) -> list[Run]:
    """Every run of `kinds` with seeds 0 to `seeds - 1`, seed by seed, so that all kinds grow together."""
    kinds = tuple(kinds)
    return [kind.run(seed) for seed in range(seeds) for kind in kinds]
