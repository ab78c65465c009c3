"""The processes that can be generated, by name: those listed here, and any that is added in one file.

A module of this package that has a :class:`Process` class called ``PROCESS`` is found; an installed package offers
one under the entry-point group :data:`GROUP`.
"""

from __future__ import annotations

import sys
from functools import cache

from darktrigger.errors import ConfigError
from darktrigger.plugins import in_package, installed, joined
from generation.processes.base import Process
from generation.processes.electroweak import (
    AToFourLeptons,
    H0ToTauTau,
    HadronicTop,
    HPlusToTauNu,
    InclusiveTop,
    Leptoquark,
    QcdLeptons,
    WToLeptons,
    ZToLeptons,
)
from generation.processes.mixture import StandardModelLeptons
from generation.processes.qcd import MinimumBias, Qcd, QcdJets
from generation.processes.suep import Suep
from generation.processes.svj import Aachen, Heidelberg, Svj

#: Entry points of installed packages that bring a process each.
GROUP = "darktrigger.processes"

#: Every process of the papers, by the name that ``generate`` takes.
PROCESSES: dict[str, type[Process]] = {
    process.name: process
    for process in (
        Qcd,
        Suep,
        Svj,
        MinimumBias,
        HadronicTop,
        QcdJets,
        Aachen,
        Heidelberg,
        StandardModelLeptons,
        WToLeptons,
        ZToLeptons,
        InclusiveTop,
        QcdLeptons,
        Leptoquark,
        AToFourLeptons,
        H0ToTauTau,
        HPlusToTauNu,
    )
}


@cache
def processes() -> dict[str, type[Process]]:
    """Every process, the listed and the added ones.

    Raises
    ------
    ConfigError
        Two processes of one name, or a plug-in that cannot be used.
    """
    added = joined("modules", in_package(sys.modules[__name__], "PROCESS", type), installed(GROUP, type))
    return joined("processes", PROCESSES, *({_process(each).name: _process(each)} for each in added.values()))


def _process(offered: type) -> type[Process]:
    if not issubclass(offered, Process) or not hasattr(offered, "name"):
        raise ConfigError(f"{offered.__module__}.{offered.__name__}: expected a subclass of Process with a name")
    return offered
