r"""The four-region likelihood in closed form, for any number of samples at once.

Expected events, with signal strength :math:`\mu`, in the recorded data of region r with
prescale :math:`p_r`: :math:`(b_r + \mu s_r) / p_r`, and
:math:`b_A b_D = \kappa\, b_B b_C`, where :math:`\kappa = (1 + \delta)^\theta` allows for a
relative non-closure :math:`\delta`, :math:`\theta` being constrained by a unit Gaussian. Four counts and
the auxiliary measurement fix :math:`\mu`, three backgrounds and :math:`\theta`: the likelihood's
maximum is where the model equals the data, so :math:`\mu` solves

.. math::
    (N_A - \mu s_A)(N_D - \mu s_D) = \kappa (N_B - \mu s_B)(N_C - \mu s_C),

N being counts times prescales. There the covariance of the estimates is that of linear error
propagation, which equals the inverse of the Fisher information. :mod:`analysis.estimation.model` is
the same likelihood in pyhf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.abcd import Regions
from analysis.binned import FloatArray


@dataclass(frozen=True)
class AbcdFit:
    """Maximum-likelihood estimates of n samples, shape (n,) each; NaN where the equation has no solution.

    ``background`` is that of region A, ``plain`` is B C / D without regard to signal.
    """

    strength: FloatArray
    strength_error: FloatArray
    background: FloatArray
    background_error: FloatArray
    plain: FloatArray
    plain_error: FloatArray


def fit_regions(
    counts: NDArray[Any],
    signal: Regions,
    *,
    prescales: Regions | None = None,
    non_closure: float = 0.0,
    auxiliary: NDArray[np.floating] | float = 0.0,
) -> AbcdFit:
    """Solve the likelihood equations.

    Parameters
    ----------
    counts
        Recorded events, shape (n, 4), regions A to D.
    signal
        Signal events for unit strength, before prescales.
    prescales
        One event in so many was recorded; 1 where None.
    non_closure
        Relative uncertainty of the ABCD relation.
    auxiliary
        Result of the auxiliary measurement of theta, shape (n,): 0 in data, a unit normal
        in pseudo-experiments.
    """
    factor = np.array(list(prescales or Regions(1, 1, 1, 1)), dtype=np.float64)
    N = np.asarray(counts, dtype=np.float64) * factor
    variance = N * factor
    kappa = (1.0 + non_closure) ** np.asarray(auxiliary, dtype=np.float64)
    a, b, c, d = N.T
    s_a, s_b, s_c, s_d = signal
    strength = _smaller_root(
        s_a * s_d - kappa * s_b * s_c,
        -(a * s_d + d * s_a - kappa * (b * s_c + c * s_b)),
        a * d - kappa * b * c,
    )
    b_a, b_b, b_c, b_d = (n - strength * s for n, s in zip((a, b, c, d), signal, strict=True))
    slope = s_a * b_d + s_d * b_a - kappa * (s_b * b_c + s_c * b_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        # How the strength answers to each count, then to theta.
        gradients = np.stack([b_d, -kappa * b_c, -kappa * b_b, b_a]) / slope
        to_theta = -np.log1p(non_closure) * kappa * b_b * b_c / slope
        plain = kappa * b * c / d
        plain_variance = (variance[:, 1] / b**2 + variance[:, 2] / c**2 + variance[:, 3] / d**2) * plain**2
    strength_variance = np.sum(np.square(gradients) * variance.T, axis=0) + np.square(to_theta)
    to_background = np.stack([1 - s_a * gradients[0], *(-s_a * gradient for gradient in gradients[1:])])
    background_variance = np.sum(np.square(to_background) * variance.T, axis=0) + np.square(s_a * to_theta)
    return AbcdFit(
        strength,
        np.sqrt(strength_variance),
        b_a,
        np.sqrt(background_variance),
        plain,
        np.sqrt(plain_variance + np.square(np.log1p(non_closure) * plain)),
    )


def _smaller_root(square: FloatArray, linear: FloatArray, constant: FloatArray) -> FloatArray:
    """The root nearer to 0, without cancellation; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(linear**2 - 4 * square * constant)
        return -2 * constant / (linear + np.copysign(root, linear))
