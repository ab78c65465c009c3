"""Every table of an evaluation, made from the scores of all events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.evaluation.comparison import compare, comparison_csv, comparison_data, comparison_markdown
from analysis.evaluation.config import EvaluationConfig
from analysis.evaluation.figures import figures_of
from analysis.evaluation.gallery import Evaluated
from analysis.evaluation.mmd import discrepancies, discrepancy_csv, discrepancy_markdown
from analysis.evaluation.models import Model
from analysis.evaluation.paper import PaperFigures, read_paper_figures
from analysis.evaluation.reconstruction import (
    reconstruction_csv,
    reconstruction_data,
    reconstruction_markdown,
    reconstruction_rows,
)
from analysis.evaluation.rows import Benchmark, Row
from analysis.evaluation.samples import Key, Sample
from analysis.evaluation.tables import auroc_table, fpr_table, rejection_table

#: Signal efficiency of the papers' false positive rates.
_PAPER_TPR = 0.4

#: Signal efficiency of the NAE paper's background rejection.
_PAPER_REJECTION_TPR = 0.2


@dataclass(frozen=True)
class Assessed:
    """A table: the name of its files, and its content three times over, ``data`` for JSON."""

    name: str
    markdown: str
    csv: str
    data: Any


def evaluated(
    models: Sequence[Model],
    rows: Sequence[Row],
    samples: Mapping[Key, Sample],
    benchmarks: Mapping[Key, Benchmark],
    config: EvaluationConfig,
) -> tuple[Evaluated, list[Assessed]]:
    """What is drawn, and the tables: AUROC, FPR, rejection, dominance, reconstruction and, with latents, distances.

    Parameters
    ----------
    models, rows
        What is compared.
    samples, benchmarks
        Scores of the events, and the names of the signals among them.
    config
        Settings.
    """
    paper = read_paper_figures()
    figures = {row: figures_of(row, samples, benchmarks, config.target_tpr, config.rejection_tpr) for row in rows}
    auroc = auroc_table(figures, paper)
    fpr = fpr_table(figures, config.target_tpr, paper if config.target_tpr == _PAPER_TPR else None)
    rejection = rejection_table(
        figures, config.rejection_tpr, paper if config.rejection_tpr == _PAPER_REJECTION_TPR else None
    )
    tables = [
        Assessed(name, table.markdown(), table.csv(), table.data())
        for name, table in (("auroc", auroc), ("fpr", fpr), ("rejection", rejection))
    ]
    found = Evaluated(tuple(models), tuple(rows), samples, benchmarks, auroc, fpr, config.target_tpr)
    return found, [*tables, *_others(found, paper, config)]


def _others(found: Evaluated, paper: PaperFigures, config: EvaluationConfig) -> Iterator[Assessed]:
    comparisons = compare(found.rows, found.samples, found.benchmarks, config.dominance, config.seed)
    yield Assessed(
        "dominance",
        comparison_markdown(comparisons, config.dominance),
        comparison_csv(comparisons),
        list(comparison_data(comparisons)),
    )
    rebuilt = reconstruction_rows(found.models, found.samples, paper)
    yield Assessed(
        "reconstruction", reconstruction_markdown(rebuilt), reconstruction_csv(rebuilt), reconstruction_data(rebuilt)
    )
    distances = discrepancies(found.models, found.samples, found.benchmarks)
    if distances:
        yield Assessed(
            "mmd", discrepancy_markdown(distances), discrepancy_csv(distances), [item._asdict() for item in distances]
        )
