"""An analysis of real Delphes files with the pretrained trigger, to report on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.analyze import analyze
from analysis.config import AnalysisConfig
from analysis.fileset import read_fileset
from analysis.trigger import Trigger
from darktrigger.pretrained import pretrained_models

CONFIG = {
    "scores": ["excess_tracks", "missing_e_t"],
    "baselines": [],
    "background_efficiencies": [0.2],
    "abcd": {"pairs": [["excess_tracks", "missing_e_t"]], "efficiencies": [0.5]},
}

#: A name that would be found out at once if it were not escaped.
HOSTILE = "<script>document.title='hit'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def analysed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that ``darktrigger analyze`` wrote; the trigger lies beside it."""
    folder = tmp_path_factory.mktemp("analysed")
    fileset = {
        "qcd": [str(data / "qcd.root")],
        "suep": {"files": [str(data / "suep1000.root")], "metadata": {"process": "suep", "mass": 1000}},
    }
    (folder / "fileset.yaml").write_text(json.dumps(fileset))
    shutil.copy(pretrained_models()["excess"], folder / "trigger.onnx")
    trigger = Trigger(folder / "trigger.onnx")
    analyze(read_fileset(folder / "fileset.yaml"), trigger, AnalysisConfig.model_validate(CONFIG), folder / "out")
    return folder / "out"


@pytest.fixture
def changed(analysed: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Copies the analysed folder and changes its summary."""

    def change(edit: Callable[[dict[str, Any]], None]) -> Path:
        folder = Path(shutil.copytree(analysed, tmp_path / "changed"))
        summary = json.loads((folder / "summary.json").read_text())
        edit(summary)
        (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return change


@pytest.fixture
def hostile(changed: Callable[[Callable[[dict[str, Any]], None]], Path]) -> Path:
    """The analysed folder, with a dataset whose name is markup."""

    def renamed(data: Any) -> Any:
        if isinstance(data, dict):
            return {HOSTILE if key == "suep" else key: renamed(value) for key, value in data.items()}
        return [renamed(item) for item in data] if isinstance(data, list) else data

    return changed(lambda summary: summary.update(renamed(summary)))
