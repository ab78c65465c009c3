"""The image file: Parquet, one row a selected event (CONTRACTS.md, "Image file")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from imaging.branches import BranchMap
from imaging.config import Selection
from imaging.event_file import EventMetadata
from imaging.grid import FINE, HCAL, Grid
from imaging.image_set import COLUMNS, LATER_COLUMNS, ImageSet, concatenate_sets
from imaging.parquet_file import (
    RowWriter,
    check_values,
    column,
    iterate_batches,
    metadata_of,
    open_parquet,
    pixel_lists,
    pixel_matrix,
    write_parquet,
)
from imaging.sparse import CHANNELS, GRIDS, SparseImages

SCHEMA = pa.schema(
    [(f"{name}_bin", pa.list_(pa.uint32())) for name in CHANNELS]
    + [(f"{name}_et", pa.list_(pa.float32())) for name in CHANNELS]
    + [(name, pa.from_numpy_dtype(dtype)) for name, dtype in COLUMNS.items()]
)


def _describe(grid: Grid) -> dict[str, int | float]:
    return {"n_eta": grid.n_eta, "n_phi": grid.n_phi, "eta_max": grid.eta_max}


class ImageMetadata(EventMetadata[BranchMap, Selection]):
    """What an image file says of itself."""

    grid: dict[str, dict[str, int | float]] = Field(
        default_factory=lambda: {"fine": _describe(FINE), "hcal": _describe(HCAL)}
    )


@contextmanager
def write_image_file(path: str | Path) -> Iterator[RowWriter[ImageSet]]:
    """Open an image file for writing; it appears under its name only when complete."""
    with write_parquet(path, SCHEMA, [f"{name}_bin" for name in CHANNELS], to_table) as writer:
        yield writer


def to_table(images: ImageSet) -> pa.Table:
    """Arrow table of events, in the schema of the image file; shares memory where it can."""
    bins, e_t = zip(*(pixel_lists(images.images.channel(name)) for name in CHANNELS), strict=True)
    return pa.Table.from_arrays([*bins, *e_t, *(pa.array(getattr(images, name)) for name in COLUMNS)], schema=SCHEMA)


def from_batch(batch: pa.RecordBatch, path: str | Path) -> ImageSet:
    """Events of an Arrow batch.

    Raises
    ------
    BadValueError
        A null, a pixel number outside its grid or out of order, an E_T, weight or mass that is not finite, or an H_T
        that is infinite.
    """
    check_values(batch, SCHEMA, ("weight", "mass", "ht"), path)
    channels = [pixel_matrix(batch, f"{name}_bin", f"{name}_et", GRIDS[name].n_pixels, path) for name in CHANNELS]
    return ImageSet(SparseImages(*channels), **{name: column(batch, name, dtype) for name, dtype in COLUMNS.items()})


def open_image_file(path: str | Path) -> Any:
    """Open and check the columns.

    Raises
    ------
    UnreadableFileError
        Not Parquet, damaged, or not an image file.
    """
    return open_parquet(path, SCHEMA, "an image file", LATER_COLUMNS)


def read_metadata(path: str | Path) -> ImageMetadata:
    """What an image file says of itself.

    Raises
    ------
    UnreadableFileError
        Not an image file, or without metadata that can be understood.
    """
    with open_image_file(path) as file:
        return metadata_of(path, file, ImageMetadata)


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
        rows = row_groups and list(row_groups)
        for batch in iterate_batches(path, file, SCHEMA, batch_size, rows):
            yield from_batch(batch, path)


def read_image_file(path: str | Path) -> ImageSet:
    """All events of an image file; see :func:`iterate_image_file`."""
    return concatenate_sets(iterate_image_file(path, batch_size=1 << 14))


def read_image_files(paths: Iterable[str | Path]) -> ImageSet:
    """All events of several image files, in the order given; see :func:`iterate_image_file`."""
    return concatenate_sets(part for path in paths for part in iterate_image_file(path, batch_size=1 << 14))
