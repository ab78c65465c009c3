"""Results that an interrupted run left behind, taken up where the work goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from darktrigger.executors.base import Executor
from darktrigger.run_report import Meter, RunReport

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
ResultT = TypeVar("ResultT")


class Store(Protocol[Task_contra, ResultT]):
    """Results on disk, by their tasks."""

    def has(self, task: Task_contra) -> bool:
        """Whether there is a result, sound or not."""

    def load(self, task: Task_contra) -> ResultT | None:
        """The result; None where it is damaged."""

    def save(self, task: Task_contra, result: ResultT) -> None:
        """Keep a result, whole or not at all."""


def resumed(
    tasks: Sequence[Task],
    function: Callable[[Task], Result],
    store: Store[Task, Result] | None,
    executor: Executor,
    report: RunReport,
) -> Iterator[Result]:
    """Results in the order of the tasks, those of an interrupted run from the store, the others into it.

    Parameters
    ----------
    tasks
        What is to be done.
    function
        Does it.
    store
        Where results lie; None to keep none.
    executor
        Who does what is left to do.
    report
        Told what it costs.
    """
    known = [store is not None and store.has(task) for task in tasks]
    todo = (task for task, is_known in zip(tasks, known, strict=True) if not is_known)
    fresh = report.count(executor.map(Meter(function), todo))
    for task, is_known in zip(tasks, known, strict=True):
        found = store.load(task) if store and is_known else None
        if found is not None:
            report.taken_up += 1
            report.tasks += 1
            yield found
            continue
        # Known and yet not found: it was damaged.
        result = function(task) if is_known else next(fresh)
        if store:
            store.save(task, result)
        yield result
