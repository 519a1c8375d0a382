"""The suites of runs that figures and tables are made of: data only.

A kind is a set of runs that differ in their seed alone. Its runs are recorded under one suite; other suites and figures
can use them too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mgail_dyna.algorithms.registry import algorithm_named, imitation_preset

SEEDS = 5
TASKS = ("cartpole", "hopper", "halfcheetah")
CLONING = "bc"
# Demonstrations in each shipped file.
SHIPPED = 50


@dataclass(frozen=True)
class DemonstrationSubset:
    """Some of the expert's demonstrations.

    Attributes:
        trajectories: number of them.
        subsample: one step in this many is kept.
    """

    trajectories: int
    subsample: int = 1

    @property
    def name(self) -> str:
        """For file names: "4", or "4x20" with one step in 20."""
        return f"{self.trajectories}x{self.subsample}" if self.subsample > 1 else str(self.trajectories)

    @property
    def label(self) -> str:
        """For legends and tables."""
        whole = "" if self.subsample > 1 else "whole "
        kept = f", every {self.subsample}th step" if self.subsample > 1 else ""
        return f"{self.trajectories} {whole}trajector{'y' if self.trajectories == 1 else 'ies'}{kept}"

    @property
    def flags(self) -> str:
        """Flags of `run.py`."""
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
        baseline: takes no env steps and is drawn as a level line.
    """

    suite: str
    task: str
    name: str
    label: str
    arguments: tuple[str, ...]
    baseline: bool = False

    @property
    def algorithm(self) -> str:
        """As `--mode` names it."""
        return self._flags.get("--mode", "dyna")

    @property
    def trust_region(self) -> bool:
        """Whether the policy learns by TRPO. Such runs take far more env steps and are compared among themselves."""
        return not algorithm_named(self.algorithm).ignores("trust_region", "none")

    @property
    def demonstrations(self) -> DemonstrationSubset:
        """What is imitated."""
        flags = self._flags
        return DemonstrationSubset(int(flags.get("--demonstrations", SHIPPED)), int(flags.get("--subsample", 1)))

    @property
    def _flags(self) -> dict[str, str]:
        return dict(itertools.pairwise(self.arguments))

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
    """MGAIL with Dyna-AIL's env steps and at least its policy gradient steps per env step.

    The gradient steps are doubled where MGAIL's rollouts are longer than Dyna-AIL's: an iteration finishes its last
    episode, so it can take twice the configured env steps. They are at least twice those of MGAIL's preset.
    """
    dyna, mgail = (imitation_preset("tuned", task, mode) for mode in ("dyna", "mgail"))
    rate = dyna.updates_per_iteration * (dyna.learn.steps + dyna.plan.steps) / dyna.rollout.steps
    overrun = 1 if mgail.rollout == dyna.rollout else 2
    updates = max(2 * mgail.updates_per_iteration, math.ceil(overrun * rate * mgail.rollout.steps / mgail.learn.steps))
    flags = f"--updates-per-iteration {updates} --env-steps {dyna.env_steps}"
    return _kind("control", task, "mgail_more_steps", "MGAIL, more gradient steps", flags)


def _planning_apart(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL with one of its two uses of imagination: plans (Eq. 8), or imagined pairs for D (Eq. 6).

    Without imagined pairs, half of the agent's pairs that D sees are recent real ones. Without plans, learning takes
    the gradient steps that planning had.
    """
    config = imitation_preset("tuned", task)
    plans = "--discriminator.imagined-fraction 0 --discriminator.recent-fraction 0.5"
    pairs = f"--plan.steps 0 --learn.steps {config.learn.steps + config.plan.steps}"
    return (
        _kind("control", task, "dyna_plans_only", "Dyna-AIL, plans only", plans),
        _kind("control", task, "dyna_pairs_only", "Dyna-AIL, imagined pairs only", pairs),
    )


def _lengths(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL with the paper's plan lengths and with the preset's own, which is `_dyna`."""
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
    name = f"{mode}_{demonstrations.name}"
    return _kind("scarce", task, name, f"{label}, {demonstrations.label}", demonstrations.flags)


def _from_scarce(task: str, mode: str, label: str) -> tuple[Kind, ...]:
    return tuple(_scarce(task, mode, label, demonstrations) for demonstrations in SCARCE)


def _by_number(task: str) -> Iterator[Kind]:
    """Dyna-AIL, MGAIL and cloning with every number of demonstrations."""
    for demonstrations in NUMBERS:
        if demonstrations == DemonstrationSubset(SHIPPED):
            yield from (_dyna(task), _mgail(task), _cloning(task))
        else:
            for mode, label in (("dyna", "Dyna-AIL"), ("mgail", "MGAIL"), (CLONING, "cloning")):
                yield _scarce(task, mode, label, demonstrations)


def _paper(task: str) -> tuple[Kind, ...]:
    """Dyna-AIL and MGAIL with the paper's constants and the tuned MGAIL's budget of env steps."""
    flags = _paper_flags(task)
    return _kind("paper", task, "dyna", "Dyna-AIL", flags), _kind("paper", task, "mgail", "MGAIL", flags)


def _paper_flags(task: str) -> str:
    return f"--preset paper-like --env-steps {imitation_preset('tuned', task, 'mgail').env_steps}"


def _paper_lengths(task: str) -> tuple[Kind, ...]:
    """Figure 5 with the paper's constants; `_paper` adds plans of 10 steps."""
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
    """Figure 6 with the paper's constants."""
    flags = "--preset paper-like --env-steps 300000"
    return (
        _kind("paper", task, "dyna-trpo", "Dyna-AIL with TRPO", flags),
        _kind("paper", task, "gail", "GAIL", flags),
    )


def _reset(task: str) -> Kind:
    return _kind("reset", task, "dyna", "Dyna-AIL without simulator resets", "--preset reset")


def _warm(task: str) -> Kind:
    return _kind("warm", task, "dyna", "Dyna-AIL, warm start from cloning", "--warm-start bc")


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
    # Not with few demonstrations: the clone overfits and is dropped, so the runs would repeat the suite scarce.
    "warm": tuple(kind for task in TASKS for kind in (_dyna(task), _warm(task), _cloning(task))),
    "reset": tuple(kind for task in CONTINUOUS for kind in (_dyna(task), _reset(task))),
    "paper": (
        *(kind for task in TASKS for kind in _paper(task)),
        *(kind for task in CONTINUOUS for kind in _paper_lengths(task)),
        *_paper_trust_region("hopper"),
    ),
    # Which use of imagination helps: plans, imagined pairs for the discriminator, or both.
    "planning": tuple(
        kind for task in TASKS for kind in (_dyna(task), *_planning_apart(task), _mgail(task), _more_steps(task))
    ),
    # Figure 6 on HalfCheetah.
    "trpo": _trust_region("halfcheetah"),
    # Tasks without tuned constants: every number is the default.
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


def everything() -> tuple[Kind, ...]:
    """Every kind of run of every suite and figure, once, though figures give some of them labels of their own."""
    kinds = (kind for group in (*SUITES.values(), *FIGURES.values()) for kind in group)
    return tuple({(kind.suite, kind.task, kind.name): kind for kind in kinds}.values())


def runs_of(kinds: Iterable[Kind], seeds: int) -> list[Run]:
    """Every run of `kinds` with seeds 0 to `seeds - 1`; all kinds' runs with one seed come before the next seed's."""
    kinds = tuple(kinds)
    return [kind.run(seed) for seed in range(seeds) for kind in kinds]
