"""Sections of a report on the output folder of ``darktrigger run``, beside those of its analysis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from darktrigger.files import read_json
from darktrigger.report import tables
from darktrigger.report.analysis_sections import DISPLAYS
from darktrigger.report.blocks import Block, Pictures, Section
from darktrigger.report.files import listing, picture
from darktrigger.report.table_folders import EvaluationFolder


class ChainFolder:
    """What ``darktrigger run`` wrote, apart from the analysis.

    Parameters
    ----------
    folder
        With ``config.yaml`` and ``fileset.yaml``, and perhaps ``displays``, ``train`` and ``evaluation``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def displays(self) -> list[Path]:
        """Event displays that the run drew."""
        return sorted((self.folder / "displays").glob("*.png"))

    def saved_displays(self) -> Section:
        """Event displays."""
        pictures = tuple(picture(path) for path in self.displays)
        return Section("Event displays", (Pictures(DISPLAYS, pictures, large=True),))

    def training(self) -> Section:
        """Loss curve and record of the training."""
        return Section("Training", tuple(self._training()))

    def _training(self) -> Iterator[Block]:
        folder = self.folder / "train"
        if (folder / "curves.png").exists():
            yield Pictures("Losses by epoch", (picture(folder / "curves.png"),))
        if (folder / "run.json").exists():
            yield tables.pairs(
                "Record of the training: model, events, image files with fingerprints, versions.",
                read_json(folder / "run.json"),
            )

    def evaluation(self) -> Section:
        """Tables and figures of ``darktrigger evaluate``."""
        return EvaluationFolder(self.folder / "evaluation").evaluation()

    def configuration(self) -> Section:
        """Resolved settings of every stage, the seed among them."""
        names = ("config.yaml", "fileset.yaml", "train/config.yaml")
        return Section("Configuration", tuple(listing(self.folder / n) for n in names if (self.folder / n).exists()))

    def generation(self) -> Iterator[Block]:
        """Normalisation, seed and versions of each generated file."""
        for sidecar in sorted((self.folder / "delphes").glob("*.root.json")):
            yield listing(sidecar)
