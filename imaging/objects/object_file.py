"""The object file: Parquet, one row a selected event; and the HDF5 files of the 40 MHz challenge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darktrigger.errors import BadValueError, UnreadableFileError, first_line
from darktrigger.files import atomic_path
from imaging.event_file import EventMetadata
from imaging.image_set import COLUMNS, LATER_COLUMNS
from imaging.objects.branches import ObjectBranches, ObjectConfig
from imaging.objects.layout import MEMBERS, N_INPUTS, N_SLOTS
from imaging.objects.object_set import ObjectSet, concatenate_objects
from imaging.parquet_file import RowWriter, check_values, column, has_column, iterate_batches, metadata_of, open_parquet

OBJECTS = "objects"

SCHEMA = pa.schema(
    [(OBJECTS, pa.list_(pa.float32(), N_INPUTS))]
    + [(name, pa.from_numpy_dtype(dtype)) for name, dtype in COLUMNS.items()]
)

#: Suffixes of the challenge's files, and the data set in them: (n, 19, 4), p_T, eta, phi and class of each object.
CHALLENGE_SUFFIXES = (".h5", ".hdf5")
_PARTICLES = "Particles"

_STEP = 1 << 14


class ObjectMetadata(EventMetadata[ObjectBranches, ObjectConfig]):
    """What an object file says of itself."""

    layout: str = "MissingET, 4 electrons, 4 muons, 10 jets: p_T (GeV), eta, phi"


@contextmanager
def write_object_file(path: str | Path) -> Iterator[RowWriter[ObjectSet]]:
    """Open an object file for writing; it appears under its name only when complete."""
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, SCHEMA, compression="zstd", write_page_checksum=True) as parquet,
    ):
        yield RowWriter(parquet, to_object_table)


def to_object_table(events: ObjectSet) -> pa.Table:
    """Arrow table of events, in the schema of the object file."""
    objects = pa.FixedSizeListArray.from_arrays(pa.array(events.images.ravel()), N_INPUTS)
    return pa.Table.from_arrays([objects, *(pa.array(getattr(events, name)) for name in COLUMNS)], schema=SCHEMA)


def from_object_batch(batch: pa.RecordBatch, path: str | Path) -> ObjectSet:
    """Events of an Arrow batch.

    Raises
    ------
    BadValueError
        A null, or a value that is not finite.
    """
    check_values(batch, SCHEMA, ("weight", "mass", "ht"), path)
    objects = batch[OBJECTS].flatten().to_numpy(zero_copy_only=False).reshape(-1, N_INPUTS)
    return ObjectSet(objects, *(column(batch, name, dtype) for name, dtype in COLUMNS.items()))


def is_object_file(path: str | Path) -> bool:
    """Whether a file is one of the challenge's, or a Parquet file with objects."""
    if Path(path).suffix in CHALLENGE_SUFFIXES:
        return True
    return has_column(path, OBJECTS)


def _open(path: str | Path) -> Any:
    return open_parquet(path, SCHEMA, "an object file", LATER_COLUMNS)


def read_object_metadata(path: str | Path) -> ObjectMetadata:
    """What an object file says of itself.

    Raises
    ------
    UnreadableFileError
        Not an object file, or without metadata that can be understood.
    """
    with _open(path) as file:
        return metadata_of(path, file, ObjectMetadata)


def object_label_names(path: str | Path) -> dict[int, str]:
    """Name of each label; the challenge's files have background alone."""
    if Path(path).suffix in CHALLENGE_SUFFIXES:
        return {0: "background"}
    return read_object_metadata(path).label_names


def iterate_object_file(path: str | Path, batch_size: int = _STEP) -> Iterator[ObjectSet]:
    """Events of an object file or of one of the challenge's, at most ``batch_size`` at a time, in file order.

    Events of the challenge have weight 1, label 0 and their p_T sum of jets as H_T.

    Raises
    ------
    UnreadableFileError
        Neither, or damaged.
    BadValueError
        Values that are not finite.
    """
    parts = _challenge(path, batch_size) if Path(path).suffix in CHALLENGE_SUFFIXES else _parquet(path, batch_size)
    for part in parts:
        if not np.isfinite(part.images).all():
            raise BadValueError(path, "holds an object with a value that is not finite")
        yield part


def _parquet(path: str | Path, batch_size: int) -> Iterator[ObjectSet]:
    with _open(path) as file:
        for batch in iterate_batches(path, file, SCHEMA, batch_size):
            yield from_object_batch(batch, path)


def _challenge(path: str | Path, batch_size: int) -> Iterator[ObjectSet]:
    try:
        with h5py.File(path, "r") as file:
            particles = file.get(_PARTICLES)
            if not isinstance(particles, h5py.Dataset) or particles.shape[1:] != (N_SLOTS, len(MEMBERS) + 1):
                found = (
                    ", ".join(f"{name} {getattr(item, 'shape', '(group)')}" for name, item in file.items()) or "nothing"
                )
                raise UnreadableFileError(
                    path, f"no data set '{_PARTICLES}' of shape (n, {N_SLOTS}, {len(MEMBERS) + 1}); found: {found}"
                )
            for start in range(0, len(particles), batch_size):
                yield _from_challenge(np.asarray(particles[start : start + batch_size], dtype=np.float32), start)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read as HDF5 ({first_line(error)})") from None


def _from_challenge(particles_NSM: np.ndarray[Any, np.dtype[np.float32]], start: int) -> ObjectSet:
    n = len(particles_NSM)
    columns: dict[str, Any] = {name: np.zeros(n, dtype) for name, dtype in COLUMNS.items()}
    columns["ht"] = particles_NSM[:, -10:, 0].sum(1)
    columns["weight"] = np.ones(n, dtype=np.float32)
    columns["entry"] = np.arange(start, start + n, dtype=np.uint64)
    return ObjectSet(particles_NSM[:, :, : len(MEMBERS)].reshape(n, N_INPUTS), **columns)


def read_object_files(paths: Iterable[str | Path]) -> ObjectSet:
    """All events of several files, in the order given; see :func:`iterate_object_file`."""
    return concatenate_objects(part for path in paths for part in iterate_object_file(path))
