import fastjet
import numpy as np
import pytest

from imaging.jets.clustering import Particles, find_jets, momenta
from imaging.jets.config import JetSelection

WIDE = JetSelection(pt_min=20.0, pt_max=1e4, eta_max=5.0, jets_per_event=10)


def particles(*events: list[tuple[float, float, float]]) -> Particles:
    """Massless particles from lists of (p_T, eta, phi)."""
    pt, eta, phi = np.array([p for event in events for p in event], dtype=np.float64).reshape(-1, 3).T
    offsets = np.cumsum([0, *(len(event) for event in events)])
    return Particles(offsets, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))


def test_jets_of_constructed_events() -> None:
    events = particles(
        [(300.0, 0.1, 3.1), (100.0, 0.2, -3.1), (250.0, -1.0, 0.0), (5.0, 0.5, 1.5)],
        [],
        [(10.0, 0.0, 0.0)],
        [(50.0, 0.0, 0.0), (60.0, 2.0, 1.0)],
    )
    jets = find_jets(events, WIDE)
    assert jets.event.tolist() == [0, 0, 3, 3]
    assert jets.rank.tolist() == [0, 1, 0, 1]
    assert jets.pt == pytest.approx([399.35, 250, 60, 50], rel=1e-3)
    assert np.diff(jets.constituents.offsets).tolist() == [2, 1, 1, 1]
    assert sorted(jets.constituents.pt[:2]) == pytest.approx([100, 300])
    assert jets.mass[0] == pytest.approx(momenta(*(column[:2].sum(keepdims=True) for column in events[1:])).mass[0])
    assert jets.mass[1:] == pytest.approx(0, abs=1e-4)


def test_window_applies_to_the_leading_jets() -> None:
    """A second jet in the window does not stand in for a leading one above it."""
    events = particles([(700.0, 0.0, 0.0), (600.0, 0.0, 3.0)], [(600.0, 2.5, 0.0)], [(600.0, 1.0, 0.0)])
    assert find_jets(events, JetSelection()).event.tolist() == [2]
    two = find_jets(events, JetSelection(jets_per_event=2))
    assert two.event.tolist() == [0, 2]
    assert two.rank.tolist() == [1, 0]


def test_no_events_and_no_jets() -> None:
    assert len(find_jets(particles(), WIDE).pt) == 0
    assert len(find_jets(particles([], []), WIDE).pt) == 0
    jets = find_jets(particles([(1.0, 0.0, 0.0)]), WIDE)
    assert len(jets.pt) == 0
    assert jets.constituents.offsets.tolist() == [0]


def test_against_fastjet_event_by_event() -> None:
    rng = np.random.default_rng(5)
    rows = [
        list(zip(rng.exponential(20, 60), rng.uniform(-2, 2, 60), rng.uniform(-3.1, 3.1, 60), strict=True))
        for _ in range(8)
    ]
    events = particles(*rows)
    jets = find_jets(events, WIDE)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8)
    for event in range(8):
        part = slice(events.offsets[event], events.offsets[event + 1])
        inputs = [fastjet.PseudoJet(*map(float, p)) for p in zip(*(c[part] for c in events[1:]), strict=True)]
        sequence = fastjet.ClusterSequence(inputs, definition)
        expected = fastjet.sorted_by_pt(sequence.inclusive_jets(WIDE.pt_min))[: WIDE.jets_per_event]
        mine = jets.event == event
        assert jets.pt[mine] == pytest.approx([jet.pt() for jet in expected])
        assert jets.mass[mine] == pytest.approx([jet.m() for jet in expected], abs=1e-3)
        n_constituents = np.diff(jets.constituents.offsets)[mine]
        assert n_constituents.tolist() == [len(jet.constituents()) for jet in expected]
