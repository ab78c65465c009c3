"""Tables and the papers' figures beside ours."""

import csv
import io
from typing import Any

import pytest

from analysis.evaluation.figures import Estimate, Figures, averaged, over_seeds
from analysis.evaluation.paper import read_paper_figures
from analysis.evaluation.rows import Benchmark, Column, Row
from analysis.evaluation.tables import auroc_table, fpr_table
from analysis.trigger import Direction

SUEP_MASSES, SVJ_MASSES = (125, 200, 300, 400, 700, 1000), (2100, 3100, 4100)


def near(value: float) -> Any:
    """Equal to the value but for rounding, where a number is declared."""
    return pytest.approx(value)


def row(family: str, score: str, seeds: int = 1) -> Row:
    return Row(family, family, score, Direction.HIGHER, tuple(Column(f"{seed}", score) for seed in range(seeds)))


def figures(*values: float | None) -> Figures:
    each = tuple(None if value is None else Estimate(value, value - 1, value + 2) for value in values)
    return Figures(each, each)


@pytest.mark.parametrize(
    ("figure", "family", "score", "suep", "svj"),
    [
        # The last columns of tables 1 and 2, which the paper averages itself.
        ("auroc", "", "total_e_t_trk", 57.42, 69.82),
        ("auroc", "", "n_tracks", 94.81, 88.1),
        ("auroc", "cct", "classifier", 97.4, 97.66),
        ("auroc", "codae", "z2", 94.88, 87.44),
        ("auroc", "codae", "bce", 97.63, 89.66),
        ("auroc", "codvae", "z1", 94.1, 85.55),
        ("auroc", "codvae", "kl_f", 89.84, 83.3),
        ("auroc", "codvae", "sse", 97.22, 89.04),
        ("auroc", "cae", "bce", 97.81, 89.71),
        ("auroc", "heimel", "pixel_sum", 96.13, 87.81),
        ("auroc", "dirichlet", "z2", 62.55, 66.72),
        ("fpr", "", "total_e_t_trk", 38.78, 20.15),
        ("fpr", "", "n_tracks", 2.5, 2.53),
        ("fpr", "cct", "classifier", 0.04, 0.05),
        ("fpr", "codae", "z2", 2.54, 2.61),
        ("fpr", "codae", "bce", 1.12, 1.46),
        ("fpr", "codvae", "z1", 2.93, 3.54),
        ("fpr", "codvae", "kl_f", 5.35, 5.47),
        ("fpr", "codvae", "sse", 1.28, 1.61),
        ("fpr", "cae", "bce", 0.98, 1.37),
        ("fpr", "heimel", "pixel_sum", 1.73, 2.32),
        ("fpr", "dirichlet", "z2", 10.71, 15.74),
    ],
)
def test_rows_of_the_paper_average_to_its_means(figure: str, family: str, score: str, suep: float, svj: float) -> None:
    paper = read_paper_figures()
    for signal, masses, mean in (("SUEP", SUEP_MASSES, suep), ("SVJ", SVJ_MASSES, svj)):
        found = paper.mean(figure, family, score, [f"{signal} {mass}" for mass in masses])  # type: ignore[arg-type]
        assert found is not None
        assert found.value == pytest.approx(mean, abs=0.011)


def test_numbers_of_the_paper() -> None:
    paper = read_paper_figures()
    rate = paper.find("fpr", "codae", "bce", "SUEP 1000")
    assert rate is not None
    assert (rate.value, rate.is_approximate) == (0.0, True)
    assert "table 2" in rate.source
    assert paper.find("auroc", "codae", "bce", "SUEP 500") is None
    assert paper.mean("auroc", "codae", "bce", ["SUEP 125", "SUEP 500"]) is None
    error = paper.find("reconstruction", "codae", "reconstruction", "MSE")
    assert error is not None
    assert error.value == 5.5


def test_means_over_masses_and_seeds() -> None:
    name = row("codae", "bce", seeds=2)
    found = {name: {Benchmark("SUEP", 1000.0): figures(90, 94), Benchmark("SUEP", 125.0): figures(60, 70)}}
    table = auroc_table(found, read_paper_figures())
    assert table.columns == ("SUEP 125", "SUEP 1000", "mAUC SUEP")
    first, second, mean = table.rows[name]
    assert first.estimate == Estimate(65, 64, 67, near(50**0.5))
    assert second.estimate == Estimate(92, 91, 94, near(8**0.5))
    # The means of either seed are 75 and 82.
    assert mean.estimate == Estimate(78.5, 77.5, 80.5, near(24.5**0.5))
    assert mean.paper is not None
    assert mean.paper.value == pytest.approx((88.74 + 99.99) / 2)
    assert mean.difference == pytest.approx(78.5 - (88.74 + 99.99) / 2)
    text = table.markdown()
    assert "| codae: bce (2 seeds) | 65.00 [64.00, 67.00] ± 7.07 (paper 88.74, -23.74) |" in text
    (line,) = csv.DictReader(io.StringIO(table.csv()))
    assert (line["SUEP 125"], line["SUEP 125 low"], line["SUEP 125 paper"]) == ("65", "64", "88.74")
    assert table.data()[0]["paper"]["source"].endswith("table 1, CoDAE (BCE)")


def test_unknown_figures() -> None:
    name = row("mine", "bce")
    found = {name: {Benchmark("SUEP", 125.0): figures(60), Benchmark("SUEP", 400.0): figures(None)}}
    table = fpr_table(found, 0.3, None)
    assert table.rows[name][-1].estimate is None
    assert table.rows[name][-1].difference is None
    assert "| mine: bce | 60.00 [59.00, 62.00] | n/a | n/a |" in table.markdown()
    assert averaged([]) is None
    assert over_seeds([Estimate(1.0)]) == Estimate(1.0)
