"""Jets and the particles of the hard process that they stem from, on records made by hand."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from generation.matching import holds_parent

#: System, two tops, of the first its quarks, one through a W that recoils once, of the second its b quark.
_TOPS = [
    # id, status, mother, eta, phi
    (90, -11, 0, 0.0, 0.0),
    (6, -22, 0, 0.0, 3.1),
    (-6, -22, 0, 0.0, -1.0),
    (5, -23, 1, 0.3, 3.1),
    (24, -22, 1, 0.0, 3.0),
    (24, -44, 4, 0.1, 3.0),
    (2, -23, 5, 0.1, -3.1),
    (-1, -23, 5, -0.2, 2.9),
    (-5, -23, 2, 0.1, -1.0),
]


def record(rows: list[tuple[int, int, int, float, float]]) -> ak.Array:
    pid, status, mother, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    momentum = {"px": 5 * np.cos(phi), "py": 5 * np.sin(phi), "pz": 5 * np.sinh(eta)}
    event = {"id": pid, "status": status, "mother1": mother, "p": ak.zip(momentum)}
    return ak.Array([ak.zip(event, depth_limit=1)])


@pytest.mark.parametrize(
    ("eta", "phi", "radius", "held"),
    [
        (0.0, 3.1, 0.8, True),  # over the edge of the map of phi, too
        (0.0, -3.1, 0.8, True),
        (0.0, 3.1, 0.25, False),  # the b quark is 0.3 away
        (-0.6, 3.1, 0.8, False),
        (0.0, -1.0, 0.8, True),  # the other top
        (0.0, 1.0, 0.8, False),  # neither
    ],
)
def test_a_jet_holds_a_top_with_all_its_quarks(eta: float, phi: float, radius: float, held: bool) -> None:
    jet = ak.Array([{"eta": eta, "phi": phi}])
    assert holds_parent(record(_TOPS), 6, jet, radius).tolist() == [held]


def test_particles_that_do_not_decay_there_are_their_own_products() -> None:
    pair = record(
        [(90, -11, 0, 0.0, 0.0), (4900023, -22, 0, 0.0, 0.0), *((s * 4900101, -23, 1, s, 1.0) for s in (1, -1))]
    )
    jets = ({"eta": 1.1, "phi": 1.2}, {"eta": 0.0, "phi": 1.0})
    assert [holds_parent(pair, 4900101, ak.Array([jet]), 0.8).tolist() for jet in jets] == [[True], [False]]


def test_no_jet_or_no_such_particle_is_no_match() -> None:
    both = ak.concatenate([record(_TOPS), record(_TOPS)])
    assert holds_parent(both, 6, ak.Array([None, {"eta": 0.0, "phi": 3.1}]), 0.8).tolist() == [False, True]
    assert holds_parent(record(_TOPS), 25, ak.Array([{"eta": 0.0, "phi": 3.1}]), 0.8).tolist() == [False]
