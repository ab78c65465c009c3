"""Anomaly scores, one function each (CoDAE, section 4.6).

Every score maps a batch of n images and the model's output for them to a tensor of shape (n,).
The sums run over all pixels of an event. A model has the scores whose ingredients its output
has: ``reconstruction`` (n, C, H, W) all, ``logits`` (n, C, H, W), ``z_m`` (n, K), ``kl_r`` and
``kl_f`` (n,) some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor

from darktrigger.errors import ConfigError
from ml.energy_scores import energy, inverse_dice_loss, inverse_e_t
from ml.excess_scores import excess, excess_tracks, missing_e_t, soft_tracks

Direction: TypeAlias = Literal["higher", "lower"]

#: Below this overlap, in pixels, the inverse Dice coefficient stops growing.
MIN_OVERLAP = 1e-6


def _sum(x_NCHW: Tensor) -> Tensor:
    return x_NCHW.sum(dim=(1, 2, 3))


def bce(image_NCHW: Tensor, output: Any) -> Tensor:
    """Binary cross-entropy, from the logits, so that no probability has to be clipped."""
    # Written out, since the ONNX exporter turns torch's own into log(sigmoid), which is infinite for sure pixels.
    return _sum(F.softplus(output.logits) - image_NCHW * output.logits)


def sse(image_NCHW: Tensor, output: Any) -> Tensor:
    """Sum of squared errors."""
    return _sum((image_NCHW - output.reconstruction).square())


def sae(image_NCHW: Tensor, output: Any) -> Tensor:
    """Sum of absolute errors."""
    return _sum((image_NCHW - output.reconstruction).abs())


def sae_mask(image_NCHW: Tensor, output: Any) -> Tensor:
    """Number of pixels where image and most probable reconstruction differ.

    The paper compares 1[x > 0] with 1[x_hat > 0]; as a probability is never zero, that would
    count the empty pixels. The mode of the Bernoulli decoder, 1[x_hat > 1/2], is meant
    (section 4.5).
    """
    return _sum(((image_NCHW > 0) != (output.reconstruction > 0.5)).float())


def dice(image_NCHW: Tensor, output: Any) -> Tensor:
    """Inverse Dice coefficient; very large for an image without overlap, an empty one among them."""
    reco_NCHW = output.reconstruction
    overlap_N = _sum(image_NCHW * reco_NCHW).clamp(min=MIN_OVERLAP)
    return (_sum(image_NCHW.square()) + _sum(reco_NCHW.square())) / (2 * overlap_N)


def pixel_sum(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001 (the signature of all scores)
    """Sum of the reconstructed pixels, an estimate of the number of tracks."""
    return _sum(output.reconstruction)


def z1(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """First compact latent."""
    first_N: Tensor = output.z_m[:, 0]
    return first_N


def z2(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Second compact latent."""
    second_N: Tensor = output.z_m[:, 1]
    return second_N


def z3(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Third compact latent."""
    third_N: Tensor = output.z_m[:, 2]
    return third_N


def kl_r(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Reverse KL divergence, of the learned distribution of the latents from the prior."""
    divergence_N: Tensor = output.kl_r
    return divergence_N


def kl_f(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Forward KL divergence, of the prior from the learned distribution of the latents."""
    divergence_N: Tensor = output.kl_f
    return divergence_N


def classifier(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Log-odds of signal against background."""
    log_odds_N: Tensor = output.log_odds
    return log_odds_N


def student(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Estimate of a teacher's score in units of its spread on background, with its anomalous end up."""
    score_N: Tensor = output.score
    return score_N


@dataclass(frozen=True)
class Score:
    """A score and which of its ends is anomalous.

    Parameters
    ----------
    function
        Maps images (n, C, H, W) and the model's output to (n,).
    direction
        Whether higher or lower values are more anomalous; None where the training decides,
        see :func:`latent_direction`.
    families
        Model families that have the score, beside those that name it themselves.
    """

    function: Callable[[Tensor, Any], Tensor]
    direction: Direction | None
    families: tuple[str, ...] = ()


SCORES: dict[str, Score] = {
    "bce": Score(bce, "higher"),
    "sse": Score(sse, "higher"),
    "sae": Score(sae, "higher"),
    "sae_mask": Score(sae_mask, "higher"),
    "dice": Score(dice, "higher"),
    "pixel_sum": Score(pixel_sum, "higher"),
    "z1": Score(z1, None),
    "z2": Score(z2, None),
    "z3": Score(z3, None),
    "kl_r": Score(kl_r, "higher"),
    "kl_f": Score(kl_f, "higher"),
    "dice_loss": Score(inverse_dice_loss, "higher"),
    "inverse_e_t": Score(inverse_e_t, "higher"),
    "classifier": Score(classifier, "higher"),
    "excess": Score(excess, "higher"),
    "excess_tracks": Score(excess_tracks, "higher"),
    "soft_tracks": Score(soft_tracks, "higher"),
    "missing_e_t": Score(missing_e_t, "higher"),
    "student": Score(student, "higher"),
    "energy": Score(energy, "higher"),
}


def member_score(name: str) -> Score | None:
    """Score of a member of a model with several, whose name ends in its number from 1 on; None of another name."""
    base, number = name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]
    if base not in (*SCORES, "mse") or not number or int(number) < 1:
        return None

    def of_member(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001 (the signature of all scores)
        member_N: Tensor = output.score[:, int(number) - 1]
        return member_N

    # Members have their anomalous end up, whatever the direction of the score alone.
    return Score(of_member, "higher")


def latent_direction(latent_N: Tensor, activity_N: Tensor) -> Direction:
    """Anomalous end of a latent, from background alone.

    A latent's sign is an accident of initialisation. Its anomalous end is taken to be the one
    towards which background events become busier: the sign of the correlation with their
    activity, the sum of the image's pixels. No signal is looked at.
    """
    covariance = (latent_N.double() - latent_N.double().mean()) @ (activity_N.double() - activity_N.double().mean())
    return "lower" if covariance < 0 else "higher"


def select(names: tuple[str, ...] | None, available: tuple[str, ...]) -> tuple[str, ...]:
    """The scores asked for, all of ``available`` where none is named.

    Raises
    ------
    ConfigError
        A name is not among ``available``.
    """
    if names is None:
        return available
    unknown = [name for name in names if name not in available]
    if unknown or not names:
        raise ConfigError(f"scores: {', '.join(unknown) or 'none'} asked for; expected some of {', '.join(available)}")
    return names
