"""Pseudo-experiments: is the fitted background right, and is its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.abcd import Regions
from analysis.binned import Interval, efficiencies
from analysis.estimation.likelihood import AbcdFit, fit_regions

#: What pseudo-experiments are drawn from: the simulated background, or one that closes exactly.
Truth = Literal["simulation", "closing"]


@dataclass(frozen=True)
class Pulls:
    """(estimate - truth) / uncertainty over pseudo-experiments.

    Not a number where too few experiments have a solution. ``coverage`` is the share of experiments whose 68%
    interval, estimate +- uncertainty, holds the truth, with its Clopper-Pearson interval.
    """

    mean: float
    deviation: float
    largest: float
    coverage: Interval


@dataclass(frozen=True)
class Experiments:
    """Result of ``experiments`` pseudo-experiments of one expectation; ``failed`` had no solution.

    ``plain`` is B C / D, which takes no account of signal in the other regions.
    """

    truth: Truth
    experiments: int
    failed: int
    background: Pulls
    strength: Pulls
    plain: Pulls


def closing(background: Regions) -> Regions:
    """The same B, C and D, with A = B C / D; as they are where D is empty."""
    predicted = background.prediction
    return background if predicted is None else replace(background, a=predicted)


def run_experiments(
    background: Regions,
    signal: Regions,
    count: int,
    rng: np.random.Generator,
    *,
    truth: Truth,
    strength: float = 1.0,
    prescales: Regions | None = None,
    non_closure: float = 0.0,
) -> Experiments:
    """Draw Poisson counts, fit each, compare with the truth.

    Parameters
    ----------
    background
        Expected events before prescales.
    signal
        Expected signal events for unit strength, before prescales.
    count
        Pseudo-experiments.
    rng
        Source of the draws.
    truth
        ``simulation``: the background as given, whose non-closure the uncertainty has to cover;
        ``closing``: A is replaced by B C / D, the auxiliary measurement fluctuates, and the interval must
        cover as often as it says.
    strength
        Injected signal.
    prescales, non_closure
        As for :func:`analysis.estimation.likelihood.fit_regions`.
    """
    true = closing(background) if truth == "closing" else background
    counts = draw_counts(true, signal, count, rng, strength=strength, prescales=prescales)
    auxiliary = rng.standard_normal(count) if truth == "closing" and non_closure else np.zeros(count)
    fit = fit_regions(counts, signal, prescales=prescales, non_closure=non_closure, auxiliary=auxiliary)
    good = _solved(fit)
    return Experiments(
        truth,
        count,
        int(count - good.sum()),
        _pulls((fit.background - true.a)[good] / fit.background_error[good]),
        _pulls((fit.strength - strength)[good] / fit.strength_error[good]),
        _pulls((fit.plain - true.a)[good] / fit.plain_error[good]),
    )


def draw_counts(
    background: Regions,
    signal: Regions,
    count: int,
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
    prescales: Regions | None = None,
) -> NDArray[np.int64]:
    """Recorded events of pseudo-experiments, shape (count, 4)."""
    full = np.array(list(background)) + strength * np.array(list(signal))
    return rng.poisson(full / np.array(list(prescales or Regions(1, 1, 1, 1))), (count, 4))


def _solved(fit: AbcdFit) -> NDArray[np.bool_]:
    values = (fit.strength, fit.strength_error, fit.background_error, fit.plain_error)
    solved: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(np.stack(values)), axis=0)
    return solved


def _pulls(pull: NDArray[np.float64]) -> Pulls:
    inside, total = float(np.sum(np.abs(pull) <= 1)), float(len(pull))
    value, low, high = efficiencies(np.array([inside]), np.array([total]), np.array([total]))
    coverage = Interval(float(value[0]), float(low[0]), float(high[0]))
    if not len(pull):
        return Pulls(math.nan, math.nan, math.nan, coverage)
    deviation = float(pull.std(ddof=1)) if len(pull) > 1 else math.nan
    return Pulls(float(pull.mean()), deviation, float(np.abs(pull).max()), coverage)
