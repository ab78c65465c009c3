"""The image file: Parquet, one row a selected event (CONTRACTS.md, "Image file")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, ValidationError
from scipy.sparse import csr_array

from darktrigger.config import StrictModel
from darktrigger.errors import BadValueError, UnreadableFileError
from darktrigger.files import atomic_path
from imaging.branches import BranchMap
from imaging.config import Selection
from imaging.grid import FINE, HCAL, Grid
from imaging.image_set import COLUMNS, ImageSet, concatenate_sets
from imaging.sparse import CHANNELS, GRIDS, SparseImages

METADATA_KEY = b"darktrigger"

SCHEMA = pa.schema(
    [(f"{name}_bin", pa.list_(pa.uint32())) for name in CHANNELS]
    + [(f"{name}_et", pa.list_(pa.float32())) for name in CHANNELS]
    + [(name, pa.from_numpy_dtype(dtype)) for name, dtype in COLUMNS.items()]
)


def _describe(grid: Grid) -> dict[str, int | float]:
    return {"n_eta": grid.n_eta, "n_phi": grid.n_phi, "eta_max": grid.eta_max}


class SourceFile(StrictModel):
    """One Delphes file that went into an image file."""

    path: str
    fingerprint: str | None
    tree_entries: int
    events_selected: int
    branches: BranchMap


class SkippedFile(StrictModel):
    """A file that could not be used, and why."""

    path: str
    cause: str


class ImageMetadata(StrictModel):
    """What an image file says of itself."""

    process: str
    label_names: dict[int, str]
    source_files: tuple[SourceFile, ...]
    skipped_files: tuple[SkippedFile, ...]
    tree_entries: int
    events_read: int
    events_selected: int
    sum_of_weights_read: float
    sum_of_weights_selected: float
    grid: dict[str, dict[str, int | float]] = Field(
        default_factory=lambda: {"fine": _describe(FINE), "hcal": _describe(HCAL)}
    )
    selection: Selection
    branches: tuple[BranchMap, ...]
    versions: dict[str, str]


class ImageWriter:
    """Appends to an image file that :func:`write_image_file` has opened."""

    def __init__(self, parquet: Any) -> None:
        self._parquet = parquet

    def write(self, images: ImageSet) -> None:
        """Append events."""
        self._parquet.write_table(to_table(images))

    def write_metadata(self, metadata: ImageMetadata) -> None:
        """Say what the file holds; once, when all events are written."""
        self._parquet.add_key_value_metadata({METADATA_KEY: metadata.model_dump_json().encode()})


@contextmanager
def write_image_file(path: str | Path) -> Iterator[ImageWriter]:
    """Open an image file for writing; it appears under its name only when complete."""
    # Dictionaries help neither E_T nor pixel numbers; sorted pixels compress best as differences.
    encodings = {f"{name}_bin.list.element": "DELTA_BINARY_PACKED" for name in CHANNELS}
    # Without a stored Arrow schema, readers find our metadata in the schema that they derive.
    options = {
        "store_schema": False,
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": False,
        "column_encoding": encodings,
    }
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, **options) as parquet:
        yield ImageWriter(parquet)


def to_table(images: ImageSet) -> pa.Table:
    """Arrow table of events, in the schema of the image file; shares memory where it can."""
    channels = {name: images.images.channel(name) for name in CHANNELS}
    offsets = {name: pa.array(matrix.indptr.astype(np.int32, copy=False)) for name, matrix in channels.items()}
    bins = [
        pa.ListArray.from_arrays(offsets[name], pa.array(matrix.indices.astype(np.uint32)))
        for name, matrix in channels.items()
    ]
    e_t = [pa.ListArray.from_arrays(offsets[name], pa.array(matrix.data)) for name, matrix in channels.items()]
    return pa.Table.from_arrays([*bins, *e_t, *(pa.array(getattr(images, name)) for name in COLUMNS)], schema=SCHEMA)


def from_batch(batch: pa.RecordBatch, path: str | Path) -> ImageSet:
    """Events of an Arrow batch.

    Raises
    ------
    BadValueError
        A pixel number outside its grid, or an E_T that is not finite.
    """
    channels = [_channel(batch, name, path) for name in CHANNELS]
    return ImageSet(SparseImages(*channels), **{name: batch[name].to_numpy(zero_copy_only=False) for name in COLUMNS})


def _channel(batch: pa.RecordBatch, name: str, path: str | Path) -> csr_array:
    bins, e_t = batch[f"{name}_bin"], batch[f"{name}_et"]
    offsets = bins.offsets.to_numpy()
    if not np.array_equal(np.diff(offsets), np.diff(e_t.offsets.to_numpy())):
        raise BadValueError(path, f"columns {name}_bin and {name}_et differ in length")
    # flatten() honours the slice that the batch is of its row group; offsets count from the group's start.
    index, values = bins.flatten().to_numpy(), e_t.flatten().to_numpy(zero_copy_only=False)
    n_pixels = GRIDS[name].n_pixels
    if len(index) and index.max() >= n_pixels:
        raise BadValueError(path, f"column {name}_bin holds pixel {index.max()}, expected less than {n_pixels}")
    if not np.isfinite(values).all():
        raise BadValueError(path, f"column {name}_et holds a value that is not finite")
    return csr_array((values, index.astype(np.int32), offsets - offsets[0]), shape=(len(bins), n_pixels))


def open_image_file(path: str | Path) -> Any:
    """Open and check the columns.

    Raises
    ------
    UnreadableFileError
        Not Parquet, damaged, or not an image file.
    """
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise UnreadableFileError(path, "no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFileError(path, f"cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    found = file.schema_arrow
    missing = [field.name for field in SCHEMA if field.name not in found.names]
    if missing:
        raise UnreadableFileError(path, f"is not an image file: columns {', '.join(missing)} are missing")
    wrong = [field for field in SCHEMA if not found.field(field.name).type.equals(field.type)]
    if wrong:
        types = ", ".join(f"{field.name} is {found.field(field.name).type}, not {field.type}" for field in wrong)
        raise UnreadableFileError(path, f"is not an image file: column {types}")
    return file


def read_metadata(path: str | Path) -> ImageMetadata:
    """What an image file says of itself.

    Raises
    ------
    UnreadableFileError
        Not an image file, or without metadata that can be understood.
    """
    with open_image_file(path) as file:
        raw = (file.metadata.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise UnreadableFileError(path, "carries no darktrigger metadata")
    try:
        return ImageMetadata.model_validate(json.loads(raw))
    except (ValueError, ValidationError) as error:
        raise UnreadableFileError(path, f"carries metadata that cannot be understood ({error})") from None


def read_row_groups(path: str | Path) -> list[int]:
    """Number of events in each row group of an image file.

    Raises
    ------
    UnreadableFileError
        Not an image file.
    """
    with open_image_file(path) as file:
        return [file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)]


def iterate_image_file(path: str | Path, batch_size: int, row_groups: range | None = None) -> Iterator[ImageSet]:
    """Events of an image file, or of some of its row groups, at most ``batch_size`` at a time, in file order.

    Raises
    ------
    UnreadableFileError
        Not an image file, or damaged.
    BadValueError
        Values that no detector gives.
    """
    with open_image_file(path) as file:
        try:
            for batch in file.iter_batches(
                batch_size, columns=SCHEMA.names, row_groups=row_groups and list(row_groups)
            ):
                yield from_batch(batch, path)
        except (OSError, pa.ArrowException) as error:
            raise UnreadableFileError(path, f"is damaged ({str(error).splitlines()[0]})") from None


def read_image_file(path: str | Path) -> ImageSet:
    """All events of an image file; see :func:`iterate_image_file`."""
    return concatenate_sets(iterate_image_file(path, batch_size=1 << 14))


def read_image_files(paths: Iterable[str | Path]) -> ImageSet:
    """All events of several image files, in the order given; see :func:`iterate_image_file`."""
    return concatenate_sets(part for path in paths for part in iterate_image_file(path, batch_size=1 << 14))
