"""Maximum mean discrepancy of signal and background, in the space of images and of latents (NAE paper, figure 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.evaluation.models import Model
from analysis.evaluation.rows import Benchmark
from analysis.evaluation.samples import BACKGROUND, Key, Points, Sample, Worst
from analysis.evaluation.tables import csv_text, markdown_table

#: Fewest events of either sample that are compared.
_FEWEST = 2

#: Events of either sample whose distances give the kernel's width, and rows of distances that exist at a time.
_TYPICAL, _BLOCK = 1000, 1024


class Discrepancy(NamedTuple):
    """Squared MMD of a signal and background as a model sees them; the mean over seeds in latent space.

    Of the first events of either sample, and of those that the model rebuilds worst.
    """

    model: str
    benchmark: str
    events: int
    images: float
    latents: float
    worst_events: int | None = None
    worst_images: float | None = None
    worst_latents: float | None = None


def squared_mmd(one_NP: NDArray[np.float32], other_NP: NDArray[np.float32]) -> float:
    r"""Unbiased estimate of the squared maximum mean discrepancy (Gretton et al., JMLR 13 (2012) 723).

    Gaussian kernel, its width the median distance of two points of different samples (the paper does not give
    its kernel). Around zero, and possibly below, where the samples are alike.

    .. math::
        \frac{\sum_{i \neq j} k(x_i, x_j)}{m(m-1)} + \frac{\sum_{i \neq j} k(y_i, y_j)}{n(n-1)}
        - \frac{2}{mn} \sum_{i,j} k(x_i, y_j)
    """
    # Points of alike images differ by little, which float32 would lose between the squares and the product.
    first_NP, second_NP = one_NP.astype(np.float64), other_NP.astype(np.float64)
    width = float(np.median(_squared_distances(first_NP[:_TYPICAL], second_NP[:_TYPICAL]))) or 1.0

    def kernel_sum(left_NP: NDArray[np.float64], right_NP: NDArray[np.float64]) -> float:
        blocks = (left_NP[start : start + _BLOCK] for start in range(0, len(left_NP), _BLOCK))
        return float(sum(np.exp(-_squared_distances(block, right_NP) / width).sum() for block in blocks))

    def within(points_NP: NDArray[np.float64]) -> float:
        n = len(points_NP)
        return (kernel_sum(points_NP, points_NP) - n) / (n * (n - 1))

    across = kernel_sum(first_NP, second_NP) / (len(first_NP) * len(second_NP))
    return within(first_NP) + within(second_NP) - 2 * across


def _squared_distances(one_NP: NDArray[np.float64], other_NP: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of every pair of points, shape (n, m)."""
    squares_N, squares_M = (np.einsum("np,np->n", points, points) for points in (one_NP, other_NP))
    distances: NDArray[np.float64] = squares_N[:, None] + squares_M - 2 * one_NP @ other_NP.T
    return np.maximum(distances, 0.0, out=distances)


def discrepancies(
    models: Sequence[Model], samples: Mapping[Key, Sample], benchmarks: Mapping[Key, Benchmark]
) -> list[Discrepancy]:
    """Of every model that gives its latents and every signal with two events or more."""
    found = []
    for model in models:
        for key, benchmark in benchmarks.items():
            pairs = [(samples[key], samples[BACKGROUND], trigger.path) for trigger in model.triggers]
            first = _distances([(one.points.get(path), other.points.get(path)) for one, other, path in pairs])
            if first is None:
                continue
            worst = _distances([(one.worst.get(path), other.worst.get(path)) for one, other, path in pairs])
            found.append(Discrepancy(model.name, benchmark.name, *first, *(worst or (None, None, None))))
    return found


def _distances(pairs: Sequence[tuple[Points | Worst | None, Points | Worst | None]]) -> tuple[int, float, float] | None:
    """Events compared, distance of the first seed's images, mean distance of all seeds' latents."""
    present = [(one, other) for one, other in pairs if one is not None and other is not None]
    if len(present) < len(pairs) or min(len(points.latent) for pair in present for points in pair) < _FEWEST:
        return None
    images = squared_mmd(*(_rows(points.image) for points in present[0]))
    latents = [squared_mmd(*(_rows(points.latent) for points in pair)) for pair in present]
    return min(len(points.latent) for points in present[0]), images, float(np.mean(latents))


def _rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.reshape(len(values), -1)


def discrepancy_markdown(found: Sequence[Discrepancy]) -> str:
    """As a Markdown table."""
    note = (
        "Squared MMD, Gaussian kernel of the median distance, unweighted: of the first events of either sample, and of "
        "those that the model rebuilds worst."
    )
    lines = [[*item[:2], *(_number(value) for value in item[2:])] for item in found]
    header = ["Model", "Signal", "Events", "Images", "Latents", "Worst events", "Their images", "Their latents"]
    return markdown_table("Distance of signal and background", note, header, lines)


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"


def discrepancy_csv(found: Sequence[Discrepancy]) -> str:
    """As CSV."""
    return csv_text(Discrepancy._fields, found)
