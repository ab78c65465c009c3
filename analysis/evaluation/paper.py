"""What the papers found, to stand beside what we find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from statistics import fmean
from typing import Annotated, Literal

import yaml
from pydantic import Field

from darktrigger.config import StrictModel, validate

_FILE = "paper.yaml"

#: A printed number; ``~`` marks what the paper itself calls approximate.
PrintedNumber = float | Annotated[str, Field(pattern=r"^~\d+(\.\d+)?$")] | None

FigureName = Literal["auroc", "fpr", "rejection", "reconstruction"]


@dataclass(frozen=True)
class PaperValue:
    """A number of a paper, per cent unless it is of table 4."""

    value: float
    is_approximate: bool
    source: str


class PaperRow(StrictModel):
    """One row of a table: which scores of which model families it is about; no family for baselines.

    With ``power``, it is about models of that power of p_T in the pixels of jets, else about those of any.
    """

    row: str
    families: tuple[str, ...] = ("",)
    power: float | None = None
    scores: tuple[str, ...]
    values: tuple[PrintedNumber, ...]


class PaperTable(StrictModel):
    """A table as printed."""

    source: str
    figure: FigureName
    columns: tuple[str, ...]
    rows: tuple[PaperRow, ...]


class PaperTables(StrictModel):
    """The whole file."""

    tables: tuple[PaperTable, ...]


@dataclass(frozen=True)
class PaperFigures:
    """Numbers by figure, family, score, power of p_T in the pixels (None: any) and column."""

    values: dict[tuple[str, str, str, float | None, str], PaperValue]

    def find(
        self, figure: FigureName, family: str, score: str, column: str, power: float | None = None
    ) -> PaperValue | None:
        """A figure of a score; ``column`` is a benchmark's name or a column of table 4.

        A model that takes jets to a power of p_T finds what the paper has for that power, or for no power in
        particular.
        """
        of_power = self.values.get((figure, family, score, power, column))
        return of_power or self.values.get((figure, family, score, None, column))

    def mean(
        self, figure: FigureName, family: str, score: str, columns: Sequence[str], power: float | None = None
    ) -> PaperValue | None:
        """Mean over the benchmarks that we have, which may be fewer than the paper's; None unless it has them all."""
        values = [self.find(figure, family, score, column, power) for column in columns]
        present = [item for item in values if item is not None]
        if not present or len(present) < len(values):
            return None
        return PaperValue(
            fmean(item.value for item in present), any(item.is_approximate for item in present), present[0].source
        )


def _printed(number: float | str, source: str) -> PaperValue:
    if isinstance(number, str):
        return PaperValue(float(number.removeprefix("~")), is_approximate=True, source=source)
    return PaperValue(number, is_approximate=False, source=source)


def read_paper_figures() -> PaperFigures:
    """The numbers in ``paper.yaml``."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return PaperFigures(
        {
            (table.figure, family, score, row.power, column): _printed(number, f"{table.source}, {row.row}")
            for table in validate(PaperTables, yaml.safe_load(text), _FILE).tables
            for row in table.rows
            for family in row.families
            for score in row.scores
            for column, number in zip(table.columns, row.values, strict=True)
            if number is not None
        }
    )
