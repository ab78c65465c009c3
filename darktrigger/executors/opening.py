"""From a configuration to an executor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from darktrigger.executors.base import HERE, Executor
from darktrigger.executors.config import ExecutorConfig
from darktrigger.executors.processes import Processes


@contextmanager
def open_executor(config: ExecutorConfig) -> Iterator[Executor]:
    """The executor that the configuration asks for; what it needs ends with the context.

    Raises
    ------
    ConfigError
        A bad site, or dask-jobqueue is not installed.
    ExecutorError
        No scheduler answers.
    """
    if config.kind == "iterative":
        yield HERE
    elif config.kind == "futures":
        yield Processes(config.workers)
    else:
        from darktrigger.executors.dask import open_dask  # noqa: PLC0415  (slow to import, seldom needed)

        with open_dask(config) as executor:
            yield executor
