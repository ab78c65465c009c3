"""Which events a model trains on, and how they are set apart for validation.

Three policies: background alone (the auto-encoders), all events with their labels (the
supervised baseline) and background with a few signal events in it (weak supervision). A
family declares its own through its training configuration. Label 0 is background, every
other one signal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import TrainingError
from ml.streams import stream

Labels = NDArray[np.uint8]
Rows = NDArray[np.int64]


class Split(NamedTuple):
    """Row numbers for training and for validation, each ascending."""

    training: Rows
    validation: Rows


def split(n: int, validation_fraction: float, seed: int) -> Split:
    """Set events apart for validation.

    Raises
    ------
    TrainingError
        One of the two parts would be empty.
    """
    n_validation = round(n * validation_fraction)
    if not 0 < n_validation < n:
        raise TrainingError(f"{n} events cannot be split into training and validation ({validation_fraction:.0%})")
    order = stream(seed, "split").permutation(n)
    return Split(np.sort(order[n_validation:]), np.sort(order[:n_validation]))


class EventPolicy(ABC):
    """Which events a model trains on; ``takes_signal`` where image files may hold some.

    ``background`` is the label of what counts as background.
    """

    takes_signal: ClassVar[bool]
    background: int = 0

    def wants(self, label: int) -> bool:
        """Whether a sample of that label belongs to the training."""
        return self.takes_signal or label == self.background

    @abstractmethod
    def choose(self, label_N: Labels, seed: int) -> Rows:
        """Rows of the events to use, ascending."""

    @abstractmethod
    def split(self, label_N: Labels, validation_fraction: float, seed: int) -> Split:
        """Set some of the events chosen apart for validation."""


class BackgroundOnly(EventPolicy):
    """Background alone; a file that holds anything else is refused."""

    takes_signal = False

    def choose(self, label_N: Labels, seed: int) -> Rows:  # noqa: ARG002 (the signature of all policies)
        """All events."""
        return np.arange(len(label_N))

    def split(self, label_N: Labels, validation_fraction: float, seed: int) -> Split:
        """See :func:`split`."""
        return split(len(label_N), validation_fraction, seed)


@dataclass(frozen=True)
class OneClass(EventPolicy):
    """Events of one label alone, which is background here whatever it is elsewhere.

    Parameters
    ----------
    background
        Label.
    """

    takes_signal = True
    background: int = 0

    def wants(self, label: int) -> bool:
        """Of its one label."""
        return label == self.background

    def choose(self, label_N: Labels, seed: int) -> Rows:  # noqa: ARG002
        """All events.

        Raises
        ------
        TrainingError
            Some have another label.
        """
        others = np.unique(label_N[label_N != self.background])
        if len(others):
            raise TrainingError(
                f"training takes events of label {self.background} only (training.label); "
                f"found label {', '.join(map(str, others))} too"
            )
        return np.arange(len(label_N))

    def split(self, label_N: Labels, validation_fraction: float, seed: int) -> Split:
        """See :func:`split`."""
        return split(len(label_N), validation_fraction, seed)


class Labelled(EventPolicy):
    """All events, background and signal, with their labels."""

    takes_signal = True

    def choose(self, label_N: Labels, seed: int) -> Rows:  # noqa: ARG002
        """All events.

        Raises
        ------
        TrainingError
            Background or signal is missing.
        """
        if not (label_N == 0).any() or not label_N.any():
            raise TrainingError(
                "supervised training takes background (label 0) and signal; "
                f"found label {', '.join(map(str, np.unique(label_N))) or 'of no event'} alone"
            )
        return np.arange(len(label_N))

    def split(self, label_N: Labels, validation_fraction: float, seed: int) -> Split:
        """The same share of each label, so that either part has them all."""
        parts = []
        for label in np.unique(label_N):
            rows = np.flatnonzero(label_N == label)
            try:
                part = split(len(rows), validation_fraction, seed)
            except TrainingError as error:
                raise TrainingError(f"label {label}: {error}") from None
            parts.append((rows[part.training], rows[part.validation]))
        training, validation = zip(*parts, strict=True)
        return Split(np.sort(np.concatenate(training)), np.sort(np.concatenate(validation)))


@dataclass(frozen=True)
class Contaminated(EventPolicy):
    """Background with a few signal events that nothing marks.

    Parameters
    ----------
    fraction
        Signal events for each background event.
    """

    takes_signal = True
    fraction: float

    def choose(self, label_N: Labels, seed: int) -> Rows:
        """All background events and, of all signal events, as many as the fraction asks for.

        They are drawn without replacement, with equal odds whatever their label; at least one, since
        a small sample would otherwise hold none.

        Raises
        ------
        TrainingError
            No background, or fewer signal events than asked for.
        """
        background, signal = np.flatnonzero(label_N == 0), np.flatnonzero(label_N)
        wanted = max(round(self.fraction * len(background)), 1)
        if not len(background) or len(signal) < wanted:
            raise TrainingError(
                f"training takes background (label 0) contaminated with {self.fraction:g} of signal: expected "
                f"{wanted} signal events or more for {len(background)} of background, found {len(signal)}"
            )
        drawn = stream(seed, "contamination").choice(signal, wanted, replace=False)
        return np.sort(np.concatenate([background, drawn]))

    def split(self, label_N: Labels, validation_fraction: float, seed: int) -> Split:
        """Background alone for validation (CoDAE, section 4.7); every signal event is for training."""
        background = np.flatnonzero(label_N == 0)
        part = split(len(background), validation_fraction, seed)
        training = np.concatenate([background[part.training], np.flatnonzero(label_N)])
        return Split(np.sort(training), background[part.validation])


def class_weights(label_N: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Weight of an event by its label, shape (largest label + 1,); the weights' mean over the events is 1.

    Background as a whole weighs as much as all signals together, and each signal as much as any
    other, however many events there are of each: the trigger must not learn how often our
    simulation was run. Events of one label weigh the same, whatever their mass.
    """
    count_L = np.bincount(label_N)
    n_signals = int(np.count_nonzero(count_L[1:]))
    share_L = np.where(count_L > 0, 0.5 / max(n_signals, 1), 0.0)
    share_L[0] = 0.5
    return (share_L * len(label_N) / np.maximum(count_L, 1)).astype(np.float32)
