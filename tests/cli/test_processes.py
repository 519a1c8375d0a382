"""The command line in processes of its own: one call of each command, interrupts and kills."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from helpers import CLOCKS, ROOT, begins_with, run_py, small_flags, without_clocks

from mgail_dyna.cli import expert_training
from mgail_dyna.cli.commands import expert as expert_command
from mgail_dyna.cli.main import COMMANDS
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.hdf5 import load_state


def started(*words, **pipes):
    """`run.py`, running; Ctrl-C reaches it however the tests themselves were started."""
    call = [sys.executable, "run.py", *map(str, words)]
    unblock = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL, text=True, preexec_fn=unblock, **pipes)


def wait_for(file, process, seconds=200):
    deadline = time.monotonic() + seconds
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


SMOKE = {
    "evaluate": (["evaluate", "cartpole", "--episodes", "1"], "return"),
    "doctor": (["doctor", "{run}"], "of the expert"),
    "export": (["export", "cartpole", "--out", "{tmp}/policy.npz"], "policy.npz"),
    "plot": (["plot", "{run}", "--out", "{tmp}/curve.png"], "curve.png"),
    "sweep": (["sweep", "--suite", "planning", "--dry-run"], "run"),
    "figures": (["figures", "--results", "{records}", "--out", "{tmp}/figures"], ""),
    "expert": (["expert", "--help"], "usage:"),
    "data check": (["data", "check", "cartpole"], "cartpole"),
    "data convert": (["data", "convert", "--help"], "usage:"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_starts_as_a_process(command, tmp_path, results, finished_run):
    words, shown = SMOKE[command]
    places = {"run": finished_run(0), "tmp": tmp_path, "records": results}
    done = run_py(*(word.format(**places) for word in words))
    assert "Traceback" not in done.stderr
    assert (done.returncode, shown in done.stdout) == (0, True), done.stderr


def test_training_interrupted_resumed_and_evaluated(tmp_path, cli):
    asked = ["--env", "cartpole", "--mode", "mgail", *small_flags("mgail", env_steps=1_000_000), "--logdir"]
    process = started(*asked, tmp_path, stderr=subprocess.PIPE)
    directory = tmp_path / "cartpole-mgail-seed0"
    try:
        wait_for(directory / "progress.csv", process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert re.search(rf"run.py --resume {directory}", errors)
    assert "Traceback" not in errors
    before = list(csv.DictReader((directory / "progress.csv").open()))
    assert [row["iteration"] for row in before] == [str(i + 1) for i in range(len(before))]
    assert list(directory.glob("events.out.tfevents.*"))

    result = cli("--resume", directory, "--iterations", len(before) + 1)
    assert result.returncode == 0, result.stderr
    after = list(csv.DictReader((directory / "progress.csv").open()))
    assert begins_with(after[:-1], before)
    assert {"return_mean", "return_std", "expert_percent", "real_trajectories", *CLOCKS} <= set(after[-1])
    assert str(directory) in result.stdout.replace("\n", "")

    assert cli(*asked, tmp_path / "whole", "--iterations", len(after)).returncode == 0
    whole = list(csv.DictReader((tmp_path / "whole" / directory.name / "progress.csv").open()))
    assert without_clocks(after) == without_clocks(whole), "resumed and uninterrupted runs differ"

    assert json.loads((directory / "config.json").read_text())["expert_return"] == 1000.0
    as_another = cli("expert", "--resume", "--out", directory)
    assert (as_another.returncode, as_another.stderr.count("\n")) == (2, 1)
    assert "expected a checkpoint of an expert's training, found one of a run" in as_another.stderr
    changed = cli("--resume", directory, "--policy.hidden", "7")
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    assert "--resume: --policy.hidden cannot change" in changed.stderr
    assert "(16,)" in changed.stderr and "found (7,)" in changed.stderr

    film = tmp_path / "agent.gif"
    shown = cli("evaluate", directory, "--episodes", 2, "--json", "--video", film, "--video-steps", 10)
    assert shown.returncode == 0, shown.stderr
    result = json.loads(shown.stdout)
    assert len(result["returns"]) == 2
    assert result["return_mean"] == np.mean(result["returns"])
    assert result["expert_return"] == 1000.0
    assert result["env_steps"] == int(after[-1]["env_steps"])
    assert film.read_bytes()[:4] == b"GIF8"


EXPERT = ["expert", "--env", "cartpole", "--rollout", 256, "--evaluate-every", 512, "--evaluation-episodes", 1]


@pytest.mark.slow
def test_an_expert_is_interrupted_between_two_iterations(tmp_path):
    process = started(*EXPERT, "--steps", 100_000_000, "--out", tmp_path, stderr=subprocess.PIPE)
    try:
        wait_for(tmp_path / "progress.csv", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "finishing this iteration" in said
    assert f"run.py expert --resume --out {tmp_path}" in said
    trainer = load_state(tmp_path / "checkpoint.h5", "an expert's training")["trainer"]
    assert trainer["collector"]["env_steps"] % 256 == 0
    under_way = sum(len(episode["actions"]) for episode in trainer["collector"]["episodes"])
    assert under_way <= trainer["collector"]["env_steps"]


def test_an_expert_that_is_to_be_replaced_is_not_resumed(tmp_path, monkeypatch):
    for name in ("checkpoint.h5", "progress.csv"):
        (tmp_path / name).write_text("of an earlier run")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(expert_training, "_Session", killed)
    with pytest.raises(KeyboardInterrupt):
        expert_command.main(["--env", "cartpole", "--out", str(tmp_path), "--overwrite"])
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_killed_expert_is_resumed_and_writes_a_dataset(tmp_path, cli):
    options = ("--checkpoint-seconds", 0, "--trajectories", 2, "--length", 50)
    process = started(*EXPERT, "--steps", 100_000_000, *options, "--out", tmp_path, stderr=subprocess.DEVNULL)
    wait_for(tmp_path / "progress.csv", process)
    process.kill()
    process.wait()
    before = list(csv.DictReader((tmp_path / "progress.csv").open()))
    steps = int(before[-1]["env_steps"]) + 2_000
    resume = ["expert", "--resume", "--out", tmp_path, "--steps", steps]
    finished = cli(*resume)
    assert finished.returncode == 0, finished.stderr
    after = list(csv.DictReader((tmp_path / "progress.csv").open()))
    assert after[: len(before)] == before
    assert int(after[-1]["env_steps"]) >= steps
    demos = load_demonstrations(tmp_path)
    assert len(demos.trajectories) == 2
    assert demos.provenance["steps_trained"] >= steps

    changed = cli(*resume, "--max-kl", 0.5)
    assert changed.returncode == 2
    assert "trust-region cannot change" in changed.stderr
    again = cli(*EXPERT, "--out", tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "holds an earlier run" in again.stderr
