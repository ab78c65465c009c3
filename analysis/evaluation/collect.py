"""One pass over the images: every score of every event, and what the reconstructions are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.quality import Quality, quality_of
from analysis.evaluation.rows import Column
from analysis.scores import BASELINES, baseline_scores, finite, oriented
from analysis.trigger import Trigger
from darktrigger.progress import progress
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource
from imaging.objects.object_set import ObjectSet
from imaging.split import EntrySplit

#: Events of a file that are in memory at a time.
_STEP = 4096

Float32Array = NDArray[np.float32]


class Key(NamedTuple):
    """A sample is told by label and mass (GeV); background is one sample whatever its mass."""

    label: int
    mass: float


BACKGROUND = Key(0, 0.0)


class Example(NamedTuple):
    """An event's input and what the model makes of it, shape (C, H, W) each."""

    image: Float32Array
    reconstruction: Float32Array


@dataclass
class Sample:
    """Events of one class and mass.

    Parameters
    ----------
    weight
        Shape (n,).
    scores
        Oriented scores, shape (n,) each; NaN where a file does not tell (baselines).
    quality
        Of the reconstructions of each model that gives them, by its path.
    examples
        The first events with their reconstructions, by the model's path.
    """

    weight: FloatArray
    scores: dict[Column, Float32Array]
    quality: dict[str, Quality]
    examples: dict[str, list[Example]]


@dataclass
class _Parts:
    weight: list[NDArray[np.float64]] = field(default_factory=list)
    scores: dict[Column, list[Float32Array]] = field(default_factory=dict)
    quality: dict[str, list[Quality]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def joined(self) -> Sample:
        return Sample(
            np.concatenate(self.weight),
            {column: np.concatenate(values) for column, values in self.scores.items()},
            {path: Quality.joined(parts) for path, parts in self.quality.items()},
            self.examples,
        )


def collect(
    triggers: Sequence[Trigger], sources: Sequence[ImageSource], entries: EntrySplit, batch_size: int, examples: int
) -> dict[Key, Sample]:
    """Score every event; images exist for one step at a time, scores (four bytes each) for all.

    Parameters
    ----------
    triggers
        Trigger models.
    sources
        Files of images.
    entries
        Background events to use.
    batch_size
        Events of which dense images exist at a time.
    examples
        Events of each sample to keep with their reconstructions.

    Raises
    ------
    InputFileError
        A damaged file.
    AnalysisError
        A model gives NaN or infinity for some event.
    """
    parts: dict[Key, _Parts] = {}
    with progress("evaluating", len(sources)) as advance:
        for source in sources:
            for chunk in source.iterate(_STEP):
                kept = chunk[(chunk.label != 0) | entries.mask(chunk.entry)]
                for key, events in _by_sample(kept):
                    _add(parts.setdefault(key, _Parts()), key, events, source, triggers, batch_size, examples)
            advance(1)
    return {key: parts[key].joined() for key in sorted(parts)}


def _by_sample(events: ImageSet | ObjectSet) -> Iterator[tuple[Key, ImageSet | ObjectSet]]:
    mass = np.where(events.label == 0, np.float32(0), events.mass)
    for label, value in sorted(set(zip(events.label.tolist(), mass.tolist(), strict=True))):
        yield Key(label, value), events[(events.label == label) & (mass == value)]


def _add(
    parts: _Parts,
    key: Key,
    events: ImageSet | ObjectSet,
    source: ImageSource,
    triggers: Sequence[Trigger],
    batch_size: int,
    examples: int,
) -> None:
    parts.weight.append(events.weight.astype(np.float64))
    known = [name for name, baseline in BASELINES.items() if baseline.columns <= source.columns]
    baselines = {} if isinstance(events, ObjectSet) else baseline_scores(events, known)
    unknown = np.full(len(events), np.nan, dtype=np.float32)
    for name, values in (dict.fromkeys(BASELINES, unknown) | baselines).items():
        parts.scores.setdefault(Column("", name), []).append(values)
    for trigger in triggers:
        for batch in trigger.batches(events.images, batch_size, reconstruction=True):
            for name, values in finite(oriented(batch.scores, trigger.directions), trigger.path).items():
                parts.scores.setdefault(Column(trigger.path, name), []).append(values)
            if batch.reconstruction is None:
                continue
            # Table 4 is about background; elsewhere the slowest part of it is left out.
            quality = quality_of(batch.image, batch.reconstruction, with_ssim=key == BACKGROUND)
            parts.quality.setdefault(trigger.path, []).append(quality)
            kept = parts.examples.setdefault(trigger.path, [])
            pairs = zip(batch.image, batch.reconstruction, strict=True)
            kept += [Example(*pair) for pair in list(pairs)[: examples - len(kept)]]
