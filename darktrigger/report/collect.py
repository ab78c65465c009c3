"""From an output folder to a report: which sections there are, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.summary import FILE_NAME
from darktrigger.errors import DarktriggerError
from darktrigger.report.analysis_sections import AnalysisFolder
from darktrigger.report.blocks import Report, Section
from darktrigger.report.chain_sections import ChainFolder
from darktrigger.report.table_folders import EstimateFolder, EvaluationFolder


def collect(folder: Path, displays: int = 1) -> Report:
    """Read the output of ``darktrigger run``, ``analyze``, ``evaluate`` or ``estimate``.

    Parameters
    ----------
    folder
        Output folder.
    displays
        Event displays a dataset to draw where the folder holds none.

    Raises
    ------
    DarktriggerError
        The folder holds none of them, or a file in it cannot be read.
    """
    for kind in (EvaluationFolder, EstimateFolder):
        if (folder / kind.MARK).exists():
            return _report(f"{kind.__name__.removesuffix('Folder')}: {_name(folder)}", kind(folder).sections())
    if (folder / FILE_NAME).exists():
        return _report(f"Analysis: {_name(folder)}", _of_analysis(AnalysisFolder(folder), displays))
    if (folder / "analysis" / FILE_NAME).exists():
        return _report(f"Run: {_name(folder)}", _of_chain(folder, displays))
    raise DarktriggerError(
        f"{folder}: holds neither {FILE_NAME} (of 'darktrigger analyze') nor analysis/{FILE_NAME} (of 'darktrigger "
        f"run'), nor {EvaluationFolder.MARK} or {EstimateFolder.MARK} (of 'darktrigger evaluate' and 'estimate'); give "
        "the output folder of a finished run"
    )


def _name(folder: Path) -> str:
    return folder.resolve().name


def _report(title: str, sections: list[Section]) -> Report:
    return Report(title, tuple(section for section in sections if section.blocks))


def _of_analysis(analysis: AnalysisFolder, displays: int) -> list[Section]:
    return [
        analysis.samples(),
        analysis.drawn_displays(displays),
        analysis.roc(),
        analysis.efficiencies(),
        analysis.abcd(),
        analysis.further(),
        analysis.configuration(),
        analysis.provenance(),
    ]


def _of_chain(folder: Path, displays: int) -> list[Section]:
    chain, analysis = ChainFolder(folder), AnalysisFolder(folder / "analysis")
    provenance = analysis.provenance()
    return [
        analysis.samples(),
        chain.saved_displays() if chain.displays else analysis.drawn_displays(displays),
        chain.training(),
        chain.evaluation(),
        analysis.roc(),
        analysis.efficiencies(),
        analysis.abcd(),
        analysis.further(),
        chain.configuration(),
        replace(provenance, blocks=(*provenance.blocks, *chain.generation())),
    ]
