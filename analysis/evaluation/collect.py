"""One pass over the images: every score of every event, and what the reconstructions are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.config import EvaluationConfig
from analysis.evaluation.quality import Quality, quality_of
from analysis.evaluation.rows import Column
from analysis.scores import baseline_scores, baselines_of, finite, oriented
from analysis.trigger import Trigger
from darktrigger.progress import progress
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource
from imaging.jets.jet_set import JetSet
from imaging.jets.jet_source import JetFile
from imaging.objects.object_set import ObjectSet

#: Events of a file that are in memory at a time.
_STEP = 4096

Float32Array = NDArray[np.float32]


class Key(NamedTuple):
    """A sample is told by label and mass (GeV); background is one sample whatever its mass.

    Its key is (0, 0) whatever class is background; where another one is, label 0 has the key
    :data:`LABEL_0_AS_SIGNAL`.
    """

    label: int
    mass: float


BACKGROUND, LABEL_0_AS_SIGNAL = Key(0, 0.0), Key(256, 0.0)

#: Events of each sample whose image and latents are kept for distances between samples.
_IN_SPACE = 1000


class Points(NamedTuple):
    """Some events of a sample as points: images (n, C H W) as the network sees them, and latents (n, K)."""

    image: Float32Array
    latent: Float32Array


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
    points
        The first events as points, by the path of each model that gives its latents.
    """

    weight: FloatArray
    scores: dict[Column, Float32Array]
    quality: dict[str, Quality]
    examples: dict[str, list[Example]]
    points: dict[str, Points] = field(default_factory=dict)


@dataclass
class _Parts:
    weight: list[NDArray[np.float64]] = field(default_factory=list)
    scores: dict[Column, list[Float32Array]] = field(default_factory=dict)
    quality: dict[str, list[Quality]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    points: dict[str, list[Points]] = field(default_factory=dict)

    def joined(self) -> Sample:
        return Sample(
            np.concatenate(self.weight),
            {column: np.concatenate(values) for column, values in self.scores.items()},
            {path: Quality.joined(parts) for path, parts in self.quality.items()},
            self.examples,
            {
                path: Points(*map(np.concatenate, zip(*parts, strict=True)))
                for path, parts in self.points.items()
                if parts
            },
        )


def collect(
    triggers: Sequence[Trigger],
    sources: Sequence[ImageSource | JetFile],
    config: EvaluationConfig,
    background: int = 0,
) -> dict[Key, Sample]:
    """Score every event; images exist for one step at a time, scores (four bytes each) for all.

    Parameters
    ----------
    triggers
        Trigger models.
    sources
        Files of images.
    config
        Which events to use, how many at a time, and how many to keep with their reconstructions.
    background
        Label of the class that is background.

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
                kept = np.where(
                    chunk.label == background,
                    config.background_entries.mask(chunk.entry),
                    config.signal_entries.mask(chunk.entry),
                )
                for key, events in _by_sample(chunk[kept], background):
                    _add(parts.setdefault(key, _Parts()), key, events, source, triggers, config)
            advance(1)
    return {key: parts[key].joined() for key in sorted(parts)}


def _by_sample(events: Any, background: int) -> Iterator[tuple[Key, Any]]:
    mass = np.where((events.label == 0) | (events.label == background), np.float32(0), events.mass)
    for label, value in sorted(set(zip(events.label.tolist(), mass.tolist(), strict=True))):
        key = BACKGROUND if label == background else Key(label, value) if label else LABEL_0_AS_SIGNAL
        yield key, events[(events.label == label) & (mass == value)]


def _add(
    parts: _Parts,
    key: Key,
    events: ImageSet | JetSet | ObjectSet,
    source: ImageSource | JetFile,
    triggers: Sequence[Trigger],
    config: EvaluationConfig,
) -> None:
    parts.weight.append(events.weight.astype(np.float64))
    baselines = baselines_of(events)
    columns = source.columns if isinstance(source, ImageSource) else frozenset()
    known = [name for name, baseline in baselines.items() if baseline.columns <= columns]
    unknown = np.full(len(events), np.nan, dtype=np.float32)
    for name, values in (dict.fromkeys(baselines, unknown) | baseline_scores(events, known)).items():
        parts.scores.setdefault(Column("", name), []).append(values)
    for trigger in triggers:
        for batch in trigger.batches(events.images, config.batch_size, reconstruction=True):
            for name, values in finite(oriented(batch.scores, trigger.directions), trigger.path).items():
                parts.scores.setdefault(Column(trigger.path, name), []).append(values)
            points = parts.points.setdefault(trigger.path, [])
            if batch.latent is not None and sum(len(part.image) for part in points) < _IN_SPACE:
                points.append(Points(batch.image.reshape(len(batch.image), -1), batch.latent))
            if batch.reconstruction is None:
                continue
            # Table 4 is about background; elsewhere the slowest part of it is left out.
            quality = quality_of(batch.image, batch.reconstruction, with_ssim=key == BACKGROUND)
            parts.quality.setdefault(trigger.path, []).append(quality)
            kept = parts.examples.setdefault(trigger.path, [])
            pairs = zip(batch.image, batch.reconstruction, strict=True)
            kept += [Example(*pair) for pair in list(pairs)[: config.examples - len(kept)]]
