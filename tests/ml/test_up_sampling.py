"""The up-sampling convolution against up-sampling and convolution, values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ml.layers import ConvBlock
from ml.up_sampling import UpConvBlock, bilinear_matrix


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_bilinear_matrix(size: int) -> None:
    x = random(1, 1, size)
    expected = F.interpolate(x, scale_factor=2, mode="linear", align_corners=False)
    torch.testing.assert_close(bilinear_matrix(size) @ x[0, 0], expected[0, 0])


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(("height", "width"), [(5, 4), (2, 3), (1, 1)])
def test_up_sampling_convolution(groups: int, height: int, width: int) -> None:
    x_NCHW = random(2, 8, height, width)
    block, plain = UpConvBlock(8, 12, height, width, groups=groups), ConvBlock(8, 12, groups=groups)
    torch.nn.init.normal_(block.norm.weight, generator=torch.Generator().manual_seed(1))
    plain.load_state_dict(block.state_dict())
    found = block(x_NCHW)
    expected = plain(F.interpolate(x_NCHW, scale_factor=2, mode="bilinear", align_corners=False))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weight = random(*found.shape, seed=9).detach()
    for one, other in zip(
        torch.autograd.grad((found * weight).sum(), [x_NCHW, block.conv.weight, *block.norm.parameters()]),
        torch.autograd.grad((expected * weight).sum(), [x_NCHW, plain.conv.weight, *plain.norm.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_weights_are_those_of_a_block_without_up_sampling() -> None:
    assert UpConvBlock(8, 12, 5, 4).state_dict().keys() == ConvBlock(8, 12).state_dict().keys()
