"""Sections of a report on a folder that ``darktrigger analyze`` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis.analyze import CONFIG_NAME
from analysis.config import AnalysisConfig
from analysis.summary import Summary
from analysis.trigger import Trigger
from darktrigger.errors import DarktriggerError
from darktrigger.files import fingerprint
from darktrigger.inputs import is_remote
from darktrigger.report import tables
from darktrigger.report.blocks import Block, Listing, Paragraph, Picture, Pictures, Section, Table
from darktrigger.report.files import listing, picture, pictures_of
from imaging.config import ImagingConfig
from imaging.display import draw_event, load_event

#: What event displays show.
DISPLAYS = "Tracker, ECAL and HCAL, on the fine grid above, on the coarse one below"

#: Plots that have a place; all others are shown under "Further plots".
_PLACED = ("cutflow", "roc_", "score_", "threshold_", "efficiency_", "abcd_", "closure_")


class AnalysisFolder:
    """What ``darktrigger analyze`` wrote.

    Parameters
    ----------
    folder
        With ``summary.json``, ``config.yaml`` and ``plots``.

    Raises
    ------
    DarktriggerError
        The folder does not hold the output of an analysis.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.summary = Summary.read(folder)
        self.config = AnalysisConfig.from_yaml(folder / CONFIG_NAME)
        self.plots = sorted((folder / "plots").glob("*.png"))

    def samples(self) -> Section:
        """Datasets and cutflow."""
        bad = tuple((file.path, file.cause) for file in self.summary.bad_files)
        left_out = (Table("Files that were left out.", ("file", "cause"), bad),) if bad else ()
        return Section(
            "Cutflow",
            (
                tables.datasets(self.summary),
                *left_out,
                tables.cutflow(self.summary),
                *self._plots("Fraction of the weights after each cut", "cutflow"),
            ),
        )

    def roc(self) -> Section:
        """Separation."""
        return Section("ROC", (tables.separation(self.summary), *self._plots("ROC curve of each signal", "roc_")))

    def efficiencies(self) -> Section:
        """Working points and efficiencies."""
        return Section(
            "Efficiencies",
            (
                tables.working_points(self.summary),
                *self._plots("Efficiency against threshold", "threshold_"),
                *self._plots("Efficiency of the first working point against HT and number of tracks", "efficiency_"),
                *self._plots("Distribution of each score", "score_", folded=True),
            ),
        )

    def abcd(self) -> Section:
        """Background estimates."""
        if not self.summary.abcd:
            return Section("ABCD", (Paragraph("No pair of scores was configured (key abcd.pairs)."),))
        shown = self._plots("Planes of scores with the regions, and the closure", "abcd_", "closure_")
        return Section("ABCD", (tables.abcd(self.summary.abcd), *shown))

    def further(self) -> Section:
        """Plots that have no place of their own."""
        rest = [path for path in self.plots if not path.name.startswith(_PLACED)]
        return Section("Further plots", (Pictures("Plots", pictures_of(rest, [""])),) if rest else ())

    def configuration(self) -> Section:
        """Resolved settings."""
        return Section("Configuration", (listing(self.folder / CONFIG_NAME),))

    def provenance(self) -> Section:
        """Trigger, input files and versions."""
        trigger = self.summary.trigger
        found = {
            "path": trigger.path,
            "family": trigger.family,
            "input": trigger.input_kind,
            "computed by": trigger.runtime,
            "fingerprint": trigger.fingerprint,
        }
        return Section(
            "Provenance",
            (
                tables.pairs("Trigger model of the analysis.", found),
                *self._trigger_metadata(),
                _input_files(self.summary),
                tables.pairs("Versions of the analysis.", self.summary.versions, ("package", "version")),
                Listing("Branches that were read", "\n".join(self.summary.columns)),
            ),
        )

    def drawn_displays(self, count: int) -> Section:
        """Displays of the first events of each dataset, drawn now from its first file."""
        blocks: list[Block] = []
        pictures: list[Picture] = []
        settings = ImagingConfig(selection=self.config.selection, branches=self.config.branches, tree=self.config.tree)
        with TemporaryDirectory(prefix="darktrigger-") as scratch:
            for name, dataset in self.summary.datasets.items():
                path, legend = next(iter(dataset.files), ""), dataset.metadata.legend
                try:
                    for entry in range(count):
                        output = Path(scratch, "event.png")
                        draw_event(load_event(path, entry, settings), f"{legend}, entry {entry}", output)
                        pictures.append(picture(output, f"{name}: entry {entry} of {path}"))
                except DarktriggerError as error:
                    blocks.append(Paragraph(f"{name} has no display: {error}"))
        shown = (Pictures(DISPLAYS, tuple(pictures), large=True),) if pictures else ()
        return Section("Event displays", (*shown, *blocks))

    def _plots(self, caption: str, *prefixes: str, folded: bool = False) -> Iterator[Pictures]:
        found = pictures_of(self.plots, prefixes)
        if found:
            yield Pictures(caption, found, folded)

    def _trigger_metadata(self) -> Iterator[Block]:
        """What the model says of its training, if the file is still the one that was analysed."""
        trigger = self.summary.trigger
        try:
            same = fingerprint(trigger.path) == trigger.fingerprint
            metadata = Trigger(trigger.path).metadata if same else None
        except DarktriggerError as error:
            yield Paragraph(f"The model's own metadata cannot be shown: {error}")
            return
        if metadata is None:
            yield Paragraph(f"{trigger.path} has changed since the analysis; its metadata are not shown.")
        else:
            yield Listing("Metadata of the trigger model", json.dumps(metadata.model_dump(mode="json"), indent=2))


def _input_files(summary: Summary) -> Table:
    rows = [(name, path, _print_of(path)) for name, dataset in summary.datasets.items() for path in dataset.files]
    return Table(
        "Input files, with the fingerprint of their content at the time of this report.",
        ("dataset", "file", "fingerprint"),
        tuple(rows),
    )


def _print_of(path: str) -> str:
    if is_remote(path):
        return "remote"
    try:
        return fingerprint(path)
    except DarktriggerError:
        return "cannot be read now"
