"""The tutorial is executed, and executes again to the same table."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra 'docs'")

ROOT = Path(__file__).parents[2]


def tutorial() -> Any:
    return nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def test_tutorial_was_executed_from_top_to_bottom() -> None:
    cells = code_cells(tutorial())
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3


@pytest.mark.slow
def test_tutorial_executes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the extra 'docs'")
    pytest.importorskip("ipykernel", reason="needs the extra 'docs'")
    (tmp_path / "docs").mkdir()
    for name in ("tests", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = tmp_path / "bin" / "darktrigger"
    command.parent.mkdir()
    start = "import sys; sys.argv[0] = 'darktrigger'; from darktrigger.cli import main; main()"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
    command.chmod(0o755)
    assert shutil.which("bash")
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook, stored = tutorial(), tutorial()
    resources = {"metadata": {"path": str(tmp_path / "docs")}}
    nbclient.NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=resources).execute()
    stable = [
        (printed(new), printed(old))
        for new, old in zip(code_cells(notebook), code_cells(stored), strict=True)
        if "stable" in new.metadata.get("tags", [])
    ]
    assert len(stable) == 2
    for new, old in stable:
        assert new == old != ""
