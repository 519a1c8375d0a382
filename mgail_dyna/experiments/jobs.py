"""One run of a sweep, from its start or its checkpoint to its record."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.compiled_cache import compiled_cache, forget_compiled
from mgail_dyna.experiments.kinds import Run
from mgail_dyna.experiments.records import from_run, record_path, write_record
from mgail_dyna.runs.directory import CHECKPOINT, new_directory
from mgail_dyna.runs.lookup import CONFIG
from mgail_dyna.runtime import program_call
from mgail_dyna.storage import locked, write_text

ROOT = Path(__file__).resolve().parents[2]
OUTPUT, LOCK, EARLIER = "output.txt", "lock", "earlier"
# Holds the arguments of a run from its start until it is recorded.
BEGUN = "begun.json"
# TensorFlow's own threads follow the first, see `runtime.cores`: two threads cost more CPU time than one.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """A run to be done and where its files go.

    Attributes:
        run: what to do.
        logdir: directory of all sweeps' runs; this run uses `logdir/suite/name`.
        results: directory of all records.
        program: script that does a run; this program if None.
    """

    run: Run
    logdir: Path
    results: Path
    program: Path | None = None

    @property
    def directory(self) -> Path:
        """Directory that only this job uses."""
        return self.logdir / self.run.suite / self.run.name

    @property
    def run_directory(self) -> Path | None:
        """The run's directory below `directory`; None if it was never started."""
        begun = sorted(self.directory.glob(f"*/{CONFIG}"), key=lambda path: path.stat().st_mtime)
        return begun[-1].parent if begun else None

    @property
    def started_at(self) -> float:
        """When a process last began to work on it, in seconds since the epoch; 0 if never."""
        lock = self.directory / LOCK
        return lock.stat().st_mtime if lock.exists() else 0.0

    @property
    def recorded(self) -> bool:
        """Whether its record exists."""
        return record_path(self.results, self.run).exists()


@dataclass(frozen=True)
class Outcome:
    """How a job ended: "done", "failed", "stopped" (on request), or "elsewhere" (another process works on it)."""

    state: str
    reason: str = ""


def attempt(job: Job, stopping: Callable[[], bool]) -> Outcome:
    """Does `job` and records it. It resumes from a checkpoint that the same arguments left without a record.

    The run's process inherits the lock. If this process is killed and the run lives on, no other process starts the run
    until it has ended. The record is written under the lock too.

    Args:
        job: to do.
        stopping: once it returns true, the run is asked to save and stop.
    """
    if stopping():
        return Outcome("stopped")
    job.directory.mkdir(parents=True, exist_ok=True)
    with locked(job.directory / LOCK) as lock:
        if lock is None:
            return Outcome("elsewhere")
        now = time.time_ns()  # the file system's own clock is some milliseconds behind
        os.utime(job.directory / LOCK, ns=(now, now))
        if job.recorded:
            return Outcome("done")
        code = _run(job, lock, stopping)
        if stopping():
            return Outcome("stopped")
        if code != 0:
            forget_compiled(job.logdir)
            return Outcome("failed", _reason(job, code))
        try:
            directory = job.run_directory
            if directory is None:
                return Outcome("failed", f"{job.directory}: no run in it; see {job.directory / OUTPUT}")
            write_record(job.results, job.run, from_run(directory, job.run))
            (job.directory / BEGUN).unlink(missing_ok=True)
        except UserError as error:
            return Outcome("failed", str(error))
    return Outcome("done")


def _arguments(job: Job) -> list[str]:
    """Arguments of `run.py`: to resume from the checkpoint, or to start in an empty directory.

    A checkpoint of other arguments, or of a run that was recorded once, is not resumed. It is moved to `earlier`.
    """
    directory, begun = job.run_directory, job.directory / BEGUN
    arguments = json.dumps(job.run.arguments)
    same = begun.exists() and begun.read_text(encoding="utf-8") == arguments
    if same and directory is not None and (directory / CHECKPOINT).exists():
        return ["--resume", str(directory)]
    for entry in job.directory.iterdir():
        if entry.is_dir() and entry.name != EARLIER:
            entry.replace(new_directory(job.directory / EARLIER, entry.name))
    write_text(begun, arguments)
    return [*job.run.arguments, "--logdir", str(job.directory)]


def _run(job: Job, lock: int, stopping: Callable[[], bool]) -> int:
    """Runs `run.py` for `job`; its exit code, negative for a signal."""
    start = program_call() if job.program is None else [sys.executable, str(job.program)]
    with (job.directory / OUTPUT).open("w") as output, _unblocked_interrupts():
        process = subprocess.Popen(
            [*start, *_arguments(job)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ONE_THREAD, **compiled_cache(job.logdir)},
            pass_fds=[lock],
            start_new_session=True,  # so that Ctrl-C reaches it once, through `stopping`
        )
    asked = False
    while True:
        try:
            return process.wait(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if stopping() and not asked:
                process.send_signal(signal.SIGINT)
                asked = True


@contextlib.contextmanager
def _unblocked_interrupts() -> Iterator[None]:
    """Lets child processes receive SIGINT: Ray's workers block it, and children inherit that."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reason(job: Job, code: int) -> str:
    output = job.directory / OUTPUT
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit code {code}: {lines[-1] if lines else 'no output'} ({output})"
