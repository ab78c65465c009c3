"""Events in the four regions, exactly, from the scores of every event."""

from __future__ import annotations

import numpy as np

from analysis.abcd import AbcdEstimate, Regions, estimate_of, region_of
from analysis.binned import FloatArray

#: Cuts on the oriented scores: an event passes at or above them.
Thresholds = tuple[float, float]


def sums_in_regions(scores: FloatArray, weight: FloatArray, thresholds: Thresholds) -> Regions:
    """Sum of weights in each region."""
    return Regions(*np.bincount(region_of(scores, thresholds), weight, minlength=4).tolist())


def estimate_at(scores: FloatArray, weight: FloatArray, thresholds: Thresholds) -> AbcdEstimate:
    """ABCD with given cuts; uncertainties from sum w^2."""
    return estimate_of(
        thresholds,
        sums_in_regions(scores, weight, thresholds),
        sums_in_regions(scores, np.square(weight), thresholds),
        sums_in_regions(scores, np.ones_like(weight), thresholds),
    )


def mixed(background: Regions, signal: Regions, events: float, fraction: float) -> Regions:
    """Expected events in each region of a sample of which ``fraction`` is signal."""
    return added(scaled(background, events * (1 - fraction)), scaled(signal, events * fraction))


def fractions(regions: Regions) -> Regions:
    """Each region's share."""
    total = sum(regions)
    return Regions(*(value / total for value in regions))


def scaled(regions: Regions, factor: float) -> Regions:
    """Every region multiplied."""
    return Regions(*(value * factor for value in regions))


def added(first: Regions, second: Regions) -> Regions:
    """Region by region."""
    return Regions(*(one + other for one, other in zip(first, second, strict=True)))
