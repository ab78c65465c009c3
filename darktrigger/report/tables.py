"""Tables of a report from the summary of an analysis; every function maps typed data to a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analysis.abcd import AbcdEstimate
from analysis.summary import AbcdSummary, Summary
from darktrigger.report.blocks import Table
from darktrigger.report.numbers import UNKNOWN, interval, measured, plain

PER_CENT = 100.0


def datasets(summary: Summary) -> Table:
    """What the events are."""
    return Table(
        "Datasets. Events and sums of weights before any selection; cross-sections of the generated process.",
        ("dataset", "process", "label", "mass, GeV", "cross-section, pb", "entries", "files", "events", "weights"),
        tuple(
            (
                name,
                dataset.metadata.process,
                str(dataset.metadata.label),
                plain(dataset.metadata.mass),
                plain(dataset.metadata.cross_section),
                _split(dataset.metadata.entries.modulo, dataset.metadata.entries.keep),
                str(len(dataset.files)),
                str(dataset.events),
                plain(dataset.sum_of_weights),
            )
            for name, dataset in summary.datasets.items()
        ),
    )


def _split(modulo: int, keep: tuple[int, ...]) -> str:
    return "all" if modulo == len(keep) else f"entry mod {modulo} in {', '.join(map(str, keep))}"


def cutflow(summary: Summary) -> Table:
    """Events and weights after each cut, and the fraction of the weights that is left."""
    rows = [
        (
            name,
            step.name,
            str(step.events),
            plain(step.sum_of_weights),
            plain(PER_CENT * step.sum_of_weights / dataset.cutflow[0].sum_of_weights)
            if dataset.cutflow[0].sum_of_weights
            else UNKNOWN,
        )
        for name, dataset in summary.datasets.items()
        for step in dataset.cutflow
    ]
    return Table("Cutflow.", ("dataset", "cut", "events", "sum of weights", "% left"), tuple(rows))


def separation(summary: Summary) -> Table:
    """AUROC and false positive rate of every score for every signal."""
    rows = [
        (
            signal,
            score,
            summary.scores[score].source,
            summary.scores[score].direction.value,
            measured(figures.auroc, PER_CENT),
            interval(None if figures.fpr_at_tpr is None else figures.fpr_at_tpr.fpr, PER_CENT),
            plain(None if figures.fpr_at_tpr is None else figures.fpr_at_tpr.tpr * PER_CENT),
        )
        for signal, scores in summary.signals.items()
        for score, figures in scores.items()
    ]
    header = ("signal", "score", "source", "anomalous", "AUROC, %", "FPR, %", "at TPR, %")
    return Table(
        "Separation of each signal from all backgrounds, after the preselection; FPR with 68% interval.",
        header,
        tuple(rows),
    )


def working_points(summary: Summary) -> Table:
    """Efficiencies and rates at every working point."""
    names = tuple(summary.datasets)
    rows = [
        (
            point.score,
            f"{point.chosen_by} {_target(point.chosen_by, point.target)}",
            plain(point.threshold),
            interval(point.background.efficiency, PER_CENT),
            measured(point.background.rate),
            *(interval(point.datasets[name].efficiency, PER_CENT) for name in names),
        )
        for point in summary.working_points
    ]
    header = ("score", "chosen by", "threshold", "background, %", "background rate, Hz", *(f"{n}, %" for n in names))
    return Table(
        "Working points: cuts score ≥ threshold (on minus the score where lower values are anomalous), and what passes "
        "of the preselected events, with 68% intervals.",
        header,
        tuple(rows),
    )


def _target(chosen_by: str, target: float) -> str:
    return f"{target:g} Hz" if chosen_by == "background rate" else f"{target * PER_CENT:g}%"


def abcd(points: tuple[AbcdSummary, ...]) -> Table:
    """Counts, prediction and closure of every ABCD working point; signals in region A beside them."""
    signals = tuple(dict.fromkeys(name for point in points for name in point.signals))
    header = ("scores", "cuts at", "thresholds", *_COLUMNS, *(f"{name} in A" for name in signals))
    rows = [
        (
            " × ".join(point.scores),
            "given" if point.target is None else f"{point.target * PER_CENT:g}%",
            ", ".join(map(plain, point.background.thresholds)),
            *_estimate(point.background),
            *(plain(point.signals[name].a) for name in signals),
        )
        for point in points
    ]
    return Table(
        "ABCD on the sum of backgrounds: A both scores at or above their thresholds, B the first only, C the second "
        "only, D neither; weighted counts with statistical uncertainty, prediction B C / D, closure prediction / A.",
        header,
        tuple(rows),
    )


_COLUMNS = ("A", "B", "C", "D", "A predicted", "closure", "events in A, B, C, D")


def _estimate(estimate: AbcdEstimate) -> Iterator[str]:
    for count, uncertainty in zip(estimate.counts, estimate.uncertainties, strict=True):
        yield f"{plain(count)} ± {uncertainty:.2g}"
    yield measured(estimate.predicted)
    yield measured(estimate.closure)
    yield ", ".join(f"{events:.0f}" for events in estimate.events)


def pairs(caption: str, data: Mapping[str, Any], header: tuple[str, str] = ("what", "value")) -> Table:
    """A mapping as a table of two columns; nested mappings with dots."""
    return Table(caption, header, tuple((key, value) for key, value in _flat(data, "")))


def _flat(data: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", UNKNOWN if value is None else str(value)
