"""Events of objects seen from their leading lepton."""

from __future__ import annotations

import torch
from torch import Tensor

from imaging.objects.layout import MEMBERS, N_SLOTS, slot_range
from ml.augmentation import wrapped

_MET = slot_range("met")[0]
_FIRST_LEPTON, _END_OF_LEPTONS = slot_range("electron")[0], slot_range("muon")[-1] + 1


def lepton_frame(objects_NK: Tensor) -> Tensor:
    """Turn and mirror each event, so that events that differ by the detector's symmetry alone become one.

    The leading lepton comes to lie at phi = 0 and eta >= 0, missing E_T at phi >= 0; empty slots stay empty. An event
    without leptons is mirrored only.

    Parameters
    ----------
    objects_NK
        As :mod:`imaging.objects.layout` has them, shape (n, 57), GeV and radians.
    """
    pt_NS, eta_NS, phi_NS = objects_NK.view(-1, N_SLOTS, len(MEMBERS)).unbind(2)
    leading_N1 = pt_NS[:, _FIRST_LEPTON:_END_OF_LEPTONS].argmax(1, keepdim=True) + _FIRST_LEPTON
    turned_NS = wrapped(phi_NS - phi_NS.gather(1, leading_N1))
    mirrored_NS = turned_NS * _sign(turned_NS[:, _MET : _MET + 1])
    eta_NS = eta_NS * _sign(eta_NS.gather(1, leading_N1))
    return torch.stack([pt_NS, eta_NS, torch.where(pt_NS > 0, mirrored_NS, 0.0)], dim=2).flatten(1)


def _sign(values: Tensor) -> Tensor:
    return torch.where(values < 0, -1.0, 1.0)
