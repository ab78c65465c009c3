"""Batches of trainings that decorrelate: how much each event counts for the independence of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from imaging.composition import BackgroundSample, SumOfWeights, weight_factors
from imaging.image_source import open_images
from ml.batches import Batches
from ml.data import DressedBatches, ImageData, PlainBatches, TrainingBatches
from ml.training_config import DecorrelatedTraining


class WeighedImages(NamedTuple):
    """Images with what each event counts.

    Parameters
    ----------
    image
        Shape (n, channels, height, width); objects (n, 57).
    weight
        Shape (n,), float64; None where all count alike.
    """

    image: Tensor
    weight: Tensor | None


class DecorrelatedBatches(Batches):
    """Batches of a training that decorrelates.

    Parameters
    ----------
    data
        Background events.
    config
        How to train.

    Raises
    ------
    ConfigError
        Samples of the background that do not fit the files.
    """

    def __init__(self, data: ImageData, config: DecorrelatedTraining) -> None:
        super().__init__(data, config)
        self.weight_N = mixture_weights(data, config.background) if config.background else None

    def dressed(self, batches: TrainingBatches | PlainBatches) -> DressedBatches[WeighedImages]:
        """With the weights."""
        return DressedBatches(batches, self.weight_N, WeighedImages)


def mixture_weights(data: ImageData, background: Sequence[BackgroundSample]) -> NDArray[np.float64]:
    """Weight of each event in a background of several samples, shape (n,), mean 1.

    Events of one sample count alike, whatever their weights in the files.

    Raises
    ------
    ConfigError
        Samples that do not fit the files.
    """
    by_cross_section = any(sample.share is None for sample in background)
    used = np.bincount(data.source, minlength=len(data.files))
    sums = {
        path: SumOfWeights(float(n), _events_read(path) if by_cross_section else None)
        for path, n in zip(data.files, used, strict=True)
    }
    factors = weight_factors(background, sums)
    factor_F = np.array([factors[path] for path in data.files])
    mean = (factor_F * used).sum() / used.sum()
    return np.asarray(factor_F[data.source] / mean, dtype=np.float64)


def _events_read(path: str) -> int | None:
    metadata = open_images(path).metadata()
    return None if metadata is None else metadata.events_read
