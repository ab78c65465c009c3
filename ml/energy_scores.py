"""Scores of auto-encoders that rebuild E_T, in GeV (ConvAE), and the energy of the normalized autoencoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor

#: Overlap of image and reconstruction below which the inverse Dice loss goes on as its tangent, as a share of the
#: image's own sum of squares: the loss of an all-zero reconstruction is the inverse, 1000.
MIN_OVERLAP_SHARE = 1e-3

#: The least such overlap, in GeV^2, for an image without any E_T.
MIN_OVERLAP = 1e-3

#: Reconstructed E_T, in GeV, below which its inverse stops growing.
MIN_E_T = 1e-3


def inverse_dice_loss(image_NCHW: Tensor, output: Any) -> Tensor:
    """Inverse Dice loss, shape (n,): zero for a perfect reconstruction (equation 1).

    The equation divides by the overlap of image and reconstruction, and a rectified
    reconstruction can lose all of it. Below an overlap of a thousandth of the image's sum of
    squares, where the loss exceeds 500, the inverse is continued along its tangent: value and
    gradient stay finite, and the gradient still points to more overlap.
    """
    reco_NCHW = output.reconstruction.float()
    squares_N = image_NCHW.square().sum((1, 2, 3))
    overlap_N = (image_NCHW * reco_NCHW).sum((1, 2, 3))
    bounded_N = overlap_N.maximum((MIN_OVERLAP_SHARE * squares_N).clamp(min=MIN_OVERLAP))
    inverse_N = 1 / bounded_N + (bounded_N - overlap_N) / bounded_N.square()
    loss_N: Tensor = (squares_N + reco_NCHW.square().sum((1, 2, 3))) / 2 * inverse_N - 1
    return loss_N


def inverse_e_t(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001 (the signature of all scores)
    """Inverse of the reconstructed E_T, shape (n,), 1/GeV (section 4.2); at most 1000, where there is none."""
    e_t_N: Tensor = output.reconstruction.float().sum((1, 2, 3))
    return 1 / e_t_N.clamp(min=MIN_E_T)


def energy_of(prepared_NCHW: Tensor, reconstruction_NCHW: Tensor) -> Tensor:
    """Mean squared error of the pixels, shape (n,) (NAE, equation 9)."""
    return (prepared_NCHW - reconstruction_NCHW).square().mean((1, 2, 3))


def energy(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001 (the signature of all scores)
    """:func:`energy_of` the image as the network sees it, shape (n,)."""
    return energy_of(output.prepared, output.reconstruction)
