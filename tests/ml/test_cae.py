from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from ml.models.cae import CAE, CAEConfig
from ml.models.codae import CoDAE, CoDAEConfig


def test_parity_codae_encoder(
    keras_codae: Callable[[str], tuple[CoDAE, Mapping[str, NDArray[Any]]]], assert_parity: Callable[[Any, Any], None]
) -> None:
    codae, arrays = keras_codae("codae_parity.npz")
    model = CAE(CAEConfig())
    model.encoder.load_state_dict(codae.encoder.state_dict())
    with torch.inference_mode():
        z_NCHW = model(torch.from_numpy(arrays["input"]).permute(0, 3, 1, 2)).z
    assert_parity(z_NCHW.permute(0, 2, 3, 1), arrays["z"])


def test_codae_whose_conditioning_does_nothing() -> None:
    cae, codae = CAE(CAEConfig(filters=(8, 8), groups=2)), CoDAE(CoDAEConfig(filters=(8, 8), groups=2))
    codae.load_state_dict(cae.state_dict(), strict=False)
    for layer in codae.decoder.conditionings:
        torch.nn.init.zeros_(layer.get_parameter("conv.weight"))
        torch.nn.init.ones_(layer.get_parameter("conv.bias"))
    image_NCHW = (torch.rand(3, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).float()
    torch.testing.assert_close(cae(image_NCHW).logits, codae(image_NCHW).logits)


def test_parameters_are_those_of_the_codae_without_the_compact_latents() -> None:
    cae, codae = CAE(CAEConfig()), CoDAE(CoDAEConfig())
    conditionings = sum(p.numel() for p in codae.decoder.conditionings.parameters())
    count = sum(p.numel() for p in cae.parameters())
    assert count == 612_032 + 763_841 - conditionings
    assert {name: p.shape for name, p in cae.named_parameters()}.items() <= {
        name: p.shape for name, p in codae.named_parameters()
    }.items()
