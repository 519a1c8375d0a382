"""Where a sweep does its runs: on this machine, or on a Ray cluster."""

from __future__ import annotations

import logging
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

from mgail_dyna import runtime
from mgail_dyna.errors import UserError
from mgail_dyna.experiments.jobs import ROOT, Job, Outcome, attempt


class Pool(Protocol):
    """Does several jobs at a time."""

    def submit(self, job: Job) -> Future[Outcome]:
        """Queues a job."""

    def stop(self) -> None:
        """Asks the runs under way to save and stop, and waits for them."""


class LocalPool:
    """Does `jobs` runs at a time on this machine. Each has a process, and a thread that waits for it."""

    def __init__(self, jobs: int) -> None:
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(jobs)

    def submit(self, job: Job) -> Future[Outcome]:
        return self.threads.submit(attempt, job, self.stopping.is_set)

    def stop(self) -> None:
        self.stopping.set()
        self.threads.shutdown(cancel_futures=True)


class RayPool:
    """Does runs on a Ray cluster, one core each. Its nodes must share the checkout and both directories.

    Args:
        address: of the cluster, or "local" to start one here.
        jobs: cores of a cluster started here.
        flags: directory that all nodes see.

    Raises:
        UserError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, address: str, jobs: int, flags: Path) -> None:
        try:
            import ray
        except ImportError:
            raise UserError(f"--ray: Ray is not installed; in the checkout: {runtime.installing('.[ray]')}") from None
        self.ray: Any = ray
        cores = {"num_cpus": jobs, "include_dashboard": False} if address == "local" else {}
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, **cores}
        try:
            ray.init(address=address, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}}, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"--ray: no cluster at {address}: {error}") from None
        # The sweep retries by itself, and reports it.
        self.remote: Any = ray.remote(num_cpus=1, max_retries=0)(_attempt_remotely)
        self.futures: list[Future[Outcome]] = []
        self.flag = flags / f".stop-{uuid.uuid4().hex}"

    def submit(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = self.remote.remote(job, self.flag).future()
        self.futures.append(future)
        return future

    def stop(self) -> None:
        # A file, because Ray cannot interrupt a task that waits for a process. Tasks that start later see it too.
        self.flag.parent.mkdir(parents=True, exist_ok=True)
        self.flag.touch()
        wait(self.futures)
        self.flag.unlink()
        self.ray.shutdown()


def _attempt_remotely(job: Job, flag: Path) -> Outcome:
    return attempt(job, flag.exists)
