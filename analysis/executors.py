"""coffea's Runner on any executor: units of a few chunks, added up in the worker, then as a tree.

The shape of the tree follows from the fileset alone, so that even sums of floating-point weights agree to the last
bit, whoever does the work. Failures travel as values: a worker never prints a traceback.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from coffea.processor import accumulate
from coffea.processor.executor import ExecutorBase, WorkItem

from analysis.parts import UnitStore
from darktrigger.errors import AnalysisError, DarktriggerError, InputFileError
from darktrigger.executors import HERE, Executor
from darktrigger.executors.resume import resumed
from darktrigger.inputs import SkippedFile, listed
from darktrigger.progress import progress
from darktrigger.run_report import RunReport
from imaging.delphes_file import explain_read_errors

logger = logging.getLogger(__name__)

#: What coffea puts before the message of an exception that a processor raised.
_IN_PROCESSOR = "Failed processing file"

#: Units that a fileset is cut into at least, where it has as many chunks, and chunks in a unit at most.
_UNITS, _CHUNKS = 64, 8

Output = dict[str, Any]
Work = Callable[[WorkItem], Output]


@dataclass(frozen=True)
class Failure:
    """Why a chunk has no result."""

    error: Exception
    traceback: str


@dataclass(frozen=True)
class Unit:
    """Consecutive chunks that one task processes: of whole files, or of a part of one."""

    items: tuple[WorkItem, ...]
    whole: bool


@dataclass(frozen=True)
class UnitResult:
    """Sum over the files of a unit that could be used, None without any, and what went wrong with the others."""

    total: Output | None
    failures: tuple[Failure, ...] = ()


def cut(items: Sequence[WorkItem]) -> list[Unit]:
    """Units of at most so many chunks; a function of the chunks alone."""
    size = min(_CHUNKS, -(-len(items) // _UNITS))
    units: list[Unit] = []
    waiting: list[WorkItem] = []

    def flush() -> None:
        if waiting:
            units.append(Unit(tuple(waiting), whole=True))
            waiting.clear()

    for _, group in groupby(items, key=_file_of):
        chunks = list(group)
        if len(waiting) + len(chunks) > size or (waiting and waiting[0].dataset != chunks[0].dataset):
            flush()
        if len(chunks) > size:
            units += [Unit(tuple(chunks[first : first + size]), whole=False) for first in range(0, len(chunks), size)]
        else:
            waiting += chunks
    flush()
    return units


def _file_of(item: WorkItem) -> tuple[str, str]:
    return item.dataset, item.filename


@dataclass
class OrderedExecutor(ExecutorBase):
    """Adds up results; a file counts wholly or, where it is bad, not at all.

    Only histograms travel, those of a few units at a time.

    Parameters
    ----------
    executor
        Who does the work.
    skip_bad_files
        Leave bad files out, and report them.
    store
        Where results lie that an interrupted run had; None to keep none.
    report
        Told what the run costs.
    """

    executor: Executor = HERE
    skip_bad_files: bool = False
    store: UnitStore | None = None
    report: RunReport | None = None
    retries: int = 0

    def __call__(self, items: Sequence[WorkItem], function: Work, accumulator: Output | None) -> tuple[Output, int]:
        """Sum over all items, and 0 for coffea: no exception is pending."""
        with progress("analysing", len(items)) as advance:
            total = tree_sum(self._files(cut(items), function, advance))
        if total is None or "out" not in total:
            raise AnalysisError(f"no usable input file:\n{listed((total or {}).get('bad_files', ()))}")
        return accumulate([total], accumulator), 0

    def _files(self, units: Sequence[Unit], function: Work, advance: Callable[[int], None]) -> Iterator[Output]:
        """Result of each whole unit and of each file that is larger than a unit."""
        results = zip(units, self._results(units, function), strict=True)
        for key, pairs in groupby(results, key=lambda pair: pair[0] if pair[0].whole else _file_of(pair[0].items[0])):
            parts: list[Output] = []
            failures: dict[str, Failure] = {}
            for unit, result in pairs:
                advance(len(unit.items))
                parts += [result.total] if result.total is not None else []
                for failure in result.failures:
                    failures.setdefault(self._tolerate(failure).path, failure)
            if parts and (isinstance(key, Unit) or not failures):
                yield accumulate(parts)
            if failures:
                errors = [self._tolerate(failure) for failure in failures.values()]
                yield {"bad_files": {SkippedFile(path=error.path, cause=error.cause) for error in errors}}

    def _results(self, units: Sequence[Unit], function: Work) -> Iterator[UnitResult]:
        store = _Results(self.store) if self.store else None
        report = self.report or RunReport("analyze")
        return resumed(units, partial(process_unit, function), store, self.executor, report)

    def _tolerate(self, failure: Failure) -> InputFileError:
        logger.debug("worker: %s", failure.traceback)
        if self.skip_bad_files and isinstance(failure.error, InputFileError):
            return failure.error
        raise failure.error


@dataclass(frozen=True)
class _Results:
    """Results of units as the store keeps them: those without a failure."""

    store: UnitStore

    def has(self, unit: Unit) -> bool:
        return self.store.has(unit.items)

    def load(self, unit: Unit) -> UnitResult | None:
        total = self.store.load(unit.items)
        return None if total is None else UnitResult(total)

    def save(self, unit: Unit, result: UnitResult) -> None:
        if result.total is not None and not result.failures:
            self.store.save(unit.items, result.total)


def tree_sum(parts: Iterable[Output]) -> Output | None:
    """Sum of all, two of equal size at a time: few are in memory, and rounding errors stay small."""
    stack: list[tuple[int, Output]] = []
    for part in parts:
        level, total = 0, part
        while stack and stack[-1][0] == level:
            total = accumulate([total], stack.pop()[1])
            level += 1
        stack.append((level, total))
    while len(stack) > 1:
        _, last = stack.pop()
        level, left = stack.pop()
        stack.append((level, accumulate([last], left)))
    return stack[0][1] if stack else None


def process_unit(function: Work, unit: Unit) -> UnitResult:
    """Work on the chunks of a unit and add up those of files that can be used."""
    totals: list[Output] = []
    failures: list[Failure] = []
    for _, group in groupby(unit.items, key=_file_of):
        results: list[Output] = []
        for item in group:
            result = guarded(function, item)
            if isinstance(result, Failure):
                failures.append(result)
                break
            results.append(result)
        else:
            totals.append(accumulate(results))
    return UnitResult(accumulate(totals) if totals else None, tuple(failures))


def guarded(function: Work, item: WorkItem) -> Output | Failure:
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
