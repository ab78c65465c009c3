"""What a row and a column of the tables stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from analysis.evaluation.models import Model
from analysis.scores import BASELINES, directions
from analysis.trigger import Direction


@dataclass(frozen=True)
class Benchmark:
    """A signal at one mediator mass (GeV), 0 where it has none."""

    signal: str
    mass: float

    @property
    def name(self) -> str:
        """Such as ``SUEP 125``."""
        return f"{self.signal} {self.mass:g}" if self.mass else self.signal

    @property
    def legend(self) -> str:
        """Such as ``SUEP 125 GeV``."""
        return f"{self.name} GeV" if self.mass else self.signal


class Column(NamedTuple):
    """Values of one score: of a model file, by its path, or, with none, a baseline."""

    path: str
    score: str


@dataclass(frozen=True)
class Row:
    """A score of a model; a baseline where ``model`` is empty.

    ``columns`` are its values, one for each seed; ``power`` is that of p_T in the pixels of a model of jets.
    """

    model: str
    family: str
    score: str
    direction: Direction
    columns: tuple[Column, ...]
    power: float | None = None

    @property
    def name(self) -> str:
        """Such as ``codae: bce (3 seeds)``."""
        seeds = f" ({len(self.columns)} seeds)" if len(self.columns) > 1 else ""
        return f"{self.model}: {self.score}{seeds}" if self.model else self.score

    @property
    def key(self) -> str:
        """For names of files, such as ``codae_bce``."""
        return slug(f"{self.model} {self.score}")


def slug(text: str) -> str:
    """Text as part of a file's name: lower case, words joined by underscores."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())


def rows_of(models: Sequence[Model], baselines: Iterable[str] = BASELINES) -> tuple[Row, ...]:
    """Scores of every model, then the baselines.

    Raises
    ------
    AnalysisError
        A model claims the name of a baseline.
    """
    rows = []
    for model in models:
        for score, direction in directions(model.triggers[0], ()).items():
            columns = tuple(Column(trigger.path, score) for trigger in model.triggers)
            rows.append(Row(model.name, model.family, score, direction, columns, model.power))
    return (*rows, *(Row("", "", score, Direction.HIGHER, (Column("", score),)) for score in baselines))


def by_signal(benchmarks: Iterable[Benchmark]) -> dict[str, list[Benchmark]]:
    """Benchmarks of each signal, by mass."""
    grouped: dict[str, list[Benchmark]] = {}
    for benchmark in sorted(set(benchmarks), key=lambda item: (item.signal, item.mass)):
        grouped.setdefault(benchmark.signal, []).append(benchmark)
    return grouped
