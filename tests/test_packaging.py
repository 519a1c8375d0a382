"""The package as it is installed: what the wheel holds, and that it works from another directory."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

import mgail_dyna
from mgail_dyna import runtime
from mgail_dyna.demonstrations import reader
from mgail_dyna.experiments import jobs

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = sorted(path.name for path in (ROOT / "expert_data").iterdir())


def git(directory, *words):
    names = [word for key in ("author", "committer") for word in ("-c", f"{key}.name=x", "-c", f"{key}.email=x@x")]
    done = subprocess.run(["git", "-C", str(directory), *names, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run(*call, **kwargs):
    done = subprocess.run([*map(str, call)], capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_is_installed():
    packages = {str(file.parent.relative_to(ROOT)).replace("/", ".") for file in (ROOT / "mgail_dyna").rglob("*.py")}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == packages | {"mgail_dyna.expert_data"}


def test_runtime_dependencies_are_named_once():
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert {"notebooks", "ray", "dev"} <= extras.keys()
    lines = (ROOT / "docs" / "requirements.txt").read_text().splitlines()
    site = [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]
    assert extras["docs"] == site, "the site is also built without the package"


# How the program is called


@pytest.mark.parametrize(
    ("started", "in_checkout", "name"),
    [
        ("run.py", True, "python run.py"),
        ("/somewhere/bin/mgail-dyna", True, "mgail-dyna"),
        ("/somewhere/bin/mgail-dyna", False, "mgail-dyna"),
        ("/somewhere/site-packages/mgail_dyna/__main__.py", False, "python -m mgail_dyna"),
        ("/somewhere/site-packages/pytest/__main__.py", True, "python run.py"),
        ("", False, "mgail-dyna"),
    ],
)
def test_messages_name_the_program_as_the_user_starts_it(started, in_checkout, name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setattr(runtime, "checkout", lambda: ROOT if in_checkout else None)
    monkeypatch.setattr(runtime, "_is_found", lambda file: True)  # tests/test_runtime.py has the other cases
    assert runtime.program() == name


def test_a_sweep_starts_its_runs_with_the_program_at_hand(tmp_path, monkeypatch):
    started = []

    def refuse(call, **_):
        started.append(call)
        raise OSError("seen")

    monkeypatch.setattr(jobs.subprocess, "Popen", refuse)
    for root, program in ((ROOT, [str(ROOT / "run.py")]), (None, ["-m", "mgail_dyna"])):
        monkeypatch.setattr(runtime, "checkout", lambda root=root: root)
        job = jobs.Job(jobs.Run("tiny", f"task-{len(started)}", ("--seed", "1")), tmp_path / "runs", tmp_path)
        with pytest.raises(OSError, match="seen"):
            jobs.attempt(job, lambda: False)
        assert started[-1][: 1 + len(program)] == [sys.executable, *program]


# Demonstrations


def test_missing_demonstrations_are_reported_with_the_place(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(reader, "SHIPPED", tmp_path / "expert_data")
    refused(["halfcheetah: no such file or directory", tmp_path / "expert_data"], reader.locate, "halfcheetah")


# The commit


@pytest.fixture
def copy(tmp_path):
    """A copy of the modules that know the commit, in a directory that looks like a checkout."""
    for name in ("run.py", "pyproject.toml", "mgail_dyna/__init__.py", "mgail_dyna/runtime.py"):
        (tmp_path / "outer" / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "outer" / "copy" / name)
    return tmp_path / "outer" / "copy"


def commit_of(directory, **env):
    code = "from mgail_dyna import runtime; print(runtime.git_commit())"
    return run(sys.executable, "-c", code, cwd=directory, env={**os.environ, **env}).strip()


def commit_all(directory):
    git(directory, "init", "-q")
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "x")
    return git(directory, "rev-parse", "HEAD")[:12]


def test_the_commit_is_that_of_the_checkout(copy):
    assert commit_of(copy) == "None", "no repository"
    commit = commit_all(copy)
    assert commit_of(copy) == commit
    (copy / "run.py").write_text("")
    assert commit_of(copy) == f"{commit}+"


def test_no_other_repository_is_named(copy):
    outer = copy.parent
    (outer / "file").touch()
    commit_all(outer)
    assert commit_of(copy) == "None"
    assert commit_of(copy, GIT_DIR=str(outer / ".git"), GIT_WORK_TREE=str(outer)) == "None"
    own = commit_all(copy)
    assert commit_of(copy, GIT_DIR=str(outer / ".git")) == own
    (copy / "run.py").unlink()
    assert commit_of(copy) == "None", "not a checkout"


# The wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of a fresh environment in which the wheel is installed, inside a repository of somebody else.

    What the package depends on is taken from this environment, so that nothing large is downloaded.
    """
    place = tmp_path_factory.mktemp("wheel")
    source, outer = place / "source", place / "outer"
    for name in ("mgail_dyna", "expert_data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "run.py"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place / "dist", source)
    outer.mkdir()
    (outer / "file").touch()
    commit_all(outer)
    venv.create(outer / "env", with_pip=False, symlinks=True)
    python = outer / "env" / "bin" / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    ours = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "dependencies.pth").write_text("\n".join(ours) + "\n")
    (wheel,) = (place / "dist").glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--ignore-installed", wheel)
    return python


@pytest.mark.slow
def test_the_installed_package_works_from_another_directory(installed, tmp_path):
    def call(*words):
        return run(*words, cwd=tmp_path, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})

    command = installed.parent / "mgail-dyna"
    assert call(command, "--version").splitlines()[0] == f"mgail_dyna {mgail_dyna.__version__}"
    assert "commit" not in call(command, "--version"), "the repository around it is not ours"
    assert "mgail-dyna [--env ENV]" in call(command)
    assert "mgail-dyna sweep" in call(command, "sweep", "--help")
    for name in SHIPPED:
        assert '"episodes": 50' in call(installed, "-m", "mgail_dyna", "data", "check", name, "--json")
    code = """
import numpy, pathlib, mgail_dyna
from mgail_dyna.config.presets import PRESETS, environments
policy = mgail_dyna.load_policy("cartpole")
assert policy.act(numpy.zeros(4, numpy.float32)) in (0, 1)
for preset in PRESETS:
    for name in environments():
        mgail_dyna.imitation_preset(preset, name)
package = pathlib.Path(mgail_dyna.__file__).parent
assert (package / "py.typed").exists()
print(package)
"""
    assert Path(call(installed, "-c", code).strip()).is_relative_to(installed.parents[1])


@pytest.mark.slow
def test_the_installed_command_trains(installed, tmp_path):
    flags = ["--env", "cartpole", "--mode", "bc", "--cloning.steps", "20", "--cloning.interval", "10"]
    call = [installed.parent / "mgail-dyna", *flags, "--evaluation-episodes", "1"]
    assert "mgail-dyna evaluate runs/cartpole-bc-seed0" in run(*call, cwd=tmp_path).replace("\n", "")
    assert (tmp_path / "runs" / "cartpole-bc-seed0" / "checkpoint.h5").exists()
