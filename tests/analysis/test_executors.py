"""What becomes of exceptions in workers, and the order of results."""

from concurrent.futures import Future
from typing import Any

import pytest
from coffea.processor.executor import WorkItem

from analysis.executors import Failure, OrderedExecutor, _in_order, guarded
from darktrigger.errors import AnalysisError, BadValueError, UnreadableFileError
from imaging.image_file import SkippedFile


def items(*names: str) -> list[WorkItem]:
    return [WorkItem("d", name, "Delphes", 0, 10, b"") for name in names]


def raiser(outer: Exception, inner: Exception) -> Any:
    def work(_: WorkItem) -> dict[str, Any]:
        raise outer from inner

    return work


def test_our_errors_are_unwrapped() -> None:
    bad = BadValueError("a.root", "holds nan")
    failure = guarded(raiser(Exception("Failed processing file: a.root."), bad), *items("a.root"))
    assert isinstance(failure, Failure)
    assert failure.error is bad


def test_what_fails_while_opening_is_the_files_fault() -> None:
    failure = guarded(raiser(Exception("Failed to open file: a.root."), FileNotFoundError("a.root")), *items("a.root"))
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, UnreadableFileError)


def test_a_bug_of_ours_is_not_blamed_on_the_file() -> None:
    work = raiser(Exception("Failed processing file: a.root."), AttributeError("no attribute 'x'"))
    failure = guarded(work, *items("a.root"))
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, RuntimeError)
    assert "AttributeError: no attribute 'x'" in str(failure.error)
    with pytest.raises(RuntimeError, match="AttributeError"):
        OrderedExecutor(skip_bad_files=True)(items("a.root"), work, None)


def test_a_bad_chunk_takes_its_file_with_it() -> None:
    def work(item: WorkItem) -> dict[str, Any]:
        if item.entrystart == 10:
            raise BadValueError(item.filename, "holds nan")
        return {"out": {item.filename: 1}}

    chunks = [WorkItem("d", name, "t", start, start + 10, b"") for name in ("a", "b") for start in (0, 10, 20)]
    total, _ = OrderedExecutor(skip_bad_files=True)([*chunks, *items("c")], work, None)
    assert total == {
        "out": {"c": 1},
        "bad_files": {SkippedFile(path="a", cause="holds nan"), SkippedFile(path="b", cause="holds nan")},
    }
    with pytest.raises(AnalysisError, match="no usable input file"):
        OrderedExecutor(skip_bad_files=True)(chunks, work, None)


def test_results_come_in_order_with_few_in_flight() -> None:
    submitted: list[str] = []

    def submit(item: WorkItem) -> Future[str]:
        submitted.append(item.filename)
        future: Future[str] = Future()
        future.set_result(item.filename)
        return future

    results = _in_order(submit, items(*"abcdef"), 2)
    assert next(results) == "a"
    assert submitted == ["a", "b"]
    assert [*results] == [*"bcdef"]
