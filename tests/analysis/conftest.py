"""A trigger model built by hand, and filesets and image files of real Delphes events."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample

METADATA: dict[str, Any] = {
    "family": "counting",
    "input": {"kind": "coarse mask", "normalisation": "none"},
    "scores": {
        "pixel_sum": {"direction": "higher"},
        "forward": {"direction": "higher"},
        "emptiness": {"direction": "lower"},
    },
}


def build_trigger(
    path: Path,
    metadata: dict[str, Any] | None,
    *,
    event_shape: tuple[int, ...] = (1, 72, 58),
    batch: int | str = "N",
    forward_columns: int = 15,
    reconstruction: float | None = None,
    names: tuple[str, str, str] = ("pixel_sum", "forward", "emptiness"),
) -> Path:
    """Counts lit pixels: all, those in the outer columns, and the dark ones; may put out a dimmed image.

    The outer 15 columns on either side of a coarse image have abs(eta) > 1.2.
    """
    forward = np.ones(event_shape, dtype=np.float32)
    forward[..., forward_columns:-forward_columns] = 0.0
    constants = [
        numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
        numpy_helper.from_array(forward, "mask"),
        numpy_helper.from_array(np.array(4176.0, dtype=np.float32), "n_pixels"),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["image", "axes"], [names[0]], keepdims=0),
        helper.make_node("Mul", ["image", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axes"], [names[1]], keepdims=0),
        helper.make_node("Sub", ["n_pixels", names[0]], [names[2]]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *event_shape])
    scores = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch]) for name in names]
    if reconstruction is not None:
        constants.append(numpy_helper.from_array(np.array(reconstruction, dtype=np.float32), "share"))
        nodes.append(helper.make_node("Mul", ["image", "share"], ["reconstruction"]))
        scores.append(helper.make_tensor_value_info("reconstruction", TensorProto.FLOAT, [batch, *event_shape]))
    graph = helper.make_graph(nodes, "counting", [image], scores, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture
def make_trigger(tmp_path: Path) -> Callable[..., Path]:
    """Builds a counting trigger with other metadata or another input."""
    return lambda metadata=METADATA, **options: build_trigger(tmp_path / "trigger.onnx", metadata, **options)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Builds counting triggers under any name, with other metadata or content."""

    def make(name: str, content: dict[str, Any] | None = None, **metadata: Any) -> Path:
        return build_trigger(tmp_path / f"{name}.onnx", METADATA | metadata, **(content or {}))

    return make


@pytest.fixture(scope="session")
def trigger_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_trigger(tmp_path_factory.mktemp("trigger") / "counting.onnx", METADATA)


@pytest.fixture(scope="session")
def fileset_path(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Real Delphes files of a background and two signals, the background twice as large as its file."""
    path = tmp_path_factory.mktemp("fileset") / "fileset.yaml"
    (path.parent / "qcd_again.root").symlink_to(data / "qcd.root")
    fileset = {
        "qcd": {
            "files": [str(data / "qcd.root"), "qcd_again.root"],
            "metadata": {"process": "qcd", "cross_section": 1e6},
        },
        "suep1000": {
            "files": {str(data / "suep1000.root"): "Delphes"},
            "metadata": {"process": "suep", "mass": 1000, "cross_section": 1.0},
        },
        "svj3100": {"files": [str(data / "svj3100.root")], "metadata": {"process": "svj", "mass": 3100}},
    }
    path.write_text(yaml.safe_dump(fileset))
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, data: Path) -> list[str]:
    """Background and two signals."""
    folder = tmp_path_factory.mktemp("images")
    for name, process, mass in (("qcd", "qcd", 0.0), ("suep1000", "suep", 1000.0), ("svj3100", "svj", 3100.0)):
        sample = Sample(process=process, mass=mass)
        convert([str(data / f"{name}.root")], folder / f"{name}.parquet", sample, ImagingConfig())
    return [str(path) for path in sorted(folder.glob("*.parquet"))]
