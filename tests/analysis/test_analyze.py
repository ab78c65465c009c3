"""The whole analysis from the command line, on real Delphes files."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml
from hist import Hist
from typer.testing import CliRunner

from analysis.analyze import analyze
from analysis.cli import app
from analysis.config import AnalysisConfig
from analysis.fileset import read_fileset
from analysis.store import (
    read_histograms_json,
    read_histograms_root,
    write_histograms_json,
    write_histograms_root,
)
from analysis.summary import Summary
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, ConfigError, UnreadableFileError

LUMINOSITY = 2e34

CONFIG = {
    "scores": ["emptiness"],
    "rate_budgets": [1000.0],
    "abcd": {"pairs": [["emptiness", "n_tracks"]], "efficiencies": [0.5, 0.3]},
}

SCRIPT = """
import sys
from analysis.cli import app
app(sys.argv[1:], standalone_mode=False)
print("forbidden:", sorted({"torch", "lightning", "ml", "imaging.dense_torch"} & set(sys.modules)))
"""


class Analysed:
    """Folder and standard output of one analysis in an interpreter of its own, warnings being errors."""

    def __init__(self, folder: Path, output: str) -> None:
        self.folder = folder
        self.output = output
        self.summary = Summary.read(folder)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory, fileset_path: Path, trigger_path: Path) -> Analysed:
    folder = tmp_path_factory.mktemp("analysis")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    arguments = [str(fileset_path), "--trigger", str(trigger_path), "-o", str(folder / "out")]
    options = ["--config", str(folder / "config.yaml"), "--chunk-size", "30"]
    command = [sys.executable, "-W", "error", "-c", SCRIPT, "analyze", *arguments, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return Analysed(folder / "out", done.stdout)


def weighted_scores(analysed: Analysed, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """n_tracks and weight of the selected events, by another way than ours."""
    with uproot.open(path) as file:
        events = file["Delphes"]
        ht = events["ScalarHT.HT"].array().to_numpy().ravel()
        eta = events["Track_PUcorr.EtaOuter"].array()
        weight = events["Event.Weight"].array().to_numpy().ravel().astype(float)
    n_tracks = np.array([int((np.abs(np.asarray(event)) < 2.49535).sum()) for event in eta])
    return n_tracks[ht > 500], weight[ht > 500]


def test_no_torch(analysed: Analysed) -> None:
    assert analysed.output.endswith("forbidden: []\n")


def test_the_command_names_what_it_wrote(analysed: Analysed) -> None:
    named = [Path(line) for line in analysed.output.splitlines()[:-1]]
    assert analysed.folder / "summary.json" in named
    plots = {path.name for path in named if path.parent.name == "plots"}
    assert plots == {path.name for path in (analysed.folder / "plots").iterdir()}
    for name in ("roc_suep1000", "score_emptiness", "threshold_n_tracks", "efficiency_emptiness_ht", "cutflow"):
        assert {f"{name}.pdf", f"{name}.png"} <= plots
    assert {"abcd_emptiness_n_tracks.png", "closure_emptiness_n_tracks.pdf"} <= plots
    assert all(path.stat().st_size > 5000 for path in named if path.suffix in {".pdf", ".png"})


def test_figures_of_merit_against_event_lists(analysed: Analysed, data: Path) -> None:
    background, w_b = weighted_scores(analysed, data / "qcd.root")
    for signal_name in ("suep1000", "svj3100"):
        signal, w_s = weighted_scores(analysed, data / f"{signal_name}.root")
        kernel = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
        found = analysed.summary.signals[signal_name]["n_tracks"]
        assert found.auroc is not None
        assert found.auroc.value == pytest.approx(w_s @ kernel @ w_b / (w_s.sum() * w_b.sum()))
        assert found.fpr_at_tpr is not None
        cut = max(t for t in range(2000) if w_s[signal >= t].sum() / w_s.sum() >= 0.4)
        assert found.fpr_at_tpr.threshold == pytest.approx(cut - 0.5)
        assert found.fpr_at_tpr.fpr.value == pytest.approx(w_b[background >= cut].sum() / w_b.sum())


def test_working_points_and_rates_against_event_lists(analysed: Analysed, data: Path) -> None:
    background, w_b = weighted_scores(analysed, data / "qcd.root")
    qcd = analysed.summary.datasets["qcd"]
    hertz = 1e6 * 1e-36 * LUMINOSITY / qcd.sum_of_weights
    points = [point for point in analysed.summary.working_points if point.score == "n_tracks"]
    assert [(point.chosen_by, point.target) for point in points] == [
        ("background efficiency", 0.1),
        ("background efficiency", 0.01),
        ("background rate", 1000.0),
    ]
    for point in points:
        passed = 2 * w_b[background >= point.threshold].sum()
        rate, efficiency = point.background.rate, point.background.efficiency
        assert rate is not None
        assert rate.value == pytest.approx(passed * hertz)
        assert efficiency is not None
        assert efficiency.value == pytest.approx(passed / (2 * w_b.sum()))
        assert point.datasets["qcd"] == point.background
        assert (rate.value if point.chosen_by == "background rate" else efficiency.value) <= point.target
        assert point.datasets["svj3100"].rate is None
        assert point.datasets["suep1000"].rate is not None


def test_cutflow(analysed: Analysed) -> None:
    qcd = analysed.summary.datasets["qcd"]
    assert [(step.name, step.events) for step in qcd.cutflow] == [("all", 96), ("HT > 500 GeV", 88)]
    assert qcd.events == 96
    assert qcd.cutflow[0].sum_of_weights == qcd.sum_of_weights > qcd.cutflow[1].sum_of_weights
    assert len(qcd.files) == 2


def test_abcd(analysed: Analysed) -> None:
    assert [point.target for point in analysed.summary.abcd] == [0.5, 0.3]
    for point in analysed.summary.abcd:
        estimate, selected = point.background, analysed.summary.datasets["qcd"].cutflow[1]
        assert sum(estimate.events) == selected.events
        assert sum(estimate.counts) == pytest.approx(selected.sum_of_weights)
        assert set(point.signals) == {"suep1000", "svj3100"}


def test_summary_is_strict_json(analysed: Analysed) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    content = json.loads((analysed.folder / "summary.json").read_text(), parse_constant=refuse)
    assert content["scores"]["emptiness"] == {"source": "model", "direction": "lower"}
    assert content["abcd"][0]["background"]["counts"].keys() == {"a", "b", "c", "d"}
    assert Summary.model_validate(content) == analysed.summary


def test_both_histogram_files_hold_the_same(analysed: Analysed) -> None:
    from_json = read_histograms_json(analysed.folder / "histograms.json")
    from_root = read_histograms_root(analysed.folder / "histograms.root")
    assert from_json.keys() == from_root.keys() == {"qcd", "suep1000", "svj3100"}
    for dataset, histograms in from_json.items():
        assert histograms.keys() == from_root[dataset].keys()
        for name, histogram in histograms.items():
            other = from_root[dataset][name]
            assert other.storage_type == histogram.storage_type
            assert np.array_equal(other.view(flow=True), histogram.view(flow=True))
            for mine, theirs in zip(histogram.axes, other.axes, strict=True):
                np.testing.assert_allclose(mine.edges, theirs.edges)
                assert mine.label == theirs.label


def test_plot_gives_the_same_plots_again(analysed: Analysed) -> None:
    folder = analysed.folder / "plots"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    done = CliRunner().invoke(app, ["plot", str(analysed.folder)])
    assert done.exit_code == 0, done.output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert str(analysed.folder / "summary.json") in done.stdout


def test_resolved_config_is_kept(analysed: Analysed) -> None:
    config = AnalysisConfig.from_yaml(analysed.folder / "config.yaml")
    assert config.executor.chunk_size == 30
    assert config.target_tpr == 0.4


def test_plot_of_what_is_no_analysis(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["plot", str(tmp_path)])
    assert isinstance(done.exception, ConfigError)


@pytest.mark.parametrize("content", ["{", '{"a/b": {"axes": 3}}', '{"a/b": 3}'])
def test_damaged_histograms(tmp_path: Path, content: str) -> None:
    path = tmp_path / "histograms.json"
    path.write_text(content)
    with pytest.raises(UnreadableFileError, match="histograms"):
        read_histograms_json(path)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("value", [1e300, np.nan])
def test_counts_that_no_integer_is(tmp_path: Path, value: float) -> None:
    """Fuzzing, runs, seed 10, case 616: numpy only warned, and a user's terminal showed it."""
    histogram = Hist.new.Reg(2, 0, 1, name="score").Double(data=np.array([value, 1.0]))
    counts = "score_counts"
    write_histograms_root(tmp_path / "histograms.root", {"qcd": {counts: histogram}})
    with pytest.raises(UnreadableFileError, match="invalid value"):
        read_histograms_root(tmp_path / "histograms.root")
    sound = Hist.new.Reg(2, 0, 1, name="score").Int64(data=np.array([3, 1]))
    write_histograms_json(tmp_path / "sound.json", {"qcd": {counts: sound}})
    content = json.loads((tmp_path / "sound.json").read_text())
    content[f"qcd/{counts}"]["storage"]["values"][1] = value
    (tmp_path / "histograms.json").write_text(json.dumps(content))
    with pytest.raises(UnreadableFileError, match=f"{counts}.*invalid value"):
        read_histograms_json(tmp_path / "histograms.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fileset: fileset.pop("qcd"), r"no background \(label 0\) dataset"),
        (lambda fileset: [fileset.pop("suep1000"), fileset.pop("svj3100")], "no signal"),
        (lambda fileset: fileset["qcd"]["metadata"].pop("cross_section"), "need a cross_section for dataset 'qcd'"),
    ],
)
def test_filesets_that_cannot_be_analysed(
    change: Callable[[Any], Any], message: str, tmp_path: Path, fileset_path: Path, trigger_path: Path, data: Path
) -> None:
    fileset = yaml.safe_load(fileset_path.read_text())
    fileset["qcd"]["files"] = [str(data / "qcd.root")]
    change(fileset)
    (tmp_path / "fileset.yaml").write_text(yaml.safe_dump(fileset))
    datasets = read_fileset(tmp_path / "fileset.yaml")
    with pytest.raises(AnalysisError, match=message):
        analyze(datasets, Trigger(trigger_path), AnalysisConfig(rate_budgets=(1.0,)), tmp_path / "out")
    # Finished chunks may wait to be taken up.
    assert not list((tmp_path / "out").glob("*.*"))


def test_no_background_event_selected(tmp_path: Path, fileset_path: Path, trigger_path: Path) -> None:
    config = AnalysisConfig.model_validate({"selection": {"ht_min": 1e5}})
    with pytest.raises(AnalysisError, match="no background event has HT > 100000 GeV"):
        analyze(read_fileset(fileset_path), Trigger(trigger_path), config, tmp_path / "out")


@pytest.mark.parametrize("command", ["analyze", "plot", "evaluate"])
def test_help(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "default" in done.stdout


def test_wrong_option_is_a_usage_error(fileset_path: Path, trigger_path: Path, tmp_path: Path) -> None:
    arguments = ["analyze", str(fileset_path), "--trigger", str(trigger_path), "-o", str(tmp_path)]
    assert CliRunner().invoke(app, [*arguments, "--executor", "slurm"]).exit_code == 2


def test_scheduler_of_another_executor_is_refused(fileset_path: Path, trigger_path: Path, tmp_path: Path) -> None:
    arguments = ["analyze", str(fileset_path), "--trigger", str(trigger_path), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, [*arguments, "--executor", "futures", "--scheduler", "tcp://x:1"])
    assert isinstance(done.exception, ConfigError)
    assert "scheduler is for kind 'dask'" in str(done.exception)
