"""The jet image file: Parquet, one row a selected jet.

Columns ``jet_bin`` (list<uint32>, non-zero pixels, ascending, unique) and ``jet_pt`` (list<float32>, their
summed p_T, GeV), and those of :data:`imaging.jets.jet_set.JET_COLUMNS`. Schema metadata, key
``darktrigger``: :class:`JetMetadata` as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from darktrigger.config import StrictModel
from darktrigger.inputs import SkippedFile
from imaging.jets.config import JetSelection
from imaging.jets.grid import D_ETA, D_PHI, N_PIXELS
from imaging.jets.jet_set import JET_COLUMNS, JetSet, concatenate_jets
from imaging.parquet_file import (
    RowWriter,
    check_values,
    has_column,
    iterate_batches,
    metadata_of,
    open_parquet,
    pixel_lists,
    pixel_matrix,
    write_parquet,
)

BINS, VALUES = "jet_bin", "jet_pt"

JET_SCHEMA = pa.schema(
    [(BINS, pa.list_(pa.uint32())), (VALUES, pa.list_(pa.float32()))]
    + [(name, pa.from_numpy_dtype(dtype)) for name, dtype in JET_COLUMNS.items()]
)


class JetSource(StrictModel):
    """One file that jets came from, and which of its branches or columns gave the constituents.

    ``energy`` of the protons' collision in GeV, where told.
    """

    path: str
    fingerprint: str | None
    entries: int
    jets_selected: int
    constituents: tuple[str, ...]
    energy: float | None = None


class JetGrid(StrictModel):
    """Pixels of the images."""

    n_rows: int = N_PIXELS
    n_columns: int = N_PIXELS
    d_eta: float = D_ETA
    d_phi: float = D_PHI


class JetMetadata(StrictModel):
    """What a jet image file says of itself."""

    process: str
    label_names: dict[int, str]
    source_files: tuple[JetSource, ...]
    skipped_files: tuple[SkippedFile, ...] = ()
    events_read: int
    jets_selected: int
    sum_of_weights_read: float
    sum_of_weights_selected: float
    algorithm: Literal["anti-kT, E scheme", "as in the source file"]
    selection: JetSelection
    preprocessing: tuple[str, ...] = Field(
        (
            "centred on the p_T-weighted centroid",
            "p_T-weighted principal axis turned to 12 o'clock",
            "flipped: most p_T in the lower left quadrant",
        )
    )
    grid: JetGrid = JetGrid()
    versions: dict[str, str]


@contextmanager
def write_jet_file(path: str | Path) -> Iterator[RowWriter[JetSet]]:
    """Open a jet image file for writing; it appears under its name only when complete."""
    with write_parquet(path, JET_SCHEMA, [BINS], to_jet_table) as writer:
        yield writer


def to_jet_table(jets: JetSet) -> pa.Table:
    """Arrow table of jets, in the schema of the jet image file."""
    columns = [pa.array(getattr(jets, name)) for name in JET_COLUMNS]
    return pa.Table.from_arrays([*pixel_lists(jets.images), *columns], schema=JET_SCHEMA)


def from_jet_batch(batch: pa.RecordBatch, path: str | Path) -> JetSet:
    """Jets of an Arrow batch.

    Raises
    ------
    BadValueError
        A null, a pixel number outside the grid or out of order, or a value that is not finite.
    """
    check_values(batch, JET_SCHEMA, ("weight", "mass", "pt", "jet_mass"), path)
    images = pixel_matrix(batch, BINS, VALUES, N_PIXELS**2, path)
    columns: dict[str, np.ndarray[Any, Any]] = {
        name: batch[name].to_numpy(zero_copy_only=False) for name in JET_COLUMNS
    }
    return JetSet(images, **columns)


def is_jet_file(path: str | Path) -> bool:
    """Whether a file is Parquet and holds jet images."""
    return has_column(path, BINS)


def open_jet_file(path: str | Path) -> Any:
    """Open and check the columns.

    Raises
    ------
    UnreadableFileError
        Not Parquet, damaged, or not a jet image file.
    """
    return open_parquet(path, JET_SCHEMA, "a jet image file")


def read_jet_metadata(path: str | Path) -> JetMetadata:
    """What a jet image file says of itself.

    Raises
    ------
    UnreadableFileError
        Not a jet image file, or without metadata that can be understood.
    """
    with open_jet_file(path) as file:
        return metadata_of(path, file, JetMetadata)


def iterate_jet_file(path: str | Path, batch_size: int = 1 << 14) -> Iterator[JetSet]:
    """Jets of a file, at most ``batch_size`` at a time, in file order.

    Raises
    ------
    UnreadableFileError
        Not a jet image file, or damaged.
    BadValueError
        Values that no detector gives.
    """
    with open_jet_file(path) as file:
        for batch in iterate_batches(path, file, JET_SCHEMA, batch_size):
            yield from_jet_batch(batch, path)


def read_jet_files(paths: Iterable[str | Path]) -> JetSet:
    """All jets of several files, in the order given; see :func:`iterate_jet_file`."""
    return concatenate_jets(part for path in paths for part in iterate_jet_file(path))
