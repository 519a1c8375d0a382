"""Help and usage: complete, in the right order, and shown before anything heavy is imported."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from mgail_dyna.algorithms.registry import ALGORITHMS
from mgail_dyna.cli.commands import data_check, data_convert, evaluate, expert, figures, plot, sweep, train
from mgail_dyna.cli.help import flags_of, help_text
from mgail_dyna.cli.main import COMMANDS, main
from mgail_dyna.config.presets import PRESETS, environments
from mgail_dyna.experiments.suites import FIGURES, SUITES

ROOT = Path(__file__).resolve().parents[2]
DATACLASSES = {
    "train": train.TrainCommand,
    "evaluate": evaluate.EvaluateCommand,
    "plot": plot.PlotCommand,
    "sweep": sweep.SweepCommand,
    "figures": figures.FiguresCommand,
    "expert": expert.ExpertCommand,
    "data check": data_check.CheckCommand,
    "data convert": data_convert.ConvertCommand,
}
HEAVY = (
    *("gymnasium", "mujoco", "h5py", "numpy", "scipy", "matplotlib", "rich", "imageio", "ray"),
    *("tensorflow", "tensorflow_probability", "keras"),
)


def help_of(capsys, *words, flag="--help-all"):
    with pytest.raises(SystemExit) as stop:
        main([*words, flag])
    assert stop.value.code == 0
    return capsys.readouterr().out


def places(text, flags):
    found = [text.find(f"\n  {flag}") for flag in flags]
    assert -1 not in found, flags[found.index(-1)]
    return found


@pytest.mark.parametrize("name", DATACLASSES)
def test_the_help_has_every_flag_that_is_read(name):
    kind, shown = DATACLASSES[name], io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        tyro.cli(kind, args=["--help"])
    read = set(re.findall(r"(?<!\S)--[a-z][a-z0-9.-]*[a-z0-9]", shown.getvalue())) - {"--help"}
    flags = [flag for flag in flags_of(kind) if not flag.positional]
    named = {flag.name for flag in flags} | {flag.off for flag in flags if flag.switch}
    mentioned = set(re.findall(r"--[a-z][a-z0-9.-]*[a-z0-9]", " ".join([kind.__doc__, *(flag.help for flag in flags)])))
    assert named <= read
    assert read - named <= mentioned, "flags that tyro reads and the help does not list"
    text = help_text(kind, "prog")
    assert all(f"\n  {flag.name}" in text or f"\n  {flag.off}" in text for flag in flags)


@pytest.mark.parametrize("name", DATACLASSES)
def test_every_flag_has_help(name):
    assert all(flag.help.endswith(".") for flag in flags_of(DATACLASSES[name]))


def test_the_flags_people_use_come_first(capsys):
    text = help_of(capsys)
    first = places(text, [f"--{name}" for name in train.FIRST])
    assert len(first) <= 12
    assert first == sorted(first)
    others = [flag.name for flag in flags_of(train.TrainCommand) if flag.name.removeprefix("--") not in train.FIRST]
    assert len(others) > 50
    found = {name: re.search(rf"\n  {re.escape(name)}\s", text) for name in others}
    assert [name for name, place in found.items() if place is None] == []
    assert max(first) < min(place.start() for place in found.values())


def test_the_short_help_has_the_ten_flags_that_people_use_and_says_where_the_others_are(capsys):
    text, every = help_of(capsys, flag="--help"), help_of(capsys)
    assert re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE) == [f"--{name}" for name in train.FIRST]
    assert len(train.FIRST) == 10
    others = len(flags_of(train.TrainCommand)) - 10
    assert text.endswith(f"\n{others} more options: python run.py --help-all\n")
    assert "more options" not in every
    assert help_of(capsys, "evaluate", flag="--help") == help_of(capsys, "evaluate"), "a short list is shown whole"
    assert help_of(capsys, flag="-h") == text


def test_groups_stay_together_under_a_title(capsys):
    text = help_of(capsys)
    for group in ("policy", "discriminator", "dynamics", "learn", "plan", "rollout", "trust-region", "cloning"):
        lines = text.splitlines()
        of_group = [i for i, line in enumerate(lines) if line.startswith(f"  --{group}.")]
        between = [line for line in lines[of_group[0] : of_group[-1]] if line.startswith("  --")]
        assert len(between) == len(of_group) - 1
        assert lines[of_group[0] - 1].endswith(":")


def test_the_help_names_what_exists(capsys):
    text = " ".join(help_of(capsys).split())
    assert all(name in text for name in (*environments(), *ALGORITHMS, *PRESETS, *COMMANDS))
    assert all(name in help_of(capsys, "expert") for name in environments())
    text = " ".join(help_of(capsys, "sweep").split())
    assert all(name in text for name in (*SUITES, *FIGURES))


def test_the_help_shows_the_environments_own_defaults(capsys):
    assert "(default: 12000)" in help_of(capsys, "--env", "hopper")
    text = help_of(capsys, "--env", "cartpole", "--mode", "gail")
    assert "(default: 2000000)" in text
    assert "\n  --policy.no-train-noise" in text, "it is on by default, so the flag turns it off"


def test_a_default_of_none_is_shown_as_what_it_means(capsys):
    text = " ".join(help_of(capsys).split())
    assert "Imitate this many demonstrations, the first ones. (default: all)" in text
    assert "none: no limit. (default: 5.0)" in text, "what is not the default is still said"


def test_no_line_is_wider_than_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, help_of(capsys).splitlines())) <= 80


def imported_by(*words):
    """The heavy modules in a fresh process after the command line has run; and its exit code."""
    code = f"""
import json, sys
from mgail_dyna.cli.main import main
try:
    code = main({list(words)!r})
except SystemExit as stop:
    code = stop.code
print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ}
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("name", ["", "--env hopper", "--env ant --mode gail", *COMMANDS])
def test_help_imports_nothing_heavy(name):
    assert imported_by(*name.split(), "--help") == (0, set())


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--version"],
        ["exprt"],
        ["--mode", "dina"],
        ["--preset", "papr"],
        ["--plan.stesp", "3", "--preset", "reset"],
        ["--cost", "foo", "--preset", "reset"],
        ["--discount", "2", "--preset", "reset"],
        ["sweep", "--figure", "9"],
        ["evaluate", "cartpole", "--episodes", "0"],
        ["plot"],
    ],
)
def test_mistakes_are_found_before_anything_heavy_is_imported(words):
    assert imported_by(*words) == (2 if words not in ([], ["--version"]) and words else 0, set())


def test_an_unknown_environment_needs_gymnasium_alone():
    for words in (["--env", "nope"], ["expert", "--env", "nope"]):
        code, modules = imported_by(*words)
        assert code == 2
        assert modules <= {"gymnasium", "numpy"}
