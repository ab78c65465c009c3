"""ROC curves with a logarithmic background axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from analysis.binned import Measured
from analysis.config import StyleConfig
from analysis.plots.style import COLOURS, DASHES, add_label, canvas, legend_above
from analysis.roc import RocCurve


@dataclass(frozen=True)
class RocSeries:
    """One curve."""

    label: str
    is_baseline: bool
    curve: RocCurve
    auroc: Measured


def draw_roc(series: Sequence[RocSeries], legend: str, target_tpr: float, style: StyleConfig) -> Figure:
    """Background against signal efficiency for all scores, the best first; baselines dashed."""
    figure, axes = canvas()
    lowest = min(item.curve.fpr[item.curve.fpr > 0].min() for item in series)
    for index, item in enumerate(sorted(series, key=lambda item: -item.auroc.value)):
        axes.plot(
            item.curve.tpr,
            np.maximum(item.curve.fpr, lowest / 10),
            color=COLOURS[index % len(COLOURS)],
            linestyle=DASHES[1] if item.is_baseline else DASHES[2 * (index // len(COLOURS)) % 4],
            label=f"{item.label} ({_percent(item.auroc)})",
        )
    diagonal = np.geomspace(lowest / 2, 1.0, 200)
    axes.plot(diagonal, diagonal, color="0.6", linewidth=1, linestyle=":", zorder=0)
    axes.plot([target_tpr, target_tpr], [lowest / 10, 1.0], color="0.6", linewidth=1, linestyle=":", zorder=0)
    axes.set(xlim=(0, 1), xlabel="Signal efficiency", ylabel="Background efficiency")
    legend_above(axes, lowest, title=f"{legend}, AUROC in %", ncols=2)
    add_label(axes, style)
    return figure


def _percent(value: Measured) -> str:
    if value.uncertainty is None:
        return f"{100 * value.value:.1f}"
    return rf"{100 * value.value:.1f} $\pm$ {100 * value.uncertainty:.1f}"
