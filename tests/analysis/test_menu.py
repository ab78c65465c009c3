"""The support-trigger menu: prescales, the choice of events, and what analyze makes of them."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from analysis.abcd import Regions
from analysis.analyze import analyze
from analysis.cli import app
from analysis.config import AnalysisConfig, ExecutorConfig
from analysis.fileset import read_fileset
from analysis.menu import Menu, Prescales, choose_prescales, hashed, read_menu
from analysis.runner import process_fileset
from analysis.store import read_histograms_root
from analysis.summary import Summary
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, ConfigError
from darktrigger.files import fingerprint

RATE = st.floats(0.5, 1e6)


def menu(trigger: str = "", **changes: object) -> Menu:
    settings: dict[str, object] = {
        "trigger": trigger,
        "scores": ["pixel_sum", "n_tracks"],
        "thresholds": [300.0, 350.0],
        "prescales": {"b": 2, "c": 3, "d": 5},
    }
    return Menu.model_validate(settings | changes)


@given(RATE, RATE, RATE, RATE, st.floats(0.2, 1.0))
def test_prescales_keep_the_predictions_error_below_the_regions(
    a: float, b: float, c: float, d: float, ratio: float
) -> None:
    chosen = choose_prescales(Regions(a, b, c, d), ratio)

    def variance(prescales: tuple[float, ...]) -> float:
        return sum(p / n for p, n in zip(prescales, (b, c, d), strict=True))

    allowed = ratio**2 / a
    if variance((1, 1, 1)) <= allowed:
        assert variance((chosen.b, chosen.c, chosen.d)) <= allowed * (1 + 1e-9)
    else:
        assert (chosen.b, chosen.c, chosen.d) == (1, 1, 1)


def test_prescales_record_equally_many_of_plentiful_regions() -> None:
    chosen = choose_prescales(Regions(1, 100, 100, 10_000), 1.0)
    assert (chosen.b, chosen.c, chosen.d) == (33, 33, 3333)
    assert choose_prescales(Regions(0, 10, 10, 100), 0.9) == Prescales(b=1, c=1, d=1)


def test_hash_is_uniform_and_of_the_entry_alone() -> None:
    entry = np.arange(60_000, dtype=np.uint64)
    values = hashed(entry, 1)
    assert len(np.unique(values)) == len(values)
    for prescale in (2, 7, 50):
        kept = (values % np.uint64(prescale) == 0).mean()
        assert kept == pytest.approx(1 / prescale, abs=4 * np.sqrt(1 / prescale / 60_000))
    np.testing.assert_array_equal(hashed(entry[100:200].astype(np.int64), 1), values[100:200])
    both = np.mean((values % np.uint64(10) == 0) & (hashed(entry, 2) % np.uint64(10) == 0))
    assert both == pytest.approx(0.01, abs=0.002)


def test_weights_are_prescales_of_what_is_recorded() -> None:
    rng = np.random.default_rng(1)
    scores = {"pixel_sum": rng.normal(300, 10, 40_000), "n_tracks": rng.normal(350, 10, 40_000)}
    found = menu()
    regions = found.regions(scores)
    np.testing.assert_array_equal(regions == 1, (scores["pixel_sum"] >= 300) & (scores["n_tracks"] < 350))
    weight = found.weights(regions, np.arange(40_000))
    for region, prescale in enumerate((1, 2, 3, 5)):
        mine = weight[regions == region]
        assert set(mine) <= {0.0, float(prescale)}
        assert mine.sum() == pytest.approx(len(mine), rel=0.06)
    assert (weight[regions == 0] == 1).all()


def test_a_file_with_unknown_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "menu.yaml"
    menu().to_yaml(path)
    assert read_menu(path) == menu()
    assert AnalysisConfig.model_validate({"menu": str(path)}).menu == menu()
    path.write_text(yaml.safe_dump(menu().model_dump(mode="json") | {"prescale": 3}))
    with pytest.raises(ConfigError, match="unknown key 'prescale'; did you mean 'prescales'"):
        read_menu(path)


def test_analysis_sees_recorded_events_alone(fileset_path: Path, trigger_path: Path) -> None:
    datasets, trigger = read_fileset(fileset_path), Trigger(trigger_path)
    config = AnalysisConfig()
    everything = process_fileset(datasets, trigger, config)
    recorded = process_fileset(datasets, trigger, config.model_copy(update={"menu": menu()}))
    for name, result in recorded.datasets.items():
        assert result.cutflow == pytest.approx(everything.datasets[name].cutflow)
        regions, counts = result.histograms["menu_regions"], result.histograms["menu_regions_counts"]
        assert counts.sum() == result.histograms["ht_counts"].sum(flow=True)
        assert counts.sum() < everything.datasets[name].histograms["ht_counts"].sum(flow=True)
        assert result.histograms["score_n_tracks"].values(flow=True).sum() == pytest.approx(regions.values().sum())
    signal = recorded.datasets["suep1000"].histograms
    weight = signal["menu_regions"].values() / np.maximum(signal["menu_regions_counts"].values(), 1)
    # The signal's own weights are 1.
    np.testing.assert_allclose(weight[weight > 0], np.array([1, 2, 3, 5])[weight > 0])


def test_chunks_do_not_change_what_is_recorded(fileset_path: Path, trigger_path: Path) -> None:
    datasets, trigger = read_fileset(fileset_path), Trigger(trigger_path)
    found = []
    for chunk_size in (1000, 30):
        config = AnalysisConfig(executor=ExecutorConfig(chunk_size=chunk_size), menu=menu())
        result = process_fileset(datasets, trigger, config).datasets["qcd"]
        found.append(result.histograms["menu_regions_counts"].values())
    np.testing.assert_array_equal(found[0], found[1])


def test_summary_of_a_menu(
    fileset_path: Path, trigger_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.analyze.draw_all", lambda *arguments: ())
    menu(fingerprint(trigger_path)).to_yaml(tmp_path / "menu.yaml")
    arguments = ["analyze", str(fileset_path), "--trigger", str(trigger_path), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, [*arguments, "--menu", str(tmp_path / "menu.yaml")])
    assert done.exit_code == 0, done.output
    summary = Summary.read(tmp_path)
    found = summary.menu
    assert found is not None
    regions = read_histograms_root(tmp_path / "histograms.root")["qcd"]["menu_regions"]
    a, b, c, d = regions.values()
    assert d > 0
    assert found.background.predicted is not None
    assert found.background.predicted.value == pytest.approx(b * c / d)
    assert tuple(found.background.counts) == pytest.approx((a, b, c, d))
    recorded = found.datasets["qcd"]
    hertz = 1e6 * 1e-36 * 2e34 / summary.datasets["qcd"].sum_of_weights
    assert recorded["d"].recorded_rate == pytest.approx(hertz * d / 5)
    assert recorded["d"].prescale == 5
    assert found.datasets["svj3100"]["a"].recorded_rate is None


def test_a_menu_of_another_model_is_refused(fileset_path: Path, trigger_path: Path, tmp_path: Path) -> None:
    config = AnalysisConfig(menu=menu("0123"))
    with pytest.raises(AnalysisError, match="the menu was made for another model"):
        analyze(read_fileset(fileset_path), Trigger(trigger_path), config, tmp_path)


def test_unknown_scores_are_refused(fileset_path: Path, trigger_path: Path) -> None:
    config = AnalysisConfig(menu=menu(scores=["nothing", "n_tracks"]))
    with pytest.raises(AnalysisError, match="no score 'nothing'"):
        process_fileset(read_fileset(fileset_path), Trigger(trigger_path), config)
