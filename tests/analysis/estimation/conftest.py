"""Image files of real Delphes events."""

from pathlib import Path

import pytest

from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, data: Path) -> list[str]:
    """Background and two signals."""
    folder = tmp_path_factory.mktemp("images")
    for name, process, mass in (("qcd", "qcd", 0.0), ("suep1000", "suep", 1000.0), ("svj3100", "svj", 3100.0)):
        sample = Sample(process=process, mass=mass)
        convert([str(data / f"{name}.root")], folder / f"{name}.parquet", sample, ImagingConfig())
    return [str(path) for path in sorted(folder.glob("*.parquet"))]
