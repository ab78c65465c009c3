"""The histograms of one dataset: booked from axes, filled from events, added across chunks.

Each is kept twice: ``NAME`` holds sums of weights and of their squares, ``NAME_counts``
plain integer counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hist import Hist
from hist.axis import Integer, Regular
from hist.storage import Int64, Weight
from numpy.typing import NDArray

from analysis.axes import ScoreAxis

#: Histograms of a dataset by name.
Histograms = dict[str, Hist[Any]]

COUNTS = "_counts"

#: Recorded events of a menu by region.
REGIONS = "menu_regions"


def score_name(score: str) -> str:
    """Fine histogram of a score."""
    return f"score_{score}"


def against_name(score: str, variable: str) -> str:
    """Score (coarse) by variable, ``ht`` or ``n_tracks``."""
    return f"score_{score}_by_{variable}"


def plane_name(first: str, second: str) -> str:
    """ABCD plane of two scores (coarse)."""
    return f"plane_{first}_{second}"


@dataclass(frozen=True)
class Booking:
    """What to fill: the axes of every histogram."""

    scores: Mapping[str, ScoreAxis]
    pairs: tuple[tuple[str, str], ...]
    ht: Regular
    n_tracks: Regular

    def fill(
        self,
        scores: Mapping[str, NDArray[np.float32]],
        ht: NDArray[np.float32],
        n_tracks: NDArray[np.integer[Any]],
        weight: NDArray[np.floating],
    ) -> Histograms:
        """All histograms of some events; every argument has shape (n,) or holds such arrays."""
        filled = _fill("ht", [self.ht], [ht], weight) | _fill("n_tracks", [self.n_tracks], [n_tracks], weight)
        for name, axis in self.scores.items():
            filled |= _fill(score_name(name), [axis.fine], [scores[name]], weight)
            filled |= _fill(against_name(name, "ht"), [axis.coarse, self.ht], [scores[name], ht], weight)
            filled |= _fill(
                against_name(name, "n_tracks"), [axis.coarse, self.n_tracks], [scores[name], n_tracks], weight
            )
        for first, second in self.pairs:
            axes = [self.scores[first].coarse, self.scores[second].coarse]
            filled |= _fill(plane_name(first, second), axes, [scores[first], scores[second]], weight)
        return filled

    def empty(self) -> Histograms:
        """All histograms of no events."""
        nothing = np.empty(0, dtype=np.float32)
        return self.fill(
            dict.fromkeys(self.scores, nothing), nothing, nothing.astype(np.uint32), nothing.astype(np.float64)
        )

    def description(self) -> dict[str, Any]:
        """Plain data that tells these histograms from any others."""
        axes = {name: [describe(axis.fine), describe(axis.coarse)] for name, axis in self.scores.items()}
        return {"scores": axes, "pairs": self.pairs, "ht": describe(self.ht), "n_tracks": describe(self.n_tracks)}


def describe(axis: Regular) -> list[float]:
    """What makes an axis: its edges."""
    return [float(edge) for edge in axis.edges]


def fill_regions(regions: NDArray[np.intp], weight: NDArray[np.floating]) -> Histograms:
    """Recorded events of a menu by region, 0 to 3 for A to D; both arguments have shape (n,)."""
    return _fill(REGIONS, [Integer(0, 4, name="region", label="Region", flow=False)], [regions], weight)


def _fill(
    name: str, axes: Sequence[Regular | Integer], values: list[NDArray[Any]], weight: NDArray[np.floating]
) -> Histograms:
    weighted: Hist[Any] = Hist(*axes, storage=Weight(), name=name)
    counts: Hist[Any] = Hist(*axes, storage=Int64(), name=name + COUNTS)
    return {name: weighted.fill(*values, weight=weight), name + COUNTS: counts.fill(*values)}
