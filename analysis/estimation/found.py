"""Everything that an estimate finds, before it is written or drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from analysis.abcd import AbcdEstimate
from analysis.estimation.closure import ClosurePoint, ClosureScan
from analysis.estimation.distance import DistanceCorrelation
from analysis.estimation.events import Dataset, ScoreChoice
from analysis.estimation.experiments import Experiments
from analysis.estimation.model import FitResult
from analysis.estimation.ranks import Diagonal
from analysis.estimation.rarity import RARITIES
from analysis.estimation.rates import RatePoint
from analysis.estimation.sculpting import Sculpting
from analysis.estimation.sic import SicCurve
from analysis.estimation.significance import Sample, SignificancePoint
from analysis.estimation.stability import Stability
from analysis.menu import Menu

#: What SIC curves are called that are not of one score of the pair.
DIAGONAL, SINGLE = "diagonal", "single model"


@dataclass(frozen=True)
class Fitted:
    """The likelihood fit of a sample with one signal injected, expected (Asimov)."""

    sample: Sample
    non_closure: float
    result: FitResult


@dataclass(frozen=True)
class Found:
    """Result of an estimate.

    Parameters
    ----------
    pair, trainings, single
        Models and scores.
    dataset
        Events with scores.
    cuts
        The pair's scores as efficiencies of the background.
    events
        In the sample that significances and fits are for.
    distance
        Distance correlation of the pair on the background.
    points, scans
        Closure over random thresholds, and its summary.
    non_closure
        Relative uncertainty of the ABCD relation at each SM efficiency.
    diagonal
        ABCD of the background at each SM efficiency, both cuts at the same background efficiency.
    significances
        By signal.
    stability
        By signal; empty without further trainings.
    sic
        By signal, then by what is cut on.
    fits, experiments
        By signal, at the working point.
    rates
        At each SM efficiency.
    menu
        Of the working point.
    sculpting
        Against each variable, at the working point.
    """

    pair: ScoreChoice
    trainings: tuple[ScoreChoice, ...]
    single: ScoreChoice | None
    dataset: Dataset
    cuts: Diagonal
    events: float
    distance: DistanceCorrelation
    points: list[ClosurePoint]
    scans: list[ClosureScan]
    non_closure: dict[float, float]
    diagonal: dict[float, AbcdEstimate]
    significances: dict[str, list[SignificancePoint]]
    stability: dict[str, Stability]
    sic: dict[str, dict[str, SicCurve]]
    fits: dict[str, Fitted]
    experiments: dict[str, tuple[Experiments, ...]]
    rates: list[RatePoint]
    menu: Menu
    sculpting: list[Sculpting]

    @property
    def growth_by_learning(self) -> float | None:
        """Factor to the statistical errors of the closure if those of what ``decorrelate`` learnt from count too.

        Both samples being cut at the same efficiencies, sqrt(1 + n / m) with the numbers of unweighted events that
        the background (n) and that sample (m) are worth. None for other scores, or where the model does not tell.
        """
        record = getattr(self.pair.trigger.metadata, "decorrelated", None)
        worth = record.get("effective_events") if isinstance(record, Mapping) else None
        if self.pair.scores != RARITIES or not isinstance(worth, int | float) or not worth > 0:
            return None
        return math.sqrt(1 + self.dataset.background.n_effective / worth)
