"""Hand-made events."""

from collections.abc import Callable

import numpy as np
import pytest

from generation.detector import DetectorCard, load_card
from generation.events import GenEvents

MASSES = {11: 0.000511, 13: 0.10566, 22: 0.0, 211: 0.13957, 310: 0.49761, 130: 0.49761, 12: 0.0, 4900211: 10.0}


@pytest.fixture(scope="session")
def cms() -> DetectorCard:
    return load_card("cms")


@pytest.fixture(scope="session")
def make_events() -> Callable[..., GenEvents]:
    """Events of given particles: one list of (pid, pt, eta, phi) or (pid, pt, eta, phi, x, y, z) each."""

    def make(*events: list[tuple[float, ...]]) -> GenEvents:
        rows = np.array([(*p, 0.0, 0.0, 0.0)[:7] for event in events for p in event], dtype=float).reshape(-1, 7)
        pid, pt, eta, phi, x, y, z = rows.T
        mass = np.array([MASSES[abs(int(number))] for number in pid])
        pz = pt * np.sinh(eta)
        columns = {
            "px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pz, "e": np.sqrt(pt**2 + pz**2 + mass**2),
            "mass": mass, "x": x, "y": y, "z": z, "t": np.zeros(len(pt)),
        }  # fmt: skip
        return GenEvents(
            offsets=np.concatenate(([0], np.cumsum([len(event) for event in events]))),
            pid=pid.astype(np.int32),
            **{name: values.astype(np.float32) for name, values in columns.items()},
            weight=np.ones(len(events)),
            cross_section=1.0,
            number=np.arange(len(events)),
        )

    return make
