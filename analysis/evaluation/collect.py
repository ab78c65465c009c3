"""One pass over the images: every score of every event, and what the reconstructions are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.evaluation.config import EvaluationConfig
from analysis.evaluation.quality import Quality, quality_of
from analysis.evaluation.rows import Column
from analysis.evaluation.samples import (
    BACKGROUND,
    LABEL_0_AS_SIGNAL,
    Example,
    Float32Array,
    Key,
    Points,
    Sample,
    load_samples,
    save_samples,
)
from analysis.scores import baseline_scores, baselines_of, finite, oriented
from analysis.trigger import Trigger
from darktrigger import __version__
from darktrigger.errors import UnreadableFileError
from darktrigger.executors import HERE, Executor
from darktrigger.files import fingerprint, hash_of
from darktrigger.progress import progress
from darktrigger.run_report import Meter, RunReport
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource
from imaging.jets.jet_set import JetSet
from imaging.jets.jet_source import JetFile
from imaging.objects.object_set import ObjectSet

#: Events of a file that are in memory at a time, and that a task scores.
_STEP, _PIECE = 4096, 8192

#: Events of each sample whose image and latents are kept for distances between samples.
_IN_SPACE = 1000


@dataclass
class _Parts:
    weight: list[NDArray[np.float64]] = field(default_factory=list)
    scores: dict[Column, list[Float32Array]] = field(default_factory=dict)
    quality: dict[str, list[Quality]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    points: dict[str, list[Points]] = field(default_factory=dict)

    def extend(self, sample: Sample, n_examples: int) -> None:
        """Append the events of a further piece."""
        self.weight.append(sample.weight)
        for column, values in sample.scores.items():
            self.scores.setdefault(column, []).append(values)
        for path, quality in sample.quality.items():
            self.quality.setdefault(path, []).append(quality)
        for path, examples in sample.examples.items():
            kept = self.examples.setdefault(path, [])
            kept += examples[: n_examples - len(kept)]
        for path, points in sample.points.items():
            self.points.setdefault(path, []).append(points)

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


@dataclass(frozen=True)
class Piece:
    """Some row groups of a file, or all of it, that one task scores."""

    source: ImageSource | JetFile
    content: str
    rows: range | None


@dataclass(frozen=True)
class Collector:
    """Scores a piece; what a worker needs to know for it."""

    triggers: tuple[Trigger, ...]
    config: EvaluationConfig
    background: int

    def __call__(self, piece: Piece) -> dict[Key, Sample]:
        """Every score of every event, sample by sample."""
        parts: dict[Key, _Parts] = {}
        for chunk in piece.source.iterate(_STEP, piece.rows):
            kept = np.where(
                chunk.label == self.background,
                self.config.background_entries.mask(chunk.entry),
                self.config.signal_entries.mask(chunk.entry),
            )
            for key, events in _by_sample(chunk[kept], self.background):
                _add(parts.setdefault(key, _Parts()), key, events, piece.source, self.triggers, self.config)
        return {key: part.joined() for key, part in parts.items()}

    def key(self, piece: Piece) -> str:
        """Hash of all that decides the result."""
        config = self.config.model_dump(include={"background_entries", "signal_entries", "batch_size", "examples"})
        triggers = {trigger.path: trigger.fingerprint for trigger in self.triggers}
        rows = piece.rows and [piece.rows.start, piece.rows.stop]
        return hash_of(
            {
                "version": __version__,
                "config": config,
                "background": self.background,
                "triggers": triggers,
                "content": piece.content,
                "rows": rows,
            }
        )


def collect(
    triggers: Sequence[Trigger],
    sources: Sequence[ImageSource | JetFile],
    config: EvaluationConfig,
    background: int = 0,
    *,
    executor: Executor = HERE,
    parts: Path | None = None,
    report: RunReport | None = None,
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
    executor
        Who does the work; the result does not depend on it.
    parts
        Folder where finished pieces are kept, to be taken up by the next call; None to keep none.
    report
        Told what it costs.

    Raises
    ------
    InputFileError
        A damaged file.
    AnalysisError
        A model gives NaN or infinity for some event.
    """
    report = report or RunReport("evaluate")
    collector = Collector(tuple(triggers), config, background)
    pieces = [
        Piece(source, content, rows)
        for source, content in ((source, fingerprint(source.path)) for source in sources)
        for rows in source.pieces(_PIECE)
    ]
    gathered: dict[Key, _Parts] = {}
    with progress("evaluating", len(pieces)) as advance:
        for samples in _samples(pieces, collector, executor, parts, report):
            for key, sample in samples.items():
                gathered.setdefault(key, _Parts()).extend(sample, config.examples)
            report.events += sum(len(sample.weight) for sample in samples.values())
            advance(1)
    for piece in pieces:
        if fingerprint(piece.source.path) != piece.content:
            raise UnreadableFileError(piece.source.path, "changed while it was read; run the command again")
    return {key: gathered[key].joined() for key in sorted(gathered)}


def _samples(
    pieces: Sequence[Piece], collector: Collector, executor: Executor, folder: Path | None, report: RunReport
) -> Iterator[dict[Key, Sample]]:
    """Samples of each piece, in order; those of an interrupted run from the folder."""
    paths = [None if folder is None else folder / f"{collector.key(piece)[:32]}.npz" for piece in pieces]
    stored = [None if path is None else load_samples(path) for path in paths]
    todo = (piece for piece, found in zip(pieces, stored, strict=True) if found is None)
    fresh = report.count(executor.map(Meter(collector), todo))
    for path, found in zip(paths, stored, strict=True):
        if found is not None:
            report.tasks += 1
            report.taken_up += 1
            yield found
            continue
        samples = next(fresh)
        if path is not None:
            save_samples(path, samples)
        yield samples


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
    known = [name for name, baseline in baselines.items() if baseline.columns <= source.columns]
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
