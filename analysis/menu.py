"""The support-trigger menu: which events of two scores are recorded (double-autoencoder paper, section IV).

The signal region is kept in full; of the three anti-tagged regions one event in so many is, chosen
by a hash of its entry number, so that any number of workers chooses alike. A recorded event counts as
many times as its region's prescale says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from analysis.abcd import Regions, region_of
from darktrigger.config import StrictModel

#: Regions in the order of their numbers.
REGIONS = ("a", "b", "c", "d")

Prescale = Annotated[int, Field(ge=1)]


class Prescales(StrictModel):
    """One event in so many is recorded; region A always is."""

    b: Prescale
    c: Prescale
    d: Prescale

    @property
    def regions(self) -> Regions:
        """All four."""
        return Regions(1.0, float(self.b), float(self.c), float(self.d))


class Expected(StrictModel):
    """What the menu was made for: SM efficiency of a region after the preselection, and rates in Hz if known."""

    efficiency: float
    rate: float | None
    recorded_rate: float | None


class Menu(StrictModel):
    """Settings of a trigger of two scores.

    Parameters
    ----------
    trigger
        Fingerprint of the model file that the thresholds belong to.
    scores
        Two scores of the model, or baselines.
    thresholds
        On the oriented scores (higher is more anomalous): at or above both is region A, the
        first alone B, the second alone C, neither D.
    prescales
        Of regions B, C and D.
    seed
        Of the choice of prescaled events.
    luminosity
        That the rates are for, per cm2 and s.
    expected
        By region; for the reader, nothing depends on it.
    """

    trigger: str
    scores: tuple[str, str]
    thresholds: tuple[float, float]
    prescales: Prescales
    seed: Annotated[int, Field(ge=0)] = 1
    luminosity: float | None = None
    expected: Annotated[dict[str, Expected], Field(default_factory=dict)]

    def regions(self, scores: Mapping[str, NDArray[np.floating]]) -> NDArray[np.intp]:
        """Region of each event, 0 to 3 for A to D, shape (n,)."""
        return region_of(np.stack([scores[name].astype(np.float64) for name in self.scores], axis=1), self.thresholds)

    def weights(self, regions: NDArray[np.intp], entry: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """What each event counts, shape (n,): the prescale of its region if it is recorded, else 0."""
        prescale = np.array(list(self.prescales.regions), dtype=np.uint64)[regions]
        return np.where(hashed(entry, self.seed) % prescale == 0, prescale, 0).astype(np.float64)


def hashed(entry: NDArray[np.integer[Any]], seed: int) -> NDArray[np.uint64]:
    """A number between 0 and 2^64 - 1 for each entry (SplitMix64, Steele et al. 2014), shape of ``entry``."""
    golden = 0x9E3779B97F4A7C15
    x = np.asarray(entry).astype(np.uint64) * np.uint64(golden) + np.uint64(_scrambled(seed))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def _scrambled(seed: int) -> int:
    """The seed spread over 64 bits, so that neighbouring seeds do not choose neighbouring events."""
    return ((seed + 1) * 0xD1342543DE82EF95) % 2**64


def read_menu(path: str | Path) -> Menu:
    """Read a menu.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML, or does not validate.
    """
    return Menu.from_yaml(path)


def choose_prescales(events: Regions, error_ratio: float) -> Prescales:
    r"""Largest prescales that keep the prediction's statistical error below the signal region's.

    The prediction B C / D has relative variance :math:`\sum_r p_r / N_r`, the signal region
    :math:`1 / N_A`. Least is recorded where the three regions record equally many events, unless
    one has too few: then it is kept in full, and the others share what is left.

    Parameters
    ----------
    events
        Expected events, or rates: a common factor drops out.
    error_ratio
        Error of the prediction over that of the signal region, at most.
    """
    full = {name: getattr(events, name) for name in ("b", "c", "d")}
    allowed = error_ratio**2 / events.a if events.a > 0 else 0.0
    chosen = dict.fromkeys(full, 1)
    free = dict(full)
    while free and allowed > 0:
        recorded = len(free) / allowed
        scarce = [name for name, value in free.items() if value <= recorded]
        if not scarce:
            chosen |= {name: int(value / recorded) for name, value in free.items()}
            break
        for name in scarce:
            value = free.pop(name)
            allowed -= 1 / value if value > 0 else allowed
    return Prescales(**chosen)
