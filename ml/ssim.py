"""Structural similarity as TensorFlow computes it."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

_MARGIN = 5  # half of the 11 x 11 Gaussian window


def ssim(reco_NCHW: Tensor, image_NCHW: Tensor) -> Tensor:
    """Structural similarity of images with values in [0, 1], shape (n,); 1 for equal images.

    Z. Wang et al., IEEE Trans. Image Process. 13 (2004) 600: Gaussian window of 11 pixels,
    sigma 1.5, K1 = 0.01, K2 = 0.03, averaged over the windows that lie inside the image, as
    ``tf.image.ssim`` does. torchmetrics' own average takes in reflected borders.
    """
    _, map_NCHW = structural_similarity_index_measure(
        reco_NCHW, image_NCHW, data_range=1.0, reduction="none", return_full_image=True
    )
    inner_NCHW: Tensor = map_NCHW[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return inner_NCHW.mean(dim=(1, 2, 3))
