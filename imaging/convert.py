"""Delphes ROOT files to one image file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Unpack

from imaging.branches import find_branches
from imaging.config import ImagingConfig
from imaging.delphes_rows import DelphesRows
from imaging.event_file import convert_events
from imaging.events import build_images
from imaging.image_file import SCHEMA, ImageMetadata, to_table, write_image_file
from imaging.production import How
from imaging.sample import Sample

logger = logging.getLogger(__name__)


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

    def rows_of(available: Collection[str], path: str) -> DelphesRows:
        branches = find_branches(available, config.branches, path)
        return DelphesRows(SCHEMA, build_images, to_table, config.tree, branches, config.selection)

    done = convert_events(
        paths,
        output,
        sample,
        config,
        rows_of=rows_of,
        write=write_image_file,
        metadata=ImageMetadata,
        selection=config.selection,
        **how,
    )
    if done.events_selected == 0:
        logger.warning("%s: no event has HT > %g GeV; the image file is empty", output, config.selection.ht_min)
    return done
