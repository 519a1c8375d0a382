"""What a suite consists of: kinds of run, each with runs that differ in their seed alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from mgail_dyna.algorithms.registry import algorithm_named

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
        return not algorithm_named(self.algorithm).ignores("trust_region.gae_lambda", "none")

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
