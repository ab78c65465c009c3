"""The original Keras models as torch models; background images of real events."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from imaging.config import ImagingConfig
from imaging.convert import Sample, convert
from ml.config import RunConfig, run_config
from ml.models.codae import CoDAE, CoDAEConfig
from ml.training import train


def codae_names(stages: int = 4) -> dict[str, str]:
    """Torch module path of each Keras layer of the CoDAE."""
    names = {
        "encoder1/latents": "encoder.latents",
        "encoder2/z": "mask_encoder.z",
        "decoder/conv2d_32": "decoder.logits",
    }
    for i in range(stages):
        names[f"encoder1/dconv-b{i}"] = f"encoder.stages.{i}.first"
        names[f"decoder/up_conv-b{i}"] = f"decoder.stages.{i}.first"
        names[f"encoder2/conv-b{i}"] = f"mask_encoder.stages.{i}"
        names[f"decoder/conditioning-b{i}/expand"] = f"decoder.conditionings.{i}.conv"
        for keras, port in (("encoder1", "encoder"), ("decoder", "decoder")):
            for j in (1, 2):
                names[f"{keras}/conv{j}-b{i}_0"] = f"{port}.stages.{i}.conv{j}"
    return names


def state_dict(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> dict[str, Tensor]:
    """State dict from Keras weights: kernels as (out, in, height, width), norms as weight and bias."""
    parameters = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
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
            else array
        )
    return state


@pytest.fixture(scope="session")
def keras_codae(shared: Path) -> Callable[[str], tuple[CoDAE, Mapping[str, np.ndarray]]]:
    """Load a parity file: the model with its weights, and its arrays."""

    def load(name: str) -> tuple[CoDAE, Mapping[str, np.ndarray]]:
        arrays = np.load(shared / "parity" / name)
        model = CoDAE(CoDAEConfig())
        model.load_state_dict(state_dict(arrays, codae_names()))
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


SMALL = {"filters": [8, 8], "groups": 2, "z_channels": 4}


@pytest.fixture
def small_config() -> Callable[..., RunConfig[CoDAEConfig]]:
    """A model and a training that take a second; keywords are training settings."""

    def config(**training: object) -> RunConfig[CoDAEConfig]:
        defaults = {"epochs": 3, "batch_size": 8, "validation_fraction": 0.25, "precision": "float32"}
        return run_config("codae", {"model": SMALL, "training": {**defaults, **training}})

    return config


@pytest.fixture(scope="session")
def trained_run(background: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the small model."""
    folder = tmp_path_factory.mktemp("run")
    settings = {"epochs": 2, "batch_size": 8, "validation_fraction": 0.25, "entries": {"modulo": 4, "keep": [0, 1, 2]}}
    train("codae", [background], folder, run_config("codae", {"model": SMALL, "training": settings}))
    return folder
