"""Plots in every style: drawn without a warning, nothing cut off, legends clear of each other's panels."""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN

from analysis.abcd import Plane, abcd_estimate
from analysis.binned import Binned
from analysis.config import StyleConfig
from analysis.efficiency import EfficiencyCurve, efficiency_by_threshold
from analysis.plots.abcd import ClosurePoint, draw_closure, draw_plane
from analysis.plots.cutflow import CutflowSeries, draw_cutflow
from analysis.plots.distributions import Distribution, draw_distributions, rebinned
from analysis.plots.efficiency import EfficiencySeries, ScanSeries, draw_efficiency, draw_threshold_scan
from analysis.plots.latents import LatentSample, contour_levels, draw_latents
from analysis.plots.masses import MassPoint, MassSeries, draw_masses
from analysis.plots.names import score_label
from analysis.plots.reconstructions import Pictured, draw_reconstructions
from analysis.plots.roc import RocSeries, draw_roc
from analysis.plots.style import save, styled
from analysis.plots.sums import SumSample, draw_sums
from analysis.roc import auroc, roc_curve
from analysis.trigger import Direction

STYLES = [
    StyleConfig(luminosity=138.0, text="Simulation Preliminary", energy=13.6),
    StyleConfig(experiment="CMS", luminosity=138.0, energy=13.6),
    StyleConfig(experiment="ATLAS", text="Simulation Internal", energy=13.6),
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
    turn_on = EfficiencyCurve(3.0, edges, value, value * 0.9, np.minimum(1.0, value * 1.1), np.linspace(10, 1, 10))
    mean = np.outer(np.geomspace(100, 0.1, 40), np.geomspace(1, 0.01, 40))
    content = np.random.default_rng(1).poisson(mean).astype(float)
    plane = Plane((np.arange(41.0), np.arange(41.0)), content, content, content)
    points = [ClosurePoint(f"{edge}%", abcd_estimate(plane, (edge, edge))) for edge in (2, 5, 10, 39)]
    distributions = [Distribution(name, name == "QCD", sample) for name, sample in everything.items()]
    scans = [ScanSeries(name, efficiency_by_threshold(sample)) for name, sample in everything.items()]
    efficiencies = [EfficiencySeries(name, turn_on) for name in everything]
    cutflows = [CutflowSeries(name, (1.0, 0.3, 0.0)) for name in everything]
    return {
        "roc": draw_roc(roc, "Signal", 0.4, style),
        "long names": draw_roc(
            [replace(roc[i % 3], label=f"HCAL cells > {i} GeV") for i in range(10)], "S", 0.4, style
        ),
        "distributions": draw_distributions(distributions, "Score", style),
        "efficiency": draw_efficiency(efficiencies, "$H_T$ [GeV]", "Cut", style),
        "scan": draw_threshold_scan(scans, "score", style),
        "plane": draw_plane(plane, points[1].estimate, ("first", "second"), style),
        "closure": draw_closure(points, "first and second", style),
        "cutflow": draw_cutflow(cutflows, ["All", "HT", "Cut"], style),
    } | evaluation_figures(style)


def evaluation_figures(style: StyleConfig) -> dict[str, Figure]:
    rng = np.random.default_rng(2)
    names = ["Background", *(f"SUEP {mass} GeV" for mass in (125, 200, 300, 400, 700, 1000))]
    latents, sums = [], []
    for index, name in enumerate(names):
        z = rng.normal(index, 1, (2, 500))
        latents.append(LatentSample(name, index == 0, z[0], z[1], np.ones(500)))
        true = rng.gamma(4 + index, 30, 500)
        sums.append(SumSample(name, index == 0, true, 0.7 * true, np.ones(500)))
    points = tuple(MassPoint(value, value - 1, value + 1, value - 2) for value in (70.0, 80.0, 99.0))
    rates = (MassPoint(10, 9, 11, 9), MassPoint(0, 0, 0.1, 0), MassPoint(np.nan, np.nan, np.nan, np.nan))
    lines = [MassSeries(f"Some score, codae (file {i})", i > 6, points, rates) for i in range(10)]
    image = (rng.random((3, 1, 72, 58)) < 0.05).astype(np.float32)
    energy = (rng.random((3, 3, 288, 360)) < 0.01) * rng.exponential(5, (3, 3, 288, 360)).astype(np.float32)
    return {
        "latents": draw_latents(latents, "codae", style),
        "sums": draw_sums(sums, r"$E_\mathrm{T}$ [GeV]", "codae", style),
        "masses": draw_masses(lines, (125.0, 400.0, 1000.0), "SUEP", 0.4, style),
        "masks": draw_reconstructions([Pictured(x, x / 2) for x in image], "coarse mask", "codae, SUEP", style),
        "energy": draw_reconstructions([Pictured(energy[0], energy[0] / 2)], "fine", "convae, background", style),
        "jets": draw_reconstructions([Pictured(x, x / 2) for x in image[:, :, :40, :40]], "jet", "nae, top", style),
    }


def test_arrows_stand_where_nothing_passed() -> None:
    with styled(STYLES[0]):
        figure = evaluation_figures(STYLES[0])["masses"]
    arrows = [line for line in figure.axes[1].lines if line.get_marker() == CARETDOWN]
    assert len(arrows) == 10
    for line in arrows:
        np.testing.assert_array_equal(line.get_ydata(), [np.nan, 0.1, np.nan])


def test_contours_enclose_what_they_say() -> None:
    density = np.random.default_rng(1).random((30, 30))
    density /= density.sum()
    low, high = contour_levels(density)
    assert density[density >= high].sum() == pytest.approx(0.39, abs=0.01)
    assert density[density >= low].sum() == pytest.approx(0.86, abs=0.01)


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
@pytest.mark.parametrize("energy", [13.6, None])
def test_labels_say_energy_luminosity_and_text(style: StyleConfig, energy: float | None) -> None:
    style = style.model_copy(update={"energy": energy})
    with styled(style):
        figure = draw_cutflow([CutflowSeries("QCD", (1.0, 0.5))], ["All", "HT"], style)
    axes = figure.axes[0]
    text = " ".join([item.get_text() for item in axes.texts] + [axes.get_title(side) for side in ("left", "right")])
    assert style.text in text
    assert ("13.6" in text) == ("TeV" in text) == (energy is not None)
    assert ("138" in text) == (style.luminosity is not None)
    assert (style.experiment in text) == (style.experiment != "plain")


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.experiment)
def test_numbers_of_neighbouring_panels_stand_apart(style: StyleConfig) -> None:
    with styled(style):
        drawn = evaluation_figures(style)
        ones = np.ones(100)
        drawn["sums of jets"] = draw_sums([SumSample("top", False, ones, 1.6 * ones, ones)], "sum", "nae", style)
        for name in ("sums", "sums of jets", "masks", "energy", "jets"):
            figure = drawn[name]
            figure.canvas.draw()
            for label in ("x", "y"):
                # Labels of ticks beyond the axis exist, and are not drawn.
                ticks = [
                    tick.label1.get_window_extent()
                    for axis in (getattr(axes, f"{label}axis") for axes in figure.axes)
                    for tick in axis.get_major_ticks()
                    if min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
                    and tick.label1.get_visible()
                    and tick.label1.get_text()
                ]
                for index, box in enumerate(ticks):
                    assert not any(box.overlaps(other) for other in ticks[:index]), (name, label)


def test_jets_are_pictured_in_their_own_frame() -> None:
    image = np.zeros((1, 40, 40), dtype=np.float32)
    # Upper left, as images of jets have it.
    image[0, 3, 5] = 0.02
    with styled(STYLES[0]):
        figure = draw_reconstructions([Pictured(image, image)], "jet", "nae, top", STYLES[0])
    panel, below, colours = figure.axes
    assert panel.images[0].get_extent() == pytest.approx([-0.58, 0.58, -0.7, 0.7])
    assert panel.images[0].origin == "lower"
    np.testing.assert_array_equal(np.argwhere(np.isfinite(np.asarray(panel.images[0].get_array()))), [[36, 5]])
    assert (below.get_xlabel(), colours.get_ylabel()) == (r"$\eta'$", "Pixel value")
    assert panel.images[0].norm.vmax == pytest.approx(0.02)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.experiment)
def test_powers_of_ten_stand_clear_of_the_labels(style: StyleConfig, tmp_path: Path) -> None:
    # Energies of jets are about 1e-6.
    edges, content = np.linspace(0, 6e-5, 51), np.linspace(50, 1, 50)
    with styled(style):
        figure = draw_distributions([Distribution("QCD", True, Binned(edges, content, content))], "energy, nae", style)
        save(figure, tmp_path, "energies")
        axis = figure.axes[0].xaxis
        assert "10^" in axis.get_offset_text().get_text() or "1e" in axis.get_offset_text().get_text()
        boxes = [text.get_window_extent() for text in (axis.get_offset_text(), axis.label)]
    assert not boxes[0].overlaps(boxes[1])


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


@pytest.mark.parametrize(
    ("name", "label"),
    [("excess_tracks1", "Excess of tracks (1)"), ("z1", "$Z_1$"), ("mine2", "mine2"), ("my_score", "my score")],
)
def test_labels_of_members_scores(name: str, label: str) -> None:
    assert score_label(name) == label
