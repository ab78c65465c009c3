"""Background events for training: sparse in memory, dense one batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack
from torch import Tensor

from darktrigger.errors import TrainingError
from darktrigger.files import fingerprint
from darktrigger.progress import progress
from imaging.dense import INPUT_SHAPES, coarse_pixels
from imaging.dense_torch import scatter
from imaging.image_file import iterate_image_file
from imaging.sparse import CHANNELS, SparseImages
from imaging.split import EntrySplit
from ml.augmentation import augment, draw

_READ_EVENTS = 4096

#: Channels of the input kinds that can be trained on.
KIND_CHANNELS = {"coarse mask": ("trk",), "coarse E_T": CHANNELS}


def sparse_input(images: SparseImages, kind: str) -> csr_array:
    """A model's input, flattened and sparse: the non-zero entries of ``imaging.dense.model_input``."""
    matrix = csr_array(hstack([coarse_pixels(images, name) for name in KIND_CHANNELS[kind]], format="csr"))
    if kind == "coarse mask":
        matrix.data[:] = 1.0
    return matrix


@dataclass(frozen=True)
class ImageData:
    """Model inputs of many background events.

    Parameters
    ----------
    pixels
        Flattened inputs, float32 CSR, shape (n, channels * height * width).
    kind
        Input kind, a key of :data:`KIND_CHANNELS`.
    files
        Fingerprint of each image file by its path.
    """

    pixels: csr_array
    kind: str
    files: dict[str, str]

    def __len__(self) -> int:
        return int(self.pixels.shape[0])

    def dense(self, rows: NDArray[np.integer[Any]]) -> Tensor:
        """Events ``rows`` as a float32 tensor (len(rows), channels, height, width)."""
        return scatter(self.pixels[rows]).view(-1, *INPUT_SHAPES[self.kind])


def load_background(files: Sequence[Path], kind: str, entries: EntrySplit | None = None) -> ImageData:
    """Read background events of image files, those that ``entries`` keeps.

    Raises
    ------
    TrainingError
        A file holds events that are not background, or no event is left.
    UnreadableFileError, BadValueError
        A file is no image file, or a damaged one.
    """
    entries = entries or EntrySplit()
    parts = []
    with progress("Reading images", total=len(files)) as advance:
        for path in files:
            for events in iterate_image_file(path, _READ_EVENTS):
                if events.label.any():
                    found = ", ".join(map(str, np.unique(events.label)))
                    raise TrainingError(f"{path}: labels {found} found; training takes background only (label 0)")
                parts.append(sparse_input(events.images[entries.mask(events.entry)], kind))
            advance(1)
    fingerprints = {str(path): fingerprint(path) for path in files}
    data = ImageData(csr_array(vstack(parts, format="csr")) if parts else csr_array((0, 0)), kind, fingerprints)
    if len(data) == 0:
        raise TrainingError(f"no event to train on in {', '.join(map(str, files))} (entries kept: {entries})")
    return data


def split(n: int, validation_fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers for training and validation, each ascending.

    Raises
    ------
    TrainingError
        One of the two would be empty.
    """
    n_validation = round(n * validation_fraction)
    if not 0 < n_validation < n:
        raise TrainingError(f"{n} events cannot be split into training and validation ({validation_fraction:.0%})")
    order = stream(seed, "split").permutation(n)
    return np.sort(order[n_validation:]), np.sort(order[:n_validation])


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Independent random numbers for each purpose, epoch and batch: nothing to save, nothing to restore."""
    words = [seed]
    for part in path:
        words += part.encode() if isinstance(part, str) else [part]
    return np.random.default_rng(words)


def torch_stream(seed: int, *path: str | int) -> torch.Generator:
    """:func:`stream` for torch."""
    return torch.Generator().manual_seed(int(stream(seed, *path).integers(2**63)))


class TrainingBatches:
    """Shuffled and augmented batches of one epoch, functions of (seed, epoch, batch) alone."""

    def __init__(self, data: ImageData, rows: NDArray[np.int64], *, batch_size: int, seed: int, epoch: int) -> None:
        order = rows[stream(seed, "order", epoch).permutation(len(rows))]
        self.data, self.seed, self.epoch = data, seed, epoch
        self.batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Tensor:
        """Batch ``index``, shape (batch size, channels, height, width)."""
        if index >= len(self):
            raise IndexError(index)
        image_NCHW = self.data.dense(self.batches[index])
        generator = torch_stream(self.seed, "augmentation", self.epoch, index)
        return augment(image_NCHW, draw(len(image_NCHW), generator))


class PlainBatches:
    """Events ``rows`` in order, as they are."""

    def __init__(self, data: ImageData, rows: NDArray[np.int64], *, batch_size: int) -> None:
        self.data = data
        self.batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Tensor:
        """Batch ``index``, shape (batch size, channels, height, width)."""
        if index >= len(self):
            raise IndexError(index)
        return self.data.dense(self.batches[index])

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))
