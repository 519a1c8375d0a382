"""How the program names itself in commands that are to be pasted, and how many threads it uses."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgail_dyna import runtime
from mgail_dyna.algorithms.registry import algorithm_named

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The name of the program as started by `argv[0]`, with an interpreter in a .venv below the current directory."""
    bin_of_env = tmp_path / ".venv" / "bin"
    bin_of_env.mkdir(parents=True)
    for name in ("python", "python3", "mgail-dyna"):
        (bin_of_env / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)

    def name(word, path="/nowhere", executable=bin_of_env / "python"):
        monkeypatch.setattr(sys, "argv", [str(word)])
        monkeypatch.setattr(sys, "executable", str(executable))
        monkeypatch.setitem(os.environ, "PATH", str(path))
        return runtime.program()

    return name


def test_in_a_checkout_the_interpreter_is_the_one_that_runs(started):
    assert started("run.py", path=Path(".venv/bin").absolute()) == "python run.py"
    assert started("run.py") == ".venv/bin/python run.py", "the shell would find another python, or none"
    assert started("../a b/run.py") == ".venv/bin/python '../a b/run.py'"
    assert started("/x/mgail_dyna/__main__.py") == ".venv/bin/python -m mgail_dyna"
    elsewhere = Path("/elsewhere/bin/python3")
    assert started("run.py", executable=elsewhere) == "/elsewhere/bin/python3 run.py"


def test_where_it_is_installed_the_command_is_named(started):
    place = Path(".venv/bin").absolute()
    assert started(place / "mgail-dyna", path=place) == "mgail-dyna"
    assert started(place / "mgail-dyna") == ".venv/bin/mgail-dyna"


def test_in_other_programs_it_is_named_as_in_the_documents(started):
    assert started("pytest") == "python run.py"


def test_a_second_thread_is_used_where_there_is_a_core_for_it(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    for wanted, found in {"": 3, "1": 1, "2": 2, "8": 3, "0": 1, "many": 3}.items():
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
        assert runtime.cores() == found
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert runtime.cores() == 3
    assert {name: algorithm_named(name).threads for name in ("dyna", "gail")} == {"dyna": 2, "gail": 1}


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "flags"), [("dyna", "--updates-per-iteration 2"), ("bc", "--evaluate-every 1")])
def test_a_second_thread_changes_no_number(mode, flags, tmp_path):
    rows, flags = [], f"{flags} --cloning.steps 1000 --iterations 3 --evaluation-episodes 1 --final-episodes 0"
    for threads in ("1", "2"):
        words = ["run.py", "--mode", mode, *flags.split(), "--logdir", str(tmp_path / threads)]
        env = {**os.environ, "OMP_NUM_THREADS": threads, "MGAIL_DYNA_XLA": "1"}
        subprocess.run([sys.executable, *words], cwd=ROOT, env=env, check=True, capture_output=True)
        with (tmp_path / threads / f"halfcheetah-{mode}-seed0" / "progress.csv").open() as file:
            rows.append(list(csv.DictReader(file)))
    clocks = {"cpu_seconds", "wall_seconds"}
    one, two = ([{k: v for k, v in row.items() if k not in clocks} for row in run] for run in rows)
    assert one == two and len(one) > 1


def test_what_is_said_on_a_terminal_breaks_between_words(monkeypatch):
    def said(line):
        shown = io.StringIO()
        shown.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", shown)
        runtime.say(line)
        return shown.getvalue()

    monkeypatch.setenv("COLUMNS", "40")
    line = "error: nothing is called halfcheeta; did you mean halfcheetah, or anything else?"
    assert all(len(part) <= 40 for part in said(line).splitlines()) and " ".join(said(line).split()) == line
    command = f"error: the run ended; start it again with {runtime.program()} --env halfcheetah --mode dyna"
    assert said(command) == command + "\n", "it can be pasted"
