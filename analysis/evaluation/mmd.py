"""Maximum mean discrepancy of signal and background, in the space of images and of latents (NAE paper, figure 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from analysis.evaluation.models import Model
from analysis.evaluation.rows import Benchmark
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.evaluation.tables import csv_text, markdown_table

#: Most events of either sample that are compared.
_MOST = 1000


class Discrepancy(NamedTuple):
    """Squared MMD of a signal and background as a model sees them; the mean over seeds in latent space."""

    model: str
    benchmark: str
    events: int
    images: float
    latents: float


def squared_mmd(one_NP: NDArray[np.float32], other_NP: NDArray[np.float32]) -> float:
    r"""Unbiased estimate of the squared maximum mean discrepancy (Gretton et al., JMLR 13 (2012) 723).

    Gaussian kernel, its width the median distance of two points of different samples (the paper does not give
    its kernel). Around zero, and possibly below, where the samples are alike.

    .. math::
        \frac{\sum_{i \neq j} k(x_i, x_j)}{m(m-1)} + \frac{\sum_{i \neq j} k(y_i, y_j)}{n(n-1)}
        - \frac{2}{mn} \sum_{i,j} k(x_i, y_j)
    """
    across = cdist(one_NP, other_NP, "sqeuclidean")
    width = float(np.median(across)) or 1.0

    def within(points_NP: NDArray[np.float32]) -> float:
        n = len(points_NP)
        kernel = np.exp(-cdist(points_NP, points_NP, "sqeuclidean") / width)
        return float((kernel.sum() - n) / (n * (n - 1)))

    return within(one_NP) + within(other_NP) - 2 * float(np.exp(-across / width).mean())


def discrepancies(
    models: Sequence[Model], samples: Mapping[Key, Sample], benchmarks: Mapping[Key, Benchmark]
) -> list[Discrepancy]:
    """Of every model that gives its latents and every signal with two events or more."""
    found = []
    for model in models:
        paths = [trigger.path for trigger in model.triggers]
        for key, benchmark in benchmarks.items():
            pairs = [
                (samples[key].points[path], samples[BACKGROUND].points[path])
                for path in paths
                if path in samples[key].points and path in samples[BACKGROUND].points
            ]
            if len(pairs) < len(paths) or min(len(points.image) for points in pairs[0]) < 2:
                continue
            signal, background = pairs[0]
            images = squared_mmd(signal.image[:_MOST], background.image[:_MOST])
            latents = [squared_mmd(one.latent[:_MOST], other.latent[:_MOST]) for one, other in pairs]
            n_events = min(len(signal.image), len(background.image), _MOST)
            found.append(Discrepancy(model.name, benchmark.name, n_events, images, float(np.mean(latents))))
    return found


def discrepancy_markdown(found: Sequence[Discrepancy]) -> str:
    """As a Markdown table."""
    note = "Squared MMD, Gaussian kernel of the median distance, of the first events of either sample, unweighted."
    lines = [[*item[:2], str(item.events), f"{item.images:.4f}", f"{item.latents:.4f}"] for item in found]
    header = ["Model", "Signal", "Events", "Images", "Latents"]
    return markdown_table("Distance of signal and background", note, header, lines)


def discrepancy_csv(found: Sequence[Discrepancy]) -> str:
    """As CSV."""
    return csv_text(Discrepancy._fields, found)
