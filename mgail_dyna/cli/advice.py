"""What to type after a run: its film, its curve, the next run, and `doctor` where something may be wrong."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import environment_flags
from mgail_dyna.cli.report import Row, beats_the_end, end_of
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reference import FAILURE, Reference
from mgail_dyna.experiments.tables import LEVEL
from mgail_dyna.runs.directory import RunSettings
from mgail_dyna.runs.evidence import FEW_FAIL, LEARNED, STOPPED
from mgail_dyna.runs.final import FinalEpisodes
from mgail_dyna.runs.lookup import CONFIG
from mgail_dyna.runs.policies import BestPolicy


def extension(directory: Path, settings: RunSettings, done: int, spent: bool) -> str | None:
    """The command that continues a run, beyond its end if it has ended; None if nothing does, as for a clone.

    Args:
        directory: of the run.
        settings: of the run, with its own last iteration.
        done: iterations done.
        spent: whether its budget is spent.
    """
    resume, limit = f"{runtime.program()} --resume {shlex.quote(str(directory))}", settings.iterations
    at_limit = limit is not None and done >= limit
    if spent and settings.algorithm == "bc":
        return None
    longer = f" --env-steps {2 * settings.config.env_steps}" if spent else ""
    return f"{resume}{longer}{f' --iterations {2 * done}' if at_limit else ''}"


def fewer(config: ImitationConfig) -> str:
    """The flags of a run that imitates a part of its demonstrations."""
    count = "" if config.demonstrations is None else f" --demonstrations {config.demonstrations}"
    return count + (f" --subsample {config.subsample}" if config.subsample > 1 else "")


def _stopped(history: Sequence[Row]) -> bool:
    """Whether the policy, a clone, no longer learns."""
    return history[-1].get("cloning/rate", math.nan) < STOPPED  # NaN is not below


def next_commands(
    directory: Path,
    settings: RunSettings,
    history: Sequence[Row],
    best: BestPolicy | None,
    final: FinalEpisodes | None,
    expert: Reference,
    spent: bool,
    films: bool = True,
) -> tuple[str, ...]:
    """Three commands to type after a run, in the order of their use.

    The first films the policy if the environment `films`. The third continues a run that has not ended, plays an
    earlier policy if that beats the last one, extends a run that has not reached the expert and still learns, imitates
    in the default mode where cloning alone has not reached it, and repeats any other with another seed.
    """
    program, run, done = runtime.program(), shlex.quote(str(directory)), len(history)
    below = end_of(history, final, expert) < LEVEL and not _stopped(history)  # NaN is not below
    longer = extension(directory, settings, done, spent)
    third = f"{program} --config {shlex.quote(str(directory / CONFIG))} --seed {settings.config.seed + 1}"
    if below and settings.algorithm == "bc":
        same = f"--expert {shlex.quote(settings.expert)}{fewer(settings.config)}"
        third = f"{program} {environment_flags(settings.config)} {same}"
    if longer and below:
        third = longer
    if beats_the_end(best, history, settings.config.evaluation_episodes, final):
        third = f"{program} evaluate {run} --best"
    if longer and not spent and (settings.iterations is None or done < settings.iterations):
        third = longer
    film, curve = (shlex.quote(f"{directory.name}.{ending}") for ending in ("mp4", "png"))
    play = f"{program} evaluate {run}{f' --video {film}' if films else ''}"
    return play, f"{program} plot {run} --out {curve}", third


def doctor_hint(directory: Path, history: Sequence[Row], final: FinalEpisodes | None, expert: Reference) -> str | None:
    """Two lines that point to `doctor` if a run ended below 80% of its expert, or if final episodes fail; None if not,
    or if nothing is compared."""
    ask = f"{runtime.program()} doctor {shlex.quote(str(directory))}"
    if end_of(history, final, expert) < LEARNED:  # NaN is not below
        return f"below {LEARNED:g}% of the expert; what may be wrong:\n  {ask}"
    if final is None or expert.reason:
        return None
    failed = final.percents(expert) < FAILURE
    if 100.0 * (failed.mean() - (expert.failures or 0.0)) <= FEW_FAIL:
        return None
    return f"{failed.sum():,} of {failed.size:,} final episodes fail; what may be wrong:\n  {ask}"
