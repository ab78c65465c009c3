"""Parquet files joined into one without a look into their pages: only the footers are read and written anew.

What takes time, to encode and compress, is thus done by many workers, and the one process that puts their parts
together copies bytes. The layout is that of https://parquet.apache.org/docs/file-format; numbers of fields are those
of ``parquet.thrift``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

from darktrigger.config import StrictModel
from darktrigger.errors import UnreadableFileError
from darktrigger.files import atomic_path
from imaging.parquet_file import METADATA_KEY

_MAGIC = b"PAR1"
#: Bytes after the footer: its length, and the magic number.
_TAIL = 4 + len(_MAGIC)

# FileMetaData
_N_ROWS, _ROW_GROUPS, _KEY_VALUES = 3, 4, 5
# RowGroup
_COLUMNS, _FILE_OFFSET, _ORDINAL = 1, 5, 7
# ColumnChunk, its metadata, and those of their fields that count from the start of the file
_COLUMN_METADATA = 3
_CHUNK_OFFSETS = (2, 4, 6)
_COLUMN_OFFSETS = (9, 10, 11, 14)

_SCALARS = {
    TType.BOOL: "Bool",
    TType.BYTE: "Byte",
    TType.I16: "I16",
    TType.I32: "I32",
    TType.I64: "I64",
    TType.DOUBLE: "Double",
    TType.STRING: "Binary",
}

#: Fields of a struct: type and value by number. A list is the type of its elements and they.
_Struct = dict[int, tuple[int, Any]]


class ParquetJoiner:
    """Appends the row groups of whole files to an open one.

    Parameters
    ----------
    sink
        The open file, at its start.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._sink.write(_MAGIC)
        self._footer: _Struct | None = None
        # Encoded: as bytes they are a tenth of what they are as objects, and there may be many thousands.
        self._row_groups: list[bytes] = []
        self._n_rows = 0
        self._metadata: bytes | None = None

    def append(self, path: str | Path) -> None:
        """Append a file with the columns of those before it.

        Raises
        ------
        UnreadableFileError
            Not a whole Parquet file.
        """
        content = memoryview(Path(path).read_bytes())
        start = len(content) - _TAIL - int.from_bytes(content[-_TAIL : -len(_MAGIC)], "little")
        if start < len(_MAGIC) or content[-len(_MAGIC) :] != _MAGIC:
            raise UnreadableFileError(path, "is not a whole Parquet file")
        shift = self._sink.tell() - len(_MAGIC)
        self._sink.write(content[len(_MAGIC) : start])
        footer = _read(TCompactProtocol(TMemoryBuffer(bytes(content[start:-_TAIL]))), TType.STRUCT)
        for row_group in footer[_ROW_GROUPS][1][1]:
            self._row_groups.append(_encode(_moved(row_group, shift, len(self._row_groups))))
        self._n_rows += footer[_N_ROWS][1]
        self._footer = self._footer or footer

    def write_metadata(self, metadata: StrictModel) -> None:
        """Say what the file holds, in place of what its parts say; once."""
        self._metadata = metadata.model_dump_json().encode()

    def finish(self) -> None:
        """Write the footer."""
        if self._footer is None:
            raise ValueError("nothing to join")
        _, (kind, pairs) = self._footer.get(_KEY_VALUES, (TType.LIST, (TType.STRUCT, [])))
        pairs = [pair for pair in pairs if pair[1][1] != METADATA_KEY]
        if self._metadata is not None:
            pairs.append({1: (TType.STRING, METADATA_KEY), 2: (TType.STRING, self._metadata)})
        new: _Struct = {
            _N_ROWS: (TType.I64, self._n_rows),
            _ROW_GROUPS: (TType.LIST, (TType.STRUCT, self._row_groups)),
            _KEY_VALUES: (TType.LIST, (kind, pairs)),
        }
        encoded = _encode(dict(sorted((self._footer | new).items())))
        self._sink.write(encoded + len(encoded).to_bytes(4, "little") + _MAGIC)


@contextmanager
def join_parquet(path: str | Path) -> Iterator[ParquetJoiner]:
    """Open a file that others are joined into; it appears under its name only when complete."""
    with atomic_path(path) as temporary, temporary.open("wb") as sink:
        joiner = ParquetJoiner(sink)
        yield joiner
        joiner.finish()


def _moved(row_group: _Struct, shift: int, ordinal: int) -> _Struct:
    """A row group so many bytes further on."""
    chunks: list[_Struct] = row_group[_COLUMNS][1][1]
    for chunk in chunks:
        _shift(chunk, _CHUNK_OFFSETS, shift)
        _shift(chunk[_COLUMN_METADATA][1], _COLUMN_OFFSETS, shift)
    _shift(row_group, (_FILE_OFFSET,), shift)
    if _ORDINAL in row_group:
        row_group[_ORDINAL] = (TType.I16, ordinal)
    return row_group


def _shift(fields: _Struct, numbers: tuple[int, ...], shift: int) -> None:
    for number in numbers:
        kind, offset = fields.get(number, (TType.I64, 0))
        # 0 stands for none.
        if offset:
            fields[number] = (kind, offset + shift)


def _read(protocol: TCompactProtocol, kind: int) -> Any:
    if kind == TType.STRUCT:
        fields: _Struct = {}
        protocol.readStructBegin()
        while (field := protocol.readFieldBegin())[1] != TType.STOP:
            _, inner, number = field
            fields[number] = (inner, _read(protocol, inner))
            protocol.readFieldEnd()
        protocol.readStructEnd()
        return fields
    if kind == TType.LIST:
        inner, n = protocol.readListBegin()
        values = [_read(protocol, inner) for _ in range(n)]
        protocol.readListEnd()
        return inner, values
    return getattr(protocol, f"read{_SCALARS[kind]}")()


def _encode(fields: _Struct) -> bytes:
    buffer = TMemoryBuffer()
    _write(TCompactProtocol(buffer), TType.STRUCT, fields)
    encoded: bytes = buffer.getvalue()
    return encoded


def _write(protocol: TCompactProtocol, kind: int, value: Any) -> None:
    if kind == TType.STRUCT and isinstance(value, bytes):
        protocol.trans.write(value)
    elif kind == TType.STRUCT:
        protocol.writeStructBegin("")
        for number, (inner, item) in value.items():
            protocol.writeFieldBegin("", inner, number)
            _write(protocol, inner, item)
            protocol.writeFieldEnd()
        protocol.writeFieldStop()
        protocol.writeStructEnd()
    elif kind == TType.LIST:
        inner, values = value
        protocol.writeListBegin(inner, len(values))
        for item in values:
            _write(protocol, inner, item)
        protocol.writeListEnd()
    else:
        getattr(protocol, f"write{_SCALARS[kind]}")(value)
