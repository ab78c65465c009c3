"""Delphes ROOT files to one object file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darktrigger.config import StrictModel
from darktrigger.files import fingerprint
from darktrigger.inputs import is_remote
from darktrigger.provenance import versions
from imaging.convert import Sample
from imaging.delphes_file import iterate_chunks, open_delphes, steps_of
from imaging.events import NO_EVENTS, Cutflow
from imaging.image_file import SkippedFile
from imaging.many_files import spooled, write_all
from imaging.objects.branches import ObjectBranches, ObjectConfig, find_object_branches
from imaging.objects.events import build_objects
from imaging.objects.object_file import (
    SCHEMA,
    ObjectMetadata,
    ObjectSource,
    from_object_batch,
    to_object_table,
    write_object_file,
)
from imaging.objects.object_set import ObjectSet

logger = logging.getLogger(__name__)


class ObjectImagingConfig(StrictModel):
    """How Delphes files become objects; ``step_size`` bounds the memory, see ``ImagingConfig``."""

    objects: ObjectConfig = ObjectConfig()
    tree: str = "Delphes"
    step_size: str = "16 MB"


@dataclass
class _Source:
    path: str
    tree_entries: int = 0
    branches: ObjectBranches | None = None
    cutflow: Cutflow = field(default=NO_EVENTS)


def convert_objects(
    paths: Sequence[str],
    output: str | Path,
    sample: Sample,
    config: ObjectImagingConfig,
    *,
    skip_bad_files: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> ObjectMetadata:
    """Write the objects of all events that pass the selection; see :func:`imaging.convert.convert`.

    Raises
    ------
    InputFileError
        A file cannot be used.
    DarktriggerError
        No file can be used, or the output cannot be written.
    """
    label = sample.resolved_label()
    with write_object_file(output) as writer:
        sources, skipped = write_all(
            [_Source(path) for path in paths],
            lambda source: _objects(source, config),
            lambda part: writer.write(part.with_origin(label=label, mass=sample.mass)),
            spool=_spooled if skip_bad_files else None,
            advance=advance,
        )
        metadata = _metadata(sample, config, sources, skipped)
        writer.write_metadata(metadata)
    if metadata.events_selected == 0:
        logger.warning("%s: no event has a lepton above %g GeV", output, config.objects.lepton_pt_min)
    return metadata


def _objects(source: _Source, config: ObjectImagingConfig) -> Iterator[ObjectSet]:
    with open_delphes(source.path, config.tree) as events:
        source.tree_entries = events.num_entries
        found = events.keys(full_paths=False)
        source.branches = branches = find_object_branches(found, config.objects.branches, source.path)
        steps = steps_of(source.path, events, branches, config.step_size)
        for chunk in iterate_chunks(source.path, events, branches, steps):
            part, cutflow = build_objects(chunk.arrays, branches, config.objects, source.path, chunk.first_entry)
            source.cutflow += cutflow
            yield part


def _spooled(parts: Iterator[ObjectSet], path: str) -> Iterator[ObjectSet]:
    return spooled(parts, path, SCHEMA, to_object_table, from_object_batch)


def _metadata(
    sample: Sample, config: ObjectImagingConfig, sources: Sequence[_Source], skipped: Sequence[SkippedFile]
) -> ObjectMetadata:
    total = sum((source.cutflow for source in sources), start=NO_EVENTS)
    branches = [(source, source.branches) for source in sources if source.branches]
    return ObjectMetadata(
        process=sample.process,
        label_names=sample.label_names(),
        source_files=tuple(
            ObjectSource(
                path=source.path,
                fingerprint=None if is_remote(source.path) else fingerprint(source.path),
                tree_entries=source.tree_entries,
                events_selected=source.cutflow.selected,
                branches=used,
            )
            for source, used in branches
        ),
        skipped_files=tuple(skipped),
        tree_entries=sum(source.tree_entries for source in sources),
        events_read=total.read,
        events_selected=total.selected,
        sum_of_weights_read=total.sum_of_weights_read,
        sum_of_weights_selected=total.sum_of_weights_selected,
        selection=config.objects,
        branches=tuple({used.model_dump_json(): used for _, used in branches}.values()),
        versions=versions("uproot", "awkward", "pyarrow"),
    )
