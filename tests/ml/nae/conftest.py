"""Jets whose images are drawn, not simulated: one blob for QCD, three for tops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from imaging.jets.config import JetSelection
from imaging.jets.jet_file import JetMetadata, write_jet_file
from imaging.jets.jet_set import JET_COLUMNS, JetSet
from ml.config import RunConfig, run_config
from ml.training import train


def blobs(n: int, prongs: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Images (n, 1600), GeV: 30 hits of each prong around a centre of its own."""
    image = np.zeros((n, 40, 40), dtype=np.float32)
    for jet in range(n):
        centres = 20 + np.vstack([np.zeros(2), rng.normal(0, 6, (prongs - 1, 2))])
        for centre in centres:
            hits = np.clip(rng.normal(centre, 1.5, (30, 2)).round().astype(int), 0, 39)
            np.add.at(image[jet], tuple(hits.T), rng.exponential(600 / (30 * prongs), 30))
    return image.reshape(n, 1600)


def jets(n: int, label: int, seed: int) -> JetSet:
    """Some jets of a label."""
    rng = np.random.default_rng(seed)
    columns = {name: np.ones(n, dtype=dtype) for name, dtype in JET_COLUMNS.items()}
    columns |= {"label": np.full(n, label, dtype=np.uint8), "entry": np.arange(n, dtype=np.uint64)}
    columns |= {"mass": np.full(n, 173 * (label > 0), dtype=np.float32)}
    return JetSet(csr_array(blobs(n, 3 if label else 1, rng)), **columns)


def write_jets(path: Path, n: int, label: int, seed: int) -> Path:
    """A jet image file."""
    metadata = JetMetadata(
        process="top" if label else "qcd",
        label_names={0: "qcd", 1: "top"},
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
        writer.write(jets(n, label, seed))
        writer.write_metadata(metadata)
    return path


@pytest.fixture(scope="session")
def qcd_jets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of 48 one-pronged jets."""
    return write_jets(tmp_path_factory.mktemp("jets") / "qcd.parquet", 48, 0, 1)


@pytest.fixture(scope="session")
def top_jets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of 40 three-pronged jets."""
    return write_jets(tmp_path_factory.mktemp("jets") / "top.parquet", 40, 1, 2)


SIZE = {"filters": 2, "units": 8}


@pytest.fixture(scope="session")
def ae_run(qcd_jets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a small pre-trained autoencoder."""
    folder = tmp_path_factory.mktemp("jet_ae")
    settings = {
        "epochs": 6,
        "regularisation_weights": 0,
        "batch_size": 6,
        "validation_fraction": 0.25,
        "learning_rate": 0.02,
        "warm_up": 0,
    }
    train("jet-ae", [qcd_jets], folder, run_config("jet-ae", {"model": SIZE, "training": settings}))
    return folder


@pytest.fixture(scope="session")
def nae_config(ae_run: Path) -> Callable[..., RunConfig[Any]]:
    """Configuration of a small normalized autoencoder; keywords are training settings."""

    def config(**training: object) -> RunConfig[Any]:
        # So small a network makes samples that are all alike.
        chains = {
            "latent_chain": {"steps": 3},
            "pixel_chain": {"steps": 3},
            "collapse": {"spread": 0.0, "loss_of_data": 1e9},
        }
        defaults = {"epochs": 2, "batch_size": 16, "validation_fraction": 0.25, "pretrained": str(ae_run)}
        return run_config("nae", {"model": SIZE, "training": {**defaults, **chains, **training}})

    return config


@pytest.fixture(scope="session")
def nae_run(
    qcd_jets: Path, nae_config: Callable[..., RunConfig[Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Run folder of a small normalized autoencoder."""
    folder = tmp_path_factory.mktemp("nae")
    train("nae", [qcd_jets], folder, nae_config())
    return folder
