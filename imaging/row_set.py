"""Rows held as columns: images, objects or jets with what belongs to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class RowSet:
    """Base of dataclasses all of whose fields have one entry a row; ``weight`` is a column of every one."""

    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self: Self, rows: slice | NDArray[Any]) -> Self:
        """Select rows by slice, index array or mask."""
        names = [field.name for field in fields(as_dataclass(self))]
        return type(self)(*(getattr(self, name)[rows] for name in names))


def as_dataclass(rows: RowSet) -> DataclassInstance:
    """The same, as what every subclass is."""
    return rows  # type: ignore[return-value]


def stacked_columns(
    parts: Sequence[RowSet] | Iterable[RowSet], columns: Mapping[str, np.dtype[Any]]
) -> dict[str, NDArray[Any]]:
    """Columns of consecutive chunks put together, of the types given; empty without any chunk."""
    parts = list(parts)
    return {
        name: np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)]).astype(dtype, copy=False)
        for name, dtype in columns.items()
    }
