"""Model families by name: those listed here, and any that is added in one file.

A module in ``ml/models`` that has a :class:`~ml.family.Family` called ``FAMILY`` is found under its own name; an
installed package offers one under the entry-point group :data:`GROUP`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from darktrigger.config import unknown_key_message
from darktrigger.errors import ConfigError
from darktrigger.plugins import in_package, installed, joined
from ml import models
from ml.energy_scores import energy, inverse_dice_loss
from ml.family import Family
from ml.member_families import MEMBERS
from ml.members import own_loss
from ml.models import cct, codvae, convae, dirichlet, double_ae, nae, pair, student
from ml.nae.config import AutoencoderTraining, NAETraining
from ml.nae.landscape import describe_landscape
from ml.scores import SCORES, Score, member_score
from ml.training_config import DistillationTraining, SupervisedTraining

#: Entry points of installed packages that bring a family each.
GROUP = "darktrigger.models"


FAMILIES: dict[str, Family] = MEMBERS | {
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
        energy,
        nae.SCORES,
        training=AutoencoderTraining,
        validated=None,
        extras=nae.EXTRAS,
        describe=describe_landscape,
    ),
    "nae": Family(
        nae.NAEConfig,
        nae.NAE,
        "jet",
        energy,
        nae.SCORES,
        training=NAETraining,
        validated=None,
        extras=nae.EXTRAS,
        describe=describe_landscape,
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
        raise ConfigError(f"model: {unknown_key_message(name, set(known), 'family', 'families')}")
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
        raise ConfigError(f"score: {unknown_key_message(name, set(SCORES) | set(own), 'score', 'scores')}")
    return found
