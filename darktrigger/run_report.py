"""What a run cost: a JSON file beside the output, and a table in the log."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.console import Console
from rich.table import Table

from darktrigger.files import write_json

Task = TypeVar("Task")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Metered(Generic[Result]):
    """A result with what it cost the worker: seconds, and the peak of its memory so far in MiB."""

    result: Result
    seconds: float
    peak_memory: float


@dataclass(frozen=True)
class Meter(Generic[Task, Result]):
    """A function whose results are :class:`Metered`."""

    function: Callable[[Task], Result]

    def __call__(self, task: Task) -> Metered[Result]:
        """Do a task."""
        start = time.perf_counter()
        result = self.function(task)
        return Metered(result, time.perf_counter() - start, peak_memory())


def peak_memory() -> float:
    """Largest resident memory that this process has had, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


@dataclass
class RunReport:
    """Filled by a stage as it goes.

    Parameters
    ----------
    stage
        The command.
    executor
        Who did the work, as configured.
    phases
        Seconds of each part of the stage, as the clock on the wall has them.
    events
        Events that went through, those of parts that were taken up included.
    bytes_read
        From input files.
    columns
        Branches or columns that were read.
    tasks, taken_up
        Tasks in all, and how many of them an interrupted run had done.
    worker_seconds, worker_memory
        Time in tasks, summed over workers, and the largest peak of a worker's memory, MiB.
    bad_files
        Path and cause.
    """

    stage: str
    executor: dict[str, Any] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    events: int = 0
    bytes_read: int = 0
    columns: tuple[str, ...] = ()
    tasks: int = 0
    taken_up: int = 0
    worker_seconds: float = 0.0
    worker_memory: float = 0.0
    bad_files: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a part of the stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - start

    def count(self, metered: Iterable[Metered[Result]]) -> Iterator[Result]:
        """The results, as what they cost is added up."""
        for one in metered:
            self.tasks += 1
            self.worker_seconds += one.seconds
            self.worker_memory = max(self.worker_memory, one.peak_memory)
            yield one.result

    def data(self) -> dict[str, Any]:
        """Plain data."""
        seconds = sum(self.phases.values())
        return {
            "stage": self.stage,
            "executor": self.executor,
            "seconds": round(seconds, 3),
            "phases": {name: round(value, 3) for name, value in self.phases.items()},
            "events": self.events,
            "events_per_second": round(self.events / seconds, 1) if seconds else None,
            "bytes_read": self.bytes_read,
            "columns": list(self.columns),
            "tasks": self.tasks,
            "tasks_taken_up": self.taken_up,
            "worker_seconds": round(self.worker_seconds, 3),
            "peak_memory": {"unit": "MiB", "main": round(peak_memory(), 1), "worker": round(self.worker_memory, 1)},
            "bad_files": [{"path": path, "cause": cause} for path, cause in self.bad_files.items()],
        }

    def write(self, path: str | Path) -> None:
        """Write the JSON file, and a short table to the log."""
        data = self.data()
        write_json(path, data)
        _log.info("%s", _table(data))


def _table(data: dict[str, Any]) -> str:
    table = Table(title=data["stage"], show_header=False)
    memory = data["peak_memory"]
    rows = {
        "events": f"{data['events']} in {data['seconds']:.1f} s, {data['events_per_second'] or 0:.0f} a second",
        "phases": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in data["phases"].items()),
        "read": f"{data['bytes_read'] / 2**20:.1f} MiB, {len(data['columns'])} columns",
        "tasks": f"{data['tasks']}, {data['tasks_taken_up']} of them done before",
        "peak memory": f"{memory['main']:.0f} MiB, workers {memory['worker']:.0f} MiB",
        "bad files": str(len(data["bad_files"])),
    }
    for name, text in rows.items():
        table.add_row(name, text)
    console = Console(width=100, no_color=True)
    with console.capture() as printed:
        console.print(table)
    return "\n" + printed.get().rstrip()
