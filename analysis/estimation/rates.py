"""Rates against thresholds, the menu that follows, and the overlap with a plain H_T trigger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.abcd import Regions, region_of
from analysis.binned import Interval, efficiency
from analysis.estimation.config import MenuConfig
from analysis.estimation.events import Events
from analysis.estimation.ranks import Survival
from analysis.estimation.regions import Thresholds, fractions, sums_in_regions
from analysis.menu import REGIONS, Expected, Menu, choose_prescales


@dataclass(frozen=True)
class Overlap:
    """Of one sample with a plain H_T trigger, as fractions of the preselected events.

    ``pure`` passes the signal region and not the H_T cut.
    """

    signal_region: Interval | None
    ht: Interval | None
    pure: Interval | None


@dataclass(frozen=True)
class RatePoint:
    """The trigger at one SM efficiency of its signal region; rates in Hz, None without a cross-section.

    Parameters
    ----------
    target
        SM efficiency asked for.
    thresholds
        Cuts.
    efficiencies
        SM fraction in each region.
    prescales
        Of each region.
    recorded
        SM fraction that is recorded, all regions together.
    rate, recorded_rate, pure_rate
        Of the signal region; of everything recorded; of signal-region events that fail the H_T cut.
    ht_threshold
        Of the plain H_T trigger, GeV.
    overlap
        By sample, background first.
    """

    target: float
    thresholds: Thresholds
    efficiencies: Regions
    prescales: Regions
    recorded: float
    rate: float | None
    recorded_rate: float | None
    pure_rate: float | None
    ht_threshold: float
    overlap: dict[str, Overlap]


def rate_point(
    target: float,
    thresholds: Thresholds,
    background: Events,
    signals: dict[str, Events],
    config: MenuConfig,
    selected_rate: float | None,
) -> RatePoint:
    """Rates and overlaps at one SM efficiency.

    Parameters
    ----------
    target
        SM efficiency of the signal region that was asked for.
    thresholds
        Cuts.
    background, signals
        Samples.
    config
        Of the menu.
    selected_rate
        Of all preselected background, Hz.
    """
    shares = fractions(sums_in_regions(*background.pair, thresholds))
    prescales = choose_prescales(shares, config.error_ratio).regions
    ht_threshold = config.ht_threshold or Survival(background.variables["ht"], background.weight).threshold(shares.a)
    overlap = {
        name: _overlap(events, thresholds, ht_threshold)
        for name, events in {"background": background, **signals}.items()
    }
    recorded = sum(share / prescale for share, prescale in zip(shares, prescales, strict=True))
    pure = overlap["background"].pure
    return RatePoint(
        target=target,
        thresholds=thresholds,
        efficiencies=shares,
        prescales=prescales,
        recorded=recorded,
        rate=_times(selected_rate, shares.a),
        recorded_rate=_times(selected_rate, recorded),
        pure_rate=_times(selected_rate, pure.value if pure else None),
        ht_threshold=float(ht_threshold),
        overlap=overlap,
    )


def efficiency_for_rate(rate: float, selected_rate: float) -> float:
    """SM efficiency of the signal region that stays within a rate, Hz."""
    return min(1.0, rate / selected_rate)


def menu_of(
    point: RatePoint, scores: tuple[str, str], fingerprint: str, config: MenuConfig, luminosity: float | None
) -> Menu:
    """The menu of a working point."""
    hertz = None if point.rate is None or not point.efficiencies.a else point.rate / point.efficiencies.a
    prescales = choose_prescales(point.efficiencies, config.error_ratio)
    shares = zip(REGIONS, point.efficiencies, prescales.regions, strict=True)
    return Menu(
        trigger=fingerprint,
        scores=scores,
        thresholds=point.thresholds,
        prescales=prescales,
        seed=config.seed,
        luminosity=luminosity,
        expected={
            name: Expected(efficiency=share, rate=_times(hertz, share), recorded_rate=_times(hertz, share / prescale))
            for name, share, prescale in shares
        },
    )


def prediction_error_ratio(point: RatePoint) -> float | None:
    """Relative statistical error of the prescaled prediction over that of the signal region; None with no prediction.

    Without background in B, C or D the sample is too small for one.
    """
    recorded = [share / prescale for share, prescale in zip(point.efficiencies, point.prescales, strict=True)]
    if not all(recorded[1:]):
        return None
    return float(np.sqrt(sum(recorded[0] / value for value in recorded[1:])))


def _overlap(events: Events, thresholds: Thresholds, ht_threshold: float) -> Overlap:
    in_region = region_of(events.scores[0], thresholds) == 0
    over_ht = events.variables["ht"] >= ht_threshold
    return Overlap(*(_share(events, mask) for mask in (in_region, over_ht, in_region & ~over_ht)))


def _share(events: Events, mask: NDArray[np.bool_]) -> Interval | None:
    return efficiency(float(events.weight[mask].sum()), float(events.weight.sum()), events.n_effective)


def _times(rate: float | None, share: float | None) -> float | None:
    return None if rate is None or share is None else rate * share
