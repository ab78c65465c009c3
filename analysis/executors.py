"""Executors for coffea's Runner: one process, many processes, or dask.

All three hand the results of the chunks back in the order of the fileset and add them up
in that order, so that even sums of floating-point weights agree to the last bit. Failures
travel as values: a worker never prints a traceback.
"""

from __future__ import annotations

import logging
import multiprocessing
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Protocol

from coffea.processor import accumulate
from coffea.processor.executor import ExecutorBase, WorkItem

from analysis.config import ExecutorConfig
from darktrigger.errors import AnalysisError, DarktriggerError, InputFileError
from darktrigger.progress import progress
from imaging.delphes_file import explain_read_errors
from imaging.image_file import SkippedFile

logger = logging.getLogger(__name__)

#: How long a scheduler may take to answer.
_SCHEDULER_TIMEOUT = "10s"

#: What coffea puts before the message of an exception that a processor raised.
_IN_PROCESSOR = "Failed processing file"

Work = Callable[[WorkItem], dict[str, Any]]


@dataclass(frozen=True)
class Failure:
    """Why a chunk has no result."""

    error: Exception
    traceback: str


class OrderedMap(Protocol):
    """Applies a function to chunks somewhere; results come in the order of the chunks."""

    def __call__(self, function: Callable[[WorkItem], Any], items: Sequence[WorkItem]) -> Iterable[Any]:
        """Results, as late as possible."""


def map_here(function: Callable[[WorkItem], Any], items: Sequence[WorkItem]) -> Iterator[Any]:
    """Apply a function in this process."""
    return map(function, items)


@dataclass
class OrderedExecutor(ExecutorBase):
    """Adds up results chunk by chunk; a file counts wholly or, where it is bad, not at all.

    Only histograms travel, those of a few chunks at a time.
    """

    ordered_map: OrderedMap = map_here
    skip_bad_files: bool = False
    retries: int = 0

    def __call__(
        self, items: Sequence[WorkItem], function: Work, accumulator: dict[str, Any] | None
    ) -> tuple[dict[str, Any], int]:
        """Sum over all items, and 0 for coffea: no exception is pending."""
        with progress("analysing", len(items)) as advance:
            total = accumulate(self._files(items, function, advance), accumulator)
        if "out" not in total:
            raise AnalysisError(f"no usable input file:\n{listed(total['bad_files'])}")
        return total, 0

    def _files(
        self, items: Sequence[WorkItem], function: Work, advance: Callable[[int], None]
    ) -> Iterator[dict[str, Any]]:
        results = zip(items, self.ordered_map(partial(guarded, function), items), strict=True)
        for _, pairs in groupby(results, key=lambda pair: (pair[0].dataset, pair[0].filename)):
            total: dict[str, Any] | None = None
            failure: InputFileError | None = None
            for _, result in pairs:
                advance(1)
                if isinstance(result, Failure):
                    failure = self._tolerate(result)
                elif failure is None:
                    total = accumulate([result], total)
            if failure:
                yield {"bad_files": {SkippedFile(path=failure.path, cause=failure.cause)}}
            elif total:
                yield total

    def _tolerate(self, failure: Failure) -> InputFileError:
        logger.debug("worker: %s", failure.traceback)
        if self.skip_bad_files and isinstance(failure.error, InputFileError):
            return failure.error
        raise failure.error


def listed(bad_files: Iterable[SkippedFile]) -> str:
    """One line a bad file."""
    return "\n".join(f"  {bad.path}: {bad.cause}" for bad in sorted(bad_files, key=lambda bad: bad.path))


def guarded(function: Work, item: WorkItem) -> dict[str, Any] | Failure:
    """Work on a chunk; coffea's wrappers around an exception are taken off.

    What goes wrong while a file is opened or read is the file's fault; what goes wrong
    afterwards is ours, and keeps its traceback.
    """
    try:
        return function(item)
    except Exception as error:  # noqa: BLE001
        trace = traceback.format_exc()
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, DarktriggerError):
            cause = cause.__cause__
        if isinstance(cause, DarktriggerError):
            return Failure(cause, trace)
        if str(error).startswith(_IN_PROCESSOR):
            return Failure(
                RuntimeError(f"{item.filename}, entries {item.entrystart} to {item.entrystop}:\n{trace}"), trace
            )
        try:
            with explain_read_errors(item.filename):
                raise cause
        except DarktriggerError as explained:
            return Failure(explained, trace)


def ordered_map(config: ExecutorConfig, resources: ExitStack) -> OrderedMap:
    """The map that the configuration asks for; what it needs lives as long as ``resources``."""
    if config.kind == "iterative":
        return map_here
    if config.kind == "futures":
        return partial(map_in_processes, config.workers)
    return partial(map_on_dask, resources.enter_context(_dask_client(config)))


def _in_order(submit: Callable[[WorkItem], Any], items: Iterable[WorkItem], in_flight: int) -> Iterator[Any]:
    """Results of futures in order of submission, with a bounded number of them waiting."""
    waiting: deque[Any] = deque()
    for item in items:
        if len(waiting) == in_flight:
            yield waiting.popleft().result()
        waiting.append(submit(item))
    while waiting:
        yield waiting.popleft().result()


def map_in_processes(workers: int, function: Callable[[WorkItem], Any], items: Sequence[WorkItem]) -> Iterator[Any]:
    """Apply a function in other processes of this machine; it travels to each of them once.

    Raises
    ------
    AnalysisError
        A process died.
    """
    # Forking a process that runs threads (ours does) may deadlock.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_adopt, initargs=(function,))
    try:
        yield from _in_order(lambda item: pool.submit(_apply_adopted, item), items, 2 * workers)
    except BrokenProcessPool:
        raise AnalysisError("a worker process died, perhaps for want of memory; try a smaller chunk size") from None
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """What a worker process keeps between chunks: the function, and with it the ONNX session."""

    function: Callable[[WorkItem], Any]


def _adopt(function: Callable[[WorkItem], Any]) -> None:
    _Worker.function = staticmethod(function)


def _apply_adopted(item: WorkItem) -> Any:
    return _Worker.function(item)


def _dask_client(config: ExecutorConfig) -> Any:
    """Client of the given scheduler, or of a local cluster of its own.

    Raises
    ------
    AnalysisError
        No scheduler answers.
    """
    from dask.distributed import Client, LocalCluster  # noqa: PLC0415  (slow to import, seldom needed)

    if config.scheduler is None:
        cluster = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=config.workers, threads_per_worker=1, dashboard_address=None
        )
        return _OwnCluster(cluster, Client(cluster))  # type: ignore[no-untyped-call]
    try:
        return Client(config.scheduler, timeout=_SCHEDULER_TIMEOUT)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise AnalysisError(f"dask scheduler '{config.scheduler}' does not answer ({error})") from None


class _OwnCluster:
    """A client together with the cluster that ends with it."""

    def __init__(self, cluster: Any, client: Any) -> None:
        self._cluster, self._client = cluster, client

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()


def map_on_dask(client: Any, function: Callable[[WorkItem], Any], items: Sequence[WorkItem]) -> Iterator[Any]:
    """Apply a function on the workers of a dask cluster; it travels to each of them once.

    Raises
    ------
    AnalysisError
        A worker died again and again.
    """
    from dask.distributed import KilledWorker  # noqa: PLC0415

    shared = client.scatter(function, broadcast=True)
    n_workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    try:
        yield from _in_order(partial(_submit, client, shared), items, 2 * n_workers)
    except KilledWorker as error:
        raise AnalysisError(f"dask workers died, perhaps for want of memory ({error})") from None


def _submit(client: Any, shared: Any, item: WorkItem) -> Any:
    return client.submit(_apply, shared, item, pure=False)


def _apply(function: Callable[[WorkItem], Any], item: WorkItem) -> Any:
    return function(item)
