from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor

from ml.energy_scores import energy_of
from ml.models.nae import NAE, NAEConfig

_DECODER = ("0", "2", "5", "7", "11", "13")


def authors_state(arrays: NpzFile) -> dict[str, Tensor]:
    """Our state dict from the authors' arrays: their modules have our positions."""
    state = {}
    for theirs, ours in (("encoder.net", "encoder"), ("decoder.net.net", "decoder")):
        for key in (name for name in arrays.files if name.startswith(f"state/{theirs}.")):
            position, leaf = key.removeprefix(f"state/{theirs}.").split(".")
            if leaf == "weight" and arrays[key].size > 1:
                continue  # what their last forward pass left behind
            name = {"weight_orig": "weight", "weight_u": "u"}.get(leaf, leaf)
            state[f"{ours}.{position}.{name}"] = torch.from_numpy(arrays[key])
    return state


def test_parity_nae(shared: Path, assert_parity: Callable[[Any, Any], None]) -> None:
    arrays = np.load(shared / "parity" / "nae_parity.npz")
    model = NAE(NAEConfig()).eval()
    model.load_state_dict(authors_state(arrays))
    with torch.inference_mode():
        output = model(torch.from_numpy(arrays["raw"][:, None]))
        energy = energy_of(output.prepared, output.reconstruction)
    assert_parity(output.prepared, arrays["input"])
    assert_parity(output.encoded, arrays["encoder_out"])
    assert_parity(output.latent, arrays["z"])
    assert_parity(output.reconstruction, arrays["reco"])
    np.testing.assert_allclose(energy, arrays["energy"], rtol=1e-4)
    np.testing.assert_allclose(1600 * energy, arrays["energy_sum"], rtol=1e-4)


def test_parity_nae_drifts_as_the_original_where_the_iteration_goes_on(shared: Path) -> None:
    from ml.spectral import advance, hold

    arrays = np.load(shared / "parity" / "nae_parity.npz")
    model = NAE(NAEConfig())
    model.load_state_dict(authors_state(arrays))
    for _ in range(199):
        advance(model)
    hold(model)
    with torch.inference_mode():
        energy = model.energy(torch.from_numpy(arrays["input"]))
    np.testing.assert_allclose(energy, arrays["energy_call200"], rtol=2e-3)


def test_parameter_count() -> None:
    assert sum(p.numel() for p in NAE(NAEConfig()).parameters()) == 84_442
