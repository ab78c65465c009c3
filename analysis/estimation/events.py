"""Events with the scores of one or more triggers, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.estimation.config import EventsConfig
from analysis.evaluation.samples import BACKGROUND, Key
from analysis.labels import check_labels, missing
from analysis.scores import baselines_of, directions, event_scores
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError
from darktrigger.progress import progress
from imaging.composition import SumOfWeights, weight_factors
from imaging.dense import OBJECTS
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource, open_images
from imaging.objects.object_set import ObjectSet

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
    path: str
    label: NDArray[np.uint8]
    mass: NDArray[np.float32]
    weight: FloatArray
    columns: list[FloatArray]
    variables: dict[str, FloatArray]


class _Generated(NamedTuple):
    """Sums of weights of a file, before its preselection and after."""

    read: float
    selected: float


class _Read(NamedTuple):
    """Events of each class and mass, all files, and of those with background what was generated, if they tell."""

    samples: dict[Key, Events]
    sources: list[ImageSource]
    background: dict[str, _Generated | None]
    factors: dict[str, float]


def read_events(choices: Sequence[ScoreChoice], paths: Sequence[str], config: EventsConfig) -> Dataset:
    """Score all events of some files.

    Parameters
    ----------
    choices
        Triggers and scores.
    paths
        Files of events.
    config
        Which of them, and how much each counts.

    Raises
    ------
    InputFileError
        A bad file, or one that a model cannot be fed with.
    ConfigError
        Samples of the background that do not fit the files.
    AnalysisError
        No background or no signal among the events, or weights that cannot be used.
    """
    check_labels("an estimate", paths)
    read = _read(choices, paths, config)
    return Dataset(*_named(read.samples, read.sources), _preselected(read.background, read.factors))


def read_background(choice: ScoreChoice, paths: Sequence[str], config: EventsConfig) -> tuple[Events, list[str]]:
    """The background events alone, see :func:`read_events`, and the files that hold some; others are left out.

    Raises
    ------
    InputFileError
        A bad file, or one that the model cannot be fed with.
    ConfigError
        Samples of the background that do not fit the files.
    AnalysisError
        No background among the events, or weights that cannot be used.
    """
    read = _read([choice], paths, config)
    if BACKGROUND not in read.samples:
        raise AnalysisError(
            f"no background (label 0) in {', '.join(paths)} (entries kept: {config.background_entries})"
        )
    _check_weights("background", read.samples[BACKGROUND])
    return read.samples[BACKGROUND], list(read.background)


def _read(choices: Sequence[ScoreChoice], paths: Sequence[str], config: EventsConfig) -> _Read:
    sources = [open_images(path) for path in paths]
    parts: dict[Key, list[_Batch]] = {}
    with progress("scoring", len(sources)) as advance:
        for source in sources:
            for batch in _scored(source, choices, config):
                for key, mask in _by_sample(batch):
                    parts.setdefault(key, []).append(_masked(batch, mask))
            advance(1)
    found = parts.get(BACKGROUND, [])
    of_background = {batch.path for batch in found}
    generated = {s.path: _generated(s, config.weights) for s in sources if s.path in of_background}
    factors = _factors(found, generated, config)
    if found and config.background:
        parts[BACKGROUND] = _weighted(found, factors)
    samples = {key: _one_pileup(_joined(parts[key], len(choices))) for key in sorted(parts)}
    return _Read(samples, sources, generated, factors)


def _factors(
    batches: Sequence[_Batch], generated: Mapping[str, _Generated | None], config: EventsConfig
) -> dict[str, float]:
    """What the weights of each file's background are multiplied by."""
    if not config.background:
        return dict.fromkeys(generated, 1.0)
    used = dict.fromkeys(generated, 0.0)
    for batch in batches:
        used[batch.path] += float(batch.weight.sum())
    files = {path: SumOfWeights(used[path], sums and sums.read) for path, sums in generated.items()}
    return weight_factors(config.background, files)


def _weighted(batches: Sequence[_Batch], factors: Mapping[str, float]) -> list[_Batch]:
    """With the weights of their samples, which sum to the number of unweighted events that they are worth."""
    weights = [batch.weight * factors[batch.path] for batch in batches]
    together = np.concatenate(weights)
    scale = together.sum() / np.square(together).sum()
    return [batch._replace(weight=weight * scale) for batch, weight in zip(batches, weights, strict=True)]


def _generated(source: ImageSource, weights: str) -> _Generated | None:
    """In the weights that events count by; None where the file does not tell."""
    metadata = source.metadata()
    if metadata is None:
        return None
    if weights == "unit":
        return _Generated(metadata.events_read, metadata.events_selected)
    return _Generated(metadata.sum_of_weights_read, metadata.sum_of_weights_selected)


def _joined(batches: Sequence[_Batch], n_choices: int) -> Events:
    return Events(
        np.concatenate([batch.weight for batch in batches]),
        tuple(np.concatenate([batch.columns[index] for batch in batches]) for index in range(n_choices)),
        {name: np.concatenate([batch.variables[name] for batch in batches]) for name in batches[0].variables},
    )


def _scored(source: ImageSource, choices: Sequence[ScoreChoice], config: EventsConfig) -> Iterator[_Batch]:
    """The one place that knows what a file of events holds."""
    for choice in choices:
        spec = choice.trigger.metadata.input
        source.require(spec.kind, sums_channels=spec.sums_channels)
    for chunk in source.iterate(_STEP):
        kept = chunk[(chunk.label != 0) | config.background_entries.mask(chunk.entry)]
        columns = []
        for choice in choices:
            baselines = [name for name in choice.scores if name not in choice.trigger.directions]
            scores = event_scores(choice.trigger, kept, config.batch_size, baselines)
            columns.append(np.stack([scores[name].astype(np.float64) for name in choice.scores], axis=1))
        weight = np.ones(len(kept)) if config.weights == "unit" else kept.weight.astype(np.float64)
        yield _Batch(source.path, kept.label, kept.mass, weight, columns, _variables(kept))


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
        batch.path,
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
        raise missing("an estimate", {key.label for key in samples})
    for name, events in {"background": samples[BACKGROUND], **signals}.items():
        _check_weights(name, events)
    return samples[BACKGROUND], signals


def _check_weights(name: str, events: Events) -> None:
    if events.weight.min() < 0 or not events.weight.sum() > 0:
        raise AnalysisError(f"{name}: an estimate needs weights of at least 0, some above (or weights: unit)")


def _name(signal: str, mass: float) -> str:
    return f"{signal} {mass:g}" if mass else signal


def _preselected(generated: Mapping[str, _Generated | None], factors: Mapping[str, float]) -> float | None:
    """Fraction of the generated weight that passed the preselection; None where a file does not tell."""
    read = selected = 0.0
    for path, sums in generated.items():
        if sums is None:
            return None
        read += factors[path] * sums.read
        selected += factors[path] * sums.selected
    return selected / read if read > 0 else None
