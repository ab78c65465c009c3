"""Running a darktrigger command in this process as a user would, and judging what it did."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import onnx
import pyarrow.parquet as pq
import typer
import uproot

import darktrigger.cli
from benchmarks.fuzz.kind import OUT

#: Commands that write one file, which must be absent after a failure.
_ONE_FILE = {"image", "display", "export", "simulate", "generate"}

_NOT_CLEAN = re.compile(r"Traceback|internal error|\w+Warning: |terminate called|Segmentation|core dumped", re.ASCII)


class Verdict(NamedTuple):
    """What became of a case: ``accepted``, ``refused``, or a ``finding`` with its reason."""

    outcome: str
    reason: str = ""


class Result(NamedTuple):
    """Exit status of a command and what it printed."""

    code: int
    stdout: str
    stderr: str


def run(arguments: Sequence[str]) -> Result:
    """Run a command, with all that any library prints."""
    code: object = 0
    with patch("darktrigger.cli.app", _command()), _captured() as printed:
        sys.argv = ["darktrigger", *arguments]
        try:
            darktrigger.cli.main()
        except SystemExit as error:
            code = error.code
    return Result(code if isinstance(code, int) else int(code is not None), *printed)


@cache
def _command() -> Any:
    """The command line, built once instead of at every call."""
    return typer.main.get_command(darktrigger.cli.app)


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Collect file descriptors 1 and 2, which compiled libraries write to as well."""
    texts: list[str] = []
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        saved = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            yield texts
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode(errors="replace"))


def files_in(folder: Path) -> dict[str, int]:
    """Every file below a folder with the time of its last change, ns."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()}


def judge(  # noqa: PLR0911 (one for each way to fail)
    arguments: Sequence[str], result: Result, folder: Path, before: dict[str, int]
) -> Verdict:
    """Success with sound output, or one clean error that leaves nothing behind; anything else is a finding."""
    if result.code not in {0, 1, 2}:
        return Verdict("finding", f"exit status {result.code}")
    if found := _NOT_CLEAN.search(result.stderr + result.stdout):
        return Verdict("finding", f"prints '{found.group().strip()}'")
    if result.code == 1 and not re.search(r"^error: \S", result.stderr, re.MULTILINE):
        return Verdict("finding", "exit status 1 without a message")
    out = folder / OUT
    changed = [path for path, time in files_in(folder).items() if before.get(path) != time]
    outside = [path for path in changed if not Path(path).is_relative_to(out)]
    if outside:
        return Verdict("finding", f"writes outside its output: {', '.join(outside)}")
    written = [Path(path) for path in changed]
    temporary = [path.name for path in written if path.name.startswith(".") and ".tmp" in path.name]
    if temporary:
        return Verdict("finding", f"leaves temporary files: {', '.join(temporary)}")
    if result.code and arguments[0] in _ONE_FILE and any(".parts" not in str(path) for path in written):
        return Verdict("finding", f"fails but leaves {', '.join(map(str, written))}")
    # All that `plot` writes are the plots that cheap() leaves out.
    if result.code == 0 and not written and arguments[0] != "plot":
        return Verdict("finding", "succeeds without output")
    broken = [f"{path.name} ({problem})" for path in written if (problem := problem_of(path))]
    if broken:
        return Verdict("finding", f"leaves broken output: {', '.join(broken)}")
    return Verdict("refused" if result.code else "accepted")


def problem_of(path: Path) -> str:
    """What is wrong with an output file; nothing where it can be read to its end."""
    readers: dict[str, Callable[[], object]] = {
        ".json": lambda: json.loads(path.read_text(), parse_constant=_no_constant),
        ".parquet": lambda: pq.read_table(path),
        ".root": lambda: _read_root(path),
        ".onnx": lambda: onnx.checker.check_model(path.read_bytes()),
        ".png": lambda: _ends(path, b"IEND"),
        ".pdf": lambda: _ends(path, b"%%EOF"),
    }
    try:
        readers.get(path.suffix, path.read_bytes)()
    except Exception as error:  # noqa: BLE001 (whatever is wrong is to be reported)
        return f"{type(error).__name__}: {error}"
    return ""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_root(path: Path) -> None:
    with uproot.open(path) as file:
        file.keys()


def _ends(path: Path, mark: bytes) -> None:
    if mark not in path.read_bytes()[-64:]:
        raise ValueError("truncated")
