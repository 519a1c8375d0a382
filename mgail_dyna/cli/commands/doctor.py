"""`doctor`: says what is wrong with a run, and what to try."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.errors import counted

if TYPE_CHECKING:
    from mgail_dyna.runs.doctor import Diagnosis, Episode
    from mgail_dyna.runs.findings import Finding


# Failing episodes that are named, at most.
MOST_SEEDS = 10


@dataclass(frozen=True)
class DoctorCommand:
    """Says what is wrong with a run, worst first, each with its number, its threshold and what to try.

    docs/troubleshooting.md lists what it looks for. Nothing is written.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Directory of a run."""
    play: bool = False
    """Play the run's evaluation episodes again, and name the initial states from which the policy fails."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(DoctorCommand, argv, prog=f"{runtime.program()} doctor")
    from mgail_dyna.runs.directory import directory_of
    from mgail_dyna.runs.doctor import diagnose, play_evaluation

    directory = directory_of(command.run)
    print(*report(directory, diagnose(directory)), sep="\n")
    if command.play:
        print(*episodes_report(play_evaluation(directory)), sep="\n")


def report(directory: Path, diagnosis: Diagnosis) -> Iterator[str]:
    """A diagnosis as lines.

    Args:
        directory: of the run.
        diagnosis: of it.
    """
    settings = diagnosis.settings
    about = [f"{settings.algorithm} on {settings.config.env}", counted(diagnosis.iterations, "iteration")]
    about.append(f"{diagnosis.env_steps:,} of {settings.config.env_steps:,} env steps")
    if math.isfinite(diagnosis.percent):
        about.append(f"{diagnosis.percent:.1f}% of the expert")
    yield f"{directory}: {', '.join(about)}"
    for note in diagnosis.notes:
        yield f"note: {note}"
    for number, (finding, value) in enumerate(diagnosis.found, 1):
        reads = finding.reads.replace("`", "")
        yield f"{number}. {finding.name}: {finding.form.format(value)}, found {finding.when}"
        yield f"   measured: {reads}"
        yield f"   meaning: {finding.meaning}"
        tries = _tries(finding, directory, diagnosis)
        yield "   try, one at a time:" if len(tries) > 1 else "   try:"
        yield from (f"     {each}" for each in tries)
    if not diagnosis.found:
        yield f"no fault found among the {len(diagnosis.looked_for)} looked for:"
        yield from (f"  {name}" for name in diagnosis.looked_for)
    if diagnosis.skipped:
        yield "not looked for, as this mode, or this run so far, records nothing of it:"
        yield from (f"  {name}" for name in diagnosis.skipped)
    if diagnosis.failing:
        shown = ", ".join(f"seed {seed} ({value:,.1f})" for seed, value in diagnosis.failing[:MOST_SEEDS])
        more = f" and {len(diagnosis.failing) - MOST_SEEDS:,} more" if len(diagnosis.failing) > MOST_SEEDS else ""
        yield f"final episodes below half of the expert's return: {shown}{more}"


def _tries(finding: Finding, directory: Path, diagnosis: Diagnosis) -> list[str]:
    """What to try: commands that can be pasted, with the run's own names and numbers, and then other advice."""
    from mgail_dyna.config.imitation import ImitationConfig
    from mgail_dyna.runs.directory import CONFIG
    from mgail_dyna.runs.doctor import changed

    settings, program = diagnosis.settings, runtime.program()
    again = f"{program} --config {shlex.quote(str(directory / CONFIG))}"
    commands = [f"{again} --{change.flag} {value}" for change, value in changed(finding, settings)]
    config, seeds = settings.config, [seed for seed, _ in diagnosis.failing]
    ended = diagnosis.env_steps >= config.env_steps
    own = {"demonstrations": config.demonstrations, "subsample": config.subsample}
    limits = "".join(f" --{name} {value}" for name, value in own.items() if value != getattr(ImitationConfig, name))
    names = {
        "--mode bc": f"--mode bc --expert {shlex.quote(settings.expert)}{limits}",
        "--env ENV": f"--env {shlex.quote(config.env)}",
        "EXPERT": shlex.quote(settings.expert),
        "SEED": str(seeds[0] if seeds else "SEED"),
        "--env-steps MORE": f"--env-steps {2 * config.env_steps}" if ended else "",
        "RUN": shlex.quote(str(directory)),
    }
    for command in finding.commands:
        for name, value in names.items():
            command = command.replace(name, value)
        commands.append(f"{program} {command.strip()}")
    return [*commands, *([finding.advice] if finding.advice else [])]


def episodes_report(episodes: Sequence[Episode]) -> Iterator[str]:
    """The evaluation episodes as lines.

    Args:
        episodes: that were played again.
    """
    failing = sum(episode.fails for episode in episodes)
    yield f"evaluation episodes: {failing} of {len(episodes)} fail"
    for each in sorted(episodes, key=lambda episode: episode.episode_return):
        fails = ", fails" if each.fails else ""
        yield f"  seed {each.seed}: return {each.episode_return:,.1f} in {counted(each.steps, 'step')}{fails}"
