"""Delphes files and lists of constituents to one jet image file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Unpack, cast

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError, InputFileError
from darktrigger.provenance import versions
from imaging.delphes_rows import DelphesRows, look_at_delphes
from imaging.generated_signal import warn_of_signals
from imaging.generation_record import generated_energy
from imaging.jets.branches import JetBranchMap, find_jet_branches
from imaging.jets.config import JetConfig
from imaging.jets.constituent_file import SUFFIXES
from imaging.jets.events import build_jets
from imaging.jets.jet_file import JET_SCHEMA, JetMetadata, JetSource, to_jet_table, write_jet_file
from imaging.jets.labels import JET_LABEL_NAMES, JET_LABELS
from imaging.jets.ready_jets import ReadyJets, look_at_constituents
from imaging.production import Done, How, InputFile, Production, produce

logger = logging.getLogger(__name__)


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
            raise DarktriggerError(f"process '{self.process}' has no label of its own: give --label, 6 or higher")
        return label

    @property
    def is_given(self) -> bool:
        """Whether the user said what the jets are."""
        return self.process is not None or self.label is not None

    def label_names(self) -> dict[int, str]:
        """Names of the common labels and of this sample's."""
        label = self.resolved_label()
        return JET_LABEL_NAMES | ({} if label in JET_LABEL_NAMES else {label: self.process or f"label {label}"})


def convert_jets(
    paths: Sequence[str], output: str | Path, sample: JetSample, config: JetConfig, **how: Unpack[How]
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
    how
        Who does the work, how much of it, and what becomes of bad files: see :func:`imaging.production.produce`.

    Raises
    ------
    InputFileError
        A file cannot be used (see the classes in ``darktrigger.errors``).
    DarktriggerError
        No file can be used, or the output cannot be written.
    """
    warn_of_signals(paths, sample.resolved_label())
    metadata = produce(
        paths,
        output,
        look=lambda files, cache: _look(files, sample, config, cache),
        write=write_jet_file,
        describe=lambda made: _metadata(sample, config, made),
        **how,
    )
    if metadata.jets_selected == 0:
        chosen = config.selection
        logger.warning("%s: no jet of %g to %g GeV; the file is empty", output, chosen.pt_min, chosen.pt_max)
    return metadata


def _look(
    paths: Sequence[str], sample: JetSample, config: JetConfig, cache: Path | None
) -> Iterator[InputFile | InputFileError]:
    """Each file as it is to be read, those with ready jets among the Delphes files."""
    constants = {"label": sample.resolved_label(), "mass": sample.mass}

    def rows_of(available: Collection[str], path: str) -> DelphesRows:
        branches = find_jet_branches(available, config.branches, path)
        return DelphesRows(JET_SCHEMA, build_jets, to_jet_table, config.tree, branches, config.selection)

    is_ready = [Path(path).suffix.lower() in SUFFIXES for path in paths]
    delphes = look_at_delphes(
        [path for path, ready in zip(paths, is_ready, strict=True) if not ready], config, cache, rows_of, constants
    )
    for path, ready in zip(paths, is_ready, strict=True):
        yield (
            look_at_constituents(path, config.selection, constants, relabel=sample.is_given) if ready else next(delphes)
        )


def _metadata(sample: JetSample, config: JetConfig, made: Production) -> JetMetadata:
    total = made.cutflow
    all_ready = all(isinstance(one.file.maker, ReadyJets) for one in made.done)
    return JetMetadata(
        process=sample.process or "QCD",
        label_names=sample.label_names(),
        source_files=tuple(_describe(one) for one in made.done),
        skipped_files=tuple(made.skipped),
        events_read=total.read,
        jets_selected=total.selected,
        sum_of_weights_read=total.sum_of_weights_read,
        sum_of_weights_selected=total.sum_of_weights_selected,
        algorithm="as in the source file" if all_ready else "anti-kT, E scheme",
        selection=config.selection,
        versions=versions("uproot", "awkward", "numpy", "pyarrow", "fastjet"),
    )


def _describe(one: Done) -> JetSource:
    maker = one.file.maker
    if isinstance(maker, ReadyJets):
        constituents = maker.names()
    else:
        constituents = cast("JetBranchMap", cast("DelphesRows", maker).branches).constituents.names()
    return JetSource(
        path=one.file.path,
        fingerprint=one.file.fingerprint,
        entries=one.file.entries,
        jets_selected=one.cutflow.selected,
        constituents=tuple(constituents),
        energy=generated_energy(one.file.path),
    )
