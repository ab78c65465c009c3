"""Model families by name; adding one takes a file in ``ml/models`` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from darktrigger.config import StrictModel, unknown_key_message
from darktrigger.errors import ConfigError
from ml.models import cae, codae, codvae, dirichlet, heimel
from ml.scores import bce, sse


@dataclass(frozen=True)
class Family:
    """What training and export need to know of a model family.

    Parameters
    ----------
    config
        Its configuration model.
    model
        Its network, built from a configuration: an ``nn.Module`` with ``reset_parameters(generator)``,
        whose output has ``reconstruction`` (n, C, H, W) and what its loss and scores need; one that
        draws random numbers in training is a :class:`ml.module.Stochastic`.
    input_kind
        Kind of dense input, a key of :data:`imaging.dense.INPUT_SHAPES`.
    loss
        Maps images (n, C, H, W) and the model's output to (n,); training minimises its mean.
    scores
        Names in :data:`ml.scores.SCORES`.
    epochs
        Passes over the training events in the paper, the default of ``training.epochs``.
    validated
        What of the output the validation SSIM compares with the image.
    """

    config: type[StrictModel]
    model: Callable[[Any], Any]
    input_kind: str
    loss: Callable[[Tensor, Any], Tensor]
    scores: tuple[str, ...]
    epochs: int
    validated: str = "reconstruction"


FAMILIES: dict[str, Family] = {
    "codae": Family(codae.CoDAEConfig, codae.CoDAE, "coarse mask", bce, codae.SCORES, epochs=30),
    "cae": Family(cae.CAEConfig, cae.CAE, "coarse mask", bce, cae.SCORES, epochs=30),
    # The mode stays empty until a probability passes 1/2, and the epochs before would all look alike.
    "codvae": Family(
        codvae.CoDVAEConfig, codvae.CoDVAE, "coarse mask", codvae.loss, codvae.SCORES, epochs=100, validated="mean"
    ),
    "heimel": Family(heimel.HeimelConfig, heimel.Heimel, "coarse mask", sse, heimel.SCORES, epochs=50),
    "dirichlet": Family(
        dirichlet.DirichletConfig, dirichlet.DirichletVAE, "coarse mask", dirichlet.loss, dirichlet.SCORES, epochs=50
    ),
}


def family(name: str) -> Family:
    """Look a model family up.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name not in FAMILIES:
        raise ConfigError(f"model: {unknown_key_message(name, set(FAMILIES)).replace('key', 'family')}")
    return FAMILIES[name]
