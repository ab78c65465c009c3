"""Model families by name: those listed here, and any that is added in one file.

A module in ``ml/models`` that has a :class:`Family` called ``FAMILY`` is found under its own name; an installed package
offers one under the entry-point group :data:`GROUP`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from torch import Tensor

from darktrigger.config import StrictModel, unknown_key_message
from darktrigger.errors import ConfigError
from darktrigger.plugins import in_package, installed, joined
from ml import models
from ml.energy_scores import inverse_dice_loss
from ml.inputs import ChoosesInput
from ml.members import SeveralScores, own_loss
from ml.models import cae, cct, codae, codvae, convae, dirichlet, double_ae, excess, heimel, nae, pair, student
from ml.nae.config import AutoencoderTraining, NAETraining
from ml.scores import SCORES, Score, bce, member_score, sse
from ml.training_config import DistillationTraining, SupervisedTraining, TrainingConfig

#: Entry points of installed packages that bring a family each.
GROUP = "darktrigger.models"


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
        Kind of dense input, a key of :data:`imaging.dense.INPUT_SHAPES`; the default where the configuration
        chooses, see :meth:`kind`.
    loss
        Maps images (n, C, H, W) and the model's output to (n,); training minimises its mean. In
        supervised training it maps labels (n,) instead, 0 for background, and in distillation the
        teacher's scores (n,).
    scores
        Names in :data:`ml.scores.SCORES`, or of ``own_scores``; the default where the configuration chooses, see
        :meth:`score_names`.
    training
        Its training configuration, which holds its defaults and says on what events it trains.
    own_scores
        Scores that come with the family, by name.
    validated
        What of the output the validation SSIM compares with the image, where the highest says which epoch is
        best; None where the lowest validation loss does.
    reconstructs
        Whether the output has a ``reconstruction`` of the image.
    sums_channels
        Whether the model looks at nothing but the sum of the channels.
    extras
        Outputs, beside scores and reconstruction, that a file with the reconstruction has too.
    """

    config: type[StrictModel]
    model: Callable[[Any], Any]
    input_kind: str
    loss: Callable[[Tensor, Any], Tensor]
    scores: tuple[str, ...]
    training: type[TrainingConfig] = TrainingConfig
    own_scores: Mapping[str, Score] = field(default_factory=dict, hash=False)
    validated: str | None = "reconstruction"
    reconstructs: bool = True
    sums_channels: bool = False
    extras: tuple[str, ...] = ()

    def kind(self, config: StrictModel) -> str:
        """Kind of dense input of the model of a configuration."""
        if isinstance(config, SeveralScores):
            return config.input_kind()
        return config.input if isinstance(config, ChoosesInput) else self.input_kind

    def score_names(self, config: StrictModel) -> tuple[str, ...]:
        """Scores of the model of a configuration."""
        return config.score_names() if isinstance(config, SeveralScores) else self.scores


FAMILIES: dict[str, Family] = {
    "codae": Family(codae.CoDAEConfig, codae.CoDAE, "coarse mask", bce, codae.SCORES),
    "cae": Family(cae.CAEConfig, cae.CAE, "coarse mask", bce, cae.SCORES),
    "codvae": Family(
        codvae.CoDVAEConfig,
        codvae.CoDVAE,
        "coarse mask",
        codvae.loss,
        codvae.SCORES,
        training=codvae.CoDVAETraining,
        # The mode stays empty until a probability passes 1/2, and the epochs before would all look alike.
        validated="mean",
    ),
    "heimel": Family(
        heimel.HeimelConfig, heimel.Heimel, "coarse mask", sse, heimel.SCORES, training=heimel.HeimelTraining
    ),
    "dirichlet": Family(
        dirichlet.DirichletConfig,
        dirichlet.DirichletVAE,
        "coarse mask",
        dirichlet.loss,
        dirichlet.SCORES,
        training=dirichlet.DirichletTraining,
    ),
    "convae": Family(
        convae.ConvAEConfig,
        convae.ConvAE,
        "fine",
        inverse_dice_loss,
        convae.SCORES,
        training=convae.ConvAETraining,
        validated=None,
    ),
    "cct": Family(
        cct.CCTConfig,
        cct.CCT,
        "coarse E_T",
        cct.loss,
        cct.SCORES,
        training=SupervisedTraining,
        validated=None,
        reconstructs=False,
        sums_channels=True,
    ),
    "excess": Family(
        excess.ExcessConfig,
        excess.Excess,
        "coarse E_T",
        excess.loss,
        excess.SCORES,
        training=excess.ExcessTraining,
        validated=None,
        reconstructs=False,
    ),
    "double-ae": Family(
        double_ae.DoubleAEConfig,
        double_ae.DoubleAE,
        "objects",
        own_loss,
        double_ae.DoubleAEConfig().score_names(),
        training=double_ae.DoubleAETraining,
        validated=None,
        reconstructs=False,
    ),
    "pair": Family(
        pair.PairConfig,
        pair.Pair,
        "coarse E_T",
        own_loss,
        pair.PairConfig().score_names(),
        training=pair.PairTraining,
        validated=None,
        reconstructs=False,
    ),
    "student": Family(
        student.StudentConfig,
        student.Student,
        "coarse E_T",
        student.loss,
        student.SCORES,
        training=DistillationTraining,
        validated=None,
        reconstructs=False,
    ),
    "jet-ae": Family(
        nae.NAEConfig,
        nae.NAE,
        "jet",
        nae.loss,
        nae.SCORES,
        training=AutoencoderTraining,
        validated=None,
        extras=nae.EXTRAS,
    ),
    "nae": Family(
        nae.NAEConfig,
        nae.NAE,
        "jet",
        nae.loss,
        nae.SCORES,
        training=NAETraining,
        validated=None,
        extras=nae.EXTRAS,
    ),
}


@cache
def added_families() -> dict[str, Family]:
    """Families that are not listed above.

    Raises
    ------
    ConfigError
        Two families or two scores of one name, or a plug-in that cannot be used.
    """
    added = joined("model families", in_package(models, "FAMILY", Family), installed(GROUP, Family))
    joined("model families", FAMILIES, added)
    joined("scores", SCORES, *(dict(spec.own_scores) for spec in added.values()))
    return added


def family(name: str) -> Family:
    """Look a model family up, with the scores that name it.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    known = FAMILIES if name in FAMILIES else FAMILIES | added_families()
    if name not in known:
        raise ConfigError(f"model: {unknown_key_message(name, set(known)).replace('key', 'family')}")
    spec = known[name]
    further = tuple(key for key, each in SCORES.items() if name in each.families and key not in spec.scores)
    return replace(spec, scores=spec.scores + further) if further else spec


def score(name: str) -> Score:
    """Look a score up: one of everybody's, a family's own, or that of a member of a model with several.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name in SCORES:
        return SCORES[name]
    own = {key: each for spec in added_families().values() for key, each in spec.own_scores.items()}
    found = own.get(name) or member_score(name)
    if found is None:
        raise ConfigError(f"score: {unknown_key_message(name, set(SCORES) | set(own)).replace('key', 'score')}")
    return found
