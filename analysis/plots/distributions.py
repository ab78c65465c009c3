"""Distributions of scores, background against signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
from matplotlib.figure import Figure

from analysis.binned import Binned
from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, DASHES, add_label, canvas, legend_above

#: Fewest and most bins; in between, as the smaller samples' numbers of events allow.
_BINS = (12, 50)


@dataclass(frozen=True)
class Distribution:
    """One sample; backgrounds are filled."""

    legend: str
    is_background: bool
    sample: Binned


def readable_bins(n_effective: Sequence[float], fewest: int, most: int) -> int:
    """Number of bins that samples of these effective numbers of events can fill."""
    return int(np.clip(2.5 * np.sqrt(np.median(n_effective)), fewest, most))


def rebinned(samples: Sequence[Binned]) -> list[Binned]:
    """The same samples over the range where any of them has events, with bins merged to a readable number."""
    bins = readable_bins([sample.n_effective for sample in samples], *_BINS)
    filled = np.flatnonzero(np.sum([sample.variances for sample in samples], axis=0))
    first, last = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, len(samples[0].values))
    merged = -(-(last - first) // bins)
    starts = np.arange(first, last, merged)
    last_edge = min(int(starts[-1]) + merged, len(samples[0].values))
    edges = samples[0].edges[[*starts, last_edge]]
    return [
        Binned(
            edges,
            np.add.reduceat(sample.values[:last_edge], starts),
            np.add.reduceat(sample.variances[:last_edge], starts),
        )
        for sample in samples
    ]


def draw_distributions(distributions: Sequence[Distribution], xlabel: str, style: StyleConfig) -> Figure:
    """Fraction of each sample's events per bin, with statistical uncertainties, logarithmic."""
    figure, axes = canvas()
    present = [item for item in distributions if item.sample.n_effective]
    smallest = 1.0
    for index, (item, sample) in enumerate(zip(present, rebinned([item.sample for item in present]), strict=True)):
        fractions, errors = sample.values / sample.total, np.sqrt(sample.variances) / abs(sample.total)
        smallest = min([smallest, *fractions[fractions > 0]])
        colour = COLOURS[index % len(COLOURS)]
        step = {"histtype": "step", "linewidth": 2, "linestyle": DASHES[index % len(DASHES)]}
        look = {"histtype": "fill", "alpha": 0.35} if item.is_background else step
        mplhep.histplot(
            fractions, bins=sample.edges, yerr=False, color=colour, label=item.legend, ax=axes, flow="none", **look
        )
        axes.errorbar(
            (sample.edges[1:] + sample.edges[:-1]) / 2,
            np.where(fractions > 0, fractions, np.nan),
            yerr=errors,
            fmt="none",
            ecolor=colour,
            elinewidth=1,
            alpha=0.8,
        )
    axes.set(xlabel=xlabel, ylabel="Fraction of events / bin")
    axes.margins(x=0)
    legend_above(axes, smallest, ncols=2)
    add_label(axes, style)
    return figure
