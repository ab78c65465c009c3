"""Readers in a process of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from darktrigger.errors import UnreadableFileError
from darktrigger.isolation import CrashedError, isolated


def numbers(n: int) -> Iterator[int]:
    yield from range(n)


def crash_after(n: int) -> Iterator[int]:
    yield from range(n)
    os.kill(os.getpid(), signal.SIGSEGV)
    yield n


def complain(path: str) -> Iterator[str]:
    yield path
    raise UnreadableFileError(path, "is no good")


def end_of_file() -> Iterator[int]:
    yield 0
    raise EOFError("of another file")


def leave() -> Iterator[int]:
    yield 0
    os._exit(3)


def test_items_in_order() -> None:
    assert list(isolated(numbers, 5)) == [0, 1, 2, 3, 4]


def test_a_crash_is_an_exception_after_what_was_sent() -> None:
    found: list[int] = []
    with pytest.raises(CrashedError, match="SIGSEGV"):
        found.extend(isolated(crash_after, 2))
    with pytest.raises(CrashedError, match="exit code 3"):
        list(isolated(leave))


def test_exceptions_come_through_whole() -> None:
    items = isolated(complain, "file")
    assert next(items) == "file"
    with pytest.raises(UnreadableFileError, match="file: is no good") as caught:
        next(items)
    assert caught.value.path == "file"


def test_an_end_of_file_is_no_crash() -> None:
    with pytest.raises(EOFError, match="of another file"):
        list(isolated(end_of_file))


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Unlike with multiprocessing, which would run it again."""
    script = tmp_path / "script.py"
    lines = (
        "from itertools import repeat",
        "from darktrigger.isolation import isolated",
        "print(sum(isolated(repeat, 2, 3)))",
    )
    script.write_text("\n".join(lines))
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout == "6\n"


def test_the_process_ends_with_whoever_asked() -> None:
    items = isolated(numbers, 10**9)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    items.close()
