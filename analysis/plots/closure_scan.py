"""Closure over random thresholds against SM efficiency, with contamination (double-autoencoder paper, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from analysis.binned import FloatArray
from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, add_label, canvas

_MARKERS = ("^", "D", "v", "P", "X", "s", "<", ">", "*", "p")


@dataclass(frozen=True)
class ClosureCloud:
    """Predicted / true background of many pairs of thresholds; ``ratios`` by SM efficiency, shape (n,) each."""

    label: str
    ratios: dict[float, FloatArray]


def draw_closure_scan(
    clouds: Sequence[ClosureCloud], uncertainty: dict[float, float], fraction: float, style: StyleConfig
) -> Figure:
    """Every pair of thresholds a point, side by side by sample; the band is the statistical uncertainty.

    Parameters
    ----------
    clouds
        The background alone, then with each signal mixed in.
    uncertainty
        Statistical, root mean square, of the background alone at each SM efficiency.
    fraction
        Share of signal in the mixed samples.
    style
        Looks.
    """
    figure, axes = canvas()
    efficiencies = sorted(uncertainty)
    values = np.concatenate([ratio for cloud in clouds for ratio in cloud.ratios.values()])
    reach = 1.2 * max(float(np.abs(values - 1).max()), *uncertainty.values(), 0.03)
    for index, efficiency in enumerate(efficiencies):
        axes.fill_between(
            [index - 0.45, index + 0.45], 1 - uncertainty[efficiency], 1 + uncertainty[efficiency], color="0.85",
            linewidth=0, zorder=0, label="Statistical (SM only)" if index == 0 else None,
        )  # fmt: skip
    width = 0.8 / len(clouds)
    for index, cloud in enumerate(clouds):
        x, y = [], []
        for position, efficiency in enumerate(efficiencies):
            ratios = cloud.ratios.get(efficiency, np.empty(0))
            # Spread within the slot, in the order of the draws, so that points do not cover each other.
            offsets = np.linspace(-0.4, 0.4, len(ratios) + 2)[1:-1] * width
            x.append(position - 0.4 + (index + 0.5) * width + offsets)
            y.append(ratios)
        axes.plot(
            np.concatenate(x), np.concatenate(y), linestyle="none", markersize=2.5, alpha=0.8,
            marker="o" if index == 0 else _MARKERS[(index - 1) % len(_MARKERS)],
            color="black" if index == 0 else COLOURS[(index - 1) % len(COLOURS)], label=cloud.label,
        )  # fmt: skip
    axes.axhline(1, color="0.4", linewidth=1, linestyle=":", zorder=1)
    rows = -(-(len(clouds) + 1) // 2) + 1
    top = (1 + reach - (1 - reach) * (0.05 + 0.06 * rows)) / (1 - 0.05 - 0.06 * rows)
    axes.set(
        xlim=(-0.5, len(efficiencies) - 0.5), ylim=(1 - reach, top), xlabel="SM efficiency of the signal region",
        ylabel="Predicted / true background",
    )  # fmt: skip
    axes.set_xticks(range(len(efficiencies)), [f"{100 * value:g}%" for value in efficiencies])
    axes.xaxis.set_minor_locator(FixedLocator([index + 0.5 for index in range(len(efficiencies) - 1)]))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(
        loc="upper left", ncols=2, title=f"{100 * fraction:g}% signal mixed in", alignment="left", markerscale=2,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip
    add_label(axes, style)
    return figure
