"""Delphes ROOT files to one object file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Unpack, cast

from darktrigger.provenance import versions
from imaging.config import ReadingConfig
from imaging.convert import Sample
from imaging.delphes_rows import DelphesRows, look_at_delphes
from imaging.objects.branches import ObjectBranches, ObjectConfig, find_object_branches
from imaging.objects.events import build_objects
from imaging.objects.object_file import SCHEMA, ObjectMetadata, ObjectSource, to_object_table, write_object_file
from imaging.production import Done, How, Production, produce

logger = logging.getLogger(__name__)


class ObjectImagingConfig(ReadingConfig):
    """How Delphes files become objects."""

    objects: ObjectConfig = ObjectConfig()


def convert_objects(
    paths: Sequence[str], output: str | Path, sample: Sample, config: ObjectImagingConfig, **how: Unpack[How]
) -> ObjectMetadata:
    """Write the objects of all events that pass the selection; see :func:`imaging.convert.convert`.

    Raises
    ------
    InputFileError
        A file cannot be used.
    DarktriggerError
        No file can be used, or the output cannot be written.
    """
    constants = {"label": sample.resolved_label(), "mass": sample.mass}

    def rows_of(available: Collection[str], path: str) -> DelphesRows:
        branches = find_object_branches(available, config.objects.branches, path)
        return DelphesRows(SCHEMA, build_objects, to_object_table, config.tree, branches, config.objects)

    metadata = produce(
        paths,
        output,
        look=lambda files, cache: look_at_delphes(files, config, cache, rows_of, constants),
        write=write_object_file,
        describe=lambda made: _metadata(sample, config, made),
        **how,
    )
    if metadata.events_selected == 0:
        logger.warning("%s: no event has a lepton above %g GeV", output, config.objects.lepton_pt_min)
    return metadata


def _metadata(sample: Sample, config: ObjectImagingConfig, made: Production) -> ObjectMetadata:
    sources = tuple(_describe(one) for one in made.done)
    total = made.cutflow
    return ObjectMetadata(
        process=sample.process,
        label_names=sample.label_names(),
        source_files=sources,
        skipped_files=tuple(made.skipped),
        tree_entries=made.entries,
        events_read=total.read,
        events_selected=total.selected,
        sum_of_weights_read=total.sum_of_weights_read,
        sum_of_weights_selected=total.sum_of_weights_selected,
        selection=config.objects,
        branches=tuple(dict.fromkeys(source.branches for source in sources)),
        versions=versions("uproot", "awkward", "pyarrow"),
    )


def _describe(one: Done) -> ObjectSource:
    return ObjectSource(
        path=one.file.path,
        fingerprint=one.file.fingerprint,
        tree_entries=one.file.entries,
        events_selected=one.cutflow.selected,
        branches=cast("ObjectBranches", cast("DelphesRows", one.file.maker).branches),
    )
