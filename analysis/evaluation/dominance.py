"""Almost stochastic order (ASO): whether one distribution of a figure of merit lies above another.

Written from del Barrio, Cuesta-Albertos and Matrán, "An optimal transportation approach for
assessing almost stochastic order" (2018), sections 2 and 3, and Dror, Shlomov and Reichart,
"Deep dominance: how to properly compare deep neural models" (ACL 2019), section 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from analysis.binned import FloatArray

#: Violation ratio of two equal distributions, for which the ratio is 0 / 0: neither is above the other.
_EQUAL = 0.5


def bootstrap_quantiles(sample: NDArray[np.floating], n_bootstraps: int, rng: np.random.Generator) -> FloatArray:
    """Sorted resamples, drawn with replacement; shape (n_bootstraps, n)."""
    ordered = np.sort(np.asarray(sample, dtype=np.float64))
    return ordered[np.sort(rng.integers(len(ordered), size=(n_bootstraps, len(ordered))), axis=1)]


def violation_ratio(first: NDArray[np.floating], second: NDArray[np.floating]) -> FloatArray:
    r"""How far ``first`` is from lying above ``second``: 0 where it does, 1 where it lies below.

    .. math::
        \varepsilon = \frac{\int_{F^{-1}(t) < G^{-1}(t)} (F^{-1}(t) - G^{-1}(t))^2 dt}
                           {\int_0^1 (F^{-1}(t) - G^{-1}(t))^2 dt}

    with the empirical quantile functions of either sample; the integrals are exact, since
    both are steps. Equal samples give one half.

    Parameters
    ----------
    first, second
        Sorted samples, shapes (..., n) and (..., m).

    Returns
    -------
    array
        Shape (...).
    """
    n, m = first.shape[-1], second.shape[-1]
    if n == m:
        difference = np.subtract(first, second, dtype=np.float64)
    else:
        # Steps of either quantile function, in units of 1 / (n m).
        starts = np.union1d(np.arange(n) * m, np.arange(m) * n)
        widths = np.diff(np.append(starts, n * m)) / (n * m)
        difference = np.sqrt(widths) * (first[..., starts // m] - second[..., starts // n])
    below = np.minimum(difference, 0.0)
    whole = np.einsum("...i,...i->...", difference, difference)
    violated = np.einsum("...i,...i->...", below, below)
    ratio: FloatArray = np.divide(violated, whole, out=np.full_like(whole, _EQUAL), where=whole > 0)
    return ratio


def epsilon_min(first: NDArray[np.floating], second: NDArray[np.floating], confidence: float) -> tuple[float, float]:
    r"""Upper confidence limits on the violation ratio, of ``first`` above ``second`` and the other way round.

    .. math::
        \varepsilon_{min} = \varepsilon(F_n, G_m) - \sqrt{\frac{n + m}{n m}}\, \hat\sigma\, \Phi^{-1}(\alpha),

    where :math:`\hat\sigma^2` is the variance of
    :math:`\sqrt{nm / (n + m)} (\varepsilon(F^*_n, G^*_m) - \varepsilon(F_n, G_m))` over
    bootstrap resamples, and :math:`\alpha` one minus the confidence level; the two roots
    cancel. Clipped to [0, 1]. Below 0.5 (more strictly 0.2) the first is better. The normal
    approximation holds for large samples: of nominal 90%, 86% with 200 values, 89% with 1000.

    Parameters
    ----------
    first, second
        Sorted samples in the first row, sorted resamples of them in the others (see
        :func:`bootstrap_quantiles`); shapes (1 + b, n) and (1 + b, m).
    confidence
        Confidence level.
    """
    ratio = violation_ratio(first, second)
    margin = float(np.std(ratio[1:], ddof=1) * norm.ppf(confidence))
    value = float(ratio[0])
    return float(np.clip(value + margin, 0, 1)), float(np.clip(1 - value + margin, 0, 1))


def almost_stochastic_order(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    *,
    seed: int,
    confidence: float = 0.95,
    n_bootstraps: int = 1000,
) -> float:
    """Upper limit on the violation of ``first`` being above ``second``; see :func:`epsilon_min`.

    Parameters
    ----------
    first, second
        Figures of merit, higher is better, shapes (n,) and (m,).
    seed
        Of the bootstrap.
    confidence
        Confidence level.
    n_bootstraps
        Number of resamples.
    """
    rng = np.random.default_rng(seed)
    rows = with_resamples(first, n_bootstraps, rng), with_resamples(second, n_bootstraps, rng)
    return epsilon_min(*rows, confidence)[0]


def with_resamples(sample: NDArray[np.floating], n_bootstraps: int, rng: np.random.Generator) -> FloatArray:
    """A sorted sample, and below it its sorted resamples; shape (1 + n_bootstraps, n)."""
    return np.vstack([np.sort(np.asarray(sample, dtype=np.float64)), bootstrap_quantiles(sample, n_bootstraps, rng)])
