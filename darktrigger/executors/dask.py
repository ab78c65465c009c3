"""Workers of a dask cluster: local, behind a scheduler that runs, or jobs of a batch system."""

from __future__ import annotations

import logging
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask
from dask.distributed import Client, KilledWorker, LocalCluster, wait

from darktrigger.config import load_config
from darktrigger.errors import ExecutorError
from darktrigger.executors.base import AHEAD, Result, Task
from darktrigger.executors.config import ExecutorConfig, SiteConfig
from darktrigger.executors.jobs import LOOK, Jobs, open_jobs
from darktrigger.memory import KEEPING_FREED_MEMORY, keep_freed_memory

#: How long a scheduler may take to answer.
SCHEDULER_TIMEOUT = "10s"


@dataclass(frozen=True)
class Dask:
    """Does the work on a dask cluster; dask itself replaces workers that die and does their work again.

    Parameters
    ----------
    client
        Connected client.
    expected
        Workers that will come; more are used where there are.
    jobs
        Of which the workers are part, where they are part of jobs.
    """

    client: Any
    expected: int
    jobs: Jobs | None = None

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Results in order; see :class:`~darktrigger.executors.base.Executor`."""
        # A result can be computed again when the worker that holds it dies; scattered data could not.
        shared = self._submit(_itself, function)
        apply = partial(_apply, str(Path.cwd()))
        waiting: deque[Any] = deque()
        try:
            for task in tasks:
                while len(waiting) >= ahead * self._n_workers():
                    yield self._result(waiting.popleft())
                waiting.append(self._submit(apply, shared, task))
            while waiting:
                yield self._result(waiting.popleft())
        except KilledWorker as error:
            raise ExecutorError(f"dask workers died again and again, perhaps for lack of memory ({error})") from None
        except (CancelledError, OSError) as error:
            if self.client.status == "running" and not isinstance(error, CancelledError):
                raise
            raise ExecutorError(
                f"the dask scheduler was lost ({error}); run the command again, finished parts are kept"
            ) from None

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with warnings.catch_warnings():
            # A model of some megabytes travels once.
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self.client.submit(function, *arguments, pure=False)

    def _result(self, future: Any) -> Any:
        while self.jobs and not future.done():
            with suppress(TimeoutError):
                wait([future], timeout=LOOK)  # type: ignore[no-untyped-call]
            if trouble := self.jobs.trouble:
                raise ExecutorError(f"{trouble}; finished parts are kept")
        return future.result()

    def _n_workers(self) -> int:
        return max(self.expected, len(self.client.scheduler_info(n_workers=-1)["workers"]))


def _itself(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _apply(folder: str, function: Callable[[Any], Any], task: Any) -> Any:
    # Workers that were not started here give memory back at once, as dask has it, and fetch it anew for every array.
    keep_freed_memory()
    # Relative paths start where the command was given, here too if the file system is shared.
    if Path.cwd() != Path(folder) and Path(folder).is_dir():
        os.chdir(folder)
    return function(task)


@contextmanager
def open_dask(config: ExecutorConfig) -> Iterator[Dask]:
    """Connect to the scheduler, or start a cluster that ends with the context.

    Raises
    ------
    ConfigError
        A bad site, or dask-jobqueue is not installed.
    ExecutorError
        No scheduler answers.
    """
    # It tells every connection; what matters comes as an exception.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    if config.scheduler is not None:
        with _connected(config.scheduler) as client:
            yield Dask(client, 1)
        return
    if config.site is None:
        with _local_cluster(config.workers) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
            yield Dask(client, config.workers)
        return
    site = load_config(SiteConfig, config.site)
    n_jobs = config.workers if config.workers > 1 else site.jobs
    with open_jobs(site, config.site, n_jobs) as jobs, Client(jobs.cluster) as client:  # type: ignore[no-untyped-call]
        yield Dask(client, site.cores * n_jobs, jobs)


def _connected(address: str) -> Any:
    try:
        return Client(address, timeout=SCHEDULER_TIMEOUT)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ExecutorError(f"dask scheduler '{address}' does not answer ({error})") from None


def _local_cluster(workers: int) -> Any:
    environment = dask.config.get("distributed.nanny.pre-spawn-environ") | KEEPING_FREED_MEMORY
    # The profiler, which only the dashboard shows, looks at every worker a hundred times a second.
    settings = {"distributed.nanny.pre-spawn-environ": environment, "distributed.worker.profile.enabled": False}
    # No dashboard, and what is served in its place at any port: dask's usual one may be taken.
    where = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
    with dask.config.set(settings):
        return LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers, threads_per_worker=1, silence_logs=logging.CRITICAL, **where
        )
