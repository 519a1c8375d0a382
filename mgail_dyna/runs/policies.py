"""Policies on disk: files of their own, the last and the best policy of a run, those of experts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgail_dyna import runtime
from mgail_dyna.demonstrations.metadata import JOINED
from mgail_dyna.demonstrations.reader import load_demonstrations, meant_demonstrations, shipped_experts
from mgail_dyna.environments.make import PARTS
from mgail_dyna.environments.spaces import parts_of, parts_text
from mgail_dyna.errors import UserError
from mgail_dyna.hdf5 import kind_of, load_state, raise_on_mismatch, save_state
from mgail_dyna.networks.numpy_policy import NumpyPolicy
from mgail_dyna.runs.directory import CHECKPOINT, ENV_KWARGS, directory_of, load_run, read_about
from mgail_dyna.runs.lookup import CONFIG, meant, runs_in

POLICY_KIND = "a policy"
# Files of `export`.
EXPORTED = (".npz", ".onnx", ".keras")
# In a checkpoint: the best policy so far.
BEST = "best"


@dataclass(frozen=True)
class BestPolicy:
    """The evaluated policy of a run whose evaluation returned most; of equally good ones the latest.

    It was chosen for these very returns, so they flatter it: other episodes show what it is worth.

    Attributes:
        policy: that was evaluated.
        iteration: after which.
        env_steps: of training until then.
        real_trajectories: of training until then.
        return_mean: of that evaluation.
    """

    policy: NumpyPolicy
    iteration: int
    env_steps: int
    real_trajectories: int
    return_mean: float

    @classmethod
    def of(cls, policy: NumpyPolicy, row: Mapping[str, float]) -> BestPolicy:
        """A copy of `policy`, evaluated in a row of a run's history."""
        state = policy.state()
        copy = NumpyPolicy.from_state(
            {**state, "weights": {name: np.array(array) for name, array in state["weights"].items()}}
        )
        steps, trajectories = int(row["env_steps"]), int(row["real_trajectories"])
        return cls(copy, int(row["iteration"]), steps, trajectories, float(row["return_mean"]))

    def stays(self, policy: NumpyPolicy, return_mean: float) -> bool:
        """Whether it stays the best beside `policy`, which returned `return_mean`: if that is less or the same one."""
        ours, theirs = self.policy.weights, policy.weights
        return return_mean < self.return_mean or all(np.array_equal(ours[name], theirs[name]) for name in ours)

    def state(self) -> dict[str, Any]:
        """Everything `from_state` needs."""
        return {**vars(self), "policy": self.policy.state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> BestPolicy:
        """The one whose `state` this is."""
        return cls(**{**state, "policy": NumpyPolicy.from_state(state["policy"])})


def save_policy(path: str | Path, policy: NumpyPolicy) -> None:
    """Writes a policy, for instance `agent.acting`, to a file of its own.

    Raises:
        UserError: it cannot be written.
    """
    save_state(Path(path), policy.state(), POLICY_KIND)


def is_policy_file(path: Path) -> bool:
    """Whether `save_policy` wrote this file; names of shipped experts are never files."""
    return str(path) not in shipped_experts() and kind_of(path) == POLICY_KIND


def is_run(path: Path) -> bool:
    """Whether `path` is a run: its directory, or the configuration or the checkpoint in it."""
    return (directory_of(path) / CONFIG).exists()


def load_policy(path: str | Path, best: bool = False) -> NumpyPolicy:
    """The evaluated policy of a run, or an expert's policy; use it with `policy.act(observation)`.

    It needs NumPy only, neither TensorFlow nor the demonstrations.

    Args:
        path: a run's directory, an expert's directory, the name of a shipped expert, or a file of `save_policy`.
        best: of a run, the policy whose evaluation returned most, in place of the last one. It was chosen for those
            returns; evaluate it on other episodes.

    Raises:
        UserError: nothing is there, there is no checkpoint yet, or the demonstrations have no policy.
    """
    where = Path(path)
    if is_run(where):
        directory = directory_of(where)
        state = load_run(directory)
        if best:
            return best_of(state, directory).policy
        with raise_on_mismatch(directory / CHECKPOINT):
            return NumpyPolicy.from_state(state["agent"]["acting"])
    if best:
        raise UserError(f"{path}: expected a run, as best=True asks for the best policy of one; found something else")
    if is_policy_file(where):
        saved = load_state(where, POLICY_KIND)
        with raise_on_mismatch(where):
            return NumpyPolicy.from_state(saved)
    check_is_something(where)
    policy = load_demonstrations(path).policy
    if policy is None:
        raise UserError(f"{path}: expected a run, or an expert with its policy, found demonstrations only")
    return policy


def observation_parts(path: str | Path) -> str:
    """What an observation of the policy at `path` is joined from, in order, such as `a (3), b (2)`; empty if unknown.

    Raises:
        UserError: as `load_policy`.
    """
    where = Path(path)
    if is_run(where):
        parts = (read_about(directory_of(where)).get(ENV_KWARGS) or {}).get(PARTS)
    elif is_policy_file(where):
        return ""
    else:
        parts = load_demonstrations(path).provenance.get(JOINED)
    return parts_text(parts_of(parts))


def best_of(state: dict[str, Any], directory: Path) -> BestPolicy:
    """The best policy in a checkpoint.

    Args:
        state: of the run.
        directory: of the run, for messages.

    Raises:
        UserError: there is none.
    """
    kept = state.get(BEST)
    if kept is None:
        why = "the run has not been evaluated yet, or it is older than this feature"
        raise UserError(f"{directory}: holds no best policy: {why}; leave out --best (in Python: best=False)")
    with raise_on_mismatch(directory / CHECKPOINT):
        return BestPolicy.from_state(kept)


def check_is_something(path: Path) -> None:
    """Checks that a path which is no run and no policy file can hold an expert.

    Raises:
        UserError: nothing is there, or a directory that holds runs.
    """
    if str(path) in shipped_experts():
        return
    if not path.exists():
        near = meant(path) or meant_demonstrations(path)
        raise UserError(
            f"{path}: no such file or directory{near}{'' if near else ';'} expected a run's directory, an expert's "
            f"directory, a policy file, or a shipped expert: {', '.join(shipped_experts()) or 'none'}"
        )
    if path.suffix in EXPORTED and path.is_file():
        what = "an exported policy is run by other programs (docs/deploy.md)"
        raise UserError(f"{path}: expected a run, an expert or a file of save_policy, found {path.suffix}; {what}")
    if inside := runs_in(path):
        example = f"{runtime.program()} evaluate {shlex.quote(str(inside[0]))}"
        raise UserError(f"{path}: expected one run, found a directory of {len(inside)}; for instance: {example}")
