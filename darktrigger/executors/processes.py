"""Processes of this machine; one that dies is replaced, and its work done again."""

from __future__ import annotations

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Any, Self

from darktrigger.errors import ExecutorError
from darktrigger.executors.base import AHEAD, Result, Task
from darktrigger.memory import keep_freed_memory

_log = logging.getLogger(__name__)

#: Pools that may break one after the other without a single result in between.
_PATIENCE = 3


@dataclass(frozen=True)
class Processes:
    """Does the work in processes that are started for one function and end with it."""

    workers: int

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Results in order; see :class:`~darktrigger.executors.base.Executor`."""
        with _Pool(self.workers, function) as pool:
            for task in tasks:
                if pool.n_waiting == ahead * self.workers:
                    yield pool.next_result()
                pool.submit(task)
            while pool.n_waiting:
                yield pool.next_result()


@dataclass
class _Ticket:
    task: Any
    future: Future[Any] | None = None

    @property
    def has_to_be_sent(self) -> bool:
        """Whether nobody works on it, or has."""
        future = self.future
        return future is None or (future.done() and isinstance(future.exception(), BrokenProcessPool))


class _Pool:
    """A pool of processes that is set up anew when one of them dies."""

    def __init__(self, workers: int, function: Callable[[Any], Any]) -> None:
        self._workers, self._function = workers, function
        self._tickets: deque[_Ticket] = deque()
        self._broken = 0

    def __enter__(self) -> Self:
        self._pool = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._pool)

    @property
    def n_waiting(self) -> int:
        """Tasks whose result was not fetched."""
        return len(self._tickets)

    def submit(self, task: Any) -> None:
        """Queue a task."""
        self._tickets.append(_Ticket(task))
        self._send()

    def next_result(self) -> Any:
        """Result of the oldest task; its exception, if it raised one."""
        ticket = self._tickets[0]
        while True:
            try:
                result = ticket.future.result()  # type: ignore[union-attr]
            except BrokenProcessPool:
                self._restart()
            else:
                self._broken = 0
                self._tickets.popleft()
                return result

    def _start(self) -> ProcessPoolExecutor:
        # Forking a process that runs threads (ours does) may deadlock.
        context = get_context("spawn")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_adopt, initargs=(self._function,))

    def _send(self) -> None:
        try:
            for ticket in self._tickets:
                if ticket.has_to_be_sent:
                    ticket.future = self._pool.submit(_apply_adopted, ticket.task)
        except BrokenProcessPool:
            self._restart()

    def _restart(self) -> None:
        self._broken += 1
        if self._broken > _PATIENCE:
            raise ExecutorError("worker processes died again and again, perhaps for lack of memory; try fewer workers")
        _log.warning("a worker process died; its work is done again")
        _close(self._pool)
        self._pool = self._start()
        self._send()


def _close(pool: ProcessPoolExecutor) -> None:
    """End a pool and its processes."""
    if pool._broken:  # noqa: SLF001
        # One that was just being started when the pool broke is overlooked by it, and then waited for without end.
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 (public from Python 3.14 on)
            process.kill()
    pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """What a worker process keeps between tasks: the function, and with it what that has built up."""

    function: Callable[[Any], Any]


def _adopt(function: Callable[[Any], Any]) -> None:
    # Ctrl-C is for the parent, which ends its workers; a parent that was killed cannot.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    _Worker.function = staticmethod(function)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _apply_adopted(task: Any) -> Any:
    return _Worker.function(task)
