"""Tables of an estimate, as Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.binned import Interval, Measured
from analysis.estimation.found import DIAGONAL, SINGLE, Found
from analysis.estimation.rates import prediction_error_ratio
from analysis.estimation.sic import SicAt, best_sic, sic_at
from analysis.evaluation.tables import csv_text, markdown_table

Value = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Rows of plain values under a header; ``note`` stands below."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def markdown(self) -> str:
        """Numbers to three digits or as whole ones."""
        return markdown_table(self.title, self.note, self.header, ([_text(x) for x in row] for row in self.rows))

    def csv(self) -> str:
        """Numbers to six digits."""
        return csv_text(self.header, self.rows)


def _text(value: Value) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def _pair(item: Measured | None) -> tuple[float | None, float | None]:
    return (None, None) if item is None else (item.value, item.uncertainty)


def _efficiency(interval: Interval | None) -> float | None:
    return None if interval is None else interval.value


def closure_table(found: Found) -> Table:
    """Closure over random thresholds, and on the diagonal (figure 2)."""
    rows: list[tuple[Value, ...]] = []
    for scan in found.scans:
        diagonal = _pair(found.diagonal[scan.efficiency].closure)
        rows.append(
            (
                scan.efficiency, scan.pairs, scan.mean, scan.rms, scan.largest, scan.uncertainty, scan.pull_rms,
                scan.pull_largest, f"{scan.within}/{scan.pairs}", scan.non_closure, *diagonal,
            )
        )  # fmt: skip
    header = (
        "SM efficiency", "pairs", "mean closure - 1", "rms", "largest", "statistical", "rms pull", "largest pull",
        "within tolerance or error", "non-closure", "diagonal closure", "its uncertainty",
    )  # fmt: skip
    distance = found.distance
    note = (
        "Closure is predicted / observed in region A of the background. Distance correlation of the scores: "
        f"{distance.squared:.4g} squared (as in the paper's loss), {distance.root:.4g} its root, on "
        f"{distance.events} events."
    )
    if found.growth_by_learning is not None:
        note += (
            " Statistical errors are those of these events; with those of the events that `decorrelate` learnt from "
            f"they are {found.growth_by_learning:.3g} times as large."
        )
    return Table("Closure of B C / D over random pairs of thresholds", note, header, tuple(rows))


def significance_table(found: Found) -> Table:
    """Significances against SM efficiency (figure 3)."""
    rows = [
        (name, p.efficiency, p.corrected, p.uncorrected, p.fitted, p.single)
        for name, points in found.significances.items()
        for p in points
    ]
    header = ("sample", "SM efficiency", "corrected", "uncorrected", "likelihood fit", "single model")
    note = (
        f"Sample of {found.events:.0f} events. (N - B) / sqrt(N) with the true background (corrected, single model) "
        "and with B C / D of the contaminated sample (uncorrected); the fit's is expected, with the non-closure as its "
        "uncertainty."
    )
    return Table("Significance of the injected signal", note, header, tuple(rows))


def fit_table(found: Found) -> Table:
    """The likelihood fit beside the plain formula, at the working point."""
    rows: list[tuple[Value, ...]] = []
    for name, fit in found.fits.items():
        sample, result = fit.sample, fit.result
        total = sample.total
        rows.append(
            (
                name, total.a, sample.background.a, total.prediction, *_pair(result.background),
                *_pair(result.strength), result.significance, result.limit,
                result.expected_limits[2], fit.non_closure,
            )
        )  # fmt: skip
    header = (
        "signal", "events in A", "true background", "B C / D", "fitted background", "its uncertainty", "strength",
        "its uncertainty", "significance", "upper limit (95% CLs)", "expected limit", "non-closure",
    )  # fmt: skip
    note = (
        f"Strength 1 is the injected signal. Sample of {found.events:.0f} events (Asimov). The uncertainty holds "
        "statistics and the non-closure."
    )
    return Table("Four-region likelihood fit (pyhf) beside the plain formula", note, header, tuple(rows))


def experiments_table(found: Found) -> Table:
    """Pulls and coverage."""
    rows: list[tuple[Value, ...]] = []
    for name, runs in found.experiments.items():
        for run in runs:
            for what in ("background", "strength", "plain"):
                pulls = getattr(run, what)
                coverage = pulls.coverage
                rows.append(
                    (
                        name, run.truth, what, run.experiments, run.failed, pulls.mean, pulls.deviation, pulls.largest,
                        100 * coverage.value, 100 * coverage.low, 100 * coverage.high,
                    )
                )  # fmt: skip
    header = (
        "signal", "drawn from", "estimate", "experiments", "failed", "mean pull", "its deviation", "largest",
        "coverage of the 68% interval [%]", "low", "high",
    )  # fmt: skip
    note = (
        "background and strength: likelihood fit; plain: B C / D, which takes no account of signal outside region A. "
        "simulation: region A as simulated; closing: A = B C / D, where coverage has to be 68%."
    )
    return Table("Pseudo-experiments with the signal injected", note, header, tuple(rows))


def sic_points(found: Found) -> dict[str, dict[str, dict[str, SicAt | None]]]:
    """By signal, then by what is cut on: SIC at each SM efficiency and its maximum."""
    targets = sorted(found.non_closure)
    return {
        signal: {
            name: {f"{x:g}": sic_at(curve, x) for x in targets} | {"best": best_sic(curve)}
            for name, curve in curves.items()
        }
        for signal, curves in found.sic.items()
    }


def sic_gain(points: dict[str, dict[str, SicAt | None]], where: str, names: Sequence[str]) -> float | None:
    """SIC of the diagonal over the best of some other curves."""
    mine, others = points.get(DIAGONAL, {}).get(where), [points.get(name, {}).get(where) for name in names]
    known = [item.sic for item in others if item is not None]
    return mine.sic / max(known) if mine is not None and known and max(known) > 0 else None


def sic_table(found: Found) -> Table:
    """SIC of either score, of the diagonal and of a single model (figure 1)."""
    rows: list[tuple[Value, ...]] = []
    for signal, points in sic_points(found).items():
        wheres = list(next(iter(points.values()), {}))
        for where in wheres:
            values: list[Value] = []
            for name in (*found.pair.scores, DIAGONAL, SINGLE):
                item = points.get(name, {}).get(where)
                values += [None, None] if item is None else [item.sic, item.uncertainty]
            gains = sic_gain(points, where, found.pair.scores), sic_gain(points, where, [SINGLE])
            rows.append((signal, where, *values, *gains))
    first, second = found.pair.scores
    header = (
        "signal", "SM efficiency", first, f"{first} error", second, f"{second} error", DIAGONAL, f"{DIAGONAL} error",
        SINGLE, f"{SINGLE} error", "diagonal / better score", "diagonal / single model",
    )  # fmt: skip
    note = "TPR / sqrt(FPR) at the loosest cut of at most the SM efficiency, and the best of the curve."
    return Table("Significance improvement characteristic", note, header, tuple(rows))


def sic_summary(found: Found) -> dict[str, Any]:
    """For JSON."""
    return {
        signal: {name: {x: item and vars(item) for x, item in at.items()} for name, at in points.items()}
        for signal, points in sic_points(found).items()
    }


def rates_table(found: Found) -> Table:
    """Rates and prescales against SM efficiency, and the overlap with an H_T trigger."""
    rows: list[tuple[Value, ...]] = []
    for point in found.rates:
        prescales = ":".join(f"{value:g}" for value in point.prescales)
        common = (
            point.target, point.thresholds[0], point.thresholds[1], point.rate, prescales, point.recorded,
            point.recorded_rate, prediction_error_ratio(point), point.ht_threshold,
        )  # fmt: skip
        for name, overlap in point.overlap.items():
            shares = [_efficiency(item) for item in (overlap.signal_region, overlap.ht, overlap.pure)]
            rows.append((*common, point.pure_rate if name == "background" else None, name, *shares))
    header = (
        "SM efficiency", "first threshold", "second threshold", "signal region rate [Hz]", "prescales A:B:C:D",
        "recorded SM fraction", "recorded rate [Hz]", "prediction error / region error", "HT threshold [GeV]",
        "pure rate [Hz]", "sample", "in signal region", "above HT threshold", "pure",
    )  # fmt: skip
    note = (
        "Fractions of the preselected events of each sample; pure: in the signal region and below the threshold of a "
        "plain HT trigger."
    )
    return Table("Rates, prescales and overlap with a plain HT trigger", note, header, tuple(rows))


def stability_table(found: Found) -> Table:
    """Spread over trainings."""
    n = 1 + len(found.trainings)
    rows = tuple((name, *item.averages, item.spread) for name, item in found.stability.items())
    header = ("signal", *(f"training {index}" for index in range(1, n + 1)), "deviation / mean")
    note = "Significance with the true background, averaged over SM efficiencies (the paper: below 6% over five)."
    return Table("Stability over trainings", note, header, rows)
