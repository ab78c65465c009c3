"""Image files: ``evaluate``, ``display`` and ``train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate
from benchmarks.fuzz.plain_data import spoil
from benchmarks.fuzz.samples import write_samples

_NUMBERS = (0.0, -1.0, np.nan, np.inf, -np.inf, 1e38, 1e-45, 255, 2**31, 2**32 - 1, 102959, 102960, 4176)
_TYPES = (
    pa.float64(),
    pa.int8(),
    pa.int64(),
    pa.string(),
    pa.list_(pa.float32()),
    pa.large_list(pa.uint32()),
    pa.null(),
)


class ParquetFiles:
    """Byte mutations, and sound files with wrong columns, values or metadata."""

    def prepare(self, valid: Path) -> None:
        """Images of both samples."""
        write_samples(valid, 12)

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """A display and an evaluation."""
        qcd, suep = str(valid / "qcd.parquet"), str(valid / "suep1000.parquet")
        return [
            ["display", qcd, "-o", str(folder / "event.png")],
            ["evaluate", "excess", qcd, suep, "-o", str(folder / "out"), "--config", str(valid / "quick.yaml")],
        ]

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt file."""
        path, original = folder / "bad.parquet", valid / "suep1000.parquet"
        which = rng.random()
        train = which < 0.06
        if train:
            original = valid / "qcd.parquet"
        if rng.random() < 0.5:
            write_wrong(original, path, rng)
        else:
            path.write_bytes(mutate(original.read_bytes(), rng))
        out = folder / OUT
        if train:
            return ["train", "excess", str(path), "-o", str(out), "--epochs", "1"]
        if which < 0.4:
            entry = int(rng.choice([0, 0, 1, 11, 12, 10**6]))
            return ["display", str(path), "-o", str(out / "event.png"), "--entry", str(entry)]
        return ["evaluate", "excess", str(valid / "qcd.parquet"), str(path), "-o", str(out),
                "--config", str(valid / "quick.yaml")]  # fmt: skip


def write_wrong(original: Path, path: Path, rng: np.random.Generator) -> None:
    """A sound Parquet file, wrong in one or two ways."""
    table = pq.read_table(original)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    types = dict(zip(table.column_names, table.schema.types, strict=True))
    metadata = dict(pq.read_metadata(original).metadata or {})
    for _ in range(int(rng.integers(1, 3))):
        name = list(columns)[int(rng.integers(len(columns)))]
        which = int(rng.integers(7))
        if which == 0:
            del columns[name], types[name]
        elif which == 1:
            types[name] = _TYPES[int(rng.integers(len(_TYPES)))]
        elif which in {2, 3}:
            columns[name] = [_spoilt(value, rng) if rng.random() < 0.3 else value for value in columns[name]]
        elif which == 4:
            columns = {key: values[:0] for key, values in columns.items()}
        elif which == 5:
            columns[name] = [None if rng.random() < 0.3 else value for value in columns[name]]
        elif raw := metadata.get(b"darktrigger"):
            metadata[b"darktrigger"] = _metadata(raw, rng)
    arrays = {key: _array(values, types[key]) for key, values in columns.items()}
    schema = pa.schema([(key, array.type) for key, array in arrays.items()])
    groups = int(rng.choice([1, 5, 1000]))
    with pq.ParquetWriter(path, schema, store_schema=bool(rng.random() < 0.5)) as writer:
        writer.write_table(pa.Table.from_arrays(list(arrays.values()), schema=schema), row_group_size=groups)
        writer.add_key_value_metadata(metadata)


def _metadata(raw: bytes, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.2:
        return mutate(raw, rng)
    try:
        found = json.loads(raw)
    except ValueError:
        # It was spoilt before.
        return mutate(raw, rng)
    return json.dumps(spoil(found, rng), default=str).encode()


def _spoilt(value: Any, rng: np.random.Generator) -> Any:
    """Other numbers, and lists that are longer, shorter, out of order or have repeated members."""
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
    if not isinstance(value, list):
        return number
    changes: tuple[list[Any], ...] = (
        [*value, number], value[:-1], value[::-1], value + value, [], [number] * len(value),
        [*value[:1], None, *value[1:]],
    )  # fmt: skip
    return changes[int(rng.integers(len(changes)))]


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The values in that type; where they do not fit, in the one that they have, or as text."""
    for attempt in (kind, None):
        try:
            return pa.array(values, type=attempt, from_pandas=False)
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            continue
    return pa.array([str(value) for value in values])
