"""What a detector gives: named collections of flat columns, as Delphes names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.events import offsets_of


@dataclass(frozen=True)
class Collection:
    """Objects of one kind, flat over events.

    Parameters
    ----------
    offsets
        First object of each event and the end of the last one, (n + 1,).
    columns
        Member name to values, one a object; ``Edges[4]`` has four.
    """

    offsets: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class DelphesEvents:
    """Reconstructed events; ``collections["Track"].columns["PT"]`` is the branch ``Track.PT``."""

    collections: dict[str, Collection]

    def __len__(self) -> int:
        return len(next(iter(self.collections.values())))

    def __getitem__(self, name: str) -> Collection:
        return self.collections[name]


def concatenate(parts: Sequence[DelphesEvents]) -> DelphesEvents:
    """Join consecutive parts, which must hold the same collections."""
    joined = {}
    for name, first in parts[0].collections.items():
        counts = np.concatenate([np.diff(part[name].offsets) for part in parts])
        columns = {member: np.concatenate([part[name].columns[member] for part in parts]) for member in first.columns}
        joined[name] = Collection(offsets_of(counts), columns)
    return DelphesEvents(joined)
