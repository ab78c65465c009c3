"""What the chain makes of Delphes files, by what its model looks at: images, objects or jets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.fileset import DatasetMetadata
from darktrigger.chain.config import ChainConfig
from darktrigger.config import StrictModel
from imaging.config import ReadingConfig
from imaging.convert import convert
from imaging.dense import OBJECTS
from imaging.display import draw_event, load_event
from imaging.jets.convert import JetSample, convert_jets
from imaging.jets.dense import JET_INPUT_SHAPES
from imaging.jets.display import draw_jets, load_jets
from imaging.objects.convert import ObjectImagingConfig, convert_objects
from imaging.sample import Sample


@dataclass(frozen=True)
class Rows:
    """One kind of rows.

    Parameters
    ----------
    settings
        Of the conversion.
    convert
        Takes paths, output, sample and settings, and the keywords of :func:`imaging.production.produce`.
    sample
        What the events are: takes ``process``, ``label`` and ``mass``.
    draw
        Pictures a row: takes file, row, title and output. None where there is nothing to see.
    """

    settings: StrictModel
    convert: Callable[..., Any]
    sample: Callable[..., StrictModel]
    draw: Callable[[str, int, str, Path], None] | None

    def sample_of(self, metadata: DatasetMetadata) -> StrictModel:
        """What the events of a dataset are."""
        return self.sample(process=metadata.process, label=metadata.label, mass=metadata.mass)


def rows_of(kind: str, config: ChainConfig) -> Rows:
    """The rows that a model of an input kind is fed with."""
    reading = {name: getattr(config.imaging, name) for name in ReadingConfig.model_fields}
    if kind == OBJECTS:
        return Rows(ObjectImagingConfig(objects=config.analysis.objects, **reading), convert_objects, Sample, None)
    if kind in JET_INPUT_SHAPES:
        settings = config.analysis.jets.model_copy(update=reading)
        return Rows(settings, convert_jets, JetSample, _draw_jets)

    def draw(file: str, row: int, title: str, output: Path) -> None:
        draw_event(load_event(file, row, config.imaging), title, output)

    return Rows(config.imaging, convert, Sample, draw)


def _draw_jets(file: str, row: int, title: str, output: Path) -> None:
    draw_jets(*load_jets(file, row), title, output)
