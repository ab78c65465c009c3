"""The commands estimate and menu on real Delphes events."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.estimate import make_menu
from analysis.estimation.config import EstimateConfig, EventsConfig
from analysis.estimation.events import ScoreChoice, read_events
from analysis.menu import read_menu
from analysis.store import read_histograms_json
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, ConfigError
from darktrigger.files import fingerprint
from imaging.image_file import read_image_file
from imaging.split import EntrySplit

SETTINGS = "{efficiencies: [0.1, 0.3], working_point: 0.3, closure: {pairs: 5, uncertainty: 0.1}}"

SCRIPT = """
import sys
from analysis.cli import app
app(sys.argv[1:], standalone_mode=False)
print("forbidden:", sorted({"torch", "lightning", "ml"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, images: list[str], trigger_path: Path) -> Path:
    """What the command writes, in an interpreter of its own, warnings being errors."""
    folder = tmp_path_factory.mktemp("estimate")
    (folder / "settings.yaml").write_text(SETTINGS)
    arguments = [str(trigger_path), *images, "--scores", "pixel_sum", "total_e_t_hcal", "-o", str(folder / "out")]
    options = ["--config", str(folder / "settings.yaml"), "--seed", "3", "--single-score", "forward"]
    options += ["--sample-events", "20000", "--truth", "closing", "--signal-fraction", "0.02", "--cross-section", "1e6"]
    options += ["--weights", "unit", "--training", str(trigger_path), "--experiments", "200"]
    command = [sys.executable, "-W", "error", "-c", SCRIPT, "estimate", *arguments, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("forbidden: []\n")
    named = {Path(line) for line in done.stdout.splitlines()[:-1]}
    assert named == {path for path in (folder / "out").rglob("*") if path.is_file()}
    return folder / "out"


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    return dict(json.loads((folder / "summary.json").read_text(), parse_constant=refuse))


def test_summary(summary: dict[str, Any], trigger_path: Path, images: list[str]) -> None:
    assert summary["pair"]["scores"] == ["pixel_sum", "total_e_t_hcal"]
    assert summary["pair"]["fingerprint"] == fingerprint(trigger_path) == summary["menu"]["trigger"]
    assert summary["samples"]["background"]["events"] == len(read_image_file(images[0]))
    assert summary["sample_events"] == 20000
    assert set(summary["fit"]) <= {"SUEP 1000", "SVJ 3100"} == set(summary["sic"])
    assert 0 < summary["distance_correlation"]["squared"] < 1
    assert summary["config"]["seed"] == 3
    # Trainings of one file do not differ.
    for item in summary["stability"].values():
        assert item["spread"] in {0, None}
    for name, points in summary["significance"].items():
        for point in points:
            if name == "SM only":
                assert point["uncorrected"] == pytest.approx(0, abs=1e-9)
            elif point["single"] is not None:
                assert point["corrected"] >= 0 <= point["fitted"]


def test_regions_are_those_of_the_events(summary: dict[str, Any], trigger_path: Path, images: list[str]) -> None:
    background = read_image_file(images[0])
    pixels = Trigger(trigger_path).scores(background.images)["pixel_sum"]
    hcal = np.asarray(background.images.hcal.sum(axis=1))
    estimate = summary["diagonal"]["0.3"]
    first, second = estimate["thresholds"]
    x, y = pixels >= first, hcal >= np.float32(second)
    expected = [int(mask.sum()) for mask in (x & y, x & ~y, ~x & y, ~x & ~y)]
    assert [estimate["events"][name] for name in "abcd"] == expected
    assert expected[0] <= 0.3 * len(background)


def test_tables_and_histograms(folder: Path, summary: dict[str, Any]) -> None:
    tables = ("closure", "significance", "fit", "experiments", "sic", "rates", "stability")
    for name in tables:
        assert (folder / f"{name}.md").read_text().startswith("### ")
    with (folder / "experiments.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["drawn from"], row["experiments"]) for row in rows} == {("simulation", "200"), ("closing", "200")}
    planes = read_histograms_json(folder / "histograms.json")
    assert (
        planes["background"]["plane_pixel_sum_total_e_t_hcal_counts"].sum()
        == summary["samples"]["background"]["events"]
    )
    plots = {path.stem for path in (folder / "plots").glob("*.png")}
    assert {
        "closure", "significance", "significance_fit", "significance_single", "stability", "rates", "sculpting_ht",
        "sculpting_ecal_cells", "sic_map_svj_3100",
    } <= plots  # fmt: skip


def test_rates(summary: dict[str, Any], folder: Path, images: list[str]) -> None:
    selected = read_image_file(images[0])
    menu = read_menu(folder / "menu.yaml")
    assert menu.scores == ("pixel_sum", "total_e_t_hcal")
    assert menu.luminosity == 2e34
    for point in summary["rates"]:
        assert sum(point["efficiencies"].values()) == pytest.approx(1)
        assert point["recorded"] <= 1 + 1e-9
        share = point["rate"] / point["efficiencies"]["a"]
        assert point["recorded_rate"] == pytest.approx(share * point["recorded"])
        overlap = point["overlap"]["background"]
        assert overlap["pure"]["value"] <= overlap["signal_region"]["value"]
        # 1e6 pb at 2e34 per cm2 and s, less what the preselection refuses.
        assert 0.02 * 1e6 * 0.3 < share < 0.02 * 1e6
    assert len(selected) > 0


@pytest.mark.parametrize("rate", [None, 500.0])
def test_menu_of_an_efficiency_or_a_rate(
    rate: float | None, images: list[str], trigger_path: Path, tmp_path: Path
) -> None:
    arguments = [
        "menu",
        str(trigger_path),
        *images,
        "--scores",
        "pixel_sum",
        "n_tracks",
        "-o",
        str(tmp_path / "m.yaml"),
    ]
    options = ["--efficiency", "0.2"] if rate is None else ["--rate", str(rate), "--cross-section", "1e6"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    found = read_menu(tmp_path / "m.yaml")
    if rate is None:
        assert found.expected["a"].efficiency <= 0.2
        assert found.expected["a"].rate is None
    else:
        assert found.expected["a"].rate is not None
        assert found.expected["a"].rate <= rate
    assert sum(item.efficiency for item in found.expected.values()) == pytest.approx(1)


def test_what_cannot_be_estimated(images: list[str], trigger_path: Path) -> None:
    trigger = Trigger(trigger_path)
    with pytest.raises(AnalysisError, match="no score 'mse1'; it gives pixel_sum"):
        ScoreChoice(trigger, ("mse1", "n_tracks"))
    choice = ScoreChoice(trigger, ("pixel_sum", "n_tracks"))
    for paths in (images[:1], images[1:]):
        with pytest.raises(AnalysisError, match=r"needs background \(label 0\) and a signal; found labels: "):
            read_events([choice], paths, EventsConfig(weights="unit"))
    with pytest.raises(ConfigError, match="both set the working point"):
        _config({"menu": {"rate": 10.0}, "cross_section": 1.0, "thresholds": [1.0, 2.0]})
    with pytest.raises(ConfigError, match=r"menu.rate needs a cross_section"):
        _ = _config({"menu": {"rate": 10.0}})


def _config(settings: dict[str, Any]) -> EstimateConfig:
    from darktrigger.config import validate

    return validate(EstimateConfig, settings, "test")


def test_entries_of_the_background_alone_are_split(images: list[str], trigger_path: Path) -> None:
    choice = ScoreChoice(Trigger(trigger_path), ("pixel_sum", "n_tracks"))
    both = [
        read_events([choice], images, EventsConfig(background_entries=EntrySplit(modulo=2, keep=(k,)))) for k in (0, 1)
    ]
    background = read_image_file(images[0])
    assert len(both[0].background) + len(both[1].background) == len(background)
    assert len(both[0].signals["SVJ 3100"]) == len(both[1].signals["SVJ 3100"])
    assert both[0].preselected == both[1].preselected
    assert both[0].background.weight.sum() + both[1].background.weight.sum() == pytest.approx(background.weight.sum())
    config = EstimateConfig(working_point=0.3)
    assert make_menu(choice, images, config) == make_menu(choice, images, config)
    free = make_menu(choice, images, config.model_copy(update={"thresholds": (90.0, 120.0)}))
    assert free.thresholds == (90.0, 120.0)
