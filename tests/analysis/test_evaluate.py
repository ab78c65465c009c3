"""Evaluation on labelled image files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.binned import Measured
from analysis.cli import app
from analysis.evaluate import evaluate
from analysis.evaluation_tables import Benchmark, Figures, auroc_table
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError
from imaging.config import ImagingConfig
from imaging.convert import Sample, convert
from imaging.image_file import read_image_file


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    samples = {"qcd": ("qcd", 0.0), "suep1000": ("suep", 1000.0), "svj3100": ("svj", 3100.0)}
    for name, (process, mass) in samples.items():
        sample = Sample(process=process, mass=mass)
        convert([str(data / f"{name}.root")], folder / f"{name}.parquet", sample, ImagingConfig())
    return {name: folder / f"{name}.parquet" for name in samples}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, images: dict[str, Path], trigger_path: Path) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    arguments = ["evaluate", str(trigger_path), *map(str, images.values()), "-o", str(folder)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    named = {Path(line) for line in done.stdout.splitlines()}
    assert named == {path for path in folder.rglob("*") if path.is_file()}
    return folder


def test_every_score_against_pairs_of_events(evaluated: Path, images: dict[str, Path]) -> None:
    figures = json.loads((evaluated / "evaluation.json").read_text())["figures"]
    background = read_image_file(images["qcd"])
    found = {(item["score"], item["benchmark"]["signal"]): item for item in figures}
    for name, signal_name in (("suep1000", "SUEP"), ("svj3100", "SVJ")):
        signal = read_image_file(images[name])
        w_s, w_b = signal.weight.astype(float), background.weight.astype(float)
        s, b = signal.n_tracks.astype(int), background.n_tracks.astype(int)
        kernel = (s[:, None] > b) + 0.5 * (s[:, None] == b)
        expected = w_s @ kernel @ w_b / (w_s.sum() * w_b.sum())
        assert found["n_tracks", signal_name]["auroc"]["value"] == pytest.approx(expected)
        e_t = signal.images.hcal.sum(axis=1), background.images.hcal.sum(axis=1)
        kernel = e_t[0][:, None] > e_t[1]
        expected = w_s @ kernel @ w_b / (w_s.sum() * w_b.sum())
        # A pair that shares one of the 2000 bins counts half; some of these few events carry much weight.
        assert found["total_e_t_hcal", signal_name]["auroc"]["value"] == pytest.approx(expected, abs=5e-3)


def test_tables(evaluated: Path) -> None:
    with (evaluated / "auroc.csv").open() as stream:
        rows = {row["score"]: row for row in csv.DictReader(stream)}
    assert {"pixel_sum", "forward", "emptiness", "n_tracks", "lit_pixels", "total_e_t_trk"} <= rows.keys()
    row = rows["pixel_sum"]
    assert float(row["mAUC SUEP"]) == float(row["SUEP 1000"])
    assert float(row["SVJ 3100 low"]) < float(row["SVJ 3100"]) < float(row["SVJ 3100 high"])
    # The dark pixels carry the same information as the lit ones.
    assert rows["emptiness"]["SVJ 3100"] == row["SVJ 3100"]
    markdown = (evaluated / "fpr.md").read_text()
    assert markdown.startswith("### FPR [%] at 40% TPR")
    assert "| n_tracks |" in markdown


def test_means_over_masses() -> None:
    figures = [
        Figures("s", Benchmark("SUEP", mass), Measured(value, 0.01), None)
        for mass, value in ((1000.0, 0.9), (125.0, 0.6), (400.0, 0.75))
    ]
    table = auroc_table(figures)
    assert table.columns == ("SUEP 125", "SUEP 400", "SUEP 1000", "mAUC SUEP")
    assert [cell.value for cell in table.rows["s"]] == pytest.approx([60, 75, 90, 75])
    unknown = auroc_table([*figures, Figures("s", Benchmark("SUEP", 2000.0), None, None)])
    assert unknown.rows["s"][-1].value is None
    assert "n/a" in unknown.markdown()


@pytest.mark.parametrize("name", ["qcd", "suep1000"])
def test_background_and_signal_are_needed(
    name: str, images: dict[str, Path], trigger_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(AnalysisError, match=r"needs background \(label 0\) and a signal; found labels: [01]$"):
        evaluate(Trigger(trigger_path), [str(images[name])], tmp_path)


def test_order_of_files_and_batches_change_nothing(
    images: dict[str, Path], trigger_path: Path, tmp_path: Path, evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.evaluate._STEP", 7)
    monkeypatch.setattr("analysis.evaluate._draw", lambda *_: [])
    evaluate(Trigger(trigger_path), [str(path) for path in reversed(images.values())], tmp_path, batch_size=5)
    again, before = (json.loads((folder / "evaluation.json").read_text()) for folder in (tmp_path, evaluated))
    for mine, other in zip(again["figures"], before["figures"], strict=True):
        assert (mine["score"], mine["benchmark"]) == (other["score"], other["benchmark"])
        np.testing.assert_allclose(list(mine["auroc"].values()), list(other["auroc"].values()))
