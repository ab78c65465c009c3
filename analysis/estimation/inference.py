"""Discovery and limits of a pyhf model: asymptotic, or from pseudo-experiments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyhf
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from analysis.binned import FloatArray

#: Strengths at which CLs is computed, up to one where the largest CLs is below _LEVEL but above _LOWEST.
_POINTS, _LEVEL, _LOWEST = 12, 0.05, 1e-4

#: Attempts to find it.
_STEPS = 25

#: Strengths at which CLs is computed from pseudo-experiments, and how far beyond the asymptotic limits they reach.
_TOY_POINTS, _REACH = 10, 2.5


@dataclass(frozen=True)
class Toys:
    """Pseudo-experiments of each hypothesis.

    Parameters
    ----------
    count
        How many.
    seed
        Of them.
    """

    count: int
    seed: int


def discovery(data: list[float], model: pyhf.Model, toys: Toys | None = None) -> float:
    """Significance of a signal in standard deviations (q0), not below 0.

    Where no pseudo-experiment without signal reaches the data, half a one counts: more are needed to say more.
    """
    if toys:
        drawn = _drawn(0.0, data, model, toys, "q0")
        p_value = max(float(drawn.tested(drawn.observed)[0]), 0.5 / toys.count)
    else:
        p_value = float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0"))
    return max(0.0, float(norm.isf(p_value)))


def upper_limits(
    data: list[float], model: pyhf.Model, guess: float, toys: Toys | None = None
) -> tuple[float, tuple[float, ...]]:
    """Where CLs is 5%, observed and expected (median in the middle), NaN where nowhere.

    log CLs is a smooth function of the strength, so that few points and a monotonic interpolation do. With
    pseudo-experiments they lie about the asymptotic limits; too few of these leave the outer expected ones NaN.

    Parameters
    ----------
    data
        Counts and auxiliary data.
    model
        Its parameter of interest is the strength.
    guess
        A strength of the order of the limit.
    toys
        Pseudo-experiments; asymptotic formulas where None.
    """
    limits = _crossings(_asymptotic_strengths(data, model, guess), data, model, None)
    known = [limit for limit in limits if np.isfinite(limit)]
    if toys and known:
        largest = model.config.suggested_bounds()[model.config.poi_index][1]
        span = np.geomspace(min(known) / _REACH, min(max(known) * _REACH, largest), _TOY_POINTS)
        limits = _crossings(span, data, model, toys)
    return limits[0], tuple(limits[1:])


def _asymptotic_strengths(data: list[float], model: pyhf.Model, guess: float) -> FloatArray:
    largest = model.config.suggested_bounds()[model.config.poi_index][1]
    highest = min(guess, largest)
    for _ in range(_STEPS):
        top = max(_cls(highest, data, model, None))
        if _LOWEST < top < _LEVEL or (top >= _LEVEL and highest >= largest):
            break
        highest = highest / 1.7 if top <= _LOWEST else min(1.5 * highest, largest)
    strengths: FloatArray = highest * np.linspace(1 / _POINTS, 1, _POINTS)
    return strengths


def _crossings(strengths: FloatArray, data: list[float], model: pyhf.Model, toys: Toys | None) -> list[float]:
    table = np.array([_cls(strength, data, model, toys) for strength in strengths])
    return [_crossing(strengths, column) for column in table.T]


def _cls(strength: float, data: list[float], model: pyhf.Model, toys: Toys | None) -> list[float]:
    """CLs observed and expected; 0 where a strength is too far from the data for a fit."""
    try:
        if toys:
            drawn = _drawn(float(strength), data, model, toys, "qtilde")
            values = [*drawn.cls(drawn.observed), *np.quantile(drawn.cls(drawn.without), norm.cdf(range(-2, 3)))]
        else:
            # Tail probabilities too small for a number, or a signal that changes nothing: the NaN below.
            with np.errstate(divide="ignore", invalid="ignore"):
                observed, expected = pyhf.infer.hypotest(float(strength), data, model, return_expected_set=True)
            values = [observed, *expected]
    except pyhf.exceptions.FailedMinimization:
        return [0.0] * 6
    return [float(value) if np.isfinite(value) else 0.0 for value in values]


@dataclass(frozen=True)
class _Drawn:
    """A test statistic in the data, and in pseudo-experiments of either hypothesis, shape (n,) each, ascending.

    (pyhf's own summary of them asks numpy for an argument that numpy 2.4 has no more.)
    """

    observed: FloatArray
    tested_toys: FloatArray
    without: FloatArray

    def tested(self, value: FloatArray) -> FloatArray:
        """Share of the tested hypothesis at or beyond values."""
        return _share_beyond(self.tested_toys, value)

    def cls(self, value: FloatArray) -> FloatArray:
        """CLs of values; half an experiment in place of none, so that it has a logarithm."""
        least = 0.5 / len(self.tested_toys)
        tested, without = self.tested(value), _share_beyond(self.without, value)
        ratio: FloatArray = np.maximum(tested, least) / np.maximum(without, least)
        return ratio


def _share_beyond(toys: FloatArray, value: FloatArray) -> FloatArray:
    share: FloatArray = 1 - np.searchsorted(toys, value, side="left") / len(toys)
    return share


def _drawn(strength: float, data: list[float], model: pyhf.Model, toys: Toys, statistic: str) -> _Drawn:
    calculator = pyhf.infer.calculators.ToyCalculator(
        data, model, ntoys=toys.count, test_stat=statistic, track_progress=False
    )
    with _seeded(toys.seed):
        tested, without = calculator.distributions(strength)
    observed = np.atleast_1d(np.asarray(calculator.teststatistic(strength), dtype=np.float64))
    return _Drawn(observed, np.sort(np.asarray(tested.samples)), np.sort(np.asarray(without.samples)))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, from which pyhf draws, and put it back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _crossing(strengths: FloatArray, cls: FloatArray) -> float:
    usable = cls > 1e-12
    falling, where = np.append(0.0, -np.log(cls[usable])), np.append(0.0, strengths[usable])
    rising = np.append(True, falling[1:] > np.maximum.accumulate(falling)[:-1])
    falling, where = falling[rising], where[rising]
    level = -np.log(_LEVEL)
    return float(PchipInterpolator(falling, where)(level)) if falling[-1] > level else float("nan")
