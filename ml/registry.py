"""Model families by name; adding one takes a file in ``ml/models`` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from darktrigger.config import StrictModel, unknown_key_message
from darktrigger.errors import ConfigError
from ml.models import codae
from ml.scores import bce


@dataclass(frozen=True)
class Family:
    """What training and export need to know of a model family.

    Parameters
    ----------
    config
        Its configuration model.
    model
        Its network (an ``nn.Module`` with ``reset_parameters(generator)``), built from a configuration.
    input_kind
        Kind of dense input, a key of :data:`imaging.dense.INPUT_SHAPES`.
    loss
        Maps images (n, C, H, W) and the model's output to (n,); training minimises its mean.
    scores
        Names in :data:`ml.scores.SCORES`.
    """

    config: type[StrictModel]
    model: Callable[[Any], Any]
    input_kind: str
    loss: Callable[[Tensor, Any], Tensor]
    scores: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    "codae": Family(codae.CoDAEConfig, codae.CoDAE, "coarse mask", bce, codae.SCORES),
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
