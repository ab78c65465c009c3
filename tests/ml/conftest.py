"""The original Keras models as torch models; background images of real events."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample
from ml.config import RunConfig, run_config
from ml.models.codae import CoDAE, CoDAEConfig
from ml.training import train


def codae_names(encoder: str, mask_encoder: str, stages: int = 4) -> dict[str, str]:
    """Torch module path of each Keras layer of a CoDAE or CoDVAE, whose encoders bear these Keras names."""
    names = {f"{mask_encoder}/z": "mask_encoder.z", "decoder/conv2d_32": "decoder.logits"}
    for i in range(stages):
        names[f"{encoder}/dconv-b{i}"] = f"encoder.stages.{i}.first"
        names[f"decoder/up_conv-b{i}"] = f"decoder.stages.{i}.first"
        names[f"{mask_encoder}/conv-b{i}"] = f"mask_encoder.stages.{i}"
        names[f"decoder/conditioning-b{i}/expand"] = f"decoder.conditionings.{i}.conv"
        for keras, port in ((encoder, "encoder"), ("decoder", "decoder")):
            for j in (1, 2):
                names[f"{keras}/conv{j}-b{i}_0"] = f"{port}.stages.{i}.conv{j}"
    return names


def state_dict(arrays: Mapping[str, NDArray[Any]], names: Mapping[str, str]) -> dict[str, Tensor]:
    """State dict from Keras weights: kernels as (out, in, height, width), norms as weight and bias."""
    parameters = {
        "kernel": "weight",
        "bias": "bias",
        "gamma": "weight",
        "beta": "bias",
        "alpha": "weight",
        "moving_mean": "mean",
        "moving_variance": "variance",
    }
    state = {}
    for key in arrays["weight_order"].tolist():
        layer, leaf = key.rsplit("/", 1)
        head, _, part = layer.rpartition("/")
        module = f"{names[head]}.{part}" if part in {"conv", "norm"} and head in names else names[layer]
        array = np.asarray(arrays[key], dtype=np.float32)
        state[f"{module}.{parameters[leaf]}"] = torch.from_numpy(
            np.ascontiguousarray(
                np.transpose(array, (*range(array.ndim - 1, array.ndim - 3, -1), *range(array.ndim - 2)))
            )
            if leaf == "kernel"
            else array.reshape(-1)
        )
    return state


@pytest.fixture(scope="session")
def keras_state() -> Callable[[Mapping[str, NDArray[Any]], Mapping[str, str]], dict[str, Tensor]]:
    """State dict from Keras weights and the torch module path of each Keras layer."""
    return state_dict


@pytest.fixture(scope="session")
def keras_names() -> Callable[[str, str], dict[str, str]]:
    """Torch module paths of what the CoDAE and the CoDVAE share, by the Keras names of their encoders."""
    return codae_names


@pytest.fixture(scope="session")
def assert_parity() -> Callable[[Any, Any], None]:
    """Compare with a fixture: 1e-4 relative, or for values near zero 1e-5 of the largest."""

    def compare(found: Any, expected: Any) -> None:
        found, expected = np.asarray(found), np.asarray(expected)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())

    return compare


@pytest.fixture(scope="session")
def keras_codae(shared: Path) -> Callable[[str], tuple[CoDAE, Mapping[str, NDArray[Any]]]]:
    """Load a parity file: the model with its weights, and its arrays."""

    def load(name: str) -> tuple[CoDAE, Mapping[str, NDArray[Any]]]:
        arrays = np.load(shared / "parity" / name)
        model = CoDAE(CoDAEConfig())
        names = codae_names("encoder1", "encoder2") | {"encoder1/latents": "encoder.latents"}
        model.load_state_dict(state_dict(arrays, names))
        return model.eval(), arrays

    return load


@pytest.fixture(scope="session")
def background(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Image file of real QCD events."""
    path = tmp_path_factory.mktemp("images") / "qcd.parquet"
    convert([str(data / "qcd.root")], path, Sample(process="qcd"), ImagingConfig())
    return path


@pytest.fixture(scope="session")
def signal(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Image file of real SVJ events."""
    path = tmp_path_factory.mktemp("images") / "svj.parquet"
    convert([str(data / "svj3100.root")], path, Sample(process="svj", mass=3100), ImagingConfig())
    return path


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from threads, and lose much where the cores are busy."""
    torch.set_num_threads(1)


_RESIDUAL = {"filters": [8, 8], "groups": 2, "z_channels": 4}

#: Sizes with which a training takes a second.
SMALL: dict[str, dict[str, object]] = {
    "codae": _RESIDUAL,
    "cae": _RESIDUAL,
    "codvae": _RESIDUAL | {"draws": 2, "components": 2},
    "heimel": {"latents": 4},
    "dirichlet": {"units": 16},
}


@pytest.fixture(scope="session")
def small_config_of() -> Callable[..., RunConfig[Any]]:
    """A model of a family and a training that take a second; keywords are training settings."""

    def config(family: str, **training: object) -> RunConfig[Any]:
        defaults = {"epochs": 3, "batch_size": 8, "validation_fraction": 0.25, "precision": "float32"}
        return run_config(family, {"model": SMALL[family], "training": {**defaults, **training}})

    return config


@pytest.fixture
def small_config(small_config_of: Callable[..., RunConfig[Any]]) -> Callable[..., RunConfig[CoDAEConfig]]:
    """The same for the CoDAE."""
    return partial(small_config_of, "codae")


@pytest.fixture(scope="session")
def trained_run(background: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the small model."""
    folder = tmp_path_factory.mktemp("run")
    settings = {"epochs": 2, "batch_size": 8, "validation_fraction": 0.25, "entries": {"modulo": 4, "keep": [0, 1, 2]}}
    train("codae", [background], folder, run_config("codae", {"model": SMALL["codae"], "training": settings}))
    return folder


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trigger model of coarse masks, made by hand: ``lit`` pixels (higher), and their negative, ``dark`` (lower)."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.onnx"
    tensor, make = onnx.TensorProto.FLOAT, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [make("ReduceSum", ["image", "axes"], ["lit"], keepdims=0), make("Neg", ["lit"], ["dark"])],
        "teacher",
        [onnx.helper.make_tensor_value_info("image", tensor, ["N", 1, 72, 58])],
        [onnx.helper.make_tensor_value_info(name, tensor, ["N"]) for name in ("lit", "dark")],
        [onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [3], [1, 2, 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    metadata = {
        "input": {"kind": "coarse mask"},
        "scores": {"lit": {"direction": "higher"}, "dark": {"direction": "lower"}},
    }
    onnx.helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})
    onnx.save(model, path)
    return path
