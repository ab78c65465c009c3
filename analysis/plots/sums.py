"""True against reconstructed sum over all pixels (ConvAE paper, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.binned import FloatArray
from analysis.config import StyleConfig
from analysis.plots.distributions import readable_bins
from analysis.plots.style import COLOURS, DASHES, add_label


@dataclass(frozen=True)
class SumSample:
    """Sums over the pixels of input and reconstruction, shape (n,) each."""

    legend: str
    is_background: bool
    true_sum: FloatArray
    reco_sum: FloatArray
    weight: FloatArray


def draw_sums(samples: Sequence[SumSample], quantity: str, title: str, style: StyleConfig) -> Figure:
    """Distributions of the true (left) and the reconstructed sum (right) on common axes."""
    figure = Figure()
    width, height = figure.get_size_inches()
    figure.set_size_inches(1.75 * width, height)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    figure.subplots_adjust(left=0.09, right=0.97, bottom=0.12, top=0.93, wspace=0.14)
    values = np.concatenate([array for sample in samples for array in (sample.true_sum, sample.reco_sum)])
    bins = readable_bins([len(sample.weight) for sample in samples], 12, 50)
    edges = np.linspace(0.0, float(np.quantile(values, 0.995)) * 1.1 or 1.0, bins + 1)
    highest = max(_panel(left, samples, "true_sum", edges), _panel(right, samples, "reco_sum", edges))
    left.set(xlim=(edges[0], edges[-1]), ylim=(0, highest * 1.5), ylabel="Fraction of events / bin")
    left.set_xlabel(f"True {quantity}")
    right.set_xlabel(f"Reconstructed {quantity}")
    left.legend(loc="upper left", ncols=2, title=title, alignment="left", columnspacing=1.0, handlelength=1.7)
    for axes in (left, right):
        add_label(axes, style)
    return figure


def _panel(axes: Axes, samples: Sequence[SumSample], name: str, edges: FloatArray) -> float:
    """Draw one panel; the highest bin."""
    highest = 0.0
    for index, sample in enumerate(samples):
        # What lies beyond the axis counts in its last bin.
        values = np.minimum(getattr(sample, name), edges[-1])
        counts, _ = np.histogram(values, edges, weights=sample.weight)
        fractions = counts / sample.weight.sum()
        highest = max(highest, float(fractions.max()))
        colour = COLOURS[index % len(COLOURS)]
        dashes = DASHES[index % len(DASHES)]
        if sample.is_background:
            axes.stairs(fractions, edges, fill=True, color=colour, alpha=0.35, label=sample.legend)
        else:
            axes.stairs(fractions, edges, color=colour, linestyle=dashes, linewidth=2, label=sample.legend)
    return highest
