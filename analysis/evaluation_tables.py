"""Tables of the CoDAE paper (tables 1 and 2): one row a score, one column a signal and mass, means per signal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from analysis.binned import Interval, Measured
from analysis.roc import FprAtTpr


@dataclass(frozen=True)
class Benchmark:
    """A signal at one mediator mass (GeV)."""

    signal: str
    mass: float

    @property
    def name(self) -> str:
        """Such as ``SUEP 125``."""
        return f"{self.signal} {self.mass:g}"


@dataclass(frozen=True)
class Figures:
    """Figures of one score for one benchmark, after however many events the image files hold."""

    score: str
    benchmark: Benchmark
    auroc: Measured | None
    fpr_at_tpr: FprAtTpr | None


@dataclass(frozen=True)
class Cell:
    """A figure in per cent with its interval; None where events do not determine it."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def text(self) -> str:
        """Value with its interval, digits as the interval has them."""
        if self.value is None:
            return "n/a"
        if self.low is None or self.high is None:
            return f"{self.value:.3g}"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Table:
    """Rows of cells under column names; the first column holds the score."""

    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[Cell, ...]]

    def markdown(self) -> str:
        """As a Markdown table."""
        lines = [f"### {self.title}", "", _row(["Score", *self.columns]), _row(["---"] * (len(self.columns) + 1))]
        lines += [_row([score, *(cell.text() for cell in cells)]) for score, cells in self.rows.items()]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """As CSV: three columns a figure, in per cent."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["score", *(f"{name}{end}" for name in self.columns for end in ("", " low", " high"))])
        for score, cells in self.rows.items():
            values = [value for cell in cells for value in (cell.value, cell.low, cell.high)]
            writer.writerow([score, *("" if value is None else f"{value:.6g}" for value in values)])
        return stream.getvalue()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def auroc_table(figures: Sequence[Figures]) -> Table:
    """AUROC in per cent; mAUC averages over the masses of a signal (table 1)."""

    def cell(item: Figures) -> Cell:
        if item.auroc is None:
            return Cell(None)
        if item.auroc.uncertainty is None:
            return Cell(100 * item.auroc.value)
        value, error = item.auroc.value, item.auroc.uncertainty
        return Cell(100 * value, 100 * (value - error), 100 * min(1.0, value + error))

    cells = {(item.score, item.benchmark): cell(item) for item in figures}
    return _table("AUROC [%], higher is better", "mAUC", cells)


def fpr_table(figures: Sequence[Figures], target_tpr: float) -> Table:
    """Background efficiency in per cent at a signal efficiency; mFPR averages over the masses of a signal (table 2)."""

    def cell(item: Figures) -> Cell:
        if item.fpr_at_tpr is None:
            return Cell(None)
        fpr: Interval = item.fpr_at_tpr.fpr
        return Cell(100 * fpr.value, 100 * fpr.low, 100 * fpr.high)

    cells = {(item.score, item.benchmark): cell(item) for item in figures}
    return _table(f"FPR [%] at {100 * target_tpr:g}% TPR, lower is better", "mFPR", cells)


def _table(title: str, mean_name: str, cells: dict[tuple[str, Benchmark], Cell]) -> Table:
    """Benchmarks of each signal by mass, then their mean, which carries no interval: they share their background."""
    benchmarks = sorted({benchmark for _, benchmark in cells}, key=lambda benchmark: (benchmark.signal, benchmark.mass))
    signals = {signal: [item for item in benchmarks if item.signal == signal] for signal in
               dict.fromkeys(item.signal for item in benchmarks)}  # fmt: skip
    columns = [
        name for signal, items in signals.items() for name in (*(i.name for i in items), f"{mean_name} {signal}")
    ]
    rows = {}
    for score in dict.fromkeys(score for score, _ in cells):
        row: list[Cell] = []
        for items in signals.values():
            of_signal = [cells[score, item] for item in items]
            known = [cell.value for cell in of_signal if cell.value is not None]
            row += [*of_signal, Cell(fmean(known) if len(known) == len(of_signal) else None)]
        rows[score] = tuple(row)
    return Table(title, tuple(columns), rows)
