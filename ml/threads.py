"""Work side by side on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch

#: Applies a function to each item; results in the order of the items, as ``map`` gives them.
Map: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def thread_map(n_threads: int | None = None) -> Iterator[Map]:
    """A ``map`` that keeps each of ``n_threads`` (all of torch's unless given) busy with an item of its own.

    torch would rather share every operation among its threads and wait for the slowest each
    time, which costs dearly for small tensors, and more on a busy machine. Here a thread computes
    alone, so that the result does not depend on their number either.
    """
    workers = n_threads or torch.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        # A function, which a deep copy of what holds it shares; the pool's own method cannot be copied.
        def each(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            return pool.map(function, items)

        yield each
