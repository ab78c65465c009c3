"""Workers that are jobs of a batch system, by dask-jobqueue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from time import monotonic
from typing import Any

from distributed import SchedulerPlugin
from distributed.deploy.spec import ProcessInterface

from darktrigger.errors import ConfigError
from darktrigger.executors.config import SiteConfig

_log = logging.getLogger(__name__)

#: Seconds between looks at the jobs; for how long a job may be without worker until it counts as lost (a worker that
#: its nanny starts again is back sooner); without any worker at all, until the user is told.
LOOK, LOST, SILENT = 2.0, 20.0, 120.0

_CLASSES = {
    "htcondor": "HTCondorCluster",
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
}


def job_script(site: SiteConfig, source: str) -> str:
    """What a job of the site runs.

    Raises
    ------
    ConfigError
        dask-jobqueue is not installed, or does not take the settings.
    """
    with _cluster(site, source, {}) as cluster:
        return str(cluster.job_script())


class Jobs:
    """The jobs of a cluster; those that end too early are replaced.

    Of itself dask keeps a job in its books whose time was up or that somebody cancelled, and one that could not be
    submitted, and waits for them without end.

    Parameters
    ----------
    cluster
        Of dask-jobqueue.
    wanted
        Number of jobs; None where the cluster itself asks for as many as there is work for.
    refused
        Why jobs could not be submitted, by name; filled as it happens.
    """

    def __init__(self, cluster: Any, wanted: int | None, refused: dict[str, str]) -> None:
        self.cluster, self._wanted, self._refused = cluster, wanted, refused
        self._register = _Register()
        cluster.scheduler.add_plugin(self._register)
        self._absent: dict[str, float] = {}

    @property
    def trouble(self) -> str | None:
        """Why there will be no worker; None where one is at work or may come."""
        names = list(self.cluster.worker_spec)
        refused = [self._refused[name] for name in names if name in self._refused]
        return f"no job could be submitted ({refused[0]})" if refused and len(refused) == len(names) else None

    def lost(self, now: float) -> list[str]:
        """Names of the jobs that had workers and have had none for a while."""
        came, present = set(self._register.came), set(self._register.present.values())
        empty = set()
        for name, spec in dict(self.cluster.worker_spec).items():
            workers = _workers(name, spec)
            if workers & came and not workers & present:
                empty.add(name)
        self._absent = {name: self._absent.get(name, now) for name in empty}
        return [name for name, since in self._absent.items() if now - since > LOST]

    async def replace(self, names: list[str]) -> None:
        """Forget jobs, and have as many new ones; in the cluster's own thread."""
        for name in names:
            job = self.cluster.workers.pop(name, None)
            if (spec := self.cluster.worker_spec.pop(name, None)) is not None:
                _log.warning("job %s has lost its workers and is replaced", name)
                # A new job may get the name, and wait in the queue for as long as it takes.
                self._register.came -= _workers(name, spec)
            if job is not None:
                # It may be in the queue still.
                with suppress(OSError, RuntimeError, asyncio.TimeoutError):
                    await job.close()
        if self._wanted is not None:
            self.cluster.scale(jobs=self._wanted)

    def watch(self, ended: Event) -> None:
        """Replace what is lost, and say when no worker comes, until ``ended``."""
        begin, told = monotonic(), False
        while not ended.wait(LOOK):
            now = monotonic()
            if lost := self.lost(now):
                self.cluster.loop.add_callback(self.replace, lost)
            if not (self._register.came or told) and now - begin > SILENT:
                _log.warning("no job has started a worker yet: the batch system's queue and the jobs' log will say why")
                told = True


def _workers(name: str, spec: dict[str, Any]) -> set[str]:
    """Names of the workers of a job."""
    return {name + suffix for suffix in spec.get("group", ("",))}


class _Register(SchedulerPlugin):
    """Names of the workers that ever came, and by address of those that are present."""

    def __init__(self) -> None:
        self.came: set[str] = set()
        self.present: dict[str, str] = {}

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Called by the scheduler."""
        name = str(scheduler.workers[worker].name)
        self.came.add(name)
        self.present[worker] = name

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:  # noqa: ARG002 (the scheduler's signature)
        """Called by the scheduler."""
        self.present.pop(worker, None)


@contextmanager
def open_jobs(site: SiteConfig, source: str, jobs: int) -> Iterator[Jobs]:
    """A cluster of so many jobs, which are replaced when they end; all end with the context.

    Raises
    ------
    ConfigError
        See :func:`job_script`.
    """
    refused: dict[str, str] = {}
    with _cluster(site, source, refused) as cluster:
        ended, found = Event(), Jobs(cluster, None if site.adaptive else jobs, refused)
        if site.adaptive:
            cluster.adapt(minimum_jobs=0, maximum_jobs=jobs)
        else:
            cluster.scale(jobs=jobs)
        watch = Thread(target=found.watch, args=(ended,), daemon=True)
        watch.start()
        try:
            yield found
        finally:
            ended.set()
            watch.join()


def _cluster(site: SiteConfig, source: str, refused: dict[str, str]) -> Any:
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
        # At a port of its own: on a login node others have their dashboards at dask's usual one.
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
    }
    try:
        return type(kind.__name__, (kind,), {"job_cls": _noting(kind.job_cls, refused)})(**common | site.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{source}: dask-jobqueue does not take these settings ({error})") from None


def _noting(job_class: Any, refused: dict[str, str]) -> Any:
    """The class of jobs, but one that cannot be submitted is noted; dask would print a traceback and wait for it."""

    class Noting(job_class):
        async def start(self) -> None:
            try:
                await super().start()
                refused.pop(self.name, None)
            except (OSError, RuntimeError) as error:
                # dask-jobqueue repeats the command and all that it printed.
                cause = " ".join((str(error).partition("stderr:")[2] or str(error)).split())
                if cause not in refused.values():
                    _log.warning("a job could not be submitted: %s", cause)
                refused[self.name] = cause
                # What is left of starting: the state.
                await ProcessInterface.start(self)  # type: ignore[no-untyped-call]

    return Noting
