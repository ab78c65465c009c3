"""Events of objects seen from their leading lepton."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.objects.layout import N_SLOTS, slot_range
from ml.augmentation import augment_objects
from ml.lepton_frame import lepton_frame

MET, ELECTRON, MUON, JET = (slot_range(kind)[0] for kind in ("met", "electron", "muon", "jet"))


def events(n: int, seed: int = 0) -> torch.Tensor:
    """Events of missing E_T, two electrons, a muon and three jets, shape (n, 57)."""
    rng = np.random.default_rng(seed)
    objects = np.zeros((n, N_SLOTS, 3), dtype=np.float32)
    for slot in (MET, ELECTRON, ELECTRON + 1, MUON, JET, JET + 1, JET + 2):
        objects[:, slot, 0] = rng.exponential(30.0, n) + 1
        objects[:, slot, 1] = rng.normal(0, 1.5, n) * (slot != MET)
        objects[:, slot, 2] = rng.uniform(-math.pi, math.pi, n)
    return torch.from_numpy(objects.reshape(n, -1))


def test_an_event_whose_frame_is_known() -> None:
    event = torch.zeros(1, N_SLOTS, 3)
    event[0, MET] = torch.tensor([40.0, 0.0, 3.0])
    event[0, ELECTRON] = torch.tensor([30.0, 0.5, 1.0])
    event[0, MUON] = torch.tensor([50.0, -1.2, -2.5])
    event[0, JET] = torch.tensor([60.0, 2.0, 0.5])
    # The muon leads: phi grows by 2.5. Missing E_T is then at 5.5, which is -0.78, and all is mirrored.
    expected = torch.zeros(1, N_SLOTS, 3)
    expected[0, MET] = torch.tensor([40.0, 0.0, 2 * math.pi - 5.5])
    expected[0, ELECTRON] = torch.tensor([30.0, -0.5, 2 * math.pi - 3.5])
    expected[0, MUON] = torch.tensor([50.0, 1.2, 0.0])
    expected[0, JET] = torch.tensor([60.0, -2.0, -3.0])
    torch.testing.assert_close(lepton_frame(event.flatten(1)).view(1, N_SLOTS, 3), expected)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_the_frame_does_not_depend_on_how_the_event_lay(seed: int) -> None:
    original = events(20, seed)
    moved = augment_objects(original, torch.Generator().manual_seed(seed))
    one, other = (lepton_frame(x).view(20, N_SLOTS, 3) for x in (original, moved))
    torch.testing.assert_close(one[..., :2], other[..., :2])
    # What lies at phi = pi may come to lie at -pi.
    apart = torch.remainder(one[..., 2] - other[..., 2] + math.pi, 2 * math.pi) - math.pi
    torch.testing.assert_close(apart, torch.zeros_like(apart), atol=1e-4, rtol=0)


def test_what_lies_where() -> None:
    x = events(500)
    found = lepton_frame(x).view(500, N_SLOTS, 3)
    before = x.view(500, N_SLOTS, 3)
    assert torch.equal(found[..., 0], before[..., 0])
    leptons = slice(ELECTRON, JET)
    leading = found[:, leptons][torch.arange(500), before[:, leptons, 0].argmax(1)]
    assert (leading[:, 1] >= 0).all()
    assert leading[:, 2].abs().max() < 1e-6
    assert (found[:, MET, 2] >= 0).all()
    assert found[..., 2].abs().max().item() <= math.pi + 1e-5
    assert not found[before[..., 0] == 0].any()
    assert torch.equal(found[..., 1].abs(), before[..., 1].abs())


def test_events_without_leptons_or_anything() -> None:
    x = events(50)
    x.view(50, N_SLOTS, 3)[:, ELECTRON:JET] = 0
    found = lepton_frame(x).view(50, N_SLOTS, 3)
    torch.testing.assert_close(found[..., 2].abs(), x.view(50, N_SLOTS, 3)[..., 2].abs())
    assert not lepton_frame(torch.zeros(3, 3 * N_SLOTS)).any()
    assert lepton_frame(torch.zeros(0, 3 * N_SLOTS)).shape == (0, 57)
