"""`doctor`: says what is wrong with a run, and what to try."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import environment_flags, parse
from mgail_dyna.errors import counted

if TYPE_CHECKING:
    from mgail_dyna.runs.doctor import Diagnosis, Episode
    from mgail_dyna.runs.findings import Finding


# Failing episodes that are named, at most.
MOST_SEEDS = 10
# Findings that decide what is said of others.
FAILING, STOPPED, WORSE = "final episodes fail", "learning has stopped", "learning has made the clone worse"


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
    from mgail_dyna.cli.summary import wrapped
    from mgail_dyna.runs.directory import directory_of
    from mgail_dyna.runs.doctor import diagnose, play_evaluation

    directory = directory_of(command.run)
    for line in report(directory, diagnose(directory)):
        print(line if runtime.program() in line else wrapped(line))  # commands stay whole, to be pasted
    if command.play:
        print(*episodes_report(play_evaluation(directory)), sep="\n")


def report(directory: Path, diagnosis: Diagnosis) -> Iterator[str]:
    """A diagnosis as lines.

    Args:
        directory: of the run.
        diagnosis: of it.
    """
    from mgail_dyna.runs.evidence import NEAR

    settings = diagnosis.settings
    about = [f"{settings.algorithm} on {settings.config.env}", counted(diagnosis.iterations, "iteration")]
    if settings.algorithm != "bc":
        about.append(f"{diagnosis.env_steps:,} of {settings.config.env_steps:,} env steps")
    if math.isfinite(diagnosis.percent):
        where = "final episodes" if diagnosis.final else "last evaluation"
        about.append(f"{diagnosis.percent:.1f}% of the expert in the {where}")
    yield f"{directory}: {', '.join(about)}"
    for note in diagnosis.notes:
        yield f"note: {note}"
    names = [each.finding.name for each in diagnosis.found]
    if names and diagnosis.percent >= NEAR and FAILING not in names:
        yield f"note: the run is at {NEAR:.0f}% of the expert or more, so what follows need not be mended"
    elif names and not diagnosis.spent and diagnosis.iterations != settings.iterations:
        yield _not_ended(directory, diagnosis)
    for number, (finding, value) in enumerate(diagnosis.found, 1):
        yield f"{number}. {finding.name}: {finding.form.format(value)} ({finding.when} is a fault)"
        yield f"   meaning: {finding.meaning}"
        tries = _tries(finding, directory, diagnosis)
        if tries:
            yield "   try, one at a time:" if len(tries) > 1 else "   try:"
        yield from (f"     {each}" for each in tries)
    if diagnosis.found:
        yield "how these numbers are measured: docs/troubleshooting.md"
    else:
        yield f"no fault found among the {len(diagnosis.looked_for)} that were looked for (docs/troubleshooting.md)"
    if diagnosis.skipped:
        why = "as the run has too few numbers for it, or its clone was thrown away"
        yield f"not judged, {why}: {'; '.join(diagnosis.skipped)}"
    if diagnosis.failing:
        shown = ", ".join(f"seed {seed} (return {value:,.1f})" for seed, value in diagnosis.failing[:MOST_SEEDS])
        more = f" and {len(diagnosis.failing) - MOST_SEEDS:,} more" if len(diagnosis.failing) > MOST_SEEDS else ""
        few = "" if FAILING in names else ", too few to be a fault"
        yield f"final episodes below half of the expert's return{few}: {shown}{more}"
        if few:
            from mgail_dyna.runs.findings import FINDINGS

            watch = next(each.commands[0] for each in FINDINGS if each.name == FAILING)
            yield f"   to watch one: {_filled(watch, directory, diagnosis)}"


def _not_ended(directory: Path, diagnosis: Diagnosis) -> str:
    """The note on a run that has not ended."""
    more = _extension(directory, diagnosis)
    state = "is in training" if _in_training(directory) else "has not ended"
    return f"note: the run {state}, and early faults can pass{f'; to continue it: {more}' if more else ''}"


def _in_training(directory: Path) -> bool:
    from mgail_dyna.runs.directory import LOCK
    from mgail_dyna.storage import in_use

    return in_use(directory / LOCK)


def _tries(finding: Finding, directory: Path, diagnosis: Diagnosis) -> list[str]:
    """What to try: commands that can be pasted, with the run's own names and numbers, and then other advice."""
    from mgail_dyna.runs.doctor import changed
    from mgail_dyna.runs.lookup import CONFIG

    program = runtime.program()
    again = f"{program} --config {shlex.quote(str(directory / CONFIG))}"
    changes = changed(finding, diagnosis.settings, diagnosis.episode_limit, diagnosis.clone)
    commands = [f"{again} --{change.flag} {value}" for change, value in changes]
    for command in finding.commands:
        filled = _extension(directory, diagnosis) if "--resume" in command else _filled(command, directory, diagnosis)
        commands += [] if filled is None else [filled]
    return [*commands, *([finding.advice] if finding.advice else [])]


def _extension(directory: Path, diagnosis: Diagnosis) -> str | None:
    """The command that continues or extends the run; None if none does."""
    from mgail_dyna.algorithms.registry import ALGORITHMS
    from mgail_dyna.cli.advice import extension

    settings = diagnosis.settings
    known = settings.algorithm in ALGORITHMS
    if any(each.finding.name in (STOPPED, WORSE) for each in diagnosis.found) or _in_training(directory):
        return None
    return extension(directory, settings, diagnosis.iterations, diagnosis.spent) if known else None


def _filled(command: str, directory: Path, diagnosis: Diagnosis) -> str | None:
    """A finding's command with the run's own names in place of the capitals; None if it does not fit the run."""
    from mgail_dyna.cli.advice import fewer
    from mgail_dyna.runs.doctor import can_film

    settings, config = diagnosis.settings, diagnosis.settings.config
    if "--mode bc" in command and (settings.algorithm == "bc" or config.observations_only):
        return None
    if "--video" in command and not can_film(directory, settings):
        command = command.partition(" --video")[0]
    expert = shlex.quote(settings.expert)
    names = {
        "--mode bc": f"--mode bc --expert {expert}{fewer(config)}",
        "--env ENV": environment_flags(config),
        "EXPERT": expert,
        "RUN": shlex.quote(str(directory)),
        "SEED": str(next((seed for seed, _ in diagnosis.failing), "SEED")),
        "LIMIT": str(diagnosis.episode_limit or "LIMIT"),
    }
    filled = re.sub(r"--mode bc|--env ENV\b|\b(?:EXPERT|RUN|SEED|LIMIT)\b", lambda found: names[found[0]], command)
    return f"{runtime.program()} {filled}"


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
