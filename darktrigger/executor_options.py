"""The executor's options of the command line, the same for every parallel stage.

Outside of :mod:`darktrigger.executors`, whose import takes longer than printing a help text.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class ExecutorChoice(StrEnum):
    """Who does the work."""

    ITERATIVE = "iterative"
    FUTURES = "futures"
    DASK = "dask"


ExecutorOption = Annotated[
    ExecutorChoice | None,
    typer.Option(
        help="Who does the work: this process, processes of this machine, or a dask cluster. No output depends on it "
        "(default: dask where --scheduler or --site is given, futures where --workers is, else the stage's own)."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Processes of futures and of a local dask cluster; jobs of a site (default: the stage's)."
    ),
]
SchedulerOption = Annotated[
    str | None, typer.Option(help="Address of a dask scheduler, tcp://HOST:PORT (default: a local cluster).")
]
SiteOption = Annotated[
    Path | None,
    typer.Option(
        help="YAML file of a batch system (HTCondor, Slurm, ...) whose jobs become dask workers, such as "
        "configs/sites/lxplus.yaml; needs the extra 'grid' (default: a local cluster)."
    ),
]


def given_options(
    executor: ExecutorChoice | None, workers: int | None, scheduler: str | None, site: Path | None
) -> dict[str, Any]:
    """Fields of an :class:`~darktrigger.executors.config.ExecutorConfig` that the options give; empty without any.

    Where the kind is not given it follows from the others.
    """
    kind = executor.value if executor else None
    if kind is None and (scheduler or site):
        kind = "dask"
    elif kind is None and workers:
        kind = "futures" if workers > 1 else "iterative"
    options = {"kind": kind, "workers": workers, "scheduler": scheduler, "site": site and str(site)}
    return {name: value for name, value in options.items() if value is not None}
