"""Plots in every style: drawn without a warning, nothing cut off, legends clear of each other's panels."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.abcd import Plane, abcd_estimate
from analysis.binned import Binned
from analysis.config import StyleConfig
from analysis.efficiency import EfficiencyCurve, efficiency_by_threshold
from analysis.plots.abcd import ClosurePoint, draw_closure, draw_plane
from analysis.plots.cutflow import CutflowSeries, draw_cutflow
from analysis.plots.distributions import Distribution, draw_distributions, rebinned
from analysis.plots.efficiency import EfficiencySeries, ScanSeries, draw_efficiency, draw_threshold_scan
from analysis.plots.names import score_label
from analysis.plots.roc import RocSeries, draw_roc
from analysis.plots.style import styled
from analysis.roc import auroc, roc_curve
from analysis.trigger import Direction

STYLES = [
    StyleConfig(luminosity=138.0, text="Simulation Preliminary"),
    StyleConfig(experiment="CMS", luminosity=138.0),
    StyleConfig(experiment="ATLAS", text="Simulation Internal"),
]


def normal(mean: float, n: int) -> Binned:
    values, edges = np.histogram(np.random.default_rng(int(mean)).normal(mean, 3, n), 200, (-10, 30))
    return Binned(edges, values.astype(float), values.astype(float))


def figures(style: StyleConfig) -> dict[str, Figure]:
    background, signals = normal(3, 5000), {f"Signal {mass} GeV": normal(mass, 400) for mass in (6, 9, 12)}
    roc = []
    for index, (name, signal) in enumerate(signals.items()):
        curve, area = roc_curve(signal, background), auroc(signal, background)
        assert curve is not None
        assert area is not None
        roc.append(RocSeries(name, index == 0, curve, area))
    everything = {"QCD": background} | signals
    edges = np.linspace(0, 5000, 11)
    value = np.linspace(0.1, 1.0, 10)
    curve = EfficiencyCurve(3.0, edges, value, value * 0.9, np.minimum(1.0, value * 1.1), np.linspace(10, 1, 10))
    mean = np.outer(np.geomspace(100, 0.1, 40), np.geomspace(1, 0.01, 40))
    content = np.random.default_rng(1).poisson(mean).astype(float)
    plane = Plane((np.arange(41.0), np.arange(41.0)), content, content, content)
    points = [ClosurePoint(f"{edge}%", abcd_estimate(plane, (edge, edge))) for edge in (2, 5, 10, 39)]
    distributions = [Distribution(name, name == "QCD", sample) for name, sample in everything.items()]
    scans = [ScanSeries(name, efficiency_by_threshold(sample)) for name, sample in everything.items()]
    efficiencies = [EfficiencySeries(name, curve) for name in everything]
    cutflows = [CutflowSeries(name, (1.0, 0.3, 0.0)) for name in everything]
    return {
        "roc": draw_roc(roc, "Signal", 0.4, style),
        "distributions": draw_distributions(distributions, "Score", style),
        "efficiency": draw_efficiency(efficiencies, "$H_T$ [GeV]", "Cut", style),
        "scan": draw_threshold_scan(scans, "score", style),
        "plane": draw_plane(plane, points[1].estimate, ("first", "second"), style),
        "closure": draw_closure(points, "first and second", style),
        "cutflow": draw_cutflow(cutflows, ["All", "HT", "Cut"], style),
    }


@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.experiment}-{style.text}")
def test_nothing_is_cut_off(style: StyleConfig) -> None:
    with styled(style):
        for name, figure in figures(style).items():
            figure.canvas.draw()
            extent, page = figure.get_tightbbox(), figure.get_size_inches()
            assert extent.x0 >= 0, name
            assert extent.y0 >= 0, name
            assert extent.x1 <= page[0], name
            assert extent.y1 <= page[1], name
            for axes in figure.axes:
                if (legend := axes.get_legend()) is not None:
                    box, panel = legend.get_window_extent(), axes.get_window_extent()
                    assert box.x1 <= panel.x1 + 1, name
                    assert box.y1 <= panel.y1 + 1, name


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.experiment)
def test_labels_say_energy_luminosity_and_text(style: StyleConfig) -> None:
    with styled(style):
        figure = draw_cutflow([CutflowSeries("QCD", (1.0, 0.5))], ["All", "HT"], style)
    axes = figure.axes[0]
    text = " ".join([item.get_text() for item in axes.texts] + [axes.get_title(side) for side in ("left", "right")])
    assert style.text in text
    assert "13.6" in text
    assert ("138" in text) == (style.luminosity is not None)
    assert (style.experiment in text) == (style.experiment != "plain")


def test_style_leaves_no_trace() -> None:
    before = dict(mpl.rcParams)
    with styled(STYLES[1]):
        assert mpl.rcParams["font.size"] != before["font.size"]
    assert dict(mpl.rcParams) == before


def test_rebinning_keeps_every_event() -> None:
    samples = [normal(3, 500), normal(25, 700)]
    merged = rebinned(samples)
    assert len(merged[0].values) <= 50
    for before, after in zip(samples, merged, strict=True):
        assert after.total == pytest.approx(before.total)
        assert len(after.edges) == len(after.values) + 1


def test_score_labels() -> None:
    assert score_label("bce") == "BCE"
    assert score_label("my_score") == "my score"
    assert score_label("z1", Direction.LOWER) == "\N{MINUS SIGN}$Z_1$"
