"""Every score of every model against every other score, by almost stochastic order (CoDAE paper, table 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from analysis.evaluation.config import DominanceConfig
from analysis.evaluation.dominance import epsilon_min, with_resamples
from analysis.evaluation.rows import Benchmark, Row
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.evaluation.subsets import Subsets, draw_subsets, subset_aurocs
from analysis.evaluation.tables import csv_text, markdown_table
from darktrigger.progress import progress


@dataclass(frozen=True)
class Comparison:
    """Almost stochastic order of two scores for each benchmark; None where a score is not known.

    ``epsilon_min`` is the limit on the violation of ``row`` being better than ``other``.
    """

    row: Row
    other: Row
    epsilon_min: dict[Benchmark, float | None]


def compare(
    rows: Sequence[Row],
    samples: Mapping[Key, Sample],
    benchmarks: Mapping[Key, Benchmark],
    config: DominanceConfig,
    seed: int,
) -> tuple[Comparison, ...]:
    """Compare every score of a model with all others.

    The AUROC of every score is taken on the same random subsets of the events; the subsets
    of a model with several seeds are dealt out to them in turn, so that its distribution
    is that over seeds as well.
    """
    found: dict[tuple[Row, Row], dict[Benchmark, float | None]] = {}
    with progress("comparing", len(benchmarks)) as advance:
        for key, benchmark in benchmarks.items():
            rng = np.random.default_rng([seed, key.label, round(key.mass)])
            areas = _distributions(rows, samples[key], samples[BACKGROUND], config, rng)
            for row, other in combinations(rows, 2):
                if not (row.model or other.model):
                    continue
                one, back = areas[row], areas[other]
                limits = (None, None) if one is None or back is None else epsilon_min(one, back, config.confidence)
                for pair, limit in zip(((row, other), (other, row)), limits, strict=True):
                    if pair[0].model:
                        found.setdefault(pair, {})[benchmark] = limit
            advance(1)
    return tuple(Comparison(row, other, found[row, other]) for row in rows for other in rows if (row, other) in found)


def _distributions(
    rows: Sequence[Row], signal: Sample, background: Sample, config: DominanceConfig, rng: np.random.Generator
) -> dict[Row, NDArray[np.float32] | None]:
    """Sorted AUROCs over subsets and their resamples, as :func:`epsilon_min` takes them."""
    subsets: dict[tuple[bytes, bytes], Subsets | None] = {}
    distributions: dict[Row, NDArray[np.float32] | None] = {}
    for row in rows:
        # A baseline may be known for some events only; all other scores share their subsets.
        masks = [~np.isnan(sample.scores[row.columns[0]]) for sample in (signal, background)]
        key = masks[0].tobytes(), masks[1].tobytes()
        if key not in subsets:
            subsets[key] = draw_subsets(
                signal.weight[masks[0]],
                background.weight[masks[1]],
                n_subsets=config.subsets,
                n_events=config.subset_events,
                rng=rng,
            )
        drawn = subsets[key]
        areas = None if drawn is None else _areas(row, (signal, background), masks, drawn)
        if areas is None:
            distributions[row] = None
            continue
        # Single precision is finer than the AUROC of a subset, and many scores have many resamples.
        distributions[row] = with_resamples(areas, config.bootstraps, rng).astype(np.float32)
    return distributions


def _areas(row: Row, samples: tuple[Sample, Sample], masks: list[NDArray[np.bool_]], subsets: Subsets) -> FloatArray:
    """AUROC in each subset, the model's seeds taking turns."""
    areas = np.empty(len(subsets.signal))
    for turn, column in enumerate(row.columns):
        mine = slice(turn, None, len(row.columns))
        signal, background = (sample.scores[column][mask] for sample, mask in zip(samples, masks, strict=True))
        areas[mine] = subset_aurocs(signal, background, Subsets(subsets.signal[mine], subsets.background[mine]))
    return areas


def comparison_csv(comparisons: Sequence[Comparison]) -> str:
    """One line for each pair of scores."""
    benchmarks = _benchmarks(comparisons)
    return csv_text(
        ["model", "score", "other model", "other score", *(item.name for item in benchmarks)],
        (
            [c.row.model, c.row.score, c.other.model, c.other.score, *(c.epsilon_min[item] for item in benchmarks)]
            for c in comparisons
        ),
    )


def comparison_markdown(comparisons: Sequence[Comparison], config: DominanceConfig) -> str:
    """One table for each score of a model, a line for each that it is compared with."""
    benchmarks = _benchmarks(comparisons)
    title = f"Almost stochastic order of AUROC, epsilon_min at {100 * config.confidence:g}% confidence"
    note = (
        f"Below 0.5 (more strictly 0.2), the score in the title beats the one in the line. Distributions over "
        f"{config.subsets} random class-balanced subsets of {config.subset_events} events, or of as many as there are."
    )
    parts = [f"## {title}\n\n{note}\n"]
    for row in dict.fromkeys(comparison.row for comparison in comparisons):
        lines = [
            [c.other.name, *("n/a" if (x := c.epsilon_min[item]) is None else f"{x:.2f}" for item in benchmarks)]
            for c in comparisons
            if c.row == row
        ]
        parts.append(markdown_table(row.name, "", ["Against", *(item.name for item in benchmarks)], lines))
    return "\n".join(parts)


def comparison_data(comparisons: Sequence[Comparison]) -> Iterator[dict[str, Any]]:
    """For JSON: one entry for each pair and benchmark."""
    for item in comparisons:
        for benchmark, limit in item.epsilon_min.items():
            yield {
                "model": item.row.model,
                "score": item.row.score,
                "other_model": item.other.model,
                "other_score": item.other.score,
                "benchmark": benchmark.name,
                "epsilon_min": limit,
            }


def _benchmarks(comparisons: Sequence[Comparison]) -> list[Benchmark]:
    return list(dict.fromkeys(item for comparison in comparisons for item in comparison.epsilon_min))
