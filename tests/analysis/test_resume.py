"""Analyses and evaluations that are interrupted, and bad files that are repaired."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import analysis.executors
from analysis.analyze import analyze
from analysis.config import AbcdConfig, AnalysisConfig, ExecutorConfig
from analysis.evaluation.samples import load_samples, save_samples
from analysis.fileset import Dataset, read_fileset
from analysis.runner import Processed, process_fileset
from analysis.trigger import Trigger
from darktrigger.run_report import RunReport

CONFIG = AnalysisConfig(
    abcd=AbcdConfig(pairs=(("pixel_sum", "forward"),)), executor=ExecutorConfig(chunk_size=10, batch_size=16)
)


@pytest.fixture(scope="module")
def trigger(trigger_path: Path) -> Trigger:
    return Trigger(trigger_path)


@pytest.fixture(scope="module")
def datasets(fileset_path: Path) -> tuple[Dataset, ...]:
    return read_fileset(fileset_path)


def same(first: Processed, second: Processed) -> bool:
    return first.columns == second.columns and all(
        first.datasets[name].cutflow == second.datasets[name].cutflow
        and all(
            np.array_equal(histogram.view(flow=True), second.datasets[name].histograms[key].view(flow=True))
            and histogram.axes.name == second.datasets[name].histograms[key].axes.name
            for key, histogram in first.datasets[name].histograms.items()
        )
        for name in first.datasets
    )


def test_an_interrupted_analysis_takes_up_what_is_done(
    datasets: tuple[Dataset, ...], trigger: Trigger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = process_fileset(datasets, trigger, CONFIG)
    work = analysis.executors.process_unit
    done: list[Any] = []

    def interrupted(*arguments: Any) -> Any:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(arguments)
        return work(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(analysis.executors, "process_unit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process_fileset(datasets, trigger, CONFIG, parts=tmp_path / "parts")
    kept = sorted((tmp_path / "parts").iterdir())
    assert 0 < len(kept) <= 3
    kept[0].write_bytes(b"damaged")
    report = RunReport("analyze")
    assert same(process_fileset(datasets, trigger, CONFIG, parts=tmp_path / "parts", report=report), whole)
    # One result serves all chunks of the same content: here one file goes under two names.
    assert len(kept) - 1 <= report.taken_up < report.tasks
    again = RunReport("analyze")
    assert same(process_fileset(datasets, trigger, CONFIG, parts=tmp_path / "parts", report=again), whole)
    assert again.taken_up == again.tasks > 0
    assert again.events == report.events == sum(result.cutflow.read for result in whole.datasets.values())

    other = CONFIG.model_copy(update={"baselines": ("n_tracks",)})
    changed = RunReport("analyze")
    process_fileset(datasets, trigger, other, parts=tmp_path / "parts", report=changed)
    assert changed.taken_up == 0


def test_bad_files_make_a_fileset_and_a_rerun_does_only_them(
    data: Path, trigger: Trigger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.analyze.draw_all", lambda *_: ())
    second = tmp_path / "second.root"
    content = (data / "svj3100.root").read_bytes()
    second.write_bytes(content[:100_000])
    fileset = {"qcd": [str(data / "qcd.root"), "second.root"], "suep": [str(data / "suep1000.root")]}
    (tmp_path / "fileset.yaml").write_text(yaml.safe_dump(fileset))
    datasets, out = read_fileset(tmp_path / "fileset.yaml"), tmp_path / "out"
    analyze(datasets, trigger, CONFIG, out, skip_bad_files=True)
    (failed,) = read_fileset(out / "failed.yaml")
    assert (failed.name, failed.files) == ("qcd", {str(second): "Delphes"})
    second.write_bytes(content)
    analyze(datasets, trigger, CONFIG, out)
    assert not (out / "failed.yaml").exists()
    assert not (out / "parts").exists()
    report = yaml.safe_load((out / "report.json").read_text())
    assert 0 < report["tasks_taken_up"] < report["tasks"]


def test_damaged_samples_are_none(tmp_path: Path) -> None:
    save_samples(tmp_path / "a.npz", {})
    assert load_samples(tmp_path / "a.npz") == {}
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:50])
    assert load_samples(tmp_path / "a.npz") is None
    assert load_samples(tmp_path / "b.npz") is None
