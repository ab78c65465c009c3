"""How numbers are written in a report."""

from __future__ import annotations

from analysis.binned import Interval, Measured

#: What stands where the events do not determine a figure.
UNKNOWN = "–"


def plain(value: float | None) -> str:
    """Four significant digits."""
    return UNKNOWN if value is None else f"{value:.4g}"


def measured(value: Measured | None, factor: float = 1.0) -> str:
    """Value and standard uncertainty, both times ``factor``."""
    if value is None:
        return UNKNOWN
    if value.uncertainty is None:
        return plain(value.value * factor)
    return f"{plain(value.value * factor)} ± {value.uncertainty * factor:.2g}"


def interval(value: Interval | None, factor: float = 1.0) -> str:
    """Value and central 68% interval, all times ``factor``."""
    if value is None:
        return UNKNOWN
    return f"{plain(value.value * factor)} [{plain(value.low * factor)}, {plain(value.high * factor)}]"
