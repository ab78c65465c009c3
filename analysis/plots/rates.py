"""The trigger as it would run: what each SM efficiency costs, and the overlap with an H_T trigger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from analysis.config import StyleConfig
from analysis.estimation.rates import RatePoint
from analysis.plots.style import COLOURS, add_label, canvas


def draw_rates(points: Sequence[RatePoint], style: StyleConfig) -> Figure:
    """Rates in Hz, or fractions of the preselected events where there is no cross-section."""
    figure, axes = canvas()
    x = np.array([point.target for point in points])
    in_hertz = all(point.rate is not None for point in points)
    region = [point.rate if in_hertz else point.efficiencies.a for point in points]
    recorded = [point.recorded_rate if in_hertz else point.recorded for point in points]
    pure = [point.pure_rate if in_hertz else _value(point) for point in points]
    lines = (
        (recorded, "-", "s", "Recorded, all four regions"),
        (region, "-", "o", "Signal region, kept in full"),
        (pure, "--", "^", r"Signal region, below the $H_T$ threshold"),
    )
    for index, (values, dashes, marker, label) in enumerate(lines):
        y = np.array([np.nan if value is None or value <= 0 else value for value in values], dtype=float)
        axes.plot(x, y, color=COLOURS[index], linestyle=dashes, marker=marker, markersize=5, label=label)
    axes.set(
        xscale="log", yscale="log", xlim=(x.min() / 1.2, x.max() * 1.2), xlabel="SM efficiency of the signal region",
        ylabel="SM rate [Hz]" if in_hertz else "Fraction of preselected SM events",
    )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.45)
    axes.set_xticks(x)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper left")
    add_label(axes, style)
    return figure


def _value(point: RatePoint) -> float | None:
    pure = point.overlap["background"].pure
    return None if pure is None else pure.value
