"""How well images are reconstructed (CoDAE paper, section 5.4 and table 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.ssim import ssim


@dataclass(frozen=True)
class Quality:
    """Of each event, shape (n,): figures of the reconstruction.

    Parameters
    ----------
    mse
        Squared error summed over pixels, which the paper calls MSE.
    ssim
        Structural similarity; NaN where it was left out.
    mse_of_nothing, ssim_of_nothing
        The same of an empty image, which any reconstruction has to beat; for masks the first is the number
        of lit pixels.
    true_sum, reco_sum
        Sum over all pixels of input and reconstruction: lit pixels, or E_T in GeV.
    """

    mse: FloatArray
    ssim: FloatArray
    mse_of_nothing: FloatArray
    ssim_of_nothing: FloatArray
    true_sum: FloatArray
    reco_sum: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Quality]) -> Quality:
        """Consecutive events."""
        return cls(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls)))


def quality_of(
    image_NCHW: NDArray[np.floating[Any]], reco_NCHW: NDArray[np.floating[Any]], *, with_ssim: bool
) -> Quality:
    """Figures of some events.

    The range of pixel values that the structural similarity needs is 1, or the event's largest
    input pixel where that is larger, as in images of E_T.
    """
    image, reco = image_NCHW.astype(np.float64), reco_NCHW.astype(np.float64)
    axes = (1, 2, 3)
    similar = like_nothing = np.full(len(image), np.nan)
    if with_ssim:
        data_range = np.maximum(image.max(axis=axes, initial=0.0), 1.0)
        similar = ssim(reco, image, data_range)
        like_nothing = ssim(np.zeros_like(image), image, data_range)
    return Quality(
        np.square(image - reco).sum(axis=axes),
        similar,
        np.square(image).sum(axis=axes),
        like_nothing,
        image.sum(axis=axes),
        reco.sum(axis=axes),
    )


@dataclass(frozen=True)
class MeanAndSpread:
    """Mean over events and their standard deviation."""

    mean: float
    deviation: float


def mean_and_spread(values: FloatArray, weight: FloatArray) -> MeanAndSpread | None:
    """Weighted mean and standard deviation; None without events."""
    total = weight.sum()
    if not total > 0:
        return None
    mean = float(weight @ values / total)
    return MeanAndSpread(mean, float(np.sqrt(max(0.0, weight @ np.square(values - mean) / total))))
