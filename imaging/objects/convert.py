"""Delphes ROOT files to one object file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Unpack

from imaging.config import ReadingConfig
from imaging.delphes_rows import DelphesRows
from imaging.event_file import convert_events
from imaging.objects.branches import ObjectConfig, find_object_branches
from imaging.objects.events import build_objects
from imaging.objects.object_file import SCHEMA, ObjectMetadata, to_object_table, write_object_file
from imaging.production import How
from imaging.sample import Sample

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

    def rows_of(available: Collection[str], path: str) -> DelphesRows:
        branches = find_object_branches(available, config.objects, path)
        return DelphesRows(SCHEMA, build_objects, to_object_table, config.tree, branches, config.objects)

    done = convert_events(
        paths,
        output,
        sample,
        config,
        rows_of=rows_of,
        write=write_object_file,
        metadata=ObjectMetadata,
        selection=config.objects,
        **how,
    )
    if done.events_selected == 0:
        lepton = f"a lepton above {config.objects.lepton_pt_min:g} GeV{config.objects.isolation_label}"
        logger.warning("%s: no event has %s", output, lepton)
    return done
