"""Delphes ROOT files to one image file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError
from darktrigger.files import fingerprint
from darktrigger.inputs import is_remote
from darktrigger.provenance import versions
from imaging.branches import BranchMap, find_branches
from imaging.config import ImagingConfig
from imaging.delphes_file import iterate_chunks, open_delphes
from imaging.events import NO_EVENTS, Cutflow, build_images
from imaging.image_file import SCHEMA, ImageMetadata, SkippedFile, SourceFile, from_batch, to_table, write_image_file
from imaging.image_set import ImageSet
from imaging.many_files import spooled, write_all

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


@dataclass
class _Source:
    """One file on its way through: what is known once its events have been read."""

    path: str
    tree_entries: int = 0
    branches: BranchMap | None = None
    cutflow: Cutflow = field(default=NO_EVENTS)


def convert(
    paths: Sequence[str],
    output: str | Path,
    sample: Sample,
    config: ImagingConfig,
    *,
    skip_bad_files: bool = False,
    advance: Callable[[int], None] = lambda _: None,
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
    label = sample.resolved_label()
    with write_image_file(output) as writer:
        sources, skipped = write_all(
            [_Source(path) for path in paths],
            lambda source: _images(source, config),
            lambda part: writer.write(part.with_origin(label=label, mass=sample.mass)),
            spool=_spooled if skip_bad_files else None,
            advance=advance,
        )
        metadata = _metadata(sample, config, sources, skipped)
        writer.write_metadata(metadata)
    if metadata.events_selected == 0:
        logger.warning("%s: no event has HT > %g GeV; the image file is empty", output, config.selection.ht_min)
    return metadata


def _images(source: _Source, config: ImagingConfig) -> Iterator[ImageSet]:
    """Selected events of one file, chunk by chunk; fills in the source on the way."""
    with open_delphes(source.path, config.tree) as events:
        source.tree_entries = events.num_entries
        source.branches = find_branches(events.keys(full_paths=False), config.branches, source.path)
        for chunk in iterate_chunks(source.path, events, source.branches, config.step_size):
            images, cutflow = build_images(
                chunk.arrays, source.branches, config.selection, source.path, chunk.first_entry
            )
            source.cutflow += cutflow
            yield images


def _spooled(parts: Iterator[ImageSet], path: str) -> Iterator[ImageSet]:
    return spooled(parts, path, SCHEMA, to_table, from_batch)


def _metadata(
    sample: Sample, config: ImagingConfig, sources: list[_Source], skipped: list[SkippedFile]
) -> ImageMetadata:
    total = sum((source.cutflow for source in sources), start=NO_EVENTS)
    branches = [source.branches for source in sources if source.branches]
    return ImageMetadata(
        process=sample.process,
        label_names=sample.label_names(),
        source_files=tuple(
            SourceFile(
                path=source.path,
                fingerprint=None if is_remote(source.path) else fingerprint(source.path),
                tree_entries=source.tree_entries,
                events_selected=source.cutflow.selected,
                branches=chosen,
            )
            for source, chosen in zip(sources, branches, strict=True)
        ),
        skipped_files=tuple(skipped),
        tree_entries=sum(source.tree_entries for source in sources),
        events_read=total.read,
        events_selected=total.selected,
        sum_of_weights_read=total.sum_of_weights_read,
        sum_of_weights_selected=total.sum_of_weights_selected,
        selection=config.selection,
        branches=tuple(dict.fromkeys(branches)),
        versions=versions("uproot", "awkward", "numpy", "pyarrow"),
    )
