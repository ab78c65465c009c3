"""The four-region likelihood as a pyhf model: background, signal strength, significance and limit.

pyhf multiplies, so the ABCD relation is written with products alone. Region A's background is
``background``, B's that times ``first``, C's that times ``second``, D's the product of all three:
A = B C / D whatever the values. A non-closure kappa scales D, so that A = kappa B C / D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyhf

from analysis.abcd import Regions
from analysis.binned import FloatArray, Measured
from analysis.estimation.inference import Toys, discovery, upper_limits
from analysis.estimation.likelihood import AbcdFit, fit_regions
from darktrigger.errors import AnalysisError

#: Factors on the background of each region.
_FACTORS = {
    "A": ("background",),
    "B": ("background", "first"),
    "C": ("background", "second"),
    "D": ("background", "first", "second"),
}

#: Range of every background factor about its starting value.
_RANGE = (1e-3, 30.0)

#: No region starts without background: the likelihood could not move it from there.
_LEAST = 0.5


@dataclass(frozen=True)
class FitResult:
    """What the likelihood says of one sample.

    Parameters
    ----------
    background, strength
        Maximum-likelihood estimates with the uncertainties of the inverse Fisher information;
        the strength is kept from being negative.
    significance
        Of discovery, in standard deviations (q0, asymptotic or from toys).
    limit
        Upper limit on the strength at 95% CLs.
    expected_limits
        Without signal: median in the middle, one and two standard deviations about it.
    """

    background: Measured
    strength: Measured
    significance: float
    limit: float
    expected_limits: tuple[float, ...]


def abcd_model(
    counts: Regions,
    signal: Regions,
    *,
    prescales: Regions | None = None,
    non_closure: float = 0.0,
) -> pyhf.Model:
    """Build the model; its background factors are 1 where it equals the closed-form fit.

    Parameters
    ----------
    counts
        Recorded events, which set the starting point alone.
    signal
        Signal events for unit strength, before prescales.
    prescales
        One event in so many was recorded; 1 where None.
    non_closure
        Relative uncertainty of the ABCD relation; no nuisance parameter where 0.
    """
    factors = prescales or Regions(1, 1, 1, 1)
    b, c, d = (max(n, _LEAST) * p for n, p in zip(list(counts)[1:], list(factors)[1:], strict=True))
    nominal = dict(zip("ABCD", (b * c / d, b, c, d), strict=True))
    channels = []
    for (name, multipliers), events, factor in zip(_FACTORS.items(), signal, factors, strict=True):
        modifiers: list[dict[str, Any]] = [{"name": m, "type": "normfactor", "data": None} for m in multipliers]
        if name == "D" and non_closure:
            spread = {"hi": 1 + non_closure, "lo": 1 / (1 + non_closure)}
            modifiers.append({"name": "closure", "type": "normsys", "data": spread})
        channels.append(
            {
                "name": name,
                "samples": [
                    {"name": "background", "data": [nominal[name] / factor], "modifiers": modifiers},
                    {
                        "name": "signal",
                        "data": [events / factor],
                        "modifiers": [{"name": "strength", "type": "normfactor", "data": None}],
                    },
                ],
            }
        )
    largest = _largest_strength(counts, signal, factors)
    strength, full = _start(counts, signal, factors, non_closure)
    in_a, in_b, in_c = (full[index] / nominal[name] for index, name in enumerate("ABC"))
    starts = {"background": in_a, "first": in_b / in_a, "second": in_c / in_a}
    parameters = [
        {"name": name, "inits": [float(np.clip(value, *_RANGE))], "bounds": [list(_RANGE)]}
        for name, value in starts.items()
    ]
    parameters.append({"name": "strength", "inits": [min(strength, largest)], "bounds": [[0.0, largest]]})
    spec = {"channels": channels, "parameters": parameters}
    return pyhf.Model(spec, poi_name="strength", validate=False)


def _start(counts: Regions, signal: Regions, prescales: Regions, non_closure: float) -> tuple[float, tuple[float, ...]]:
    """Strength and background of each region, before prescales, at the closed-form solution if it is physical."""
    fitted = fit_regions(np.array([list(counts)]), signal, prescales=prescales, non_closure=non_closure)
    strength = float(np.nan_to_num(np.maximum(fitted.strength[0], 0.0)))
    full = [n * p - strength * s for n, p, s in zip(counts, prescales, signal, strict=True)]
    if min(full) < 0:
        strength, full = 0.0, [n * p for n, p in zip(counts, prescales, strict=True)]
    return strength, tuple(max(value, _LEAST * p) for value, p in zip(full, prescales, strict=True))


def _largest_strength(counts: Regions, signal: Regions, prescales: Regions) -> float:
    """Beyond any limit: signal alone would fill some region, and ten deviations more."""
    if not signal.a > 0:
        raise AnalysisError("the signal has no event in region A: loosen the thresholds")
    reach = [(n + 10 * np.sqrt(n + 1) + 10) * p / s for n, s, p in zip(counts, signal, prescales, strict=True) if s > 0]
    return float(min(reach))


def fit_sample(
    counts: Regions,
    signal: Regions,
    *,
    prescales: Regions | None = None,
    non_closure: float = 0.0,
    toys: Toys | None = None,
    limits: bool = True,
) -> FitResult:
    """Fit one sample.

    Parameters
    ----------
    counts, signal, prescales, non_closure
        As for :func:`abcd_model`.
    toys
        Pseudo-experiments behind significance and limits; asymptotic formulas where None.
    limits
        Whether to look for the upper limits too, which takes longest; NaN and empty where not.

    Raises
    ------
    AnalysisError
        The fit does not converge, or the signal leaves region A empty.
    """
    model = abcd_model(counts, signal, prescales=prescales, non_closure=non_closure)
    data = [*counts, *model.config.auxdata]
    fitted = fit_regions(np.array([list(counts)]), signal, prescales=prescales, non_closure=non_closure)
    try:
        parameters = np.asarray(pyhf.infer.mle.fit(data, model))
        significance = discovery(data, model, toys)
        limit, expected = upper_limits(data, model, _guess(fitted), toys) if limits else (float("nan"), ())
    except pyhf.exceptions.FailedMinimization as error:
        raise AnalysisError(f"the ABCD fit does not converge for counts {tuple(counts)} ({error})") from None
    values = dict(zip(model.config.par_names, parameters, strict=True))
    nominal = model.spec["channels"][0]["samples"][0]["data"][0] * (prescales.a if prescales else 1.0)
    errors = dict(zip(model.config.par_names, _errors(model, parameters), strict=True))
    return FitResult(
        Measured(float(values["background"] * nominal), float(errors["background"] * nominal)),
        Measured(float(values["strength"]), float(errors["strength"])),
        significance,
        limit,
        expected,
    )


def _guess(fitted: AbcdFit) -> float:
    """Above most limits where counts are large: fitted strength, if positive, and four uncertainties."""
    strength, error = float(fitted.strength[0]), float(fitted.strength_error[0])
    return max(0.0, strength) + 4 * error if np.isfinite(strength + error) else 1.0


def _errors(model: pyhf.Model, parameters: FloatArray) -> FloatArray:
    """Square roots of the diagonal of the inverse Fisher information, from derivatives of the expected counts."""
    main = len(model.config.channels)
    names = model.config.par_names
    expected = np.asarray(model.expected_actualdata(parameters))
    columns = []
    for index in range(len(names)):
        step = np.zeros(len(names))
        step[index] = 1e-4 * max(1.0, abs(parameters[index]))
        high, low = (np.asarray(model.expected_actualdata(parameters + sign * step)) for sign in (1, -1))
        columns.append((high - low) / (2 * step[index]))
    jacobian = np.stack(columns, axis=1)[:main]
    information = jacobian.T @ (jacobian / expected[:, None])
    if "closure" in names:
        where = names.index("closure")
        information[where, where] += 1.0
    errors: FloatArray = np.sqrt(np.diag(np.linalg.inv(information)))
    return errors
