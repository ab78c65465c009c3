"""Axes of the score histograms, fixed before any worker starts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from hist.axis import Regular
from numpy.typing import NDArray

from analysis.config import AxisConfig

#: Score range of the counting baselines: one bin a count.
_COUNTS = (-0.5, 1999.5)

#: How far the range reaches beyond what the pre-scan saw, in units of its span.
_MARGIN = 0.25

#: A pre-scanned value farther from the bulk than this many widths of it (1% to 99%) is left to the flow bins.
_FAR = 5.0


@dataclass(frozen=True)
class ScoreAxis:
    """Range and binning of one score; values outside count as the outermost bins.

    ``coarse_bins`` divides ``bins``, so that every coarse edge is a fine one too.
    """

    name: str
    low: float
    high: float
    bins: int
    coarse_bins: int

    @property
    def fine(self) -> Regular:
        """For figures of merit."""
        return Regular(self.bins, self.low, self.high, name=self.name, label=self.name)

    @property
    def coarse(self) -> Regular:
        """For histograms in two dimensions."""
        return Regular(self.coarse_bins, self.low, self.high, name=self.name, label=self.name)


def count_axis(name: str, config: AxisConfig) -> ScoreAxis:
    """Axis of a baseline that counts something: bins are centred on whole numbers."""
    low, high = _COUNTS
    return _score_axis(name, low, high, width=1.0, config=config)


def score_axis(name: str, samples: Iterable[NDArray[np.floating]], config: AxisConfig) -> ScoreAxis:
    """Axis of a score of which some values of each dataset are known.

    The range covers them all, save lone outliers, with a margin. A score of whole numbers
    gets bins centred on whole numbers, so that binning loses nothing where it need not.

    Parameters
    ----------
    name
        Name of the score.
    samples
        Oriented scores, an array for each dataset.
    config
        Numbers of bins.
    """
    values = np.concatenate([np.asarray(sample, dtype=np.float64) for sample in samples])
    if not len(values):
        return _score_axis(name, 0.0, 1.0, width=1.0 / config.score_bins, config=config)
    low_bulk, high_bulk = np.quantile(values, [0.01, 0.99])
    reach = _FAR * (high_bulk - low_bulk) or math.inf
    low, high = max(values.min(), low_bulk - reach), min(values.max(), high_bulk + reach)
    margin = _MARGIN * (high - low) or max(1.0, abs(low))
    low, high = low - margin, high + margin
    if np.array_equal(values, np.rint(values)):
        return _score_axis(name, math.floor(low) - 0.5, high, math.ceil((high - low) / config.score_bins), config)
    return _score_axis(name, low, high, (high - low) / config.score_bins, config)


def _score_axis(name: str, low: float, high: float, width: float, config: AxisConfig) -> ScoreAxis:
    """Whole bins of the width from ``low`` to ``high`` or just beyond."""
    bins = math.ceil(round((high - low) / width, 6))
    merged = math.ceil(bins / config.plane_bins)
    coarse = math.ceil(bins / merged)
    return ScoreAxis(name, low, low + coarse * merged * width, coarse * merged, coarse)


def ht_axis(config: AxisConfig) -> Regular:
    """H_T, GeV."""
    return Regular(config.ht_bins, 0.0, config.ht_max, name="ht", label="$H_T$ [GeV]")


def n_tracks_axis(config: AxisConfig) -> Regular:
    """Number of tracks; edges between whole numbers."""
    return Regular(config.n_tracks_bins, -0.5, config.n_tracks_max - 0.5, name="n_tracks_bin", label="Number of tracks")
