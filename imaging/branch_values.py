"""Values of Delphes branches, checked."""

from __future__ import annotations

from collections.abc import Mapping

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import BadValueError


def one_per_event(arrays: Mapping[str, ak.Array], name: str, source: str) -> NDArray[np.float32]:
    """A branch of which Delphes keeps a single value in each event.

    Raises
    ------
    BadValueError
        NaN, infinity, or another number of values.
    """
    array = arrays[name]
    counts = ak.to_numpy(ak.num(array))
    if not np.all(counts == 1):
        event = int(np.flatnonzero(counts != 1)[0])
        raise BadValueError(source, f"branch {name} holds {counts[event]} values in event {event}, expected 1")
    return finite(array, name, source)


def finite(array: ak.Array, name: str, source: str) -> NDArray[np.float32]:
    """All values of a branch, flat, none of them NaN or infinite.

    Raises
    ------
    BadValueError
        One is.
    """
    values: NDArray[np.float32] = np.asarray(ak.flatten(array), dtype=np.float32)
    if not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise BadValueError(source, f"branch {name} holds {bad} (not a finite number)")
    return values
