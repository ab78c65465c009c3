"""Plots of an estimate, in the widest style: drawn without a warning, nothing cut off."""

import numpy as np
from matplotlib.figure import Figure

from analysis.abcd import Regions
from analysis.binned import Interval
from analysis.config import StyleConfig
from analysis.estimation.rates import Overlap, RatePoint
from analysis.estimation.sculpting import Sculpting
from analysis.estimation.sic import SicCurve, SicMap
from analysis.plots.closure_scan import ClosureCloud, draw_closure_scan
from analysis.plots.rates import draw_rates
from analysis.plots.sculpting import draw_sculpting
from analysis.plots.sic import SicSeries, draw_sic, draw_sic_map
from analysis.plots.significance import SignificanceSeries, draw_significance
from analysis.plots.style import styled

STYLE = StyleConfig(experiment="CMS", luminosity=138.0)
EFFICIENCIES = np.array([0.005, 0.01, 0.1])
NAMES = ("SM only", "SUEP 125", "SUEP 1000", "SVJ 2100", "SVJ 4100")


def rate_point(target: float, rate: float | None) -> RatePoint:
    interval = Interval(0.5 * target, 0.4 * target, 0.6 * target)
    overlap = {"background": Overlap(interval, interval, interval)}
    regions = Regions(target, 0.1, 0.1, 0.8 - target)
    times = None if rate is None else rate * target
    return RatePoint(target, (1.0, 2.0), regions, Regions(1, 2, 3, 4), 4 * target, times, times, times, 800.0, overlap)


def figures() -> dict[str, Figure]:
    rng = np.random.default_rng(1)
    tpr = np.linspace(0.1, 1, 50)
    curve = SicCurve(tpr, tpr**3, tpr**-0.5, 0.1 * np.ones(50))
    grid = np.geomspace(0.005, 1, 12)
    ratios = {float(x): 1 + rng.normal(0, 0.05, 30) for x in EFFICIENCIES}
    series = [SignificanceSeries(name, EFFICIENCIES, rng.random(3) + 1, rng.random(3)) for name in NAMES]
    edges = np.linspace(500, 1500, 5)
    low = np.full(4, 0.01)
    profile = Sculpting(
        "ht", edges, (rng.random((4, 3)).cumsum(axis=1),) * 2, 2 * low, low, 3 * low, 0.02, (0.1, -0.2)
    )  # fmt: skip
    return {
        "sic": draw_sic([SicSeries(name, curve) for name in NAMES], "SUEP 125", STYLE),
        "map": draw_sic_map(SicMap(grid, rng.random((12, 12))), ("First", "Second"), "SVJ", STYLE),
        "closure": draw_closure_scan(
            [ClosureCloud(name, ratios) for name in NAMES], dict.fromkeys(ratios, 0.05), 0.001, STYLE
        ),
        "significance": draw_significance(series, ["One", "Another"], "0.1% signal", STYLE),
        "sculpting": draw_sculpting(profile, ("First", "Second"), "$H_T$ [GeV]", STYLE),
        "hertz": draw_rates([rate_point(float(x), 1e4) for x in EFFICIENCIES], STYLE),
        "fractions": draw_rates([rate_point(float(x), None) for x in EFFICIENCIES], STYLE),
    }


def test_nothing_is_cut_off() -> None:
    with styled(STYLE):
        found = figures()
        for name, figure in found.items():
            figure.canvas.draw()
            extent, page = figure.get_tightbbox(), figure.get_size_inches()
            assert extent.x0 >= 0, name
            assert extent.y0 >= 0, name
            assert extent.x1 <= page[0], name
            assert extent.y1 <= page[1], name
    assert found["hertz"].axes[0].get_ylabel() == "SM rate [Hz]"
    assert "Fraction" in found["fractions"].axes[0].get_ylabel()
