"""Independent tasks on several processes, results as they come."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from darktrigger.errors import GenerationError

Task = TypeVar("Task")
Result = TypeVar("Result")

_IN_FLIGHT = 2  # tasks a worker: one that runs and one that waits


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[tuple[int, Result]]:
    """Apply ``function`` to every task and yield (task number, result) as they finish.

    With one worker everything runs in this process. Tasks are taken from the iterable as workers
    become free, so it may be long. The first error ends the run, and so does Ctrl-C.

    Raises
    ------
    GenerationError
        A worker died, for instance for lack of memory.
    """
    numbered = enumerate(tasks)
    if workers == 1:
        for index, task in numbered:
            yield index, function(task)
        return
    executor = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_parent)
    running: dict[Future[Result], int] = {}
    try:
        while True:
            for index, task in islice(numbered, _IN_FLIGHT * workers - len(running)):
                running[executor.submit(function, task)] = index
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise GenerationError("a worker process died, perhaps for lack of memory; try fewer workers") from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
