"""Workers of a dask cluster: local, behind a scheduler that runs, or jobs of a batch system."""

from __future__ import annotations

import logging
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dask.distributed import Client, KilledWorker, LocalCluster

from darktrigger.config import load_config
from darktrigger.errors import ConfigError, ExecutorError
from darktrigger.executors.base import AHEAD, Result, Task
from darktrigger.executors.config import ExecutorConfig, SiteConfig

#: How long a scheduler may take to answer.
SCHEDULER_TIMEOUT = "10s"

_CLASSES = {
    "htcondor": "HTCondorCluster",
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
}


@dataclass(frozen=True)
class Dask:
    """Does the work on a dask cluster; dask itself replaces workers that die and does their work again.

    Parameters
    ----------
    client
        Connected client.
    expected
        Workers that will come; more are used where there are.
    """

    client: Any
    expected: int

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Results in order; see :class:`~darktrigger.executors.base.Executor`."""
        # A result can be computed again when the worker that holds it dies; scattered data could not.
        shared = self._submit(_itself, function)
        apply = partial(_apply, str(Path.cwd()))
        waiting: deque[Any] = deque()
        try:
            for task in tasks:
                while len(waiting) >= ahead * self._n_workers():
                    yield waiting.popleft().result()
                waiting.append(self._submit(apply, shared, task))
            while waiting:
                yield waiting.popleft().result()
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

    def _n_workers(self) -> int:
        return max(self.expected, len(self.client.scheduler_info(n_workers=-1)["workers"]))


def _itself(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _apply(folder: str, function: Callable[[Any], Any], task: Any) -> Any:
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
    site = None if config.site is None else load_config(SiteConfig, config.site)
    if site is None:
        n_workers, cluster = config.workers, _local_cluster(config.workers)
    else:
        jobs = config.workers if config.workers > 1 else site.jobs
        n_workers, cluster = site.cores * jobs, _with_jobs(_site_cluster(site, config.site), site, jobs)
    try:
        with Client(cluster) as client:  # type: ignore[no-untyped-call]
            yield Dask(client, n_workers)
    finally:
        cluster.close()


def _connected(address: str) -> Any:
    try:
        return Client(address, timeout=SCHEDULER_TIMEOUT)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ExecutorError(f"dask scheduler '{address}' does not answer ({error})") from None


def _local_cluster(workers: int) -> Any:
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    )


def job_script(site: SiteConfig, source: str) -> str:
    """What a job of the site runs.

    Raises
    ------
    ConfigError
        dask-jobqueue is not installed, or does not take the settings.
    """
    with _site_cluster(site, source) as cluster:
        return str(cluster.job_script())


def _site_cluster(site: SiteConfig, source: str | None) -> Any:
    try:
        import dask_jobqueue  # noqa: PLC0415  (an optional extra)
        from dask_jobqueue.local import LocalCluster as LocalJobs  # noqa: PLC0415
    except ImportError:
        raise ConfigError("batch systems need dask-jobqueue: pip install 'darktrigger[grid]'") from None
    kind: Any = LocalJobs if site.system == "local" else getattr(dask_jobqueue, _CLASSES[site.system])
    common = {
        "cores": site.cores,
        "processes": site.cores,
        "memory": site.memory,
        "job_script_prologue": list(site.prologue),
        # A worker that lost its scheduler, which died with the command, must not hold its slot.
        "death_timeout": 60,
    }
    try:
        return kind(**common | site.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{source}: dask-jobqueue does not take these settings ({error})") from None


def _with_jobs(cluster: Any, site: SiteConfig, jobs: int) -> Any:
    if site.adaptive:
        cluster.adapt(minimum_jobs=0, maximum_jobs=jobs)
    else:
        cluster.scale(jobs=jobs)
    return cluster
