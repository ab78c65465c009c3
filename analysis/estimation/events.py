"""Events with the scores of one or more triggers, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.samples import BACKGROUND, Key
from analysis.scores import baselines_of, directions, event_scores
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError
from darktrigger.progress import progress
from imaging.dense import OBJECTS
from imaging.image_file import read_metadata
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource, open_images
from imaging.objects.object_file import CHALLENGE_SUFFIXES, read_object_metadata
from imaging.objects.object_set import ObjectSet
from imaging.paper_file import SUFFIX
from imaging.split import EntrySplit

#: Events of a file that are in memory at a time.
_STEP = 4096

#: What tells the pile-up, best first.
_VERTICES, _CELLS = "n_vertices", "ecal_cells"

#: Whatever a file of events holds.
_EventSet = ImageSet | ObjectSet


@dataclass(frozen=True)
class ScoreChoice:
    """A trigger and which of its scores (or of the baselines) to take."""

    trigger: Trigger
    scores: tuple[str, ...]

    def __post_init__(self) -> None:
        kind = ObjectSet if self.trigger.metadata.input.kind == OBJECTS else ImageSet
        known = directions(self.trigger, baselines_of(kind))
        for name in self.scores:
            if name not in known:
                raise AnalysisError(f"{self.trigger.path}: no score '{name}'; it gives {', '.join(known)}")


@dataclass(frozen=True)
class Events:
    """Events of one class and mass.

    Parameters
    ----------
    weight
        Shape (n,).
    scores
        Oriented scores of each choice, shape (n, number of scores).
    variables
        What the scores are held against, shape (n,) each, see :func:`_variables`.
    """

    weight: FloatArray
    scores: tuple[FloatArray, ...]
    variables: dict[str, FloatArray]

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def pair(self) -> tuple[FloatArray, FloatArray]:
        """The first choice's scores, shape (n, 2), and the weights."""
        return self.scores[0], self.weight

    @property
    def n_effective(self) -> float:
        """(sum w)^2 / sum w^2."""
        return float(self.weight.sum() ** 2 / np.square(self.weight).sum())


@dataclass(frozen=True)
class Dataset:
    """Background and signals; ``preselected`` is the background's efficiency of the preselection, if known."""

    background: Events
    signals: dict[str, Events]
    preselected: float | None


class _Batch(NamedTuple):
    label: NDArray[np.uint8]
    mass: NDArray[np.float32]
    weight: FloatArray
    columns: list[FloatArray]
    variables: dict[str, FloatArray]


@dataclass
class _Parts:
    batches: list[_Batch] = field(default_factory=list)

    def joined(self, n_choices: int) -> Events:
        return Events(
            np.concatenate([batch.weight for batch in self.batches]),
            tuple(np.concatenate([batch.columns[index] for batch in self.batches]) for index in range(n_choices)),
            {
                name: np.concatenate([batch.variables[name] for batch in self.batches])
                for name in self.batches[0].variables
            },
        )


def read_events(
    choices: Sequence[ScoreChoice], paths: Sequence[str], entries: EntrySplit, weights: str, batch_size: int
) -> Dataset:
    """Score all events of some files.

    Parameters
    ----------
    choices
        Triggers and scores.
    paths
        Image files.
    entries
        Background events to use.
    weights
        ``generator`` or ``unit``.
    batch_size
        Events of which dense images exist at a time.

    Raises
    ------
    InputFileError
        A bad file, or one that a model cannot be fed with.
    AnalysisError
        No background or no signal among the events, or weights that cannot be used.
    """
    samples, sources, background_sources = _samples(choices, paths, entries, weights, batch_size)
    return Dataset(*_named(samples, sources), _preselected(background_sources))


def read_background(
    choice: ScoreChoice, paths: Sequence[str], entries: EntrySplit, weights: str, batch_size: int
) -> tuple[Events, list[str]]:
    """The background events alone, see :func:`read_events`, and the files that hold some; others are left out.

    Raises
    ------
    InputFileError
        A bad file, or one that the model cannot be fed with.
    AnalysisError
        No background among the events, or weights that cannot be used.
    """
    samples, _, sources = _samples([choice], paths, entries, weights, batch_size)
    if BACKGROUND not in samples:
        raise AnalysisError(f"no background (label 0) in {', '.join(paths)} (entries kept: {entries})")
    _check_weights("background", samples[BACKGROUND])
    return samples[BACKGROUND], [source.path for source in sources]


def _samples(
    choices: Sequence[ScoreChoice], paths: Sequence[str], entries: EntrySplit, weights: str, batch_size: int
) -> tuple[dict[Key, Events], list[ImageSource], list[ImageSource]]:
    """Events of each class and mass, all files, and those with background."""
    sources = [open_images(path) for path in paths]
    parts: dict[Key, _Parts] = {}
    background_sources: list[ImageSource] = []
    with progress("scoring", len(sources)) as advance:
        for source in sources:
            for batch in _scored(source, choices, entries, batch_size):
                for key, mask in _by_sample(batch):
                    parts.setdefault(key, _Parts()).batches.append(_masked(batch, mask))
                if (batch.label == 0).any() and source not in background_sources:
                    background_sources.append(source)
            advance(1)
    samples = {key: _one_pileup(parts[key].joined(len(choices))) for key in sorted(parts)}
    if weights == "unit":
        samples = {key: replace(events, weight=np.ones(len(events))) for key, events in samples.items()}
    return samples, sources, background_sources


def _scored(
    source: ImageSource, choices: Sequence[ScoreChoice], entries: EntrySplit, batch_size: int
) -> Iterator[_Batch]:
    """The one place that knows what a file of events holds."""
    for choice in choices:
        spec = choice.trigger.metadata.input
        source.require(spec.kind, sums_channels=spec.sums_channels)
    for chunk in source.iterate(_STEP):
        kept = chunk[(chunk.label != 0) | entries.mask(chunk.entry)]
        columns = []
        for choice in choices:
            baselines = [name for name in choice.scores if name not in choice.trigger.directions]
            scores = event_scores(choice.trigger, kept, batch_size, baselines)
            columns.append(np.stack([scores[name].astype(np.float64) for name in choice.scores], axis=1))
        yield _Batch(
            kept.label,
            kept.mass,
            kept.weight.astype(np.float64),
            columns,
            _variables(kept),
        )


def _variables(events: _EventSet) -> dict[str, FloatArray]:
    """H_T (GeV), tracks, vertices and, of images, lit ECAL cells, most of which pile-up lights."""
    variables = {name: getattr(events, name).astype(np.float64) for name in ("ht", "n_tracks", _VERTICES)}
    if isinstance(events, ImageSet):
        variables[_CELLS] = np.diff(events.images.ecal.indptr).astype(np.float64)
    return variables


def _one_pileup(events: Events) -> Events:
    """The vertices where each event has some, else the cells."""
    known = bool((events.variables[_VERTICES] > 0).all())
    left_out = _CELLS if known else _VERTICES
    return replace(events, variables={name: values for name, values in events.variables.items() if name != left_out})


def _by_sample(batch: _Batch) -> Iterator[tuple[Key, NDArray[np.bool_]]]:
    mass = np.where(batch.label == 0, np.float32(0), batch.mass)
    for label, value in sorted(set(zip(batch.label.tolist(), mass.tolist(), strict=True))):
        yield Key(label, value), (batch.label == label) & (mass == value)


def _masked(batch: _Batch, mask: NDArray[np.bool_]) -> _Batch:
    return _Batch(
        batch.label[mask],
        batch.mass[mask],
        batch.weight[mask],
        [column[mask] for column in batch.columns],
        {name: values[mask] for name, values in batch.variables.items()},
    )


def _named(samples: Mapping[Key, Events], sources: Sequence[ImageSource]) -> tuple[Events, dict[str, Events]]:
    names = {label: name for source in sources for label, name in source.label_names.items()}
    signals = {_name(names[key.label], key.mass): events for key, events in samples.items() if key != BACKGROUND}
    if BACKGROUND not in samples or not signals:
        labels = ", ".join(str(label) for label in sorted({key.label for key in samples})) or "none"
        raise AnalysisError(f"an estimate needs background (label 0) and a signal; found labels: {labels}")
    for name, events in {"background": samples[BACKGROUND], **signals}.items():
        _check_weights(name, events)
    return samples[BACKGROUND], signals


def _check_weights(name: str, events: Events) -> None:
    if events.weight.min() < 0 or not events.weight.sum() > 0:
        raise AnalysisError(f"{name}: an estimate needs weights of at least 0, some above (or weights: unit)")


def _name(signal: str, mass: float) -> str:
    return f"{signal} {mass:g}" if mass else signal


def _preselected(sources: Sequence[ImageSource]) -> float | None:
    """Fraction of the generated weight that passed the preselection; None where a file does not tell."""
    read = selected = 0.0
    for source in sources:
        if source.path.endswith((SUFFIX, *CHALLENGE_SUFFIXES)):
            return None
        metadata = read_object_metadata(source.path) if source.has_objects else read_metadata(source.path)
        read += metadata.sum_of_weights_read
        selected += metadata.sum_of_weights_selected
    return selected / read if read > 0 else None
