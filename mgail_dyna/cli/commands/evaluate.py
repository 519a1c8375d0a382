"""`evaluate`: measures how good a trained policy is, and films it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mgail_dyna import runtime
from mgail_dyna.cli.arguments import parse
from mgail_dyna.errors import UserError

# Evaluations during training and the shipped demonstrations have other seeds.
FIRST_SEED = 30_000
FORMATS = (".mp4", ".gif")


@dataclass(frozen=True)
class EvaluateCommand:
    """Plays the mean action of a trained policy and compares its return with the expert's."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Directory of a run; a policy file; or, to play the expert, a shipped expert's name or the directory of a dataset
    with its expert's policy."""
    best: bool = False
    """Play the run's best policy in place of its last: the one that returned most in the run's own evaluations."""
    env: str | None = None
    """Environment to play in, with its own time limit. If not given: the one of the run or expert."""
    env_kwargs: str | None = None
    """Keyword arguments of the environment as JSON, such as '{"g": 1.6}'; those of the run or expert if not given."""
    episodes: int = 10
    """Number of episodes."""
    seed: int = FIRST_SEED
    """Seed of the first episode; each later episode has the next number."""
    video: Path | None = None
    """Write a video of one episode, cut after --video-steps, to this file. .mp4 has every frame as rendered (MuJoCo:
    480 x 480 pixels); .gif has every second frame at half the size."""
    video_steps: int = 300
    """Length of the video in steps."""
    beside_expert: bool = False
    """In the video, show the expert of the run's demonstrations beside the agent, from the same reset."""
    json: bool = False
    """Print JSON, for programs."""


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    command = parse(EvaluateCommand, argv, prog=f"{runtime.program()} evaluate")
    for name, least in (("episodes", 1), ("seed", 0), ("video_steps", 1)):
        if getattr(command, name) < least:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: expected at least {least}, found {getattr(command, name)}")
    if command.video is not None and command.video.suffix not in FORMATS:
        raise UserError(f"--video: expected a file ending in {' or '.join(FORMATS)}, found {command.video}")
    if command.beside_expert and command.video is None:
        raise UserError("--beside-expert: expected --video FILE with it, found none")
    from rich.console import Console

    from mgail_dyna.cli.evaluation import evaluate, film, table
    from mgail_dyna.cli.subject import check_playable, expert_of, find_subject

    subject = find_subject(command.run, command.env, command.env_kwargs, command.best)
    expert = expert_of(command.run) if command.beside_expert else None
    check_playable(subject, command.run, command.video is not None)
    if command.video is not None and not command.json:
        several = command.episodes > 1
        first = f"{command.episodes:,} episodes" if several else "an episode"
        about = f"playing {first} first, then filming{'; --episodes 1 is quicker' if several else ''}"
        runtime.say(f"note: {about}")
    result = evaluate(subject, command.run, command.episodes, command.seed)
    if command.video is not None and command.video.exists():
        runtime.say(f"note: {command.video} is replaced")
    # Printed before the video is made, as that may fail for want of a renderer.
    print(json.dumps(result, indent=2)) if command.json else Console().print(table(result))
    if command.video is not None:
        shown = film(subject, command.video, command.video_steps, command.seed, expert)
        if not command.json:
            print(f"{command.video}: {shown}")
