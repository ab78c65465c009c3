"""Remote files through uproot, with a deadline for every read and some more attempts."""

from __future__ import annotations

import logging
import math
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

import uproot
from uproot.source.coalesce import coalesce_requests
from uproot.source.fsspec import FSSpecSource
from uproot.source.futures import TrivialFuture

from darktrigger.inputs import is_remote

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: Attempts of a remote read, and the pause before the second one in seconds; it doubles with each.
ATTEMPTS, PAUSE = 3, 1.0


class PatientSource(FSSpecSource):
    """What uproot reads by default, for which a server that stalls or fails is no reason to give up at once.

    Give it to :func:`uproot.open` as ``handler``, with the deadline of one read as ``timeout``, in seconds. Local
    files are read as ever.
    """

    def __init__(self, file_path: str, **options: Any) -> None:
        self._patient = is_remote(file_path)
        self._timeout = float(options.get("timeout") or uproot.reading.open.defaults["timeout"])
        # XRootD's client takes whole seconds only.
        super().__init__(file_path, **options | {"timeout": math.ceil(self._timeout)})

    @property
    def num_bytes(self) -> int:
        """Size of the file."""
        return int(self._patiently(lambda: self._fs.size(self._file_path)))

    def chunk(self, start: int, stop: int) -> Any:
        """Read one range of bytes."""
        if not self._patient:
            return super().chunk(start, stop)
        self._num_requests += 1
        self._num_requested_chunks += 1
        self._num_requested_bytes += stop - start
        data = self._patiently(lambda: self._fs.cat_file(self._file_path, start=start, end=stop))
        return uproot.source.chunk.Chunk(self, start, stop, TrivialFuture(data))

    def chunks(self, ranges: list[tuple[int, int]], notifications: queue.Queue[Any]) -> list[Any]:
        """Read several ranges of bytes, near ones together."""
        if not self._patient:
            return list(super().chunks(ranges, notifications))
        self._num_requests += 1
        self._num_requested_chunks += len(ranges)
        self._num_requested_bytes += sum(stop - start for start, stop in ranges)
        return list(coalesce_requests(ranges, self._submit, self, notifications))

    def _submit(self, ranges: list[tuple[int, int]]) -> Future[list[bytes]]:
        starts, stops = [start for start, _ in ranges], [stop for _, stop in ranges]
        paths = [self._file_path] * len(ranges)
        future: Future[list[bytes]] = Future()
        future.set_result(self._patiently(lambda: self._fs.cat_ranges(paths, starts, stops, on_error="raise")))
        return future

    def _patiently(self, read: Callable[[], T]) -> T:
        if not self._patient:
            return read()
        for attempt in range(ATTEMPTS - 1):
            try:
                return call_within(self._timeout, read)
            # Servers and their clients fail in many ways; only the last attempt counts.
            except Exception as error:  # noqa: BLE001
                pause = PAUSE * 2**attempt
                _log.warning("%s: %s; trying again in %g s", self._file_path, error, pause)
                time.sleep(pause)
        return call_within(self._timeout, read)


def call_within(seconds: float, function: Callable[[], T]) -> T:
    """Result of a function that has to be there in time.

    Raises
    ------
    TimeoutError
        It was not; the call goes on in a thread that nobody waits for.
    """
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError as error:
        # A client's own, of the same length, may come first, and says nothing.
        if future.done() and str(error):
            raise
        raise TimeoutError(f"no data for {seconds:g} s") from None
