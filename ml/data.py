"""Events for training: sparse in memory, dense one batch at a time (fine images: one micro-batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack
from torch import Tensor

from darktrigger.errors import TrainingError
from darktrigger.files import fingerprint
from darktrigger.progress import progress
from imaging.dense import INPUT_CHANNELS, INPUT_SHAPES, OBJECTS, EventImages, coarse_pixels, upsample_hcal
from imaging.dense_torch import scatter
from imaging.grid import FINE
from imaging.image_file import iterate_image_file
from imaging.image_set import ImageSet
from imaging.input_shapes import ALL_INPUT_SHAPES
from imaging.jets.dense import JET
from imaging.jets.jet_file import iterate_jet_file
from imaging.jets.jet_set import JetSet
from imaging.objects.object_file import iterate_object_file
from imaging.objects.object_set import ObjectSet
from imaging.sparse import CHANNELS, GRIDS, SparseImages
from imaging.split import EntrySplit
from ml.augmentation import augment, augment_objects, augment_sparse, draw
from ml.events import BackgroundOnly, EventPolicy, Rows
from ml.streams import stream, torch_stream

_READ_EVENTS = 4096

#: A batch of images with something of each event.
DressedT = TypeVar("DressedT")


def stored_pixels(images: SparseImages, kind: str) -> csr_array:
    """What memory holds of a model's input: the channels side by side, sparse, one row an event.

    Coarse inputs are kept as the model sees them; of fine ones the HCAL stays on its own grid,
    where it has a twenty-fifth of the pixels.
    """
    if kind == "fine":
        return csr_array(hstack([images.channel(name) for name in CHANNELS], format="csr"))
    matrix = csr_array(hstack([coarse_pixels(images, name) for name in INPUT_CHANNELS[kind]], format="csr"))
    if kind == "coarse mask":
        matrix.data[:] = 1.0
    return matrix


def input_pixels(stored: csr_array, kind: str) -> csr_array:
    """Flattened sparse input from :func:`stored_pixels`: the non-zero entries of ``imaging.dense.model_input``."""
    if kind != "fine":
        return stored
    _, height, width = INPUT_SHAPES["fine"]
    # One empty eta row on either side of the grid.
    margin = (height - FINE.n_eta) // 2 * width
    ends = np.cumsum([GRIDS[name].n_pixels for name in CHANNELS])
    trk, ecal, hcal = (stored[:, end - GRIDS[name].n_pixels : end] for name, end in zip(CHANNELS, ends, strict=True))
    channels = [
        csr_array((part.data, part.indices + np.int32(margin), part.indptr), shape=(stored.shape[0], height * width))
        for part in (trk, ecal, upsample_hcal(hcal))
    ]
    return csr_array(hstack(channels, format="csr"))


@dataclass(frozen=True)
class ImageData:
    """Model inputs of many events.

    Parameters
    ----------
    pixels
        Inputs as :func:`stored_pixels` gives them, float32 CSR, one row an event.
    kind
        Input kind, a key of :data:`imaging.dense.INPUT_SHAPES`.
    files
        Fingerprint of each image file by its path.
    label
        Label of each event, 0 for background, shape (n,).
    source
        Which of the files each event is from, counted from 0, shape (n,).
    """

    pixels: csr_array
    kind: str
    files: dict[str, str]
    label: NDArray[np.uint8]
    source: NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.pixels.shape[0])

    def __getitem__(self, rows: NDArray[np.integer[Any]]) -> ImageData:
        """Some of the events, of the same files."""
        return replace(self, pixels=self.pixels[rows], label=self.label[rows], source=self.source[rows])

    @property
    def events_by_label(self) -> dict[int, int]:
        """Number of events of each label that occurs."""
        label, count = np.unique(self.label, return_counts=True)
        return {int(key): int(value) for key, value in zip(label, count, strict=True)}

    def dense(self, rows: NDArray[np.integer[Any]]) -> Tensor:
        """Events ``rows`` as a float32 tensor (len(rows), channels, height, width)."""
        return scatter(input_pixels(self.pixels[rows], self.kind)).view(-1, *ALL_INPUT_SHAPES[self.kind])

    def sparse(self, rows: NDArray[np.integer[Any]]) -> Tensor:
        """:meth:`dense` as a sparse tensor (COO)."""
        matrix = input_pixels(self.pixels[rows], self.kind).tocoo()
        event, flat = matrix.coords
        index = np.stack([event, *np.unravel_index(flat, ALL_INPUT_SHAPES[self.kind])]).astype(np.int64)
        size = (len(rows), *ALL_INPUT_SHAPES[self.kind])
        return torch.sparse_coo_tensor(
            torch.from_numpy(index), torch.from_numpy(matrix.data), size, check_invariants=True
        )


def load_background(files: Sequence[Path], kind: str, entries: EntrySplit | None = None) -> ImageData:
    """Read background events of image files; see :func:`load_images`."""
    return load_images(files, kind, entries, BackgroundOnly())


def load_images(
    files: Sequence[Path], kind: str, entries: EntrySplit | None, policy: EventPolicy, seed: int = 0
) -> ImageData:
    """Read the events of image files, or the jets of jet image files, that ``entries`` keeps and ``policy`` takes.

    Parameters
    ----------
    files
        Image files.
    kind
        Input kind, a key of :data:`imaging.dense.INPUT_SHAPES`.
    entries
        Events to use, by their entry number; all unless given.
    policy
        Events to use, by their label.
    seed
        Of what the policy draws.

    Raises
    ------
    TrainingError
        A file holds signal and the policy takes none, no event is left, or the policy lacks events.
    UnreadableFileError, BadValueError
        A file is no image file, or a damaged one.
    """
    entries = entries or EntrySplit()
    parts, labels, sources = [], [], []
    # A file given twice counts twice, as the same file.
    numbers = {path: number for number, path in enumerate(dict.fromkeys(files))}
    with progress("Reading images", total=len(files)) as advance:
        for path in files:
            for events in _events(path, kind):
                if events.label.any() and not policy.takes_signal:
                    found = ", ".join(map(str, np.unique(events.label)))
                    raise TrainingError(f"{path}: labels {found} found; training takes background only (label 0)")
                kept = entries.mask(events.entry)
                parts.append(_stored(events.images[kept], kind))
                labels.append(events.label[kept])
                sources.append(np.full(len(labels[-1]), numbers[path], dtype=np.int32))
            advance(1)
    fingerprints = {str(path): fingerprint(path) for path in files}
    if not sum(map(len, labels)):
        raise TrainingError(f"no event to train on in {', '.join(map(str, files))} (entries kept: {entries})")
    pixels = csr_array(vstack(parts, format="csr"))
    data = ImageData(pixels, kind, fingerprints, np.concatenate(labels), np.concatenate(sources))
    return data[policy.choose(data.label, seed)]


def _events(path: Path, kind: str) -> Iterator[ImageSet | ObjectSet | JetSet]:
    """Events, or jets, of a file that a model of that input kind can be fed with."""
    if kind == OBJECTS:
        return iterate_object_file(path, _READ_EVENTS)
    if kind == JET:
        return iterate_jet_file(path, _READ_EVENTS)
    return iterate_image_file(path, _READ_EVENTS)


def _stored(images: EventImages | csr_array, kind: str) -> csr_array:
    """What memory holds of the events, see :func:`stored_pixels`; of objects, what is not padding; jets as they are."""
    return stored_pixels(images, kind) if isinstance(images, SparseImages) else csr_array(images)


class TrainingBatches:
    """Shuffled and augmented batches of one epoch, functions of (seed, epoch, batch) alone.

    Coarse images come dense; fine ones, 75 times as large, as sparse tensors.
    """

    def __init__(
        self, data: ImageData, rows: Rows, *, batch_size: int, seed: int, epoch: int, augmentation: bool = True
    ) -> None:
        order = rows[stream(seed, "order", epoch).permutation(len(rows))]
        self.data, self.seed, self.epoch, self.augmentation = data, seed, epoch, augmentation
        self.batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Tensor:
        """Batch ``index``, shape (batch size, channels, height, width)."""
        if index >= len(self):
            raise IndexError(index)
        rows, fine = self.batches[index], self.data.kind == "fine"
        image_NCHW = self.data.sparse(rows) if fine else self.data.dense(rows)
        if not self.augmentation:
            return image_NCHW
        generator = torch_stream(self.seed, "augmentation", self.epoch, index)
        if self.data.kind == OBJECTS:
            return augment_objects(image_NCHW, generator)
        drawn = draw(len(rows), generator)
        return augment_sparse(image_NCHW, drawn) if fine else augment(image_NCHW, drawn)


class PlainBatches:
    """Events ``rows`` in order, dense, as they are."""

    def __init__(self, data: ImageData, rows: Rows, *, batch_size: int) -> None:
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


class LabelledImages(NamedTuple):
    """Images with their labels.

    Parameters
    ----------
    image
        Shape (n, channels, height, width).
    label
        0 for background, shape (n,), int64.
    """

    image: Tensor
    label: Tensor


class DressedBatches(Generic[DressedT]):
    """Batches in which something of each event goes with its image.

    Parameters
    ----------
    batches
        Of images.
    value_N
        One value for each event of the data; None where there is nothing to tell.
    dress
        Makes a batch from images and values.
    """

    def __init__(
        self,
        batches: TrainingBatches | PlainBatches,
        value_N: NDArray[Any] | None,
        dress: Callable[[Tensor, Any], DressedT],
    ) -> None:
        self.inner, self.value_N, self.dress = batches, value_N, dress

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> DressedT:
        """Batch ``index``."""
        image_NCHW, rows = self.inner[index], self.inner.batches[index]
        return self.dress(image_NCHW, None if self.value_N is None else torch.from_numpy(self.value_N[rows]))


def labelled(batches: TrainingBatches | PlainBatches) -> DressedBatches[LabelledImages]:
    """Batches with the labels of their events."""
    return DressedBatches(batches, batches.data.label.astype(np.int64), LabelledImages)
