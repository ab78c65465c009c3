"""Backgrounds that are made of several samples."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from analysis.cli import app
from analysis.estimation.config import EstimateConfig, EventsConfig
from analysis.estimation.events import ScoreChoice, read_background, read_events
from analysis.rates import PICOBARN
from analysis.trigger import Trigger
from darktrigger.config import validate
from darktrigger.errors import ConfigError
from imaging.image_file import read_image_file, read_metadata


@pytest.mark.parametrize(
    ("background", "message"),
    [
        ([{"files": "w*"}], "'w*' needs either a cross_section or a share"),
        ([{"files": "w*", "share": 1, "cross_section": 1}], "'w*' needs either a cross_section or a share"),
        ([{"files": "w*", "share": 1}, {"files": "z", "cross_section": 1}], "found both"),
        ([{"files": "w*", "share": 1}, {"files": "w*", "share": 2}], "'w*' is named twice"),
        ([{"files": "w*", "share": 0}], "greater than 0"),
        ([{"files": ".", "share": 1}], "files: '.' names no file"),
    ],
)
def test_settings_that_contradict(background: list[dict[str, object]], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        validate(EstimateConfig, {"background": background}, "test")


def test_cross_sections_of_the_samples_give_rates() -> None:
    background = [{"files": "w*", "cross_section": 40.0}, {"files": "z*", "cross_section": 2.0}]
    assert validate(EstimateConfig, {"background": background, "menu": {"rate": 1.0}}, "test").total_cross_section == 42
    with pytest.raises(ConfigError, match="both set the rates: give one"):
        validate(EstimateConfig, {"background": background, "cross_section": 1.0}, "test")


@pytest.fixture
def split_files(images: list[str], tmp_path: Path) -> list[str]:
    """The background twice, the second time as a rare process, and the signals."""
    for name in ("qcd.parquet", "rare.parquet"):
        shutil.copy(images[0], tmp_path / name)
    return [str(tmp_path / "qcd.parquet"), str(tmp_path / "rare.parquet"), *images[1:]]


def test_events_count_by_their_sample(split_files: list[str], trigger_path: Path) -> None:
    choice = ScoreChoice(Trigger(trigger_path), ("pixel_sum", "n_tracks"))
    qcd, rare = {"files": "qcd.*"}, {"files": "rare.*"}
    config = validate(
        EventsConfig, {"background": [qcd | {"share": 0.8}, rare | {"share": 0.2}], "weights": "unit"}, "test"
    )
    background, files = read_background(choice, split_files, config)
    assert files == split_files[:2]
    n_events = len(read_image_file(split_files[0]))
    assert len(background) == 2 * n_events
    np.testing.assert_allclose(background.weight[:n_events] / background.weight[n_events:], 4)
    assert background.weight.sum() == pytest.approx(background.n_effective)
    assert background.n_effective == pytest.approx(n_events / (0.8**2 + 0.2**2))

    config = validate(
        EventsConfig, {"background": [qcd | {"cross_section": 3.0}, rare | {"cross_section": 1.0}]}, "test"
    )
    dataset = read_events([choice], split_files, config)
    weight = read_image_file(split_files[0]).weight
    ratio = dataset.background.weight[:n_events] / (3 * weight)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    np.testing.assert_allclose(dataset.background.weight[n_events:], ratio[0] * weight, rtol=1e-6)
    metadata = read_metadata(split_files[0])
    assert dataset.preselected == pytest.approx(metadata.sum_of_weights_selected / metadata.sum_of_weights_read)
    unweighted = read_events([choice], split_files, EventsConfig())
    for name, signal in unweighted.signals.items():
        np.testing.assert_array_equal(dataset.signals[name].weight, signal.weight)


def test_menu_with_the_rates_of_samples(split_files: list[str], trigger_path: Path, tmp_path: Path) -> None:
    """One sample with its cross-section is the same as the cross-section of all background."""

    def made(name: str, text: str, *options: str) -> dict[str, dict[str, dict[str, float]]]:
        (tmp_path / f"{name}.yaml").write_text(text)
        arguments = ["menu", str(trigger_path), *split_files, "--scores", "pixel_sum", "n_tracks", *options]
        arguments += ["--config", str(tmp_path / f"{name}.yaml"), "-o", str(tmp_path / f"{name}.menu.yaml")]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return dict(yaml.safe_load((tmp_path / f"{name}.menu.yaml").read_text()))

    working_point = "working_point: 0.3"
    samples = "background: [{files: '*.parquet', cross_section: 1000}]"
    found = made("samples", f"{{{working_point}, {samples}}}")
    total = made("total", f"{{{working_point}}}", "--cross-section", "1000")
    for region, expected in total.pop("expected").items():
        assert found["expected"][region] == pytest.approx(expected, rel=1e-9)
    assert {name: value for name, value in found.items() if name != "expected"} == total
    metadata = read_metadata(split_files[0])
    rate = 1000 * PICOBARN * 2e34 * metadata.sum_of_weights_selected / metadata.sum_of_weights_read
    assert sum(item["rate"] for item in found["expected"].values()) == pytest.approx(rate)
