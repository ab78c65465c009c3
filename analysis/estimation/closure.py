"""Closure of the ABCD estimate over many pairs of thresholds (double-autoencoder paper, figure 2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.abcd import AbcdEstimate, Regions
from analysis.binned import FloatArray
from analysis.estimation.ranks import Survival
from analysis.estimation.regions import Thresholds, estimate_at, fractions, mixed, sums_in_regions


@dataclass(frozen=True)
class ClosureScan:
    """Closure of the background alone at one SM efficiency, over pairs of thresholds.

    Parameters
    ----------
    efficiency
        Of the signal region.
    pairs
        Pairs of thresholds with a prediction and an observation.
    mean, rms
        Of predicted / observed - 1: the mean and the root of the mean square.
    largest
        Largest of its absolute values.
    uncertainty
        Root of the mean of the squared statistical uncertainties.
    pull_rms, pull_largest
        Of (predicted / observed - 1) / uncertainty.
    within
        Pairs that close within the tolerance or their statistical uncertainty.
    non_closure
        What statistics do not explain: the root of rms^2 - uncertainty^2, or 0. The pairs share
        events, so this is an estimate of a bias common to them, not of independent ones.
    """

    efficiency: float
    pairs: int
    mean: float
    rms: float
    largest: float
    uncertainty: float
    pull_rms: float
    pull_largest: float
    within: int
    non_closure: float


@dataclass(frozen=True)
class ClosurePoint:
    """One pair of thresholds; ``contaminated`` holds predicted / SM in region A for each signal mixed in."""

    efficiency: float
    estimate: AbcdEstimate
    contaminated: dict[str, float]

    @property
    def pull(self) -> float | None:
        """(predicted / observed - 1) / uncertainty."""
        closure = self.estimate.closure
        return None if closure is None or not closure.uncertainty else (closure.value - 1) / closure.uncertainty


def random_thresholds(
    scores: FloatArray,
    weight: FloatArray,
    efficiency: float,
    count: int,
    shares: tuple[float, float],
    rng: np.random.Generator,
) -> Iterator[Thresholds]:
    """Pairs of cuts that together keep the same share of the background, or just less.

    The first cut's own efficiency is drawn as efficiency^u with u uniform between the ``shares``, and the second
    cut set on what passes it.

    Parameters
    ----------
    scores, weight
        Of the background, shape (n, 2) and (n,).
    efficiency
        Of both cuts together.
    count
        Number of pairs.
    shares
        Least and largest share of the rejection, in logarithms, that is the first cut's.
    rng
        Source of the draws.
    """
    first, total = Survival(scores[:, 0], weight), weight.sum()
    for share in rng.uniform(*shares, count):
        cut = first.threshold(efficiency**share)
        passed: NDArray[np.bool_] = scores[:, 0] >= cut
        kept = weight[passed].sum()
        if kept > 0:
            yield cut, Survival(scores[passed, 1], weight[passed]).threshold(min(1.0, efficiency * total / kept))


def closure_points(
    background: tuple[FloatArray, FloatArray],
    signals: dict[str, tuple[FloatArray, FloatArray]],
    efficiencies: Sequence[float],
    count: int,
    shares: tuple[float, float],
    fraction: float,
    rng: np.random.Generator,
) -> list[ClosurePoint]:
    """Closure for every random pair of thresholds, alone and with a signal mixed in.

    Parameters
    ----------
    background, signals
        Scores of shape (n, 2) and weights of shape (n,).
    efficiencies
        SM efficiencies of the signal region.
    count
        Pairs for each.
    shares
        Of the first cut, see :func:`random_thresholds`.
    fraction
        Share of signal events in the mixed samples.
    rng
        Source of the draws.
    """
    points = []
    for efficiency in efficiencies:
        for thresholds in random_thresholds(*background, efficiency, count, shares, rng):
            estimate = estimate_at(*background, thresholds)
            regions = fractions(estimate.counts)
            found = {
                name: contaminated_ratio(regions, fractions(sums_in_regions(*signal, thresholds)), fraction)
                for name, signal in signals.items()
            }
            known = {name: ratio for name, ratio in found.items() if ratio is not None}
            points.append(ClosurePoint(efficiency, estimate, known))
    return points


def contaminated_ratio(background: Regions, signal: Regions, fraction: float) -> float | None:
    """B C / D of a mixed sample over its SM events in region A; None where either is empty."""
    sample = mixed(background, signal, 1.0, fraction)
    true, predicted = background.a * (1 - fraction), sample.prediction
    return None if predicted is None or not true > 0 else predicted / true


def summarise_closure(points: Sequence[ClosurePoint], tolerance: float) -> list[ClosureScan]:
    """Figures of each SM efficiency."""
    scans = []
    for efficiency in dict.fromkeys(point.efficiency for point in points):
        mine = [point.estimate.closure for point in points if point.efficiency == efficiency]
        known = [(x.value - 1, x.uncertainty) for x in mine if x is not None and x.uncertainty]
        if not known:
            continue
        deviation, error = np.array(known).T
        pull = deviation / error
        rms, uncertainty = _root_mean_square(deviation), _root_mean_square(error)
        scans.append(
            ClosureScan(
                efficiency=efficiency,
                pairs=len(known),
                mean=float(deviation.mean()),
                rms=rms,
                largest=float(np.abs(deviation).max()),
                uncertainty=uncertainty,
                pull_rms=_root_mean_square(pull),
                pull_largest=float(np.abs(pull).max()),
                within=int(np.sum(np.abs(deviation) <= np.maximum(tolerance, error))),
                non_closure=math.sqrt(max(0.0, rms**2 - uncertainty**2)),
            )
        )
    return scans


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
