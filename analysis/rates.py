"""Trigger rates from cross-sections and instantaneous luminosity."""

from __future__ import annotations

import math

from analysis.binned import Binned, Measured, edge_of_at_most

#: cm^2 in a picobarn.
PICOBARN = 1e-36


def hertz_per_weight(cross_section: float, luminosity: float, sum_of_weights: float) -> float:
    """Rate that a unit of event weight stands for, Hz.

    Parameters
    ----------
    cross_section
        Of the generated process, pb.
    luminosity
        Instantaneous, per cm2 and s.
    sum_of_weights
        Of all generated events, before any selection.
    """
    return cross_section * PICOBARN * luminosity / sum_of_weights


def rate(sample: Binned, edge: int) -> Measured:
    """Rate at or above a bin edge, Hz, for a sample whose weights are in Hz.

    The uncertainty is that of the simulated sample, sqrt(sum w^2), without those of
    cross-section and luminosity; None where no simulated event passes.
    """
    variance = float(sample.variances[edge:].sum())
    return Measured(float(sample.values[edge:].sum()), math.sqrt(variance) if variance else None)


def edge_for_budget(background: Binned, budget: float) -> int:
    """Lowest bin edge above which the background's rate is within ``budget`` (Hz); its weights are in Hz."""
    return edge_of_at_most(background.above(), budget)
