"""Trigger models and images to evaluate."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.evaluation.rows import Column
from analysis.evaluation.samples import Key, Sample
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample as Origin


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    """Image files of real Delphes events."""
    folder = tmp_path_factory.mktemp("images")
    samples = {"qcd": ("qcd", 0.0), "suep1000": ("suep", 1000.0), "svj3100": ("svj", 3100.0)}
    for name, (process, mass) in samples.items():
        sample = Origin(process=process, mass=mass)
        convert([str(data / f"{name}.root")], folder / f"{name}.parquet", sample, ImagingConfig())
    return {name: folder / f"{name}.parquet" for name in samples}


@pytest.fixture
def make_samples() -> Callable[..., dict[Key, Sample]]:
    """Samples of events with scores as given: by label and mass, then by path and score."""

    def make(scores: dict[Key, dict[Column, np.ndarray]], **weights: np.ndarray) -> dict[Key, Sample]:
        samples = {}
        for key, columns in scores.items():
            n = len(next(iter(columns.values())))
            weight = weights.get(f"w{key.label}", np.ones(n))
            samples[key] = Sample(weight, {c: v.astype(np.float32) for c, v in columns.items()}, {}, {})
        return samples

    return make
