"""Tables with the papers' figures beside ours, as Markdown, CSV and plain data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.evaluation.figures import Estimate, Figures, averaged, over_seeds
from analysis.evaluation.paper import FigureName, PaperFigures, PaperValue
from analysis.evaluation.rows import Benchmark, Row, by_signal

#: Columns of the CSV file for each cell.
_ENDS = ("", " low", " high", " spread", " paper", " difference")


@dataclass(frozen=True)
class Cell:
    """A figure, and the paper's where it has one."""

    estimate: Estimate | None
    paper: PaperValue | None = None

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return None if self.estimate is None or self.paper is None else self.estimate.value - self.paper.value

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """In the order of the CSV columns."""
        item = self.estimate
        ours = (item.value, item.low, item.high, item.spread) if item else (None,) * 4
        return (*ours, self.paper.value if self.paper else None, self.difference)

    def text(self, digits: int) -> str:
        """Such as ``88.80 [88.21, 89.39] ± 0.11 (paper 88.74, +0.06)``; ± is the deviation between seeds."""
        item = self.estimate
        if item is None:
            ours = "n/a"
        else:
            ours = f"{item.value:.{digits}f}"
            if item.low is not None and item.high is not None:
                ours += f" [{item.low:.{digits}f}, {item.high:.{digits}f}]"
            if item.spread is not None:
                ours += f" ± {item.spread:.{digits}f}"
        if self.paper is None:
            return ours
        mark = "~" if self.paper.is_approximate else ""
        change = "" if self.difference is None else f", {self.difference:+.{digits}f}"
        return f"{ours} (paper {mark}{self.paper.value:.4g}{change})"

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **(asdict(self.estimate) if self.estimate else dict.fromkeys(("value", "low", "high", "spread"))),
            "paper": asdict(self.paper) if self.paper else None,
            "difference": self.difference,
        }


@dataclass(frozen=True)
class Table:
    """Rows of cells under column names; ``note`` stands below the table."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: dict[Row, tuple[Cell, ...]]
    digits: int = 2

    def markdown(self) -> str:
        """As a Markdown table."""
        cells = [[row.name, *(cell.text(self.digits) for cell in cells)] for row, cells in self.rows.items()]
        return markdown_table(self.title, self.note, ["Score", *self.columns], cells)

    def csv(self) -> str:
        """As CSV: six columns a figure."""
        header = ["model", "family", "seeds", "score", *(name + end for name in self.columns for end in _ENDS)]
        return csv_text(
            header,
            (
                [row.model, row.family, len(row.columns), row.score, *(x for cell in cells for x in cell.numbers)]
                for row, cells in self.rows.items()
            ),
        )

    def data(self) -> list[dict[str, Any]]:
        """For JSON: one entry a cell."""
        return [
            {"model": row.model, "family": row.family, "score": row.score, "column": name, **cell.data()}
            for row, cells in self.rows.items()
            for name, cell in zip(self.columns, cells, strict=True)
        ]


def markdown_table(title: str, note: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table under a title; the note below it."""
    lines = [f"### {title}", "", *map(_line, [header, ["---"] * len(header), *rows])]
    return "\n".join([*lines, *(["", note] if note else [])]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV with numbers to six digits and nothing where there is no number."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if x is None else f"{x:.6g}" if isinstance(x, float) else x for x in row])
    return stream.getvalue()


def auroc_table(figures: Mapping[Row, Mapping[Benchmark, Figures]], paper: PaperFigures) -> Table:
    """AUROC in per cent; mAUC averages over the masses of a signal (CoDAE paper, table 1)."""
    estimates = {row: {key: item.auroc for key, item in found.items()} for row, found in figures.items()}
    return _table("AUROC [%], higher is better", "mAUC", "auroc", estimates, paper)


def fpr_table(
    figures: Mapping[Row, Mapping[Benchmark, Figures]], target_tpr: float, paper: PaperFigures | None
) -> Table:
    """Background efficiency in per cent at a signal efficiency; mFPR averages over masses (CoDAE paper, table 2)."""
    estimates = {row: {key: item.fpr for key, item in found.items()} for row, found in figures.items()}
    return _table(f"FPR [%] at {100 * target_tpr:g}% TPR, lower is better", "mFPR", "fpr", estimates, paper)


def rejection_table(
    figures: Mapping[Row, Mapping[Benchmark, Figures]], tpr: float, paper: PaperFigures | None
) -> Table:
    """Inverse background efficiency at a signal efficiency (NAE paper, figures 4 and 9)."""
    estimates = {row: {key: item.rejection for key, item in found.items()} for row, found in figures.items()}
    title = f"Background rejection 1/FPR at {100 * tpr:g}% TPR, higher is better"
    return _table(title, "mean", "rejection", estimates, paper)


def _table(
    title: str,
    mean_name: str,
    figure: FigureName,
    estimates: Mapping[Row, Mapping[Benchmark, tuple[Estimate | None, ...]]],
    paper: PaperFigures | None,
) -> Table:
    """Benchmarks of each signal by mass, then their mean."""
    signals = by_signal(benchmark for found in estimates.values() for benchmark in found)
    columns: list[str] = []
    for signal, items in signals.items():
        columns += [*(item.name for item in items), f"{mean_name} {signal}"]
    rows = {}
    for row, found in estimates.items():
        cells: list[Cell] = []
        for items in signals.values():
            names = [item.name for item in items]
            where: tuple[FigureName, str, str] = (figure, row.family, row.score)
            cells += [Cell(over_seeds(found[item]), _printed(paper, where, item, row.power)) for item in items]
            by_seed = [averaged([found[item][seed] for item in items]) for seed in range(len(row.columns))]
            cells.append(Cell(over_seeds(by_seed), paper.mean(*where, names, row.power) if paper else None))
        rows[row] = tuple(cells)
    return Table(title, _NOTE, tuple(columns), rows)


def _printed(
    paper: PaperFigures | None, where: tuple[FigureName, str, str], item: Benchmark, power: float | None
) -> PaperValue | None:
    """The paper's figure for a signal at a mass or, where the paper gives no masses, for the signal."""
    if paper is None:
        return None
    return paper.find(*where, item.name, power) or paper.find(*where, item.signal, power)


_NOTE = (
    "In brackets the central 68% interval (AUROC: DeLong; FPR: Clopper-Pearson; means over masses and seeds: mean of "
    "the ends), after ± the standard deviation between seeds, in parentheses the paper's figure and ours minus it. "
    "The paper's means are taken over the same masses as ours."
)
