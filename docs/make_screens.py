"""Draws the terminal as people see it: `python docs/make_screens.py` writes `docs/assets/screen-*.svg`.

The pictures are drawn by the code that draws on a terminal, 80 columns wide, from the record of the README's first
command, `results/tasks/halfcheetah-dyna-seed0.json`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path

import numpy as np
from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.terminal_theme import DIMMED_MONOKAI

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mgail_dyna.algorithms.registry import imitation_preset  # noqa: E402
from mgail_dyna.cli.advice import doctor_hint, next_commands  # noqa: E402
from mgail_dyna.cli.main import main  # noqa: E402
from mgail_dyna.cli.pace import Pace  # noqa: E402
from mgail_dyna.cli.progress import ProgressDisplay  # noqa: E402
from mgail_dyna.cli.report import EvaluationRows, about_clone, summary  # noqa: E402
from mgail_dyna.demonstrations.reference import Reference  # noqa: E402
from mgail_dyna.experiments.records import Record, read_record  # noqa: E402
from mgail_dyna.runs.directory import RunSettings  # noqa: E402
from mgail_dyna.runs.final import FinalEpisodes  # noqa: E402

RECORD = ROOT / "results" / "tasks" / "halfcheetah-dyna-seed0.json"
RUN = Path("runs") / "halfcheetah-dyna-seed0"
ASSETS = ROOT / "docs" / "assets"
# Rows on the screen of a run under way.
SHOWN = 8
WIDTH = 80
# Fonts that are there, in place of one that the picture would load from elsewhere.
FORMAT = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def screen() -> Console:
    """A terminal of which a picture can be made."""
    return Console(record=True, width=WIDTH, force_terminal=True, color_system="truecolor", file=io.StringIO())


def picture(console: Console, name: str, command: str) -> str:
    """What is on the screen, as SVG."""
    return console.export_svg(title=command, theme=DIMMED_MONOKAI, code_format=FORMAT, unique_id=f"screen-{name}")


def history_of(record: Record) -> list[dict[str, float]]:
    """The rows of a recorded run of HalfCheetah that was evaluated after every iteration."""
    assert record.config["evaluate_every"] == 1
    rows = [
        {name: float(values[i]) for name, values in record.curve.items()} for i in range(len(record.curve["env_steps"]))
    ]
    episodes = record.config["evaluation_episodes"]
    # Records do not hold the steps of evaluation. An episode of HalfCheetah lasts 1,000 steps.
    return [{**row, "iteration": n, "evaluation_steps": 1_000 * episodes * n} for n, row in enumerate(rows, 1)]


def running(history: list[dict[str, float]], settings: RunSettings) -> Console:
    """The screen after `SHOWN` iterations."""
    now, console, total = [0.0], screen(), settings.config.env_steps
    rows = EvaluationRows("env steps", evaluated=True, compared=True)
    display = ProgressDisplay(
        RUN.name, Pace(total, compiling=2, clock=lambda: now[0]), "env steps", rows.columns, console
    )
    display.live = None
    display.print_line(f"{total:,} env steps; files in {RUN}")
    for row, before in zip(history[:SHOWN], [None, *history], strict=False):
        now[0], done = row["wall_seconds"], int(row["env_steps"])
        display.update(int(row["iteration"]), done)
        display.row(rows.cells(row, done, before, display.pace.shown_left()))
        if before is None:
            for line in about_clone(row, frozen=True, episodes=10):
                display.print_line(line)
    console.print(display)
    return console


def ended(record: Record, history: list[dict[str, float]], settings: RunSettings) -> Console:
    """The screen at the end."""
    console, returns = screen(), record.final_returns
    final = FinalEpisodes(np.arange(len(returns)), np.full(len(returns), 1_000), returns)
    expert = Reference(record.expert_return, 1_000)
    console.print(summary(RUN.name, history, settings.config, None, final, expert))
    console.print("next:")
    for command in next_commands(RUN, settings, history, None, final, expert, spent=True):
        console.print(f"  {command}", highlight=False)
    if hint := doctor_hint(RUN, history, final, expert):
        console.print(hint, highlight=False)
    return console


def shown_help() -> Console:
    """The screen of --help."""
    text, console = io.StringIO(), screen()
    os.environ["COLUMNS"] = str(WIDTH)
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main(["--help"])
    console.print(text.getvalue().rstrip(), highlight=False, markup=False)
    return console


def screens() -> dict[str, str]:
    """The pictures, by the name of their files."""
    record = read_record(RECORD)
    config = imitation_preset(record.preset, record.config["env"], record.algorithm)
    settings = RunSettings(record.algorithm, record.preset, record.expert, None, config)
    history, command = history_of(record), "python run.py --env halfcheetah"
    return {
        "screen-run.svg": picture(running(history, settings), "run", command),
        "screen-end.svg": picture(ended(record, history, settings), "end", command),
        "screen-help.svg": picture(shown_help(), "help", "python run.py --help"),
    }


if __name__ == "__main__":
    for name, text in screens().items():
        (ASSETS / name).write_text(text, encoding="utf-8")
