"""One pass over the images: every score of every event, and what the reconstructions are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
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
    Worst,
    load_samples,
    save_samples,
)
from analysis.scores import baseline_scores, baselines_of, finite, oriented
from analysis.trigger import Trigger
from darktrigger import __version__
from darktrigger.errors import InputFileError, UnreadableFileError
from darktrigger.executors import HERE, Executor
from darktrigger.executors.resume import resumed
from darktrigger.files import fingerprint, hash_of
from darktrigger.progress import progress
from darktrigger.run_report import RunReport
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource
from imaging.jets.jet_set import JetSet
from imaging.jets.jet_source import JetFile
from imaging.objects.object_set import ObjectSet

#: Events of a file that are in memory at a time, and that a task scores.
_STEP, _PIECE = 4096, 8192

#: Events of each sample whose image and latents are kept for distances between samples: the first and the worst ones.
_FIRST, _WORST = 5000, 1000


@dataclass
class _Parts:
    weight: list[NDArray[np.float64]] = field(default_factory=list)
    scores: dict[Column, list[Float32Array]] = field(default_factory=dict)
    quality: dict[str, list[Quality]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    points: dict[str, list[Points]] = field(default_factory=dict)
    worst: dict[str, Worst] = field(default_factory=dict)

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
            self.add_points(path, points)
        for path, worst in sample.worst.items():
            self.add_worst(path, [worst])

    def add_points(self, path: str, points: Points) -> None:
        """Keep the points, as long as there are not enough."""
        kept = self.points.setdefault(path, [])
        missing = _FIRST - sum(len(part.image) for part in kept)
        if missing > 0:
            kept.append(Points(*(values[:missing] for values in points)))

    def add_worst(self, path: str, parts: Sequence[Worst]) -> None:
        """Keep the worst of these and those before."""
        kept = [self.worst[path]] if path in self.worst else []
        if kept or parts:
            self.worst[path] = Worst.joined([*kept, *parts], _WORST)

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
            self.worst,
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
        triggers = {trigger.path: [trigger.fingerprint, trigger.runtime] for trigger in self.triggers}
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


@dataclass(frozen=True)
class _Store:
    """Samples of pieces, each in a file that is named by all that decides them."""

    folder: Path
    collector: Collector

    def _path(self, piece: Piece) -> Path:
        return self.folder / f"{self.collector.key(piece)[:32]}.npz"

    def has(self, piece: Piece) -> bool:
        return self._path(piece).exists()

    def load(self, piece: Piece) -> dict[Key, Sample] | None:
        return load_samples(self._path(piece))

    def save(self, piece: Piece, result: dict[Key, Sample] | InputFileError) -> None:
        if not isinstance(result, InputFileError):
            save_samples(self._path(piece), result)


def collect(
    triggers: Sequence[Trigger],
    sources: Sequence[ImageSource | JetFile],
    config: EvaluationConfig,
    background: int = 0,
    *,
    skip_bad_files: bool = False,
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
    skip_bad_files
        Leave out a file that turns out to be damaged, as a whole, and tell the report.
    executor
        Who does the work; the result does not depend on it.
    parts
        Folder where finished pieces are kept, to be taken up by the next call; None to keep none.
    report
        Told what it costs.

    Raises
    ------
    InputFileError
        A damaged file, unless those are left out.
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
    store = _Store(parts, collector) if parts else None
    scored = partial(_guarded, collector)
    results: Iterator[dict[Key, Sample] | InputFileError] = resumed(pieces, scored, store, executor, report)
    gathered: dict[Key, _Parts] = {}
    with progress("evaluating", len(pieces)) as advance:
        for source, of_file in groupby(zip(pieces, results, strict=True), key=lambda pair: pair[0].source):
            found: list[tuple[Piece, dict[Key, Sample]]] = []
            error: InputFileError | None = None
            for piece, result in of_file:
                advance(1)
                if isinstance(result, InputFileError):
                    error = error or result
                else:
                    found.append((piece, result))
            error = error or _changed(source, found)
            if error and not skip_bad_files:
                raise error
            if error:
                report.bad_files[source.path] = error.cause
                continue
            for _, samples in found:
                for key, sample in samples.items():
                    gathered.setdefault(key, _Parts()).extend(sample, config.examples)
                report.events += sum(len(sample.weight) for sample in samples.values())
    return {key: gathered[key].joined() for key in sorted(gathered)}


def _guarded(collector: Collector, piece: Piece) -> dict[Key, Sample] | InputFileError:
    """Samples of a piece, or why its file cannot be used; what is wrong with a model is raised."""
    try:
        return collector(piece)
    except InputFileError as error:
        if error.path != piece.source.path:
            raise
        return error


def _changed(source: ImageSource | JetFile, found: Sequence[tuple[Piece, Any]]) -> InputFileError | None:
    if any(fingerprint(source.path) != piece.content for piece, _ in found[:1]):
        return UnreadableFileError(source.path, "changed while it was read; run the command again")
    return None


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
    baselines = baselines_of(type(events))
    known = [name for name, baseline in baselines.items() if baseline.columns <= source.columns]
    unknown = np.full(len(events), np.nan, dtype=np.float32)
    for name, values in (dict.fromkeys(baselines, unknown) | baseline_scores(events, known)).items():
        parts.scores.setdefault(Column("", name), []).append(values)
    for trigger in triggers:
        worst: list[Worst] = []
        for batch in trigger.batches(events.images, config.batch_size, reconstruction=True):
            for name, values in finite(oriented(batch.scores, trigger.directions), trigger.path).items():
                parts.scores.setdefault(Column(trigger.path, name), []).append(values)
            if batch.latent is not None:
                parts.add_points(trigger.path, Points(batch.image.reshape(len(batch.image), -1), batch.latent))
            if batch.reconstruction is None:
                continue
            if batch.latent is not None:
                worst.append(Worst.of(batch.image, batch.reconstruction, batch.latent))
            # Table 4 is about background; elsewhere the slowest part of it is left out.
            quality = quality_of(batch.image, batch.reconstruction, with_ssim=key == BACKGROUND)
            parts.quality.setdefault(trigger.path, []).append(quality)
            kept = parts.examples.setdefault(trigger.path, [])
            pairs = zip(batch.image, batch.reconstruction, strict=True)
            kept += [Example(*pair) for pair in list(pairs)[: config.examples - len(kept)]]
        parts.add_worst(trigger.path, worst)
