import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from analysis.runtime import Runtime
from analysis.trigger import Trigger
from darktrigger.errors import ConfigError, UnreadableFileError
from imaging.dense import coarse_mask
from imaging.image_file import read_image_file
from ml.calibration import read_calibration
from ml.export import Scorer, export_run
from ml.models.codae import SCORES
from ml.run_folder import load_model, read_record


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(path: Path, image_NCHW: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    model = session(path)
    names = [output.name for output in model.get_outputs()]
    return dict(zip(names, model.run(names, {"image": image_NCHW}), strict=True))


@pytest.fixture(scope="module")
def exported(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "codae.onnx"
    export_run(trained_run, path)
    return path


@pytest.fixture(scope="module")
def images(background: Path) -> NDArray[np.float32]:
    return coarse_mask(read_image_file(background).images)


@pytest.mark.parametrize("n", [0, 1, 64])
def test_torch_and_onnx_runtime_agree(n: int, exported: Path, trained_run: Path, images: NDArray[np.float32]) -> None:
    image_NCHW = np.resize(images, (n, *images.shape[1:]))
    with torch.inference_mode():
        expected = Scorer(load_model(trained_run), SCORES)(torch.from_numpy(image_NCHW))
    found = run(exported, image_NCHW)
    assert list(found) == list(SCORES)
    for score_N, expected_N in zip(found.values(), expected, strict=True):
        assert score_N.dtype == np.float32
        assert score_N.shape == (n,)
        np.testing.assert_allclose(score_N, expected_N, rtol=1e-4, atol=1e-4)


def test_metadata(exported: Path, trained_run: Path) -> None:
    metadata = json.loads(session(exported).get_modelmeta().custom_metadata_map["darktrigger"])
    calibration, record = read_calibration(trained_run), read_record(trained_run)
    assert metadata["family"] == "codae"
    assert metadata["config"]["filters"] == [8, 8]
    assert metadata["input"] == {"kind": "coarse mask", "normalisation": "none", "sums_channels": False}
    assert metadata["scores"] == {name: {"direction": calibration.scores[name].direction} for name in SCORES}
    assert metadata["training"]["files"] == record.files
    assert metadata["training"]["hash"] == record.data_hash
    assert metadata["training"]["entries"] == {"modulo": 4, "keep": [0, 1, 2]}
    assert (metadata["seed"], metadata["precision"]) == (42, "fp32")
    assert {"darktrigger", "torch", "onnx"} <= metadata["versions"].keys()


def test_no_trace_of_the_exporting_machine(exported: Path) -> None:
    assert not any(node.metadata_props or node.doc_string for node in onnx.load(exported).graph.node)
    assert b".py" not in exported.read_bytes()


def test_latent_scores_need_the_mask_encoder_alone(
    exported: Path, trained_run: Path, images: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "latents.onnx"
    export_run(trained_run, path, scores=["z1", "z2"])
    n_weights = sum(int(np.prod(tensor.dims)) for tensor in onnx.load(path).graph.initializer)
    mask_encoder = load_model(trained_run).get_submodule("mask_encoder")
    assert n_weights <= sum(p.numel() for p in mask_encoder.parameters()) + 100
    found, expected = run(path, images), run(exported, images)
    assert list(found) == ["z1", "z2"]
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "correlation", "shift", "operator"),
    [("fp16", 0.9999, 0.1, "Cast"), ("int8", 0.95, 0.5, "QuantizeLinear")],
)
def test_reduced_precision(
    precision: str,
    correlation: float,
    shift: float,
    operator: str,
    exported: Path,
    trained_run: Path,
    images: NDArray[np.float32],
    tmp_path: Path,
) -> None:
    path = tmp_path / f"{precision}.onnx"
    export_run(trained_run, path, precision)
    assert operator in {node.op_type for node in onnx.load(path).graph.node}
    found, expected = run(path, images), run(exported, images)
    assert list(found) == list(SCORES)
    for name in set(SCORES) - {"sae_mask"}:
        assert found[name].dtype == np.float32
        assert np.corrcoef(found[name], expected[name])[0, 1] > correlation, name
        assert abs(found[name].mean() - expected[name].mean()) < shift * expected[name].std(), name


def test_the_form_for_openvino_has_the_same_scores(
    exported: Path, trained_run: Path, images: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export_run(trained_run, path, runtime="openvino")
    # Up-sampled as it is written in the paper, before its convolution.
    assert [sum(node.op_type == "Resize" for node in onnx.load(each).graph.node) for each in (path, exported)] == [2, 0]
    found, expected = run(path, images), run(exported, images)
    for name in SCORES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(("precision", "correlation"), [("fp16", 0.99999), ("int8", 0.99)])
def test_reduced_precision_in_openvino(
    precision: str, correlation: float, trained_run: Path, images: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / f"{precision}.onnx"
    export_run(trained_run, path, precision, runtime="openvino")
    found, expected = Trigger(path, Runtime.OPENVINO).run(SCORES, images), run(path, images)
    for name, values in zip(SCORES, found, strict=True):
        if name != "sae_mask":
            assert np.corrcoef(values, expected[name])[0, 1] > correlation, name


def test_unknown_scores_and_precisions_are_refused(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="scores: kl_r asked for; expected some of bce"):
        export_run(trained_run, tmp_path / "m.onnx", scores=["kl_r"])
    with pytest.raises(ConfigError, match=r"expected one of fp32, fp16, int8 \(found 'fp8'\)"):
        export_run(trained_run, tmp_path / "m.onnx", "fp8")
    with pytest.raises(ConfigError, match=r"expected one of onnxruntime, openvino \(found 'openvino-bf16'\)"):
        export_run(trained_run, tmp_path / "m.onnx", runtime="openvino-bf16")
    assert not list(tmp_path.iterdir())


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"run\.json: cannot be read"):
        export_run(tmp_path, tmp_path / "m.onnx")
