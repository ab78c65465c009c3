"""Triggers that OpenVINO computes."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from analysis.cli import app
from analysis.runtime import Runtime
from analysis.trigger import Trigger
from darktrigger.errors import ConfigError, ModelFileError
from darktrigger.pretrained import pretrained_models
from imaging.image_file import read_image_file

OPENVINO = (Runtime.OPENVINO, Runtime.OPENVINO_BF16)

needs_bfloat16 = pytest.mark.skipif(
    "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
    reason="this CPU has no instructions for bfloat16",
)


def build_filter(path: Path, node: onnx.NodeProto | None = None) -> Path:
    """A trigger whose score is the sum of squares of a filtered image; may have one more node, of ``score``."""
    rng = np.random.default_rng(1)
    constants = [
        numpy_helper.from_array(rng.normal(size=(8, 1, 3, 3)).astype(np.float32), "weight"),
        numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["filtered"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["filtered", "filtered"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "axes"], ["score" if node is None else "sum"], keepdims=0),
        *([] if node is None else [node]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 72, 58])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph(nodes, "filter", [image], [score], constants)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=9)
    metadata = {"input": {"kind": "coarse mask"}, "scores": {"score": {"direction": "higher"}}}
    helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", ["excess", "student", "codae-z"])
def test_float32_scores_are_those_of_onnx_runtime(name: str, images: list[str]) -> None:
    events = read_image_file(images[0]).images
    expected = Trigger(pretrained_models()[name]).scores(events)
    found = Trigger(pretrained_models()[name], Runtime.OPENVINO).scores(events, batch_size=7)
    assert list(found) == list(expected)
    for score, values in found.items():
        assert values.dtype == np.float32
        assert values.shape == (len(events),)
        np.testing.assert_allclose(values, expected[score], rtol=1e-4, atol=1e-4 * np.abs(expected[score]).max())


def test_a_runtime_by_its_name(trigger_path: Path) -> None:
    assert Trigger(trigger_path, "onnxruntime").runtime is Runtime.ONNXRUNTIME  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'tensorrt' is not a valid Runtime"):
        Trigger(trigger_path, "tensorrt")  # type: ignore[arg-type]


@needs_bfloat16
def test_bfloat16_rounds_what_the_network_computes(tmp_path: Path, images: list[str]) -> None:
    path, events = build_filter(tmp_path / "filter.onnx"), read_image_file(images[0]).images
    exact, rounded = (Trigger(path, runtime).scores(events)["score"] for runtime in OPENVINO)
    error = np.abs(rounded / exact - 1)
    # Eight significant bits, the last of them rounded.
    assert 0 < error.max() < 2**-7


def test_several_batches_are_not_one_memory(tmp_path: Path, images: list[str]) -> None:
    events = read_image_file(images[0]).images[:6]
    trigger = Trigger(build_filter(tmp_path / "filter.onnx"), Runtime.OPENVINO)
    scores = [batch.scores["score"] for batch in trigger.batches(events, 2, reconstruction=False)]
    np.testing.assert_array_equal(np.concatenate(scores), trigger.scores(events, batch_size=2)["score"])
    assert len({float(part[0]) for part in scores}) == 3


def test_a_worker_builds_its_own(tmp_path: Path, images: list[str]) -> None:
    events = read_image_file(images[0]).images[:3]
    trigger = Trigger(build_filter(tmp_path / "filter.onnx"), Runtime.OPENVINO)
    copied = pickle.loads(pickle.dumps(trigger))  # noqa: S301
    assert copied.runtime is Runtime.OPENVINO
    np.testing.assert_array_equal(copied.scores(events)["score"], trigger.scores(events)["score"])


def test_signals_are_handled_after_several_triggers(tmp_path: Path) -> None:
    path = build_filter(tmp_path / "filter.onnx")
    script = f"""
import os, signal
from analysis.trigger import Trigger
one, other = (Trigger({str(path)!r}, "openvino") for _ in range(2))
del one
del other
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


@pytest.mark.parametrize("runtime", OPENVINO)
def test_without_openvino(runtime: Runtime, trigger_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=r"OpenVINO is not installed: pip install 'darktrigger\[openvino\]'"):
        Trigger(trigger_path, runtime)


def test_a_cpu_without_bfloat16(trigger_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32"])
    with pytest.raises(ConfigError, match="this CPU has no instructions for bfloat16; take openvino"):
        Trigger(trigger_path, Runtime.OPENVINO_BF16)
    Trigger(trigger_path, Runtime.OPENVINO)


def test_operations_that_openvino_does_not_know(tmp_path: Path) -> None:
    node = helper.make_node("SampleOp", ["sum"], ["score"], domain="com.microsoft")
    path = build_filter(tmp_path / "unknown.onnx", node)
    with pytest.raises(ModelFileError, match=r"unknown\.onnx: cannot be run by OpenVINO \(.*SampleOp"):
        Trigger(path, Runtime.OPENVINO)


def run(*arguments: str | Path) -> None:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


def test_analysis_says_who_computed_it(fileset_path: Path, trigger_path: Path, tmp_path: Path) -> None:
    run("analyze", fileset_path, "--trigger", trigger_path, "-o", tmp_path / "ort")
    run("analyze", fileset_path, "--trigger", trigger_path, "-o", tmp_path / "ov", "--runtime", "openvino")
    expected, found = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("ort", "ov"))
    assert expected["trigger"]["runtime"] == "onnxruntime"
    assert found["trigger"]["runtime"] == "openvino"
    assert found["versions"].keys() - expected["versions"].keys() == {"openvino"}
    # Counts are exact in either.
    assert found["signals"] == expected["signals"]


def evaluation(trigger: Path, images: list[str], folder: Path, *options: str) -> dict[str, Any]:
    (folder.parent / "quick.yaml").write_text("{dominance: {subsets: 20, bootstraps: 20}, examples: 0}")
    run("evaluate", trigger, *images, "-o", folder, "--config", folder.parent / "quick.yaml", *options)
    loaded: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return loaded


def test_evaluation_says_who_computed_it(trigger_path: Path, images: list[str], tmp_path: Path) -> None:
    expected = evaluation(trigger_path, images, tmp_path / "ort")
    found = evaluation(trigger_path, images, tmp_path / "ov", "--runtime", "openvino")
    assert (expected["runtime"], found["runtime"]) == ("onnxruntime", "openvino")
    assert found["versions"].keys() - expected["versions"].keys() == {"openvino"}
    assert found["auroc"] == expected["auroc"]


def test_estimate_says_who_computed_it(trigger_path: Path, images: list[str], tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(
        "{efficiencies: [0.3], working_point: 0.3, closure: {pairs: 5, uncertainty: 0.1}, experiments: {count: 10}}"
    )
    options = ["--scores", "pixel_sum", "total_e_t_hcal", "--weights", "unit", "--runtime", "openvino"]
    config, output = tmp_path / "settings.yaml", tmp_path / "out"
    run("estimate", trigger_path, *images, *options, "--config", config, "-o", output)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["pair"]["runtime"] == "openvino"
    assert "openvino" in summary["versions"]
