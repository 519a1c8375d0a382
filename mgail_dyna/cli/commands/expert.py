"""`expert`: trains an expert with TRPO and writes its demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse, peek
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.config.presets import environment_id, environment_name, environments, expert_preset
from mgail_dyna.errors import UserError

# The flags that people use most, in the order of the help.
FIRST = ("env", "steps", "seed", "trajectories", "length", "out", "resume", "overwrite")
# What a resumed run may change: its length, how it is evaluated and what is recorded.
EXTENDABLE = {"steps", "trajectories", "evaluate_every", "evaluation_episodes", "finalists", "checkpoint_seconds"}


@dataclass(frozen=True)
class ExpertCommand:
    """Trains an expert with TRPO (Schulman 2015) and writes its demonstrations as HDF5.

    --env sets the defaults of the other options. To see the defaults for Hopper, add --env hopper to --help.
    """

    out: Path | None = None
    """Directory of the dataset, learning curve and checkpoint. If not given: runs/expert/ENV-seedSEED."""
    resume: bool = False
    """Continue from the checkpoint in --out."""
    overwrite: bool = False
    """Replace an earlier run in --out."""
    config: tyro.conf.OmitArgPrefixes[ExpertConfig] = field(default_factory=ExpertConfig)

    def directory(self) -> Path:
        """The directory of the run."""
        return self.out or default_directory(self.config.env, self.config.seed)


def default_directory(env: str, seed: int | str) -> Path:
    """Where an expert's training is kept if --out is not given."""
    return Path("runs/expert") / f"{environment_name(environment_id(env))}-seed{seed}"


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    prog = f"{runtime.program()} expert"
    command = parse(ExpertCommand, argv, prog=prog, default=ExpertCommand(config=_default_config(argv)), first=FIRST)
    command = replace(command, config=replace(command.config, env=environment_id(command.config.env)))
    from mgail_dyna.cli.expert_training import train

    train(command)


def _default_config(argv: Sequence[str]) -> ExpertConfig:
    """The preset of the environment named in `argv`; for a run to resume, its own configuration."""
    name, out = peek(argv, "--env"), peek(argv, "--out")
    if "--resume" in argv:
        from mgail_dyna.cli.expert_training import CHECKPOINT, stored_config
        from mgail_dyna.runs.checkpoint import has_checkpoint

        directory = Path(out) if out else default_directory(name or ExpertConfig.env, peek(argv, "--seed") or "0")
        checkpoint = directory / CHECKPOINT
        if not has_checkpoint(checkpoint):
            raise UserError(f"--resume: no checkpoint at {checkpoint}; give the run's --out, or its --env and --seed")
        return stored_config(checkpoint)
    env_id = environment_id(name or ExpertConfig.env)
    if env_id not in environments().values():
        from mgail_dyna.environments.make import check_env_name

        check_env_name(env_id)
    return expert_preset(env_id)


def refuse_changes(stored: ExpertConfig, asked: ExpertConfig) -> None:
    """Checks that a run is resumed with its own configuration.

    Raises:
        UserError: a setting differs that may not change.
    """
    for entry in fields(ExpertConfig):
        before, now = getattr(stored, entry.name), getattr(asked, entry.name)
        if before != now and entry.name not in EXTENDABLE:
            flag = entry.name.replace("_", "-")
            raise UserError(f"--resume: --{flag} cannot change: the run has {before}, you asked for {now}")
