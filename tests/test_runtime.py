"""How the program names itself in commands that are to be pasted."""

import os
import sys
from pathlib import Path

import pytest

from mgail_dyna import runtime


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
