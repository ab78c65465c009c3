"""Evaluation on labelled image files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.evaluate import evaluate
from analysis.evaluation.config import DominanceConfig, EvaluationConfig
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, InputFileError
from imaging.image_file import read_image_file
from imaging.image_set import ImageSet

#: Settings that take less time.
QUICK = EvaluationConfig(dominance=DominanceConfig(subsets=20, bootstraps=20), latency_calls=10)

BASELINES = {"n_tracks", "lit_pixels", "crowding", "hcal_cells", "total_e_t_trk", "total_e_t_ecal", "total_e_t_hcal"}


def pairs(signal: np.ndarray, background: np.ndarray, s: ImageSet, b: ImageSet) -> float:
    """Weighted AUROC from every pair of events, per cent."""
    kernel = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    w_s, w_b = s.weight.astype(float), b.weight.astype(float)
    return float(100 * w_s @ kernel @ w_b / (w_s.sum() * w_b.sum()))


def evaluated(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return loaded


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time."""
    monkeypatch.setattr("analysis.evaluate.draw_evaluation", lambda *_: [])


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory, images: dict[str, Path], trigger_path: Path) -> Path:
    """What the command writes for one model."""
    folder = tmp_path_factory.mktemp("evaluation")
    settings = folder / "settings.yaml"
    settings.write_text("dominance: {subsets: 20, bootstraps: 20}")
    arguments = ["evaluate", str(trigger_path), *map(str, images.values()), "-o", str(folder / "out")]
    done = CliRunner().invoke(app, [*arguments, "--config", str(settings), "--seed", "7"])
    assert done.exit_code == 0, done.output
    named = {Path(line) for line in done.stdout.splitlines()}
    assert named == {path for path in (folder / "out").rglob("*") if path.is_file()}
    return folder / "out"


def test_every_score_against_pairs_of_events(single: Path, images: dict[str, Path]) -> None:
    found = {(item["score"], item["column"]): item for item in evaluated(single)["auroc"]}
    background = read_image_file(images["qcd"])
    for name, column in (("suep1000", "SUEP 1000"), ("svj3100", "SVJ 3100")):
        signal = read_image_file(images[name])
        n_tracks = signal.n_tracks.astype(int), background.n_tracks.astype(int)
        assert found["n_tracks", column]["value"] == pytest.approx(pairs(*n_tracks, signal, background))
        hcal = [events.images.hcal.sum(axis=1) for events in (signal, background)]
        assert found["total_e_t_hcal", column]["value"] == pytest.approx(pairs(hcal[0], hcal[1], signal, background))
    assert {score for score, _ in found} == BASELINES | {"pixel_sum", "forward", "emptiness"}
    assert evaluated(single)["config"]["seed"] == 7


def test_unit_weights_count_every_event_once(
    tmp_path: Path, images: dict[str, Path], trigger_path: Path, no_plots: None
) -> None:
    config = QUICK.model_copy(update={"weights": "unit"})
    evaluate([Trigger(trigger_path)], [str(path) for path in images.values()], tmp_path, config)
    found = {(item["score"], item["column"]): item["value"] for item in evaluated(tmp_path)["auroc"]}
    signal, background = read_image_file(images["svj3100"]), read_image_file(images["qcd"])
    assert len(set(background.weight.tolist())) > 1
    s, b = signal.n_tracks.astype(int), background.n_tracks.astype(int)
    expected = 100 * ((s[:, None] > b) + 0.5 * (s[:, None] == b)).mean()
    assert found["n_tracks", "SVJ 3100"] == pytest.approx(expected)


def test_tables(single: Path) -> None:
    with (single / "auroc.csv").open() as stream:
        rows = {row["score"]: row for row in csv.DictReader(stream)}
    row = rows["pixel_sum"]
    assert (row["model"], row["seeds"]) == ("counting", "1")
    assert row["mAUC SUEP"] == row["SUEP 1000"]
    assert float(row["SVJ 3100 low"]) < float(row["SVJ 3100"]) < float(row["SVJ 3100 high"])
    assert row["SVJ 3100 paper"] == ""
    # The dark pixels carry the same information as the lit ones.
    assert rows["emptiness"]["SVJ 3100"] == row["SVJ 3100"] == rows["lit_pixels"]["SVJ 3100"]
    tracks = rows["n_tracks"]
    assert float(tracks["SVJ 3100 paper"]) == 89.32
    difference = float(tracks["SVJ 3100"]) - 89.32
    assert float(tracks["SVJ 3100 difference"]) == pytest.approx(difference, abs=1e-3)
    markdown = (single / "fpr.md").read_text()
    assert markdown.startswith("### FPR [%] at 40% TPR")
    assert "| n_tracks |" in markdown
    assert "(paper 1.599, " in markdown


def test_almost_stochastic_order_of_every_score_with_every_other(single: Path) -> None:
    with (single / "dominance.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    pair = {(row["score"], row["other score"]): float(row["SUEP 1000"]) for row in rows}
    assert len(pair) == 3 * (2 + len(BASELINES))
    assert pair["pixel_sum", "emptiness"] >= 0.5
    assert pair["pixel_sum", "total_e_t_hcal"] == 0
    assert pair["pixel_sum", "lit_pixels"] >= 0.5
    assert "### counting: pixel\\_sum" in (single / "dominance.md").read_text().replace("_", "\\_")


def test_model_without_reconstruction_says_so(single: Path) -> None:
    assert "the model file has no output 'reconstruction'" in (single / "reconstruction.md").read_text()
    assert evaluated(single)["reconstruction"][0]["figures"] == {}
    drawn = {path.name for path in (single / "plots").iterdir()}
    assert {
        "masses_suep.pdf",
        "roc_counting_suep_1000.png",
        "score_counting_forward.pdf",
        "score_hcal_cells.png",
    } <= drawn
    assert not [name for name in drawn if name.startswith(("reconstructions", "sums", "latents", "compression"))]


def test_reconstructions_and_latents(make_model: Callable[..., Path], images: dict[str, Path], tmp_path: Path) -> None:
    content = {"reconstruction": 0.75, "names": ("z1", "z2", "bce")}
    scores = {
        name: {"direction": direction} for name, direction in (("z1", "lower"), ("z2", "higher"), ("bce", "lower"))
    }
    path = make_model("dimming", content, reconstruction=True, family="codae", scores=scores)
    written = evaluate([Trigger(path)], [str(image) for image in images.values()], tmp_path / "out", QUICK)
    background = read_image_file(images["qcd"])
    weight = background.weight.astype(float)
    lit = np.array([len(set(zip(*np.nonzero(image), strict=True))) for image in _masks(background)])
    rows = {row["model"]: row for row in evaluated(tmp_path / "out")["reconstruction"]}
    figures = rows["codae"]["figures"]
    assert figures["MSE"]["value"] == pytest.approx(np.average(lit, weights=weight) / 16)
    assert figures["MSE"]["paper"]["value"] == 5.5
    deviation = np.sqrt(np.average((lit - np.average(lit, weights=weight)) ** 2, weights=weight)) / 16
    assert figures["MSE deviation"]["value"] == pytest.approx(deviation)
    assert 0.5 < figures["SSIM"]["value"] < 1
    assert rows["empty image (coarse mask)"]["figures"]["MSE"]["value"] == pytest.approx(16 * figures["MSE"]["value"])
    drawn = {path.stem for path in written if path.suffix == ".png"}
    assert {
        "latents_codae",
        "sums_codae",
        "reconstructions_codae_background",
        "reconstructions_codae_suep_1000",
    } <= drawn


def _masks(events: ImageSet) -> np.ndarray:
    from imaging.dense import coarse_mask

    return coarse_mask(events.images)[:, 0]


@pytest.mark.usefixtures("no_plots")
def test_seeds_are_averaged_and_models_compared(
    make_model: Callable[..., Path], images: dict[str, Path], tmp_path: Path
) -> None:
    seeds = [make_model(f"seed{n}", {"forward_columns": n}, seed=n) for n in (5, 15, 25)]
    other = make_model("other", family="other", seed=5)
    arguments = ["evaluate", str(seeds[0]), str(images["qcd"]), str(images["svj3100"]), "-o", str(tmp_path / "out")]
    arguments += ["--trigger", str(seeds[1]), "--trigger", str(seeds[2]), "--trigger", str(other)]
    (tmp_path / "quick.yaml").write_text("dominance: {subsets: 20, bootstraps: 20}")
    done = CliRunner().invoke(app, [*arguments, "--config", str(tmp_path / "quick.yaml")])
    assert done.exit_code == 0, done.output
    found = evaluated(tmp_path / "out")
    assert [(model["name"], model["seeds"]) for model in found["models"]] == [("counting", [5, 15, 25]), ("other", [5])]
    signal, background = (read_image_file(images[name]) for name in ("svj3100", "qcd"))
    areas = []
    for path in seeds:
        values = [Trigger(path).scores(events.images)["forward"] for events in (signal, background)]
        areas.append(pairs(values[0], values[1], signal, background))
    cells = {(c["model"], c["score"], c["column"]): c for c in found["auroc"]}
    cell = cells["counting", "forward", "SVJ 3100"]
    assert cell["value"] == pytest.approx(np.mean(areas))
    assert cell["spread"] == pytest.approx(np.std(areas, ddof=1))
    assert cells["other", "forward", "SVJ 3100"]["value"] == pytest.approx(areas[1])
    assert cells["other", "forward", "SVJ 3100"]["spread"] is None
    assert "| counting: forward (3 seeds) |" in (tmp_path / "out" / "auroc.md").read_text()


@pytest.mark.usefixtures("no_plots")
def test_compressed_models_beside_their_reference(
    make_model: Callable[..., Path], images: dict[str, Path], tmp_path: Path
) -> None:
    full, small = make_model("full", precision="fp32"), make_model("small", {"forward_columns": 9}, precision="int8")
    paths = [str(path) for path in images.values()]
    evaluate([Trigger(small)], paths, tmp_path / "out", QUICK, reference=Trigger(full))
    found = evaluated(tmp_path / "out")
    assert [Path(item["path"]).name for item in found["compression"]] == ["full.onnx", "small.onnx"]
    reference, compressed = found["compression"]
    assert compressed["megabytes"] == pytest.approx(small.stat().st_size / 1e6)
    assert 0 < compressed["latency"]["median"] <= compressed["latency"]["percentile_99"]
    assert reference["changes"] == {}
    assert compressed["changes"]["pixel_sum"]["SVJ"] == {"value": 0.0, "uncertainty": 0.0}
    cells = {(c["model"], c["score"], c["column"]): c["value"] for c in found["auroc"]}
    change = cells["counting (small)", "forward", "mAUC SVJ"] - cells["counting (full)", "forward", "mAUC SVJ"]
    assert compressed["changes"]["forward"]["SVJ"]["value"] == pytest.approx(change)
    assert "### Change in AUROC against full.onnx" in (tmp_path / "out" / "compression.md").read_text()


@pytest.mark.usefixtures("no_plots")
def test_the_papers_own_files(make_model: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name, chance in (("qcd_a", 0.02), ("suep_gensim_h400_phi2_1", 0.05)):
        pixels = (rng.random((40, 72, 58, 3)) < chance) * rng.exponential(5, (40, 72, 58, 3))
        arrays = {"n_tracks": (pixels[..., 0] > 0).sum((1, 2)) + 2} if name == "qcd_a" else {}
        np.savez(tmp_path / f"{name}.npz", images=pixels.astype(np.float32), **arrays)
        np.savez(tmp_path / f"{name}_sum.npz", images=pixels.sum(-1, keepdims=True).astype(np.float32))
    files = [str(tmp_path / f"{name}.npz") for name in ("qcd_a", "suep_gensim_h400_phi2_1")]
    sums = [str(tmp_path / f"{name}_sum.npz") for name in ("qcd_a", "suep_gensim_h400_phi2_1")]
    models = [
        Trigger(make_model("mask")),
        Trigger(make_model("energy", {"event_shape": (3, 72, 58)}, **_kind("coarse E_T"))),
    ]
    evaluate(models, files, tmp_path / "out", QUICK)
    cells = {(c["model"], c["score"], c["column"]): c["value"] for c in evaluated(tmp_path / "out")["auroc"]}
    assert cells["counting (mask)", "pixel_sum", "SUEP 400"] == cells["", "lit_pixels", "SUEP 400"] > 99
    assert cells["counting (energy)", "pixel_sum", "SUEP 400"] > 99
    # The signal file does not tell the number of tracks.
    assert cells["", "n_tracks", "SUEP 400"] is None
    fine = make_model("fine", {"event_shape": (3, 288, 360)}, **_kind("fine"))
    with pytest.raises(InputFileError, match=r"qcd_a\.npz: holds coarse images; .*'fine' needs image files"):
        evaluate([Trigger(fine)], files, tmp_path / "none", QUICK)
    with pytest.raises(InputFileError, match=r"qcd_a_sum\.npz: holds the sum of tracker, ECAL and HCAL"):
        evaluate(models[:1], sums, tmp_path / "none", QUICK)
    summed = make_model("summed", {"event_shape": (3, 72, 58)}, **_kind("coarse E_T", sums_channels=True))
    evaluate([Trigger(summed)], sums, tmp_path / "sums", QUICK)
    again = {(c["score"], c["column"]): c["value"] for c in evaluated(tmp_path / "sums")["auroc"]}
    assert again["pixel_sum", "SUEP 400"] == pytest.approx(cells["counting (energy)", "pixel_sum", "SUEP 400"], abs=0.1)
    assert again["lit_pixels", "SUEP 400"] is None
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("no_plots")
def test_events_of_the_paper(make_model: Callable[..., Path], shared: Path, tmp_path: Path) -> None:
    folder = shared / "paper-events"
    if not folder.is_dir():
        pytest.skip(f"needs the paper's events in {folder}")
    summed = make_model("summed", {"event_shape": (3, 72, 58)}, **_kind("coarse E_T", sums_channels=True))
    (tmp_path / "quick.yaml").write_text("dominance: {subsets: 20, bootstraps: 20}")
    arguments = ["evaluate", str(summed), str(folder / "supervised" / "valid" / "*.npz"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--config", str(tmp_path / "quick.yaml")])
    assert done.exit_code == 0, done.output
    found = evaluated(tmp_path / "out")
    events = {item["name"]: item["events"] for item in found["samples"]}
    assert events == {
        "background": 171, "SUEP 125": 4, "SUEP 400": 19, "SUEP 700": 38, "SUEP 1000": 46,
        "SVJ 2100": 48, "SVJ 3100": 50, "SVJ 4100": 50,
    }  # fmt: skip
    values = {c["column"]: c["value"] for c in found["auroc"] if c["score"] == "pixel_sum"}
    energies = {}
    for name in ("qcd_gensim_110_2", "svj_4100_34155_4"):
        energies[name] = np.load(folder / "supervised" / "valid" / f"{name}.npz")["images"].sum((1, 2, 3))
    kernel = energies["svj_4100_34155_4"][:, None] > energies["qcd_gensim_110_2"]
    assert values["SVJ 4100"] == pytest.approx(100 * kernel.mean(), abs=0.05)


def _kind(kind: str, **more: Any) -> dict[str, Any]:
    return {"input": {"kind": kind, "normalisation": "none", **more}}


@pytest.mark.usefixtures("no_plots")
def test_fine_images(make_model: Callable[..., Path], images: dict[str, Path], tmp_path: Path) -> None:
    path = make_model("energy", {"event_shape": (3, 288, 360), "reconstruction": 0.5}, **_kind("fine"))
    evaluate([Trigger(path)], [str(images[name]) for name in ("qcd", "suep1000")], tmp_path, QUICK)
    background = read_image_file(images["qcd"])
    squares = sum(np.asarray(matrix.power(2).sum(axis=1)) for matrix in _fine(background))
    rows = {row["model"]: row["figures"] for row in evaluated(tmp_path)["reconstruction"]}
    expected = np.average(squares, weights=background.weight) / 4
    assert rows["counting"]["MSE"]["value"] == pytest.approx(expected, rel=1e-4)
    assert 0 < rows["counting"]["SSIM"]["value"] < 1


def _fine(events: ImageSet) -> list[Any]:
    from imaging.dense import upsample_hcal

    return [events.images.trk, events.images.ecal, upsample_hcal(events.images.hcal)]


def test_figures_of_energy(make_model: Callable[..., Path], images: dict[str, Path], tmp_path: Path) -> None:
    path = make_model("energy", {"event_shape": (3, 72, 58), "reconstruction": 0.5}, **_kind("coarse E_T"))
    paths = [str(images[name]) for name in ("qcd", "suep1000")]
    written = evaluate([Trigger(path)], paths, tmp_path, QUICK.model_copy(update={"examples": 1}))
    assert {"sums_counting.png", "reconstructions_counting_background.png"} <= {item.name for item in written}
    assert "GeV" not in {path.stem for path in written}


@pytest.mark.parametrize("name", ["qcd", "suep1000"])
def test_background_and_signal_are_needed(
    name: str, images: dict[str, Path], trigger_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Found before any event is scored.
    monkeypatch.setattr(Trigger, "batches", None)
    with pytest.raises(AnalysisError, match=r"needs background \(label 0\) and a signal; found labels: [01]$"):
        evaluate([Trigger(trigger_path)], [str(images[name])], tmp_path)


def test_names_of_the_papers_files_tell_that_a_signal_is_missing(
    make_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_NHWC = np.zeros((4, 72, 58, 3), np.float32)
    np.savez(tmp_path / "qcd_gensim_1.npz", images=image_NHWC)
    monkeypatch.setattr(Trigger, "batches", None)
    model = make_model("coarse", {"event_shape": (3, 72, 58)}, **_kind("coarse E_T"))
    with pytest.raises(AnalysisError, match=r"found labels: 0$"):
        evaluate([Trigger(model)], [str(tmp_path / "qcd_gensim_1.npz")], tmp_path)


@pytest.mark.usefixtures("no_plots")
def test_order_of_files_and_batches_change_nothing(
    images: dict[str, Path], trigger_path: Path, tmp_path: Path, single: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.evaluation.collect._STEP", 7)
    config = QUICK.model_copy(update={"batch_size": 5})
    evaluate([Trigger(trigger_path)], [str(path) for path in reversed(images.values())], tmp_path, config)
    again, before = evaluated(tmp_path), evaluated(single)
    for figure in ("auroc", "fpr"):
        assert again[figure] == before[figure]


@pytest.mark.usefixtures("no_plots")
def test_half_of_the_background(images: dict[str, Path], trigger_path: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", str(trigger_path), str(images["qcd"]), str(images["svj3100"]), "-o", str(tmp_path / "out")]
    (tmp_path / "quick.yaml").write_text("dominance: {subsets: 4, bootstraps: 10}\nexamples: 0")
    options = ["--config", str(tmp_path / "quick.yaml"), "--background-entries", "2:1", "--target-tpr", "0.3"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    samples = {item["name"]: item["events"] for item in evaluated(tmp_path / "out")["samples"]}
    background = read_image_file(images["qcd"])
    assert samples["background"] == (background.entry % 2 == 1).sum()
    # The papers quote 40%.
    assert "paper" not in (tmp_path / "out" / "fpr.md").read_text().split("\n\n")[1]


def test_config_with_an_unknown_key_is_refused(images: dict[str, Path], trigger_path: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("dominance: {subset: 4}")
    arguments = ["evaluate", str(trigger_path), str(images["qcd"]), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--config", str(tmp_path / "bad.yaml")])
    assert "unknown key 'subset'; did you mean 'subsets'?" in str(done.exception)
