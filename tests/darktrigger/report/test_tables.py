"""Tables of a report, where events do not determine a figure too."""

from analysis.abcd import AbcdEstimate, Regions
from analysis.binned import Interval, Measured
from analysis.summary import AbcdSummary
from darktrigger.report.numbers import UNKNOWN, interval, measured, plain
from darktrigger.report.tables import abcd, pairs


def test_numbers() -> None:
    assert plain(0.123456) == "0.1235"
    assert measured(Measured(0.5, 0.0123), 100) == "50 ± 1.2"
    assert measured(Measured(0.0, None)) == "0"
    assert interval(Interval(0.1, 0.05, 0.2), 100) == "10 [5, 20]"
    assert plain(None) == measured(None) == interval(None) == UNKNOWN


def test_abcd_without_a_prediction() -> None:
    background = AbcdEstimate(
        thresholds=(1.5, -2.0),
        efficiencies=(0.5, 0.5),
        counts=Regions(2.0, 0.0, 1.0, 0.0),
        uncertainties=Regions(1.0, 0.0, 1.0, 0.0),
        events=Regions(4, 0, 1, 0),
        predicted=None,
        observed=Measured(2.0, 1.0),
        closure=None,
    )
    point = AbcdSummary(scores=("x", "y"), target=None, background=background, signals={"s": Regions(7, 1, 1, 0)})
    table = abcd((point,))
    assert dict(zip(table.header, table.rows[0], strict=True)) == {
        "scores": "x × y",
        "cuts at": "given",
        "thresholds": "1.5, -2",
        "A": "2 ± 1",
        "B": "0 ± 0",
        "C": "1 ± 1",
        "D": "0 ± 0",
        "A predicted": UNKNOWN,
        "closure": UNKNOWN,
        "events in A, B, C, D": "4, 0, 1, 0",
        "s in A": "7",
    }


def test_pairs_flatten_what_is_nested() -> None:
    table = pairs("Record", {"seed": 1, "versions": {"torch": "2.13"}, "teacher": None})
    assert table.rows == (("seed", "1"), ("versions.torch", "2.13"), ("teacher", UNKNOWN))
