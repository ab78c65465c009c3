"""The processes that can be generated, by name."""

from __future__ import annotations

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
