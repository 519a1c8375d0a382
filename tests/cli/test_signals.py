"""SIGTERM ends a run, an expert's training and a sweep as Ctrl-C does, with exit code 143."""

import csv
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers import ROOT, begins_with, small_flags, without_clocks

from mgail_dyna.cli import main as command_line
from mgail_dyna.cli.main import main
from mgail_dyna.cli.progress import Interrupts
from mgail_dyna.errors import Terminated
from mgail_dyna.experiments.jobs import Job, Outcome
from mgail_dyna.experiments.kinds import Run
from mgail_dyna.experiments.sweep import sweep


def test_sigterm_asks_for_a_stop_after_the_iteration(capsys):
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts(lambda: 7.6) as interrupts:
        signal.raise_signal(signal.SIGTERM)
        assert (interrupts.asked, interrupts.terminated) == (True, True)
        assert capsys.readouterr().err.startswith("finishing this iteration (about 8 s)")
        signal.raise_signal(signal.SIGTERM)  # a second one changes nothing
        assert capsys.readouterr().err == ""
        assert isinstance(interrupts.stop(" here"), Terminated)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before
    with Interrupts(lambda: 0.0) as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert capsys.readouterr().err.startswith("finishing this iteration (which takes longer than usual); press")
        assert type(interrupts.stop("")) is KeyboardInterrupt


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "inter")]
)
def test_a_command_ends_with_the_code_of_the_signal(number, code, word, monkeypatch, capsys):
    monkeypatch.setattr(command_line, "dispatch", lambda argv: signal.raise_signal(number))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["plot"]) == code
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    said = capsys.readouterr().err
    assert said.startswith(word) and said.count("\n") == 1


def test_a_handler_of_the_caller_stays(monkeypatch):
    calls = []
    monkeypatch.setattr(command_line, "dispatch", lambda argv: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, lambda *_: calls.append("caller"))
    try:
        assert main(["plot"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert calls == ["caller"]


def test_the_command_line_in_another_thread(capsys):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    thread.start()
    thread.join()
    assert codes == [0] and "mgail_dyna" in capsys.readouterr().out


class TerminatedPool:
    """A pool in which SIGTERM arrives while jobs are submitted."""

    def __init__(self):
        self.stopped = False

    def submit(self, job):
        raise Terminated

    def stop(self):
        self.stopped = True


def test_a_sweep_asks_its_runs_to_stop_and_stays_terminated(tmp_path, capsys):
    pool, job = TerminatedPool(), Job(Run("tiny", "task-seed0", ("--seed", "0")), tmp_path, tmp_path / "results")
    with pytest.raises(Terminated, match="the same command continues"):
        sweep([job], pool)
    assert pool.stopped
    assert "finishes its iteration and saves" in capsys.readouterr().err
    assert Outcome("stopped").state == "stopped"


def ended(process, file):
    """What a process said after SIGTERM, sent once `file` is there."""
    deadline = time.monotonic() + 300
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in errors) == (143, False), errors
    return errors


def started(*words):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    call = [sys.executable, "run.py", *map(str, words)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(call, cwd=ROOT, env=environment, **pipes)


@pytest.mark.slow
def test_a_terminated_run_continues_as_if_nothing_had_been(tmp_path):
    asked = ["--env", "cartpole", "--mode", "mgail", *small_flags("mgail", env_steps=1_000_000), "--logdir"]
    directory = tmp_path / "cartpole-mgail-seed0"
    errors = ended(started(*asked, tmp_path), directory / "progress.csv")
    assert "finishing this iteration" in errors
    assert f"--resume {directory}" in errors
    before = list(csv.DictReader((directory / "progress.csv").open()))
    assert started("--resume", directory, "--iterations", len(before) + 1).wait(timeout=300) == 0
    after = list(csv.DictReader((directory / "progress.csv").open()))
    assert begins_with(after[:-1], before)
    assert started(*asked, tmp_path / "whole", "--iterations", len(after)).wait(timeout=300) == 0
    whole = list(csv.DictReader((tmp_path / "whole" / directory.name / "progress.csv").open()))
    assert without_clocks(after) == without_clocks(whole)


@pytest.mark.slow
def test_a_terminated_expert_is_saved(tmp_path):
    words = ["expert", "--env", "cartpole", "--rollout", 256, "--evaluate-every", 512, "--evaluation-episodes", 1]
    process = started(*words, "--steps", 100_000_000, "--checkpoint-seconds", 0, "--out", tmp_path)
    errors = ended(process, tmp_path / "progress.csv")
    assert f"expert --resume --out {tmp_path}" in errors.splitlines()[-1]
    assert (tmp_path / "checkpoint.h5").exists()
