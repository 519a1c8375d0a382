"""A killed process is resumed and ends as if nothing had happened: curve and weights, bit for bit.

A child counts what it does to the files of its run (opening, renaming, linking, removing) and dies at a drawn count: so
some deaths fall into the writing of a checkpoint. Others come from outside after a drawn time.
"""

import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import CLOCKS, ROOT, small_flags

from mgail_dyna.hdf5 import load_state
from mgail_dyna.runs.checkpoint import has_checkpoint

# Arguments: the directory whose files count, the number of the deadly one (0: none), and those of `run.py`.
CHILD = """
import os, signal, sys
from mgail_dyna.cli import main
where, deadly = sys.argv[1], int(sys.argv[2])
counted = 0

def count(event, arguments):
    global counted
    if event in ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "shutil.rmtree"):
        if any(str(each).startswith(where) for each in arguments[:2]):
            counted += 1
            if counted == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

import mgail_dyna.runtime
mgail_dyna.runtime.import_tensorflow()
import mgail_dyna.cli.session
mgail_dyna.cli.session.CHECKPOINT_SECONDS = -1.0  # after every iteration
sys.addaudithook(count)
print("ready", flush=True)
sys.exit(main.main(sys.argv[3:]))
"""
ITERATIONS = 4
KILLS = 4
MODES = ("dyna", "mgail", "dyna-natural", "bc", "gail", "dyna-trpo")
WAITING = ["--switch", "adaptive", "--sure-from", 0.01]  # most iterations end amid an episode


def child(where, deadly, words):
    call = [sys.executable, "-c", CHILD, str(where), str(deadly), *map(str, words)]
    return subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def live(where, deadly, words, seconds=None):
    """Runs a child to its end, or kills it some seconds after it is ready; its exit code and what it complained of."""
    process = child(where, deadly, words)
    try:
        process.stdout.readline()
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    return process.returncode, said


def same(one, other, name=""):
    """Asserts that two trees are equal bit for bit, but for clocks."""
    assert type(one) is type(other), name
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one.keys() - set(CLOCKS):
            same(one[key], other[key], f"{name}/{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), name
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{name}/{i}")
    else:
        np.testing.assert_array_equal(one, other, err_msg=name)


def next_words(where, start, resume):
    """The arguments to resume the run, or to start it again where it died before its first checkpoint."""
    if has_checkpoint(where / "checkpoint.h5"):
        return resume
    shutil.rmtree(where, ignore_errors=True)  # else a new run takes another name
    return start


def killed_until_done(where, start, resume, seed):
    """Starts a command, kills it and resumes it again and again, and at last lets it end."""
    draws, deaths = random.Random(seed), 0
    while deaths < KILLS:
        words = next_words(where, start, resume)
        if deaths % 2:
            code, said = live(where, 0, words, draws.uniform(0.0, 4.0))
        else:
            code, said = live(where, draws.randint(1, 45), words)
        assert code in (0, -signal.SIGKILL), said
        if code == 0 and deaths >= 2:
            break
        deaths = deaths + 1 if code else 0
        if not deaths:  # it was over before it was killed twice, as on a fast machine: once more
            shutil.rmtree(where)
    code, said = live(where, 0, next_words(where, start, resume))
    assert code == 0, said
    assert not list(where.glob(".*")), "something half written is left"


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "more"), [*((mode, []) for mode in MODES), ("dyna", WAITING)])
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(mode, more, tmp_path, cli):
    asked = ["--env", "cartpole", "--mode", mode, *small_flags(mode), *more, "--iterations", ITERATIONS, "--logdir"]
    assert cli(*asked, tmp_path / "whole").returncode == 0
    name = f"cartpole-{mode}-seed0"
    where = tmp_path / "killed" / name
    killed_until_done(where, [*asked, where.parent], ["--resume", where], mode)
    kept, whole = (load_state(place / "checkpoint.h5", "a run") for place in (where, tmp_path / "whole" / name))
    same(kept, whole)


EXPERT = ["expert", "--env", "cartpole", "--rollout", 256, "--evaluate-every", 512, "--evaluation-episodes", 1]


@pytest.mark.slow
def test_an_expert_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path, cli):
    length = ["--steps", 6_000, "--trajectories", 2, "--length", 50, "--checkpoint-seconds", 0]
    assert cli(*EXPERT, *length, "--out", tmp_path / "whole").returncode == 0
    where = tmp_path / "killed"
    start, resume = [*EXPERT, *length, "--out", where, "--overwrite"], ["expert", "--resume", "--out", where]
    killed_until_done(where, start, resume, 0)
    kept, whole = (load_state(place / "checkpoint.h5", "an expert's training") for place in (where, tmp_path / "whole"))
    same(kept, whole)


@pytest.mark.slow
def test_a_disk_that_fills_up_during_training_costs_nothing_that_was_saved(tmp_path, cli):
    asked = ["--env", "cartpole", "--mode", "mgail", *small_flags("mgail"), "--logdir", tmp_path]
    assert cli(*asked, "--iterations", 2).returncode == 0
    where = tmp_path / "cartpole-mgail-seed0"
    before = load_state(where / "checkpoint.h5", "a run")
    most = (where / "checkpoint.h5").stat().st_size + 10_000  # the replay grows by more

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    call = [sys.executable, "run.py", "--resume", str(where), "--iterations", "30"]
    done = subprocess.run(call, cwd=ROOT, preexec_fn=full, capture_output=True, text=True, check=False, timeout=300)
    complaints = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(complaints), "Traceback" in done.stderr) == (2, 1, False), done.stderr
    assert "cannot be written" in complaints[0] and f"last good checkpoint: {where / 'checkpoint.h5'}" in complaints[0]
    assert not list(where.glob(".*"))
    saved = load_state(where / "checkpoint.h5", "a run")["history"]
    assert saved[:2] == before["history"]
    assert cli("--resume", where, "--iterations", len(saved) + 1).returncode == 0
