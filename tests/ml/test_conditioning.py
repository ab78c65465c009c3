"""The conditionings against what algorithm 2 of the CoDAE paper says, values and gradients."""

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ml.conditioning import CONDITIONINGS, ConditioningName
from ml.export import Scorer, to_onnx
from ml.models.codae import CoDAE, CoDAEConfig

APPLY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "scale": lambda x, maps: x * maps,
    "bias": lambda x, maps: x + maps,
    "affine": lambda x, maps: x * maps[:, :6] + maps[:, 6:],
    "concatenation": lambda x, maps: torch.cat([x, maps], 1)[:, [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]],
}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("name", CONDITIONINGS)
def test_conditioning(name: ConditioningName) -> None:
    x_NCHW, z_NK = random(3, 6, 5, 4), random(3, 2, seed=1)
    layer = CONDITIONINGS[name](2, 6, 5, 4)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 5), torch.linspace(-1, 1, 4), indexing="ij")
    broadcast = torch.cat([z_NK[:, :, None, None].expand(-1, -1, 5, 4), torch.stack([x, y]).expand(3, -1, -1, -1)], 1)
    expected = APPLY[name](x_NCHW, F.conv2d(broadcast, layer.conv.weight, layer.conv.bias, padding=1))
    found = layer(x_NCHW, z_NK)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found.shape[1] == layer.out_channels
    assert layer.conv.bias is not None
    inputs = (x_NCHW, z_NK, layer.conv.weight, layer.conv.bias)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(9))
    gradients = [torch.autograd.grad((result * weight).sum(), inputs) for result in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", CONDITIONINGS)
def test_every_latent_moves_the_reconstruction(name: ConditioningName) -> None:
    model = CoDAE(CoDAEConfig(filters=(8, 8), groups=2, z_channels=4, conditioning=name))
    model.reset_parameters(torch.Generator().manual_seed(1))
    z_m_NK = random(2, 2)
    logits_NCHW = model.decoder(random(2, 4, 18, 15), z_m_NK)
    assert logits_NCHW.shape == (2, 1, 72, 58)
    (gradient_NK,) = torch.autograd.grad(logits_NCHW.square().sum(), [z_m_NK])
    assert (gradient_NK.abs() > 1e-3).all()


@pytest.mark.parametrize("name", ["bias", "concatenation", "affine"])
def test_export(name: ConditioningName) -> None:
    model = CoDAE(CoDAEConfig(filters=(8,), groups=2, z_channels=4, conditioning=name))
    scorer = Scorer(model, ["bce"]).eval()
    exported = onnxruntime.InferenceSession(to_onnx(scorer, "coarse mask").SerializeToString())
    for n in (0, 1, 64):
        image_NCHW = (torch.rand(n, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).float()
        (found,) = exported.run(["bce"], {"image": image_NCHW.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(found, scorer(image_NCHW)[0], rtol=1e-4)
