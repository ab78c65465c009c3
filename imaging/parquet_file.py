"""Parquet files of sparse images: what event images and jet images have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_array

from darktrigger.config import StrictModel
from darktrigger.errors import BadValueError, UnreadableFileError, first_line
from darktrigger.files import atomic_path

METADATA_KEY = b"darktrigger"

MetadataT = TypeVar("MetadataT", bound=StrictModel)
RowsT = TypeVar("RowsT")


class RowWriter(Generic[RowsT]):
    """Appends to an open file.

    Parameters
    ----------
    parquet
        Arrow's writer.
    to_table
        Arrow table of rows, in the file's schema.
    """

    def __init__(self, parquet: Any, to_table: Callable[[RowsT], pa.Table]) -> None:
        self._parquet, self._to_table = parquet, to_table

    def write(self, rows: RowsT) -> None:
        """Append rows."""
        self.write_table(self._to_table(rows))

    def write_table(self, table: pa.Table) -> None:
        """Append rows that are a table already, in the file's schema."""
        self._parquet.write_table(table)

    def write_metadata(self, metadata: StrictModel) -> None:
        """Say what the file holds; once, when all rows are written."""
        self._parquet.add_key_value_metadata({METADATA_KEY: metadata.model_dump_json().encode()})


@contextmanager
def write_parquet(
    path: str | Path, schema: pa.Schema, pixel_columns: Sequence[str], to_table: Callable[[RowsT], pa.Table]
) -> Iterator[RowWriter[RowsT]]:
    """Open a file for writing; it appears under its name only when complete.

    Parameters
    ----------
    path
        The file.
    schema
        Its columns.
    pixel_columns
        Those that hold lists of ascending pixel numbers.
    to_table
        See :class:`RowWriter`.
    """
    # Dictionaries help neither E_T nor pixel numbers; sorted pixels compress best as differences.
    encodings = {f"{name}.list.element": "DELTA_BINARY_PACKED" for name in pixel_columns}
    # Without a stored Arrow schema, readers find our metadata in the schema that they derive.
    options = {
        "store_schema": False,
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": False,
        "column_encoding": encodings,
        "write_page_checksum": True,
    }
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, **options) as parquet:
        yield RowWriter(parquet, to_table)


def pixel_lists(matrix: csr_array) -> tuple[pa.Array, pa.Array]:
    """Pixel numbers (list of uint32) and values (list of float32) of each row; values share memory."""
    offsets = pa.array(matrix.indptr.astype(np.int32, copy=False))
    bins = pa.ListArray.from_arrays(offsets, pa.array(matrix.indices.astype(np.uint32)))
    return bins, pa.ListArray.from_arrays(offsets, pa.array(matrix.data))


def check_values(batch: pa.RecordBatch, schema: pa.Schema, finite: Sequence[str], path: str | Path) -> None:
    """Check the columns of a batch.

    Raises
    ------
    BadValueError
        A null in any column, or a value in one of those named that is not finite.
    """
    for name in _present(schema, batch.schema):
        column = batch[name]
        if column.null_count or (pa.types.is_list(column.type) and column.flatten().null_count):
            raise BadValueError(path, f"column {name} holds a null")
    for name in finite:
        values = batch[name].to_numpy()
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise BadValueError(path, f"column {name} holds {bad} (not a finite number)")


def pixel_matrix(batch: pa.RecordBatch, bins_name: str, values_name: str, n_pixels: int, path: str | Path) -> csr_array:
    """Images (n, n_pixels) from the two columns of lists of :func:`pixel_lists`.

    Raises
    ------
    BadValueError
        A pixel number outside the grid or out of order, or a value that is not finite.
    """
    bins, lists = batch[bins_name], batch[values_name]
    offsets = bins.offsets.to_numpy()
    if not np.array_equal(np.diff(offsets), np.diff(lists.offsets.to_numpy())):
        raise BadValueError(path, f"columns {bins_name} and {values_name} differ in length")
    # flatten() honours the slice that the batch is of its row group; offsets count from the group's start.
    index, values = bins.flatten().to_numpy(), lists.flatten().to_numpy(zero_copy_only=False)
    inner = offsets - offsets[0]
    if len(index) and index.max() >= n_pixels:
        raise BadValueError(path, f"column {bins_name} holds pixel {index.max()}, expected less than {n_pixels}")
    # Steps between neighbours, apart from those from one row to the next.
    steps = np.diff(index.astype(np.int64))
    steps[np.unique(inner[(inner > 0) & (inner < len(index))]) - 1] = 1
    if (steps <= 0).any():
        raise BadValueError(path, f"column {bins_name} holds pixels that are not ascending or not unique")
    if not np.isfinite(values).all():
        raise BadValueError(path, f"column {values_name} holds a value that is not finite")
    return csr_array((values, index.astype(np.int32), inner), shape=(len(bins), n_pixels))


def column(batch: pa.RecordBatch, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of a column; zeros where the file is older than the column."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, dtype)
    values: NDArray[Any] = batch[name].to_numpy(zero_copy_only=False)
    return values


def _present(schema: pa.Schema, found: pa.Schema) -> list[str]:
    return [name for name in schema.names if name in found.names]


def open_parquet(path: str | Path, schema: pa.Schema, kind: str, optional: Collection[str] = ()) -> Any:
    """Open and check the columns, all of the schema but those that are optional.

    ``kind`` names what the file should be, with its article.

    Raises
    ------
    UnreadableFileError
        Not Parquet, damaged, or without the columns of the schema.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise UnreadableFileError(path, "no such file") from None
    # Besides Arrow's own: names that are no UTF-8, sizes beyond memory.
    except Exception as error:  # noqa: BLE001
        raise UnreadableFileError(path, f"cannot be read as Parquet ({first_line(error)})") from None
    found = file.schema_arrow
    missing = [field.name for field in schema if field.name not in {*found.names, *optional}]
    if missing:
        raise UnreadableFileError(path, f"is not {kind}: columns {', '.join(missing)} are missing")
    present = [schema.field(name) for name in _present(schema, found)]
    wrong = [field for field in present if not _alike(found.field(field.name).type, field.type)]
    if wrong:
        types = ", ".join(f"{field.name} is {found.field(field.name).type}, not {field.type}" for field in wrong)
        raise UnreadableFileError(path, f"is not {kind}: column {types}")
    return file


def _alike(found: Any, wanted: Any) -> bool:
    if pa.types.is_fixed_size_list(wanted) and pa.types.is_fixed_size_list(found):
        # The name of a list's element, which counts as a part of the type, depends on the writer.
        return bool(found.list_size == wanted.list_size and found.value_type == wanted.value_type)
    return bool(found.equals(wanted))


def has_column(path: str | Path, name: str) -> bool:
    """Whether a file is Parquet and has a column; what it is otherwise, its own reader says."""
    try:
        return name in pq.read_schema(path).names
    except (OSError, ValueError, pa.ArrowException):
        return False


def labels_of(path: str | Path) -> set[int] | None:
    """Labels of a file's events, as its statistics tell without a look at the events; None where they do not."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, ValueError, pa.ArrowException):
        return None
    labels: set[int] = set()
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = {group.column(i).path_in_schema: group.column(i).statistics for i in range(group.num_columns)}
        found = columns.get("label")
        if found is None or not found.has_min_max or found.min != found.max:
            return None
        labels.add(int(found.min))
    return labels


def metadata_of(path: str | Path, file: Any, model: type[MetadataT]) -> MetadataT:
    """What an open file says of itself.

    Raises
    ------
    UnreadableFileError
        Nothing, or nothing that can be understood.
    """
    raw = (file.metadata.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise UnreadableFileError(path, "carries no darktrigger metadata")
    try:
        return model.model_validate(json.loads(raw))
    except (ValueError, RecursionError, ValidationError) as error:
        raise UnreadableFileError(path, f"carries metadata that cannot be understood ({error})") from None


def iterate_batches(
    path: str | Path, file: Any, schema: pa.Schema, batch_size: int, row_groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Rows of an open file, or of some of its row groups, at most ``batch_size`` at a time, in file order.

    Raises
    ------
    UnreadableFileError
        The file is damaged.
    """
    try:
        columns = _present(schema, file.schema_arrow)
        yield from file.iter_batches(batch_size, columns=columns, row_groups=row_groups)
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise UnreadableFileError(path, f"is damaged ({first_line(error)})") from None
