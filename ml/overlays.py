"""Two background events in one image: busier events than background has, without any signal.

Background alone shows a student few of the high scores that signals get. Images add up: the overlay of two
events is what the detector would show of both at once, and the teacher can score it like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array, vstack

from darktrigger.config import StrictModel
from ml.data import ImageData
from ml.events import Rows
from ml.streams import stream


class OverlayConfig(StrictModel):
    """How many overlays to train on.

    Parameters
    ----------
    fraction
        Overlays for each background event; 0 for none.
    seed
        Of the draw of the pairs.
    """

    fraction: Annotated[float, Field(ge=0)] = 0.5
    seed: Annotated[int, Field(ge=0)] = 1


def draw_pairs(rows: Rows, config: OverlayConfig, part: str) -> NDArray[np.int64]:
    """Pairs of different events of ``rows``, shape (overlays, 2); ``part`` names whom they are for."""
    n = len(rows)
    count = round(config.fraction * n) if n > 1 else 0
    generator = stream(config.seed, "overlays", part)
    first = generator.integers(n, size=count)
    second = (first + generator.integers(1, max(n, 2), size=count)) % max(n, 1)
    return np.stack([rows[first], rows[second]], axis=1)


def with_overlays(data: ImageData, pair_P2: NDArray[np.int64]) -> ImageData:
    """The events, and after them the overlay of each pair of them: E_T adds up, masks unite.

    An overlay counts as an event of the first one's file.
    """
    both = csr_array(data.pixels[pair_P2[:, 0]] + data.pixels[pair_P2[:, 1]])
    if data.kind == "coarse mask":
        both.data[:] = 1.0
    pixels = csr_array(vstack([data.pixels, both], format="csr"))
    label = np.concatenate([data.label, np.zeros(len(pair_P2), dtype=np.uint8)])
    source = np.concatenate([data.source, data.source[pair_P2[:, 0]]])
    return replace(data, pixels=pixels, label=label, source=source)
