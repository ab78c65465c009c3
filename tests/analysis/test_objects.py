"""A trigger that looks at leptons, jets and missing E_T, from Delphes files and from object files."""

import json
from pathlib import Path

import awkward as ak
import numpy as np
import onnx
import pytest
import uproot
from onnx import TensorProto, helper

from analysis.analyze import analyze
from analysis.config import AnalysisConfig
from analysis.estimate import Choices, estimate
from analysis.estimation.config import EstimateConfig
from analysis.estimation.events import ScoreChoice
from analysis.evaluate import evaluate
from analysis.evaluation.config import DominanceConfig, EvaluationConfig
from analysis.fileset import read_fileset
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, InputFileError
from imaging.objects.convert import ObjectImagingConfig, convert_objects
from imaging.objects.object_file import read_object_files
from imaging.sample import Sample

N_EVENTS = 80


def write_delphes(path: Path, scale: float, seed: int) -> Path:
    """Events with an electron, most of them above 23 GeV, and two jets."""
    rng = np.random.default_rng(seed)

    def collection(counts: int, **members: np.ndarray) -> ak.Array:
        shaped = {name: np.float32(values).reshape(N_EVENTS, counts) for name, values in members.items()}
        return ak.from_regular(ak.zip({name: ak.Array(values) for name, values in shaped.items()}), axis=1)

    def objects(counts: int, pt: float) -> ak.Array:
        n = N_EVENTS * counts
        return collection(
            counts, PT=pt + rng.exponential(scale, n), Eta=rng.uniform(-2, 2, n), Phi=rng.uniform(-3, 3, n)
        )

    met = rng.exponential(scale, N_EVENTS)
    tree = {
        "Electron": objects(1, 20.0),
        "Muon": objects(1, 0.0)[:, :0],
        "Jet": objects(2, 30.0),
        "MissingET": collection(1, MET=met, Eta=0 * met, Phi=rng.uniform(-3, 3, N_EVENTS)),
        "ScalarHT": collection(1, HT=met + 100),
    }
    with uproot.recreate(path) as file:
        types = {name: array.type.content for name, array in tree.items()}
        file.mktree(
            "Delphes",
            types,
            counter_name=lambda name: f"{name}_size",
            field_name=lambda outer, inner: f"{outer}.{inner}",
        )
        file["Delphes"].extend(tree)
    return path


@pytest.fixture
def trigger(tmp_path: Path) -> Trigger:
    """Missing E_T, and the sum of all numbers."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["image", "zero"], ["met1"], axis=1),
            helper.make_node("ReduceSum", ["image", "one"], ["total2"], keepdims=0),
        ],
        "objects",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 57])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("met1", "total2")],
        [
            helper.make_tensor("zero", TensorProto.INT64, [], [0]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    scores = {name: {"direction": "higher"} for name in ("met1", "total2")}
    helper.set_model_props(model, {"darktrigger": json.dumps({"input": {"kind": "objects"}, "scores": scores})})
    onnx.save(model, tmp_path / "objects.onnx")
    return Trigger(tmp_path / "objects.onnx")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {
        name: write_delphes(tmp_path / f"{name}.root", scale, seed)
        for name, scale, seed in (("sm", 20.0, 1), ("leptoquark", 60.0, 2))
    }


def test_analysis_builds_objects(files: dict[str, Path], trigger: Trigger, tmp_path: Path) -> None:
    fileset = {
        "sm": {"files": [str(files["sm"])], "metadata": {"process": "qcd"}},
        "leptoquark": {"files": [str(files["leptoquark"])], "metadata": {"process": "leptoquark", "label": 3}},
    }
    (tmp_path / "fileset.json").write_text(json.dumps(fileset))
    config = AnalysisConfig.model_validate({"abcd": {"pairs": [["met1", "total2"]], "efficiencies": [0.5]}})
    done = analyze(read_fileset(tmp_path / "fileset.json"), trigger, config, tmp_path / "out")
    summary = done.summary
    assert list(summary.scores) == ["met1", "total2", "n_tracks"]
    convert_objects([str(files["sm"])], tmp_path / "sm.parquet", Sample(), ObjectImagingConfig())
    selected = len(read_object_files([tmp_path / "sm.parquet"]))
    step = summary.datasets["sm"].cutflow[-1]
    assert (step.name, step.events) == ("lepton > 23 GeV", selected)
    assert 0 < selected < N_EVENTS
    auroc = summary.signals["leptoquark"]["met1"].auroc
    assert auroc is not None
    assert auroc.value > 0.6
    assert summary.abcd[0].scores == ("met1", "total2")


@pytest.fixture
def object_files(files: dict[str, Path], tmp_path: Path) -> list[str]:
    paths = []
    for name, sample in (("sm", Sample()), ("leptoquark", Sample(process="leptoquark", label=3, mass=80))):
        paths.append(str(tmp_path / f"{name}.parquet"))
        convert_objects([str(files[name])], paths[-1], sample, ObjectImagingConfig())
    return paths


def test_estimate_reads_object_files(object_files: list[str], trigger: Trigger, tmp_path: Path) -> None:
    settings = {"efficiencies": [0.2], "working_point": 0.2, "experiments": {"count": 10}, "closure": {"pairs": 3}}
    config = EstimateConfig.model_validate(settings)
    estimate(Choices(ScoreChoice(trigger, ("met1", "n_tracks"))), object_files, tmp_path / "estimate", config)
    found = json.loads((tmp_path / "estimate" / "summary.json").read_text())
    assert found["pair"]["scores"] == ["met1", "n_tracks"]
    assert list(found["sic"]) == ["leptoquark 80"]
    with pytest.raises(AnalysisError, match=r"no score 'lit_pixels'; it gives met1, total2, n_tracks$"):
        ScoreChoice(trigger, ("met1", "lit_pixels"))


def test_evaluation_reads_object_files(object_files: list[str], trigger: Trigger, tmp_path: Path) -> None:
    quick = EvaluationConfig(dominance=DominanceConfig(subsets=20, bootstraps=20), latency_calls=10)
    evaluate([trigger], object_files, tmp_path / "evaluation", quick)
    found = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert "met1" in json.dumps(found)


def test_objects_and_images_do_not_mix(files: dict[str, Path], trigger: Trigger, tmp_path: Path, data: Path) -> None:
    from imaging.config import ImagingConfig
    from imaging.convert import convert

    image = tmp_path / "image.parquet"
    convert([str(data / "qcd.root")], image, Sample(), ImagingConfig())
    with pytest.raises(InputFileError, match="holds images; a model of input kind 'objects' cannot be fed"):
        evaluate([trigger], [str(image), str(image)], tmp_path / "evaluation", EvaluationConfig())
