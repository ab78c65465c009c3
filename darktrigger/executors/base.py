"""What every executor does, and the one that needs no other process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from darktrigger.memory import keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Tasks that are under way for each worker: one that runs and one that waits.
AHEAD = 2


class Executor(Protocol):
    """Applies a function to tasks somewhere, and hands the results back in the order of the tasks.

    Outputs are therefore the same whoever does the work, as far as the function depends on its task alone. Whoever
    does it keeps the memory that it frees, see :mod:`darktrigger.memory`.
    """

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task], *, ahead: int = AHEAD) -> Iterator[Result]:
        """Results in order.

        Parameters
        ----------
        function
            What to do; it travels to each worker once.
        tasks
            Taken as workers become free, so there may be many.
        ahead
            Tasks for each worker that may be under way or waiting to be fetched; bounds the memory of the results.

        Raises
        ------
        ExecutorError
            Workers die again and again, or the scheduler is lost.
        """


class Here:
    """Does the work in this process."""

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        ahead: int = AHEAD,  # noqa: ARG002
    ) -> Iterator[Result]:
        """Results in order."""
        keep_freed_memory()
        return map(function, tasks)


#: The executor that needs nothing.
HERE = Here()
