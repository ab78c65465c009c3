"""What becomes of exceptions in workers, and the order of results."""

from typing import Any

import pytest
from coffea.processor.executor import WorkItem

from analysis.executors import Failure, OrderedExecutor, cut, guarded, tree_sum
from darktrigger.errors import AnalysisError, BadValueError, UnreadableFileError
from darktrigger.inputs import SkippedFile


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


def test_a_unit_holds_whole_files_or_a_part_of_one() -> None:
    small = [WorkItem("d", f"small{number}", "t", 0, 10, b"") for number in range(300)]
    large = [WorkItem("e", "large", "t", start, start + 10, b"") for start in range(0, 200, 10)]
    units = cut([*small, *large])
    assert [item for unit in units for item in unit.items] == [*small, *large]
    assert max(len(unit.items) for unit in units) == 5
    assert {unit.whole for unit in units if unit.items[0].filename == "large"} == {False}
    assert all(unit.whole for unit in units if unit.items[0].filename != "large")
    assert [len(unit.items) for unit in cut(small[:10])] == [1] * 10


def test_a_bad_file_does_not_take_its_unit_with_it() -> None:
    def work(item: WorkItem) -> dict[str, Any]:
        if item.filename == "7":
            raise BadValueError(item.filename, "holds nan")
        return {"out": {"events": 1}}

    total, _ = OrderedExecutor(skip_bad_files=True)(items(*map(str, range(200))), work, None)
    assert total == {"out": {"events": 199}, "bad_files": {SkippedFile(path="7", cause="holds nan")}}


@pytest.mark.parametrize("n_parts", [1, 2, 3, 7, 8, 13])
def test_a_tree_adds_up_everything_in_order(n_parts: int) -> None:
    parts = [{"sum": number, "names": [str(number)]} for number in range(n_parts)]
    total = tree_sum(parts)
    assert total == {"sum": sum(range(n_parts)), "names": [str(number) for number in range(n_parts)]}


def test_no_parts_have_no_sum() -> None:
    assert tree_sum([]) is None
