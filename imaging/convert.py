"""Delphes ROOT files to one image file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Unpack, cast

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError
from darktrigger.provenance import versions
from imaging.branches import BranchMap, find_branches
from imaging.config import ImagingConfig
from imaging.delphes_rows import DelphesRows, look_at_delphes
from imaging.events import build_images
from imaging.image_file import SCHEMA, ImageMetadata, SourceFile, to_table, write_image_file
from imaging.production import Done, How, Production, produce

logger = logging.getLogger(__name__)

#: Labels of the image file; further processes take numbers from 3 on.
LABELS = {"background": 0, "qcd": 0, "suep": 1, "svj": 2}


class Sample(StrictModel):
    """What the events are: process name, label (0 background, 1 SUEP, 2 SVJ, 3 and up: others), mediator mass (GeV)."""

    process: str = "background"
    label: int | None = None
    mass: float = 0.0

    def resolved_label(self) -> int:
        """The label given, or the one that the process has.

        Raises
        ------
        DarktriggerError
            Neither exists.
        """
        label = self.label if self.label is not None else LABELS.get(self.process.lower())
        if label is None:
            raise DarktriggerError(f"process '{self.process}' has no label of its own: give one, 3 or higher")
        return label

    def label_names(self) -> dict[int, str]:
        """Names of the common labels and of this sample's."""
        return {0: "background", 1: "SUEP", 2: "SVJ"} | {
            label: self.process for label in [self.resolved_label()] if label > 2
        }


def convert(
    paths: Sequence[str], output: str | Path, sample: Sample, config: ImagingConfig, **how: Unpack[How]
) -> ImageMetadata:
    """Write the images of all events that pass the selection.

    Parameters
    ----------
    paths
        Delphes files, local or remote.
    output
        Image file; appears only when complete.
    sample
        What the events are.
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
    constants = {"label": sample.resolved_label(), "mass": sample.mass}

    def rows_of(available: Collection[str], path: str) -> DelphesRows:
        branches = find_branches(available, config.branches, path)
        return DelphesRows(SCHEMA, build_images, to_table, config.tree, branches, config.selection)

    metadata = produce(
        paths,
        output,
        look=lambda files, cache: look_at_delphes(files, config, cache, rows_of, constants),
        write=write_image_file,
        describe=lambda made: _metadata(sample, config, made),
        **how,
    )
    if metadata.events_selected == 0:
        logger.warning("%s: no event has HT > %g GeV; the image file is empty", output, config.selection.ht_min)
    return metadata


def _metadata(sample: Sample, config: ImagingConfig, made: Production) -> ImageMetadata:
    sources = tuple(_describe(one) for one in made.done)
    total = made.cutflow
    return ImageMetadata(
        process=sample.process,
        label_names=sample.label_names(),
        source_files=sources,
        skipped_files=tuple(made.skipped),
        tree_entries=made.entries,
        events_read=total.read,
        events_selected=total.selected,
        sum_of_weights_read=total.sum_of_weights_read,
        sum_of_weights_selected=total.sum_of_weights_selected,
        selection=config.selection,
        branches=tuple(dict.fromkeys(source.branches for source in sources)),
        versions=versions("uproot", "awkward", "numpy", "pyarrow"),
    )


def _describe(one: Done) -> SourceFile:
    return SourceFile(
        path=one.file.path,
        fingerprint=one.file.fingerprint,
        tree_entries=one.file.entries,
        events_selected=one.cutflow.selected,
        branches=cast("BranchMap", cast("DelphesRows", one.file.maker).branches),
    )
