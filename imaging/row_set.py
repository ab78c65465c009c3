"""Rows held as columns: images, objects or jets with what belongs to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowSet:
    """Base of dataclasses all of whose fields have one entry a row; the last one is a column, shape (n,)."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[-1].name))

    def __getitem__(self, rows: slice | NDArray[Any]) -> Self:
        """Select rows by slice, index array or mask."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


def stacked_columns(parts: Sequence[RowSet], columns: Mapping[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    """Columns of consecutive chunks put together, of the types given; empty without any chunk."""
    return {
        name: np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)]).astype(dtype, copy=False)
        for name, dtype in columns.items()
    }
