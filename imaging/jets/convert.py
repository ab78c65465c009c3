"""Delphes files and lists of constituents to one jet image file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError
from darktrigger.files import fingerprint
from darktrigger.inputs import is_remote
from darktrigger.provenance import versions
from imaging.delphes_file import iterate_chunks, open_delphes, steps_of
from imaging.events import NO_EVENTS, Cutflow
from imaging.jets.branches import find_jet_branches
from imaging.jets.config import JetConfig
from imaging.jets.constituent_file import SUFFIXES, open_constituents, read_jets
from imaging.jets.events import build_jets, draw
from imaging.jets.jet_file import JET_SCHEMA, JetMetadata, JetSource, from_jet_batch, to_jet_table, write_jet_file
from imaging.jets.jet_set import JetSet
from imaging.many_files import spooled, write_all

logger = logging.getLogger(__name__)

QCD, TOP, AACHEN, HEIDELBERG = 0, 3, 4, 5

#: Labels of the processes that make jets.
JET_LABELS = {
    "background": QCD, "qcd": QCD, "qcd-jets": QCD, "top": TOP, "ttbar": TOP, "aachen": AACHEN,
    "heidelberg": HEIDELBERG,
}  # fmt: skip

#: Names of the labels.
JET_LABEL_NAMES = {QCD: "QCD", TOP: "top", AACHEN: "Aachen", HEIDELBERG: "Heidelberg"}

_ROWS = 1 << 14


class JetSample(StrictModel):
    """What the jets are: process name, label, mass of the mediator or model (GeV).

    A file that tells signal from background (``is_signal_new``) labels its own jets, QCD or top, unless a process
    or label is given.
    """

    process: str | None = None
    label: int | None = None
    mass: float = 0.0

    def resolved_label(self) -> int:
        """The label given, or the one that the process has; without either, QCD.

        Raises
        ------
        DarktriggerError
            The process has none.
        """
        label = self.label if self.label is not None else JET_LABELS.get((self.process or "qcd").lower())
        if label is None:
            raise DarktriggerError(f"process '{self.process}' has no label of its own: give one, 6 or higher")
        return label

    @property
    def is_given(self) -> bool:
        """Whether the user said what the jets are."""
        return self.process is not None or self.label is not None

    def label_names(self) -> dict[int, str]:
        """Names of the common labels and of this sample's."""
        label = self.resolved_label()
        return JET_LABEL_NAMES | ({} if label in JET_LABEL_NAMES else {label: self.process or f"label {label}"})


@dataclass
class _Source:
    """One file on its way through: what is known once its jets have been read."""

    path: str
    entries: int = 0
    constituents: tuple[str, ...] = ()
    cutflow: Cutflow = field(default=NO_EVENTS)

    @property
    def has_ready_jets(self) -> bool:
        """Whether its rows are jets, by its suffix."""
        return Path(self.path).suffix.lower() in SUFFIXES


def convert_jets(
    paths: Sequence[str],
    output: str | Path,
    sample: JetSample,
    config: JetConfig,
    *,
    skip_bad_files: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> JetMetadata:
    """Write the images of all jets that pass the selection.

    Parameters
    ----------
    paths
        Delphes files, local or remote, and HDF5 files of constituents, by suffix.
    output
        Jet image file; appears only when complete.
    sample
        What the jets are.
    config
        Settings.
    skip_bad_files
        Leave out a file that cannot be used, as a whole, and report it in the metadata;
        otherwise the first such file ends the conversion.
    advance
        Called with 1 after each file.

    Raises
    ------
    InputFileError
        A file cannot be used (see the classes in ``darktrigger.errors``).
    DarktriggerError
        No file can be used, or the output cannot be written.
    """
    sample.resolved_label()
    with write_jet_file(output) as writer:
        sources, skipped = write_all(
            [_Source(path) for path in paths],
            lambda source: _ready_jets(source, sample, config) if source.has_ready_jets
            else _found_jets(source, sample, config),
            writer.write,
            spool=_spooled if skip_bad_files else None,
            advance=advance,
        )  # fmt: skip
        total = sum((source.cutflow for source in sources), start=NO_EVENTS)
        metadata = JetMetadata(
            process=sample.process or "QCD",
            label_names=sample.label_names(),
            source_files=tuple(_describe(source) for source in sources),
            skipped_files=tuple(skipped),
            events_read=total.read,
            jets_selected=total.selected,
            sum_of_weights_read=total.sum_of_weights_read,
            sum_of_weights_selected=total.sum_of_weights_selected,
            algorithm="as in the source file"
            if all(source.has_ready_jets for source in sources)
            else "anti-kT, E scheme",
            selection=config.selection,
            versions=versions("uproot", "awkward", "numpy", "pyarrow", "fastjet"),
        )
        writer.write_metadata(metadata)
    if metadata.jets_selected == 0:
        chosen = config.selection
        logger.warning("%s: no jet of %g to %g GeV; the file is empty", output, chosen.pt_min, chosen.pt_max)
    return metadata


def _describe(source: _Source) -> JetSource:
    return JetSource(
        path=source.path,
        fingerprint=None if is_remote(source.path) else fingerprint(source.path),
        entries=source.entries,
        jets_selected=source.cutflow.selected,
        constituents=source.constituents,
    )


def _found_jets(source: _Source, sample: JetSample, config: JetConfig) -> Iterator[JetSet]:
    """Jets of a Delphes file, chunk by chunk; fills in the source on the way."""
    with open_delphes(source.path, config.tree) as events:
        source.entries = events.num_entries
        branches = find_jet_branches(events.keys(full_paths=False), config.branches, source.path)
        source.constituents = tuple(branches.constituents.names())
        steps = steps_of(source.path, events, branches, config.step_size)
        for chunk in iterate_chunks(source.path, events, branches, steps):
            jets, cutflow = build_jets(chunk.arrays, branches, config.selection, source.path, chunk.first_entry)
            source.cutflow += cutflow
            yield _labelled(jets, sample, None)


def _ready_jets(source: _Source, sample: JetSample, config: JetConfig) -> Iterator[JetSet]:
    """Jets of an HDF5 file, chunk by chunk; fills in the source on the way."""
    with open_constituents(source.path) as layout:
        source.entries = len(layout.data)
        source.constituents = layout.names
        for start in range(0, source.entries, _ROWS):
            stop = min(start + _ROWS, source.entries)
            jets, is_signal = read_jets(source.path, layout, start, stop, config.selection)
            source.cutflow += Cutflow(stop - start, len(jets.pt), float(stop - start), float(len(jets.pt)))
            yield _labelled(draw(jets, np.ones(stop - start), start), sample, is_signal)


def _labelled(jets: JetSet, sample: JetSample, is_signal: np.ndarray | None) -> JetSet:
    if is_signal is None or sample.is_given:
        label = np.full(len(jets), sample.resolved_label())
    else:
        label = np.where(is_signal, TOP, QCD)
    return replace(jets, label=label.astype(np.uint8), mass=np.full(len(jets), sample.mass, dtype=np.float32))


def _spooled(parts: Iterator[JetSet], path: str) -> Iterator[JetSet]:
    return spooled(parts, path, JET_SCHEMA, to_jet_table, from_jet_batch)
