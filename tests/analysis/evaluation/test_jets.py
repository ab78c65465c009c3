"""Evaluation on jet image files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from scipy.sparse import csr_array
from typer.testing import CliRunner

from analysis.cli import app
from analysis.evaluate import evaluate
from analysis.evaluation import collect, mmd
from analysis.evaluation.config import DominanceConfig, EvaluationConfig
from analysis.evaluation.mmd import squared_mmd
from analysis.evaluation.samples import BACKGROUND
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, InputFileError, ModelFileError
from imaging.jets.config import JetConfig, JetSelection
from imaging.jets.convert import JetSample, convert_jets
from imaging.jets.jet_file import JetMetadata, read_jet_files, write_jet_file
from imaging.jets.jet_set import JET_COLUMNS, JetSet
from imaging.jets.jet_source import open_jets

QUICK = EvaluationConfig(dominance=DominanceConfig(subsets=20, bootstraps=20))


def write(path: Path, label: int, brightness: float, mass: float = 0.0) -> Path:
    """Jets of 30 random pixels each."""
    rng = np.random.default_rng(label)
    n = 60
    images = np.zeros((n, 1600), dtype=np.float32)
    for row in images:
        row[rng.choice(1600, 30, replace=False)] = rng.exponential(brightness, 30)
    columns: dict[str, Any] = {name: np.ones(n, dtype=dtype) for name, dtype in JET_COLUMNS.items()}
    columns |= {"label": np.full(n, label, dtype=np.uint8), "entry": np.arange(n, dtype=np.uint64)}
    columns |= {"mass": np.full(n, mass, dtype=np.float32), "jet_mass": rng.normal(100, 10, n).astype(np.float32)}
    metadata = JetMetadata(
        process=str(label),
        label_names={0: "QCD", 1: "top", 3: "Heidelberg"},
        source_files=(),
        events_read=n,
        jets_selected=n,
        sum_of_weights_read=n,
        sum_of_weights_selected=n,
        algorithm="as in the source file",
        selection=JetSelection(),
        versions={},
    )
    with write_jet_file(path) as writer:
        writer.write(JetSet(csr_array(images), **columns))
        writer.write_metadata(metadata)
    return path


@pytest.fixture(scope="module")
def jet_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("jets")
    return [
        write(folder / "qcd.parquet", 0, 20),
        write(folder / "top.parquet", 1, 25),
        write(folder / "dark.parquet", 3, 40, mass=550),
    ]


@pytest.fixture(scope="module")
def jet_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Energy: the sum of the image in GeV; prepared: a hundredth; reconstruction: half of that.

    Latents: the sums of three groups of columns, put on the unit sphere.
    """
    shape = [1, 40, 40]
    nodes = [
        helper.make_node("ReduceSum", ["image", "axes"], ["energy"], keepdims=0),
        helper.make_node("Mul", ["image", "unit"], ["prepared"]),
        helper.make_node("Mul", ["prepared", "half"], ["reconstruction"]),
        helper.make_node("ReduceSum", ["prepared", "rows"], ["columns"], keepdims=0),
        helper.make_node("MatMul", ["columns", "groups"], ["encoded"]),
        helper.make_node("LpNormalization", ["encoded"], ["latent"], axis=1, p=2),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
        numpy_helper.from_array(np.array([1, 2]), "rows"),
        numpy_helper.from_array(np.eye(3, dtype=np.float32)[np.arange(40) * 3 // 40], "groups"),
        numpy_helper.from_array(np.array(0.01, dtype=np.float32), "unit"),
        numpy_helper.from_array(np.array(0.5, dtype=np.float32), "half"),
    ]
    sizes = {"energy": [], "prepared": shape, "reconstruction": shape, "latent": [3]}
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *size]) for name, size in sizes.items()],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    metadata = {
        "family": "nae",
        "config": {"front": {"power": 0.3}},
        "input": {"kind": "jet"},
        "scores": {"energy": {"direction": "higher"}},
        "reconstruction": True,
        "landscape": {"energy": np.ones((3, 4)).cumsum(1).tolist(), "chains": [[[-3, 0], [3, 1]], [[0, 0]]]},
    }
    helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    path = tmp_path_factory.mktemp("model") / "nae.onnx"
    onnx.save(model, path)
    return path


def test_trigger_takes_jets(jet_model: Path, jet_files: list[Path]) -> None:
    jets = read_jet_files(jet_files[:1])
    trigger = Trigger(jet_model)
    np.testing.assert_allclose(trigger.scores(jets.images, 7)["energy"], jets.images.sum(axis=1), rtol=1e-5)
    batch = next(trigger.batches(jets.images, 7, reconstruction=True))
    np.testing.assert_allclose(batch.image.reshape(7, -1), jets.images[:7].toarray() / 100, rtol=1e-5)
    assert batch.reconstruction is not None
    assert batch.latent is not None
    assert batch.latent.shape == (7, 3)


@pytest.fixture(scope="module")
def written(jet_model: Path, jet_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    evaluate([Trigger(jet_model)], [str(path) for path in jet_files], folder, QUICK)
    return folder


def cells(folder: Path, table: str) -> dict[tuple[str, str], Any]:
    found = json.loads((folder / "evaluation.json").read_text())[table]
    return {(item["score"], item["column"]): item for item in found}


def test_rejection_against_the_jets_themselves(written: Path, jet_model: Path, jet_files: list[Path]) -> None:
    energies = [read_jet_files([path]).images.sum(axis=1) for path in jet_files]
    rejection = cells(written, "rejection")
    for column, signal in (("top", energies[1]), ("Heidelberg 550", energies[2])):
        threshold = np.sort(signal)[::-1][int(np.ceil(0.2 * len(signal))) - 1]
        passing = (energies[0] >= threshold).mean()
        expected = 1 / passing if passing else None
        assert rejection["energy", column]["value"] == (expected if expected is None else pytest.approx(expected))
    area = cells(written, "auroc")["energy", "top"]
    kernel = energies[1][:, None] > energies[0]
    assert area["value"] == pytest.approx(100 * kernel.mean(), rel=1e-5)
    assert area["paper"]["value"] == 91.4
    assert cells(written, "auroc")["energy", "Heidelberg 550"]["paper"] == {
        "value": 79.6,
        "is_approximate": False,
        "source": "NAE paper (arXiv:2206.14225), figure 9, n = 0.3",
    }


@pytest.mark.parametrize("config", [{"front": {"power": 0.25}}, None, {"front": 0.2}])
def test_the_papers_figures_for_another_power_are_not_ours(
    config: Any, jet_model: Path, jet_files: list[Path], tmp_path: Path
) -> None:
    model = onnx.load(jet_model)
    metadata = json.loads(model.metadata_props[0].value) | {"config": config}
    helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    onnx.save(model, tmp_path / "nae.onnx")
    evaluate([Trigger(tmp_path / "nae.onnx")], [str(path) for path in jet_files], tmp_path / "out", QUICK)
    for table in ("auroc", "rejection"):
        assert cells(tmp_path / "out", table)["energy", "Heidelberg 550"]["paper"] is None
    # Tops the paper has with p_T itself alone, so that is all there is to compare with.
    assert cells(tmp_path / "out", "auroc")["energy", "top"]["paper"]["value"] == 91.4


def test_jets_have_baselines_and_pictures_of_their_own(written: Path) -> None:
    scores = {score for score, _ in cells(written, "auroc")}
    assert scores == {"energy", "n_constituents", "jet_mass", "p_t_d"}
    plots = {path.stem for path in (written / "plots").glob("*.png")}
    assert {"roc_nae_top", "score_nae_energy", "reconstructions_nae_top", "reconstructions_nae_background"} <= plots
    assert {"landscape_nae", "worst_nae"} <= plots


def test_distance_of_samples(written: Path) -> None:
    found = {item["benchmark"]: item for item in json.loads((written / "evaluation.json").read_text())["mmd"]}
    assert found["Heidelberg 550"]["latents"] > found["top"]["latents"]
    header = (written / "mmd.csv").read_text().splitlines()[0]
    assert header == "model,benchmark,events,images,latents,worst_events,worst_images,worst_latents"
    # Fewer jets than are kept: the worst are all of them, in another order.
    for item in found.values():
        assert item["worst_events"] == item["events"]
        assert item["worst_images"] == pytest.approx(item["images"], rel=1e-5)


def test_the_first_and_the_worst_jets_are_kept_whatever_the_pieces(
    jet_model: Path, jet_files: list[Path], monkeypatch: Any
) -> None:
    monkeypatch.setattr(collect, "_FIRST", 13)
    monkeypatch.setattr(collect, "_WORST", 8)
    monkeypatch.setattr(collect, "_PIECE", 10)
    monkeypatch.setattr(collect, "_STEP", 5)
    found = collect.collect([Trigger(jet_model)], [open_jets(path) for path in jet_files], QUICK)
    image = read_jet_files(jet_files[:1]).images.toarray() / 100
    error = np.square(image / 2).mean(axis=1)
    np.testing.assert_allclose(found[BACKGROUND].points[str(jet_model)].image, image[:13], rtol=1e-5)
    worst = found[BACKGROUND].worst[str(jet_model)]
    np.testing.assert_allclose(worst.error, np.sort(error)[::-1][:8], rtol=1e-4)
    np.testing.assert_allclose(worst.image.reshape(8, -1), image[np.argsort(-error)[:8]], rtol=1e-5)


@pytest.mark.parametrize(
    ("landscape", "message"),
    [
        ({"energy": [[1.0, 2.0], [3.0]]}, "table of two rows"),
        ({"energy": [[1.0, float("nan")], [3.0, 4.0]]}, "landscape.energy.0.1"),
        ({"energy": [[1.0, 2.0], [3.0, 4.0]], "chains": [[]]}, "landscape.chains.0"),
    ],
)
def test_a_spoilt_landscape_is_refused(jet_model: Path, tmp_path: Path, landscape: Any, message: str) -> None:
    model = onnx.load(jet_model)
    metadata = json.loads(model.metadata_props[0].value) | {"landscape": landscape}
    helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    onnx.save(model, tmp_path / "spoilt.onnx")
    with pytest.raises(ModelFileError, match=message):
        Trigger(tmp_path / "spoilt.onnx")


def test_another_class_is_background(jet_model: Path, jet_files: list[Path], tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("dominance: {subsets: 20, bootstraps: 20}")
    arguments = ["evaluate", str(jet_model), *map(str, jet_files[:2]), "-o", str(tmp_path / "out"), "--background"]
    done = CliRunner().invoke(app, [*arguments, "top", "--config", str(settings)])
    assert done.exit_code == 0, done.output
    energies = [read_jet_files([path]).images.sum(axis=1) for path in jet_files[:2]]
    area = cells(tmp_path / "out", "auroc")["energy", "QCD"]
    assert area["value"] == pytest.approx(100 * (energies[0][:, None] > energies[1]).mean(), rel=1e-5)
    assert area["paper"]["value"] == 89
    with pytest.raises(AnalysisError, match="no class is named 'tau'; the files name heidelberg, qcd, top"):
        evaluate([Trigger(jet_model)], [str(jet_files[0])], tmp_path, QUICK.model_copy(update={"background": "tau"}))


def test_models_and_files_have_to_fit(jet_model: Path, trigger_path: Path, jet_files: list[Path], images: Any) -> None:
    with pytest.raises(InputFileError, match="holds jets; a model of input kind 'coarse mask' needs images of events"):
        evaluate([Trigger(trigger_path)], [str(jet_files[0])], "unused", QUICK)
    with pytest.raises(InputFileError, match="holds events; a model of input kind 'jet' needs jet image files"):
        evaluate([Trigger(jet_model)], [str(images["qcd"])], "unused", QUICK)


def test_a_jet_model_runs_in_the_analysis(jet_model: Path, data: Path, tmp_path: Path) -> None:
    """Events by their hardest jet: the figures are those of jet image files of the same events."""
    selection = JetSelection(pt_min=200.0, pt_max=3000.0)
    labels = {"qcd": 0, "svj3100": 6}
    fileset = {
        name: {"files": [str(data / f"{name}.root")], "metadata": {"process": name, "label": label}}
        for name, label in labels.items()
    }
    (tmp_path / "fileset.yaml").write_text(yaml.safe_dump(fileset))
    # Bins so fine that no QCD event of a tenth of all weight shares one with a signal event.
    config = {
        "jets": {"selection": selection.model_dump()}, "background_efficiencies": [0.1], "axes": {"score_bins": 20_000},
    }  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    call = ["analyze", str(tmp_path / "fileset.yaml"), "--trigger", str(jet_model), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*call, "--config", str(tmp_path / "config.yaml")])
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    found = summary["signals"]["svj3100"]
    assert set(found) == {"energy", "n_tracks", "n_constituents", "jet_mass", "p_t_d"}
    jets = []
    for name, label in labels.items():
        path, sample = tmp_path / f"{name}.parquet", JetSample(process=name, label=label)
        convert_jets([str(data / f"{name}.root")], path, sample, JetConfig(selection=selection))
        jets.append(read_jet_files([path]))
        selected = summary["datasets"][name]["cutflow"][1]
        assert selected["name"] == "jet 200 to 3000 GeV"
        assert selected["events"] == len(jets[-1]) > 10
    columns = {
        "energy": [part.images.sum(axis=1) for part in jets],
        "n_constituents": [part.n_constituents.astype(float) for part in jets],
        "jet_mass": [part.jet_mass for part in jets],
        "p_t_d": [np.linalg.norm(part.images.toarray(), axis=1) / part.images.sum(axis=1) for part in jets],
    }
    for score, (background, signal) in columns.items():
        ordered = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
        area = np.average(ordered, weights=np.broadcast_to(jets[0].weight, ordered.shape))
        assert found[score]["auroc"]["value"] == pytest.approx(area, abs=0.002)


def test_mmd_of_gaussians() -> None:
    rng = np.random.default_rng(1)
    one, same, other = (rng.normal(shift, 1, (800, 2)).astype(np.float32) for shift in (0, 0, 2))
    assert abs(squared_mmd(one, same)) < 0.01
    # Squared distances of N(0, 1) and N(2, 1) in two dimensions: median w; E exp(-d^2/w) is known for Gaussians.
    width = np.median(((one[:, None] - other) ** 2).sum(-1))
    scale = 1 + 4 / width
    expected = 2 / scale - 2 / scale * np.exp(-8 / (width * scale))
    assert squared_mmd(one, other) == pytest.approx(expected, abs=0.03)


def test_mmd_does_not_depend_on_the_blocks(monkeypatch: Any) -> None:
    rng = np.random.default_rng(1)
    # Images as alike as normalised jets are.
    one, other = (0.1 + 1e-4 * rng.normal(size=(n, 40)).astype(np.float32) for n in (70, 50))
    found = squared_mmd(one, other)
    distances = [((a[:, None].astype(float) - b) ** 2).sum(-1) for a, b in ((one, one), (other, other), (one, other))]
    kernels = [np.exp(-distance / np.median(distances[2])) for distance in distances]
    expected = sum((k.sum() - len(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]) - 2 * kernels[2].mean()
    assert found == pytest.approx(expected, rel=1e-6)
    monkeypatch.setattr(mmd, "_BLOCK", 16)
    assert squared_mmd(one, other) == pytest.approx(found, rel=1e-9)
