"""Settings of executors, and of the batch systems behind dask."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from darktrigger.config import StrictModel

ExecutorKind = Literal["iterative", "futures", "dask"]
BatchSystem = Literal["htcondor", "slurm", "pbs", "sge", "lsf", "oar", "local"]


class ExecutorConfig(StrictModel):
    """Who does the work; no output depends on it.

    Parameters
    ----------
    kind
        ``iterative``: this process; ``futures``: processes on this machine; ``dask``: a
        local cluster, the one behind ``scheduler``, or jobs of the batch system of ``site``.
    workers
        Processes of ``futures`` and of a local dask cluster; jobs of a site, in place of its own number.
    scheduler
        Address of an existing dask scheduler, such as ``tcp://host:8786``.
    site
        YAML file with a :class:`SiteConfig`.
    """

    kind: ExecutorKind = "iterative"
    workers: Annotated[int, Field(ge=1)] = 1
    scheduler: str | None = None
    site: str | None = None

    @model_validator(mode="after")
    def _where_is_for_dask(self) -> Self:
        for name in ("scheduler", "site"):
            if getattr(self, name) and self.kind != "dask":
                raise ValueError(f"{name} is for kind 'dask', not '{self.kind}'")
        if self.scheduler and self.site:
            raise ValueError("give a scheduler that runs, or a site to start one for, not both")
        return self

    @classmethod
    def all_cores(cls) -> ExecutorConfig:
        """As many processes as this one may use cores."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(kind="futures", workers=cores) if cores > 1 else cls()


class SiteConfig(StrictModel):
    """A batch system, as dask-jobqueue needs to know it; see ``configs/sites``.

    Parameters
    ----------
    system
        Batch system; ``local`` starts the jobs as processes of this machine, for trying a site out.
    jobs
        Jobs to keep in the queue, each with one single-threaded worker for every core.
    cores, memory
        Of a job, such as 1 and ``2GB``.
    adaptive
        Whether jobs are asked for and given back as there is work.
    prologue
        Shell lines that a job runs before its worker, such as one that activates an environment.
    options
        Further arguments of the system's class in dask-jobqueue, such as ``queue``, ``walltime`` and
        ``job_extra_directives``.
    """

    system: BatchSystem
    jobs: Annotated[int, Field(ge=1)] = 10
    cores: Annotated[int, Field(ge=1)] = 1
    memory: str = "2GB"
    adaptive: bool = False
    prologue: tuple[str, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
