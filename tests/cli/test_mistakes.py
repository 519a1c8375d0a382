"""What is understood although it is not quite right, and what is said where it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgail_dyna.cli.commands.train import resolved
from mgail_dyna.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("number", ["10000", "1e4", "10,000", "10_000", "1.0e4"])
@pytest.mark.parametrize("join", ["--env-steps={}", "--env-steps {}"])
def test_whole_numbers_are_taken_as_people_write_them(number, join):
    assert resolved(["--env", "cartpole", *join.format(number).split()]).settings.env_steps == 10_000


def test_none_is_none_however_it_is_written():
    for word in ("none", "None", "NONE"):
        assert resolved(["--env", "cartpole", f"--policy.bptt-clip-norm={word}"]).settings.policy.bptt_clip_norm is None


def test_a_mistake_is_answered_in_one_line_on_a_terminal():
    master, terminal = os.openpty()
    words = ["run.py", "--policy.hidden", "a"]
    ended = subprocess.run([sys.executable, *words], stdout=terminal, stderr=terminal, cwd=ROOT, check=False)
    os.close(terminal)
    assert ended.returncode == 2
    said = os.read(master, 10_000).decode()
    os.close(master)
    assert said == "error: --policy.hidden: expected whole numbers, found a\r\n"


def test_a_python_without_the_packages_is_refused_in_one_line():
    hidden = "import runpy, sys; sys.modules['tyro'] = None; runpy.run_path('run.py', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {sys.executable} has no package tyro; ") and ended.stderr.count("\n") == 1


def test_other_values_stay_as_they_are():
    settings = resolved(["--env", "cartpole", "--policy.learning-rate", "1e-3", "--expert", "1e4"])
    assert (settings.settings.policy.learning_rate, settings.expert) == (1e-3, "1e4")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--env-steps 1e-4", "--env-steps: expected a whole number, found 1e-4"),
        ("--env-steps 1.5", "--env-steps: expected a whole number, found 1.5"),
        ("--env-steps 1,00", "--env-steps: expected a whole number, found 1,00"),
        ("--discount high", "--discount: expected a number, found high"),
        ("--env-steps", "--env-steps: expected a whole number, found nothing"),
        ("--seed 3 --seed=x --env hopper", "--seed: expected a whole number, found x"),
        ("--iterations many", "--iterations: expected a whole number or none, found many"),
        ("--policy.bptt-clip-norm=x", "--policy.bptt-clip-norm: expected a number or none, found x"),
        ("--policy.hidden a b --seed 3", "--policy.hidden: expected whole numbers, found a b"),
        ("--policy.clip_norm=x --env_steps 3", "--policy.clip-norm: expected a number, found x"),
        ("--env_steps many", "--env-steps: expected a whole number, found many"),
        ("--resume", "--resume: expected a value (PATH), found nothing"),
        ("--expert none", "none: no such file or directory"),
        ("--expert hoper", "hoper: no such file or directory; did you mean hopper?"),
        ("--cost foo", "--cost: expected saturating or nonsaturating or logit, found foo"),
        ("--discriminator.lr 1", "unknown option '--discriminator.lr'; did you mean --discriminator.learning-rate?"),
        ("--gradient-penalty 1", "did you mean --discriminator.gradient-penalty?"),
        ("--plan-stesp 1", "unknown option '--plan.stesp'; did you mean --plan.steps"),
        ("--total-timesteps 9", "did you mean --env-steps?"),
        ("--algo gail", "did you mean --mode?"),
        ("--gamma 0.9", "did you mean --discount?"),
        ("--out runs/mine", "unknown option '--out'; did you mean --logdir?"),
        ("--pln.steps 3", "unknown option '--pln.steps'; did you mean --plan.steps?"),
        ("--enviroment hopper", "did you mean --env?"),
        ("--bogus 3", "unknown option '--bogus'; all options: "),
        ("hopper", "unknown command 'hopper'; did you mean: python run.py --env hopper"),
        ("Hopper-v5 --seed 3", "did you mean: python run.py --env Hopper-v5 --seed 3"),
        ("resume runs/mine", "unknown command 'resume'; did you mean: python run.py --resume runs/mine"),
        ("train", "; to train: python run.py --env ENV"),
        ("gail --env hopper", "did you mean: python run.py --mode gail --env hopper"),
        ("reset", "did you mean: python run.py --preset reset"),
        ("mine:Point-v0", "did you mean: python run.py --env mine:Point-v0"),
        ("train --env a:B-v0 --seed 3", "to train: python run.py --env a:B-v0 --seed 3"),
        ("evalute x", "unknown command 'evalute'; did you mean evaluate?"),
        (
            "--env ALE/Pong-v5",
            "-m pip install ale-py, then --env ale_py:ALE/Pong-v5 --env-kwargs",
        ),
        ("--env FetchReach-v4", "-m pip install gymnasium-robotics, then"),
        ("--env Mine/Point-v0", "nothing registers the namespace Mine here; name the module that does"),
        ("--env Hoper-v5", "unknown environment 'Hoper-v5'; did you mean Hopper-v5"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(words, line, capsys):
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("error: ") and line in said.err


def test_an_environment_in_the_current_directory_is_found(tmp_path, monkeypatch, capsys):
    point = "gymnasium.envs.classic_control:CartPoleEnv"
    program = f"import gymnasium\ngymnasium.register('OnlyHere-v0', entry_point='{point}')\n"
    (tmp_path / "only_here.py").write_text(program)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != ""])
    monkeypatch.chdir(tmp_path)
    assert main(["--env", "only_here:OnlyHere-v0", "--discount", "3"]) == 2
    assert "--discount: expected above 0" in capsys.readouterr().err, "the environment's name was accepted"
    assert sys.path[-1] == "", "last, so that no file here takes the place of a package"
