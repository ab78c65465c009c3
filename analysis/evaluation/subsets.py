"""Distributions of the AUROC over random class-balanced subsets (CoDAE paper, section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray


@dataclass(frozen=True)
class Subsets:
    """Rows of signal and background events, shape (n_subsets, events per class) each."""

    signal: NDArray[np.int64]
    background: NDArray[np.int64]


def draw_subsets(
    signal_weight: FloatArray, background_weight: FloatArray, *, n_subsets: int, n_events: int, rng: np.random.Generator
) -> Subsets | None:
    """Draw subsets of ``n_events``, half of them signal.

    A class with equal weights and enough events gives them without replacement. A class with
    fewer gives with replacement, as does a weighted one, each event in proportion to its
    weight (negative weights count as zero). No subset holds more events of either class than
    the smaller class has, in effective number: a few events must not look like many.

    Returns
    -------
    Subsets or None
        None where a class has fewer than two effective events.
    """
    weights = [np.maximum(weight, 0.0) for weight in (signal_weight, background_weight)]
    effective = [_effective(weight) for weight in weights]
    size = min(n_events // 2, *(int(number + 1e-6) for number in effective))
    if size < 2:
        return None
    return Subsets(*(_draw(weight, n_subsets, size, n_events // 2, rng) for weight in weights))


def _effective(weight: FloatArray) -> float:
    square = float(np.square(weight).sum())
    return float(weight.sum()) ** 2 / square if square else 0.0


def _draw(weight: FloatArray, n_subsets: int, size: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    equal = bool((weight == weight[0]).all())
    if equal and len(weight) >= wanted:
        return np.stack([rng.choice(len(weight), size, replace=False, shuffle=False) for _ in range(n_subsets)])
    return rng.choice(len(weight), (n_subsets, size), p=None if equal else weight / weight.sum())


def subset_aurocs(
    signal: NDArray[np.floating[Any]], background: NDArray[np.floating[Any]], subsets: Subsets
) -> FloatArray:
    """AUROC of a score in each subset, ties counting half; shape (n_subsets,).

    The area is the Mann-Whitney statistic, from the positions of signal events in the sorted
    subset: once with ties won, once with ties lost.
    """
    values, ranks = np.unique(np.concatenate([signal, background]), return_inverse=True)
    signal_rank = 2 * ranks[: len(signal)].astype(np.int32)[subsets.signal]
    background_rank = 2 * ranks[len(signal) :].astype(np.int32)[subsets.background]
    lost = _wins(signal_rank, background_rank + 1, 0)
    has_ties = len(values) < len(signal) + len(background)
    won = _wins(signal_rank + 1, background_rank, 1) if has_ties else lost
    area: FloatArray = (won + lost) / (2 * subsets.signal.shape[1] * subsets.background.shape[1])
    return area


def _wins(signal: NDArray[np.int32], background: NDArray[np.int32], parity: int) -> FloatArray:
    """Pairs in which signal ranks higher, for each row; ranks of ``parity`` are the signal's."""
    ordered = np.sort(np.concatenate([signal, background], axis=1), axis=1)
    positions = ((ordered & 1) == parity) @ np.arange(ordered.shape[1], dtype=np.float64)
    n = signal.shape[1]
    wins: FloatArray = positions - n * (n - 1) / 2
    return wins
