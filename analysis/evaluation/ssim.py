"""Structural similarity of images, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from analysis.binned import FloatArray

_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03


def ssim(
    reco_NCHW: NDArray[np.floating[Any]], image_NCHW: NDArray[np.floating[Any]], data_range: FloatArray | float = 1.0
) -> FloatArray:
    """Structural similarity, shape (n,); 1 for equal images.

    Z. Wang et al., IEEE Trans. Image Process. 13 (2004) 600, equation 13, with its constants:
    Gaussian window of 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, averaged over the windows
    that lie inside the image and over channels, as ``tf.image.ssim`` does.

    Parameters
    ----------
    reco_NCHW, image_NCHW
        Images, at least 11 pixels high and wide.
    data_range
        Largest minus smallest possible pixel value; one for all or shape (n,).
    """
    x, y = reco_NCHW.astype(np.float64), image_NCHW.astype(np.float64)
    scale = np.broadcast_to(np.asarray(data_range, dtype=np.float64), len(x))[:, None, None, None]
    c_1, c_2 = np.square(_K1 * scale), np.square(_K2 * scale)
    mean_x, mean_y = _windowed(x), _windowed(y)
    product = mean_x * mean_y
    squares = np.square(mean_x) + np.square(mean_y)
    covariance = _windowed(x * y) - product
    variances = _windowed(np.square(x) + np.square(y)) - squares
    similarity = (2 * product + c_1) * (2 * covariance + c_2) / ((squares + c_1) * (variances + c_2))
    result: FloatArray = similarity.mean(axis=(1, 2, 3))
    return result


def _windowed(x_NCHW: FloatArray) -> FloatArray:
    """Gaussian mean over every window inside the image."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    gauss = np.exp(-np.square(offsets / _SIGMA) / 2)
    gauss /= gauss.sum()
    for axis in (2, 3):
        x_NCHW = correlate1d(x_NCHW, gauss, axis=axis, mode="constant")
    half = _WINDOW // 2
    return x_NCHW[..., half:-half, half:-half]
