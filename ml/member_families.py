"""Families that stand alone and serve as members of a ``pair`` as well."""

from __future__ import annotations

from ml.family import Family
from ml.models import cae, codae, excess, heimel
from ml.scores import bce, sse

MEMBERS: dict[str, Family] = {
    "codae": Family(codae.CoDAEConfig, codae.CoDAE, "coarse mask", bce, codae.SCORES),
    "cae": Family(cae.CAEConfig, cae.CAE, "coarse mask", bce, cae.SCORES),
    "heimel": Family(
        heimel.HeimelConfig, heimel.Heimel, "coarse mask", sse, heimel.SCORES, training=heimel.HeimelTraining
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
}
