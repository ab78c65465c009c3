"""What smaller versions of a model cost: change in AUROC, size and latency against a reference file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.binned import FloatArray, Measured
from analysis.evaluation.figures import binned_by_value
from analysis.evaluation.ranked import bins_of
from analysis.evaluation.rows import Benchmark, Column
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.evaluation.tables import csv_text, markdown_table
from analysis.roc import placements
from analysis.trigger import Trigger, dense_input
from imaging.image_set import ImageSet
from imaging.jets.jet_set import JetSet
from imaging.objects.object_set import ObjectSet

#: Calls before the clock runs.
_WARM_UP = 5


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one event, batch 1, one thread."""

    median: float
    percentile_99: float
    calls: int


@dataclass(frozen=True)
class Compressed:
    """One model file beside the reference.

    ``changes`` holds, by score and signal, mAUC minus that of the reference, in per cent, with
    the uncertainty that the common events leave (paired DeLong).
    """

    path: str
    precision: str | None
    megabytes: float
    latency: Latency
    changes: dict[str, dict[str, Measured]]


def measure_latency(
    triggers: Sequence[Trigger], events: ImageSet | JetSet | ObjectSet, calls: int
) -> dict[str, Latency]:
    """Time the models in turn, so that a busy machine slows all of them alike.

    Parameters
    ----------
    triggers
        Models; each session has one thread.
    events
        Events to feed, one a call, over and over.
    calls
        Timed calls of each model.
    """
    inputs = {trigger.path: dense_input(events.images, trigger.metadata.input.kind) for trigger in triggers}
    times: dict[str, list[float]] = {trigger.path: [] for trigger in triggers}
    names = {trigger.path: list(trigger.metadata.scores) for trigger in triggers}
    for call in range(-_WARM_UP, calls):
        for trigger in triggers:
            row = call % len(events)
            image_NCHW = inputs[trigger.path][row : row + 1]
            begin = time.perf_counter()
            trigger.run(names[trigger.path], image_NCHW)
            if call >= 0:
                times[trigger.path].append(1e3 * (time.perf_counter() - begin))
    return {
        path: Latency(float(np.median(spent)), float(np.quantile(spent, 0.99)), calls) for path, spent in times.items()
    }


def auroc_change(samples: Mapping[Key, Sample], signals: Sequence[Key], new: Column, old: Column) -> Measured | None:
    """Difference of two scores' mean AUROC over some signals, and its uncertainty.

    Both scores see the same events, so that the variance is that of the differences of their
    placements (DeLong et al., Biometrics 44 (1988) 837), the background's common to all
    signals. None where a sample has fewer than two effective events.
    """
    binned = {column: binned_by_value(column, samples) for column in (new, old)}
    background = samples[BACKGROUND]
    value = variance = 0.0
    above = np.zeros(len(background.weight))
    for key in signals:
        below = np.zeros(len(samples[key].weight))
        for column, sign in ((new, 1), (old, -1)):
            pair = binned[column][key], binned[column][BACKGROUND]
            if min(item.n_effective for item in pair) < 2:
                return None
            below_bin, above_bin = placements(*pair)
            below += sign * below_bin[bins_of(samples[key].scores[column], pair[0].edges)]
            above += sign * above_bin[bins_of(background.scores[column], pair[0].edges)] / len(signals)
        mean, spread = _mean(below, samples[key].weight)
        value += mean / len(signals)
        variance += spread / len(signals) ** 2
    _, spread = _mean(above, background.weight)
    return Measured(100 * value, 100 * float(np.sqrt(variance + spread)))


def _mean(values: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Weighted mean and its variance."""
    total, squares = weight.sum(), np.square(weight)
    mean = float(weight @ values / total)
    n = total**2 / squares.sum()
    return mean, float(squares @ np.square(values - mean) / total**2 * n / (n - 1))


def compress(
    reference: Trigger,
    triggers: Sequence[Trigger],
    samples: Mapping[Key, Sample],
    benchmarks: Mapping[Key, Benchmark],
    events: ImageSet | JetSet | ObjectSet,
    calls: int,
) -> tuple[Compressed, ...]:
    """The reference, then every other model file."""
    files = [reference, *(trigger for trigger in triggers if trigger.path != reference.path)]
    latency = measure_latency(files, events, calls)
    signals: dict[str, list[Key]] = {}
    for key, benchmark in benchmarks.items():
        signals.setdefault(benchmark.signal, []).append(key)
    return tuple(
        Compressed(
            trigger.path,
            trigger.metadata.precision,
            Path(trigger.path).stat().st_size / 1e6,
            latency[trigger.path],
            {} if trigger is reference else _changes(trigger, reference, samples, signals),
        )
        for trigger in files
    )


def _changes(
    trigger: Trigger, reference: Trigger, samples: Mapping[Key, Sample], signals: Mapping[str, Sequence[Key]]
) -> dict[str, dict[str, Measured]]:
    found: dict[str, dict[str, Measured]] = {}
    for score in trigger.directions:
        if score not in reference.directions:
            continue
        pair = Column(trigger.path, score), Column(reference.path, score)
        changes = {signal: auroc_change(samples, keys, *pair) for signal, keys in signals.items()}
        found[score] = {signal: change for signal, change in changes.items() if change is not None}
    return found


def compression_markdown(files: Sequence[Compressed]) -> str:
    """Two tables: size and latency; change in AUROC."""
    reference = files[0]
    sizes = [
        [
            Path(item.path).name,
            item.precision or "unknown",
            f"{item.megabytes:.2f}",
            f"{item.latency.median:.2f}",
            f"{item.latency.percentile_99:.2f}",
            f"{reference.latency.median / item.latency.median:.2f}",
        ]
        for item in files
    ]
    header = ["File", "Precision", "Size [MB]", "Latency, median [ms]", "99th percentile [ms]", "Times as fast"]
    note = f"Batch 1, one thread, {reference.latency.calls} calls of each file in turn."
    parts = [markdown_table(f"Size and latency beside {Path(reference.path).name}", note, header, sizes)]
    signals = list(dict.fromkeys(s for item in files for found in item.changes.values() for s in found))
    lines = [
        [Path(item.path).name, score, *(_change(found.get(signal)) for signal in signals)]
        for item in files
        for score, found in item.changes.items()
    ]
    header = ["File", "Score", *(f"mAUC {signal}" for signal in signals)]
    note = "In per cent, with the uncertainty that the common events leave (paired DeLong)."
    if lines:
        parts.append(markdown_table(f"Change in AUROC against {Path(reference.path).name}", note, header, lines))
    return "\n".join(parts)


def _change(item: Measured | None) -> str:
    return "n/a" if item is None else f"{item.value:+.2f} ± {item.uncertainty or 0:.2f}"


def compression_csv(files: Sequence[Compressed]) -> str:
    """One line for each file, score and signal; the reference has one line."""
    header = ["file", "precision", "megabytes", "median_ms", "percentile_99_ms", "score", "signal", "change", "error"]
    lines: list[list[object]] = []
    for item in files:
        start = [item.path, item.precision, item.megabytes, item.latency.median, item.latency.percentile_99]
        changes = [
            [score, signal, change.value, change.uncertainty]
            for score, found in item.changes.items()
            for signal, change in found.items()
        ]
        lines += [[*start, *change] for change in changes or [[None] * 4]]
    return csv_text(header, lines)


def compression_data(files: Sequence[Compressed]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(item) for item in files]
