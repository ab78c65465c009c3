"""The whole detector on events with known answers."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.detector import DelphesEvents, load_card, simulate
from generation.detector.card import DetectorCard
from generation.events import GenEvents

POINT = {"z_sigma": 0.0, "z_max": 1.0, "t_sigma": 0.0, "t_max": 1.0}


@pytest.fixture(scope="module")
def still(cms: DetectorCard) -> DetectorCard:
    """CMS with all interactions at the origin."""
    return cms.model_copy(update={"vertex": cms.vertex.model_copy(update=POINT)})


def run(
    events: GenEvents, card: DetectorCard, seed: int = 1, pool: GenEvents | None = None, mean_pileup: float = 0.0
) -> DelphesEvents:
    return simulate(events, pool, mean_pileup, card, np.random.default_rng(seed))


def sizes(result: DelphesEvents, name: str) -> NDArray[np.int64]:
    return np.diff(result[name].offsets)


def test_one_photon_into_one_tower(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    n = 400
    result = run(make_events(*[[(22, 50.0, 0.5, 1.0)]] * n), still)
    towers = result["ecalTower"].columns
    assert (sizes(result, "ecalTower") == 1).all()
    assert result["hcalTower"].offsets[-1] == result["Track"].offsets[-1] == 0
    low, high, left, right = towers["Edges[4]"].T
    assert ((low < 0.5) & (high > 0.5) & (left < 1.0) & (right > 1.0)).all()
    assert high - low == pytest.approx(0.01745, abs=1e-6)
    assert right - left == pytest.approx(np.pi / 180, abs=1e-6)
    # The position is uniform in the tower, the energy log-normal about the truth.
    assert towers["Eta"].std() == pytest.approx(0.01745 / np.sqrt(12), rel=0.1)
    energy = 50.0 * np.cosh(0.5)
    sigma = (1 + 0.64 * 0.5**2) * np.sqrt((0.008 * energy) ** 2 + 0.11**2 * energy + 0.4**2)
    assert towers["E"].mean() == pytest.approx(energy, abs=4 * sigma / np.sqrt(n))
    assert towers["E"].std() == pytest.approx(sigma, rel=0.15)
    np.testing.assert_allclose(towers["ET"], towers["E"] / np.cosh(towers["Eta"]), rtol=1e-5)


def test_photon_is_a_jet_or_a_photon(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    """HT counts it once: as a photon at 95%, otherwise as a jet."""
    result = run(make_events(*[[(22, 50.0, 0.5, 1.0)]] * 400), still)
    n_photons, n_jets = sizes(result, "Photon"), sizes(result, "Jet")
    assert (n_photons + n_jets == 1).all()
    assert n_photons.mean() == pytest.approx(0.95, abs=0.04)
    towers = result["ecalTower"].columns["ET"]
    np.testing.assert_allclose(result["ScalarHT"].columns["HT"], towers, rtol=1e-5)
    np.testing.assert_allclose(result["MissingET"].columns["MET"], towers, rtol=1e-5)
    assert np.cos(result["MissingET"].columns["Phi"] - 1.0).max() < -0.99


@pytest.mark.parametrize(
    ("pt", "eta", "expected"), [(5.0, 0.3, 0.95), (5.0, 2.0, 0.85), (0.9, 0.3, 0.70), (0.05, 0.3, 0.0), (5.0, 2.8, 0.0)]
)
def test_hadron_tracking_efficiency(
    make_events: Callable[..., GenEvents], still: DetectorCard, pt: float, eta: float, expected: float
) -> None:
    n = 2000
    result = run(make_events(*[[(211, pt, eta, 0.0)] for _ in range(n)]), still)
    assert sizes(result, "Track").mean() == pytest.approx(
        expected, abs=4 * np.sqrt(expected * (1 - expected) / n) + 1e-9
    )


def test_track_resolution_and_direction(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    result = run(make_events(*[[(-211, 20.0, 1.0, -2.0)]] * 2000), still)
    tracks = result["Track"].columns
    expected = np.hypot(0.10, 1.7e-3 * 20.0)
    assert tracks["PT"].mean() == pytest.approx(20.0, rel=4 * expected / np.sqrt(2000))
    assert tracks["PT"].std() / 20.0 == pytest.approx(expected, rel=0.1)
    assert tracks["Phi"] == pytest.approx(-2.0, abs=1e-5)
    # A negative charge turns anticlockwise in a field along +z.
    assert (tracks["PhiOuter"] > -2.0).all()
    assert (tracks["Charge"] == -1).all()


def test_thresholds(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    """Towers below 0.5 GeV or two standard deviations are empty."""
    result = run(make_events(*[[(22, 1.2, 0.0, 0.3), (22, 0.4, 1.0, 2.0)]] * 500), still)
    energy = result["ecalTower"].columns["E"]
    sigma = np.sqrt((0.008 * energy) ** 2 + 0.11**2 * energy + 0.4**2)
    assert len(energy) > 100
    assert (energy >= 0.5).all()
    assert (
        energy[np.abs(result["ecalTower"].columns["Eta"]) < 0.1]
        >= 2 * sigma[np.abs(result["ecalTower"].columns["Eta"]) < 0.1] * (1 - 1e-3)
    ).all()


def test_fractions_of_a_long_kaon_and_a_short_one(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    n = 500
    result = run(make_events(*[[(310, 100.0, 0.2, 0.0), (130, 100.0, -1.0, 2.0)]] * n), still)
    ecal, hcal = result["ecalTower"].columns, result["hcalTower"].columns
    assert (ecal["Eta"] > 0).all()
    assert ecal["ET"].mean() == pytest.approx(30.0, rel=0.01)
    assert hcal["ET"][hcal["Eta"] > 0].mean() == pytest.approx(70.0, rel=0.04)
    assert hcal["ET"][hcal["Eta"] < 0].mean() == pytest.approx(100.0, rel=0.04)


def test_neutrinos_and_dark_states_are_invisible(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    result = run(make_events([(12, 100.0, 0.0, 0.0), (4900211, 100.0, 0.5, 1.0)]), still)
    assert all(result[name].offsets[-1] == 0 for name in ("Track", "ecalTower", "hcalTower", "Jet"))
    assert result["MissingET"].columns["MET"] == pytest.approx(0.0)


def test_particle_flow_prefers_the_track(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    """A 10 GeV pion: the HCAL measures it to 47%, the tracker to 6%, so the jet has the track's resolution."""
    result = run(make_events(*[[(211, 30.0, 0.2, 0.0)]] * 1000), still)
    jets = result["Jet"].columns["PT"]
    towers = result["hcalTower"].columns["ET"]
    assert jets.std() < 0.6 * towers.std()


def test_particle_flow_is_written_as_the_jets_see_it(
    make_events: Callable[..., GenEvents], still: DetectorCard
) -> None:
    """Particles apart from each other: the flow's p_T adds up to H_T, photon and track do not count twice."""
    particles = [(211, 60.0, 0.2, 0.0), (22, 50.0, -0.5, 1.5), (130, 80.0, 0.9, -1.5)]
    result = run(make_events(*[particles] * 200, []), still)
    assert sizes(result, "EFlowTrack").mean() == pytest.approx(0.95 * 200 / 201, abs=0.05)
    members = {"EFlowTrack": "PT", "EFlowPhoton": "ET", "EFlowNeutralHadron": "ET"}
    total = sum(
        (
            np.bincount(np.repeat(np.arange(201), sizes(result, name)), result[name].columns[pt], minlength=201)
            for name, pt in members.items()
        ),
        np.zeros(201),
    )
    # A particle below the jets' threshold, or a neutral remainder of the track, is the only difference.
    np.testing.assert_allclose(total[:200], result["ScalarHT"].columns["HT"][:200], atol=20)
    assert np.median(np.abs(total[:200] - result["ScalarHT"].columns["HT"][:200])) < 1e-3
    assert total[200] == 0
    photons = result["EFlowPhoton"].columns
    np.testing.assert_allclose(photons["E"], photons["ET"] * np.cosh(photons["Eta"]), rtol=1e-5)
    assert (photons["Eta"] < 0).all()


def test_isolated_leptons(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    result = run(make_events(*[[(11, 40.0, 0.3, 0.0), (-13, 40.0, 0.3, 2.5)]] * 500), still)
    assert sizes(result, "Electron").mean() == pytest.approx(0.95 * 0.95, abs=0.06)
    assert sizes(result, "Muon").mean() == pytest.approx(0.99 * 0.95, abs=0.06)
    assert (result["Electron"].columns["Charge"] == -1).all()
    assert (result["Muon"].columns["Charge"] == 1).all()
    both = (sizes(result, "Electron") == 1) & (sizes(result, "Muon") == 1)
    assert (sizes(result, "Jet")[both] == 0).all()


def test_muon_in_a_jet_is_not_isolated(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    around = [(22, 10.0, 0.3 + 0.1 * i, 2.5) for i in (-2, -1, 1, 2)]
    result = run(make_events(*[[(13, 20.0, 0.3, 2.5), *around]] * 50), still)
    assert result["Muon"].offsets[-1] == 0
    assert (sizes(result, "Jet") == 1).all()


def test_pileup_tracks_are_removed_by_their_distance(make_events: Callable[..., GenEvents], cms: DetectorCard) -> None:
    hard, pool = make_events(*[[(211, 5.0, 0.1, 0.0)]] * 100), make_events([(211, 5.0, 0.2, 1.0), (22, 5.0, 0.2, 1.0)])
    result = run(hard, cms, pool=pool, mean_pileup=20.0)
    tracks, corrected = result["Track"].columns, result["Track_PUcorr"].columns
    assert sizes(result, "Vertex").mean() == pytest.approx(21.0, abs=2.0)
    assert tracks["IsPU"].sum() == pytest.approx(0.95 * 20 * 100, rel=0.1)
    assert (tracks["IsPU"] == 0).sum() == (corrected["IsPU"] == 0).sum()
    # Two vertices of 53 mm spread are within 0.1 mm at a rate of about 0.1%.
    assert corrected["IsPU"].sum() < 0.01 * tracks["IsPU"].sum()
    # Each interaction is rotated by its own angle.
    assert np.abs(np.exp(1j * tracks["Phi"][tracks["IsPU"] == 1]).mean()) < 0.15


def test_vertex_spread(make_events: Callable[..., GenEvents], cms: DetectorCard) -> None:
    z = run(make_events(*[[(22, 1.0, 0.0, 0.0)]] * 4000), cms)["Vertex"].columns["Z"]
    assert z.std() == pytest.approx(53.0, rel=0.05)
    assert np.abs(z).max() <= 250.0


def test_density_is_taken_off_jets(make_events: Callable[..., GenEvents], still: DetectorCard) -> None:
    """A uniform sea of photons leaves next to nothing of the jets that it makes."""
    rng = np.random.default_rng(3)
    sea = [
        (22, 8.0, eta, phi) for eta, phi in zip(rng.uniform(-2.5, 2.5, 300), rng.uniform(-3.1, 3.1, 300), strict=True)
    ]
    result = run(make_events([*sea, (22, 300.0, 0.0, 0.0)]), still)
    rho = result["Rho"].columns["Rho"]
    assert rho[1] == pytest.approx(300 * 8.0 / (5 * 2 * np.pi), rel=0.15)
    assert result["Jet"].columns["PT"].max(initial=0.0) < 340.0
    assert sizes(result, "Jet")[0] < 12


def test_same_seed_same_output_and_other_seed_another(make_events: Callable[..., GenEvents], cms: DetectorCard) -> None:
    events = make_events(*[[(211, 5.0, 0.1, 0.0), (22, 30.0, 1.0, 2.0), (130, 20.0, -1.0, 1.0)]] * 40)
    pool = make_events([(211, 1.0, 0.5, 0.0)], [(22, 2.0, -0.5, 0.0)])
    a, b, c = (run(events, cms, seed, pool, 5.0) for seed in (7, 7, 8))
    for name, collection in a.collections.items():
        for member, values in collection.columns.items():
            np.testing.assert_array_equal(values, b[name].columns[member])
    assert not np.array_equal(a["Track"].columns["PT"], c["Track"].columns["PT"])


def test_events_without_particles(make_events: Callable[..., GenEvents], cms: DetectorCard) -> None:
    result = run(make_events([], [(22, 30.0, 0.0, 0.0)], []), cms)
    assert len(result) == 3
    np.testing.assert_array_equal(sizes(result, "ecalTower"), [0, 1, 0])
    np.testing.assert_array_equal(result["Event"].columns["Number"], [0, 1, 2])


def test_atlas_runs_too(make_events: Callable[..., GenEvents]) -> None:
    result = run(make_events(*[[(22, 50.0, 4.0, 1.0), (211, 20.0, 0.1, 0.0)]] * 20), load_card("atlas"))
    assert result["ecalTower"].columns["Eta"].max() > 3.5
    assert result["Track"].offsets[-1] > 10
