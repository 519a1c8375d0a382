"""A sweep does every run that is not recorded yet. A run that fails is retried once; the others continue."""

from __future__ import annotations

import concurrent.futures
import time
from collections import Counter
from collections.abc import Sequence

from mgail_dyna.errors import UserError
from mgail_dyna.experiments.display import SweepDisplay
from mgail_dyna.experiments.jobs import Job, Outcome
from mgail_dyna.experiments.pools import Pool
from mgail_dyna.experiments.records import read_record, record_path

ATTEMPTS = 2
REFRESH_SECONDS = 1.0
# Between two attempts at a run that another process works on.
ELSEWHERE_SECONDS = 2.0


def sweep(jobs: Sequence[Job], pool: Pool, title: str = "sweep") -> list[Job]:
    """Does every job without a record.

    Args:
        jobs: in the order they are started.
        pool: does them.
        title: for the display.

    Returns:
        The jobs that failed twice, in the order of `jobs`.

    Raises:
        UserError: a record is damaged or was made by other arguments.
        KeyboardInterrupt: after the runs under way have saved.
    """
    with SweepDisplay(jobs, title) as display:
        try:
            return _Sweep(jobs, pool, display).run()
        except KeyboardInterrupt as stop:  # or `Terminated`, by SIGTERM
            display.console.print("stopping: every run finishes its iteration and saves", highlight=False)
            raise type(stop)("; the same command continues") from None
        finally:
            pool.stop()


class _Sweep:
    def __init__(self, jobs: Sequence[Job], pool: Pool, display: SweepDisplay) -> None:
        self.pool, self.display = pool, display
        self.waiting: dict[concurrent.futures.Future[Outcome], Job] = {}
        self.submitted: dict[Job, float] = {}
        self.later: dict[Job, float] = {}
        self.failures: Counter[Job] = Counter()
        self.remaining = [job for job in jobs if not self._recorded(job)]

    def _recorded(self, job: Job) -> bool:
        if not job.recorded:
            self.display.state(job, "waiting")
            return False
        path = record_path(job.results, job.run)
        made_by, wanted = read_record(path).arguments, job.run.arguments
        if made_by != wanted:
            raise UserError(
                f"{path}: made by `run.py {' '.join(made_by)}`, expected `run.py {' '.join(wanted)}`; "
                "remove the record to repeat the run"
            )
        self.display.state(job, "recorded")
        return True

    def run(self) -> list[Job]:
        for job in self.remaining:
            self._submit(job)
        while self.waiting or self.later:
            # `wait` returns at once if there is nothing to wait for.
            ended, _ = concurrent.futures.wait(self.waiting, REFRESH_SECONDS, concurrent.futures.FIRST_COMPLETED)
            if not self.waiting:
                time.sleep(REFRESH_SECONDS)
            for future in ended:
                self._ended(self.waiting.pop(future), future)
            for job in [job for job, moment in self.later.items() if time.monotonic() >= moment]:
                del self.later[job]
                self._submit(job)
            self._refresh()
        return [job for job in self.remaining if self.failures[job] >= ATTEMPTS]

    def _submit(self, job: Job) -> None:
        self.submitted[job] = time.time()
        self.waiting[self.pool.submit(job)] = job

    def _ended(self, job: Job, future: concurrent.futures.Future[Outcome]) -> None:
        error = future.exception()
        outcome = Outcome("failed", f"{type(error).__name__}: {error}") if error else future.result()
        if outcome.state == "elsewhere":
            self.later[job] = time.monotonic() + ELSEWHERE_SECONDS
        if outcome.state != "failed":
            self.display.state(job, outcome.state, outcome.reason)
            return
        self.failures[job] += 1
        if self.failures[job] < ATTEMPTS:
            self.display.state(job, "retried", outcome.reason)
            self._submit(job)
        else:
            self.display.state(job, "failed", outcome.reason)

    def _refresh(self) -> None:
        """Updates the display. Files say which runs have started, because they may be on another machine."""
        for job in self.waiting.values():
            if job.started_at >= self.submitted[job]:
                self.display.state(job, "running")
        self.display.refresh()
