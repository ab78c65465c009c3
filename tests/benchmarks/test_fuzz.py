"""The fuzzing tool: it repeats itself, and what it would call a finding is one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz.cheap import cheap
from benchmarks.fuzz.judge import Result, files_in, judge, problem_of, run
from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate
from benchmarks.fuzz.plain_data import spoil
from benchmarks.fuzz.trap import Trap
from benchmarks.fuzz.yaml_text import spoil_text

CONTENT = bytes(range(256)) * 8


def test_a_case_follows_from_seed_and_number(tmp_path: Path) -> None:
    data = {"a": [1, 2, {"b": 3}], "c": "text"}
    makes: list[Callable[[np.random.Generator], object]] = [
        lambda rng: mutate(CONTENT, rng),
        lambda rng: repr(spoil(data, rng)),
        lambda rng: spoil_text(json.dumps(data), tmp_path, rng),
    ]
    for make in makes:
        first, again = ([make(np.random.default_rng([1, number])) for number in range(50)] for _ in range(2))
        assert first == again
        assert len(set(map(repr, first))) > 25
    assert data == {"a": [1, 2, {"b": 3}], "c": "text"}


@pytest.mark.parametrize(
    ("code", "stderr", "written", "reason"),
    [
        (1, "error: bad.root: no such file", None, ""),
        (2, "Usage: ...", None, ""),
        (0, "", f"{OUT}/a.json", ""),
        (0, "", None, "succeeds without output"),
        (1, "", None, "without a message"),
        (1, "error: internal error, please report it: KeyError", None, "internal error"),
        (1, "Traceback (most recent call last)", None, "Traceback"),
        (0, "x.py:3: RuntimeWarning: overflow", f"{OUT}/a.json", "RuntimeWarning"),
        (-11, "", None, "exit status -11"),
        (1, "error: x", f"{OUT}/a.json", "fails but leaves"),
        (1, "error: x", f"{OUT}/.a.1.tmp.json", "temporary"),
        (0, "", "escaped", "outside its output"),
        (0, "", f"{OUT}/a.parquet", "broken output"),
    ],
)
def test_verdicts(tmp_path: Path, code: int, stderr: str, written: str | None, reason: str) -> None:
    before = files_in(tmp_path)
    if written:
        path = tmp_path / written
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    verdict = judge(["image"], Result(code, "", stderr), tmp_path, before)
    assert (verdict.outcome == "finding") == bool(reason)
    assert reason in verdict.reason


def test_a_sprung_trap_is_seen(tmp_path: Path) -> None:
    function, arguments = Trap(str(tmp_path / "sprung")).__reduce__()
    before = files_in(tmp_path)
    function(*arguments)
    assert "outside" in judge(["image"], Result(0, "", ""), tmp_path, before).reason


def test_nan_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": NaN}')
    assert "NaN" in problem_of(tmp_path / "a.json")


def test_commands_run_as_from_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    with capfd.disabled():
        absent = run(["display", str(tmp_path / "absent.root"), "-o", str(tmp_path / "x.png")])
        usage = run(["image"])
    assert (absent.code, absent.stderr) == (1, f"error: {tmp_path / 'absent.root'}: no such file\n")
    assert usage.code == 2


def test_what_is_left_out_is_there() -> None:
    with cheap():
        pass
