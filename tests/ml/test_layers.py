"""The layers against those that torch has ready-made, values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ml.layers import (
    BatchNorm,
    ConvBlock,
    Pointwise,
    PooledConvBlock,
    mixes_events,
    same_max_pool,
    same_padding,
    standard_layers,
)
from ml.up_sampling import UpConvBlock


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def assert_same(found: Tensor, expected: Tensor, *inputs: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(9))
    for one, other in zip(
        torch.autograd.grad((found * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "stride", "expected"), [(72, 2, (0, 1)), (29, 2, (1, 1)), (58, 1, (1, 1)), (5, 2, (1, 1))]
)
def test_same_padding(size: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, 3, stride) == expected


@pytest.mark.parametrize(("height", "width"), [(72, 58), (36, 29), (9, 8)])
def test_max_pool(height: int, width: int) -> None:
    x_NCHW = random(2, 3, height, width)
    (top, bottom), (left, right) = same_padding(height, 3, 2), same_padding(width, 3, 2)
    padded = F.pad(x_NCHW, (left, right, top, bottom), value=float("-inf"))
    assert_same(same_max_pool(x_NCHW), F.max_pool2d(padded, 3, 2), x_NCHW)


@pytest.mark.parametrize("stride", [1, 2])
def test_conv_block(stride: int) -> None:
    x_NCHW = random(3, 8, 18, 15)
    block = ConvBlock(8, 16, stride=stride, groups=2)
    torch.nn.init.normal_(block.norm.weight, generator=torch.Generator().manual_seed(1))
    (top, bottom), (left, right) = same_padding(18, 3, stride), same_padding(15, 3, stride)
    conv = F.conv2d(
        F.pad(x_NCHW, (left, right, top, bottom)), block.conv.weight, block.conv.bias, stride=stride, groups=2
    )
    expected = F.leaky_relu(F.instance_norm(conv, weight=block.norm.weight, bias=block.norm.bias, eps=1e-3), 0.2)
    assert_same(block(x_NCHW), expected, x_NCHW, block.conv.weight, block.norm.weight, block.norm.bias)


def test_pooled_block_is_the_block_then_the_pooling() -> None:
    x_NCHW = random(3, 8, 18, 15)
    block, plain = PooledConvBlock(8, 16, groups=2), ConvBlock(8, 16, groups=2)
    torch.nn.init.normal_(block.norm.weight, generator=torch.Generator().manual_seed(1))
    plain.load_state_dict(block.state_dict())
    found, expected = block(x_NCHW), same_max_pool(plain(x_NCHW))
    assert torch.equal(found, expected)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), [x_NCHW, *block.parameters()], allow_unused=True),
        torch.autograd.grad(expected.square().sum(), [x_NCHW, *plain.parameters()], allow_unused=True),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_pointwise() -> None:
    x_NCHW, block, conv = random(3, 8, 5, 4), Pointwise(8, 2), torch.nn.Conv2d(8, 2, 1)
    conv.load_state_dict(block.state_dict())
    found, expected = block(x_NCHW), conv(x_NCHW)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), [x_NCHW, *block.parameters()]),
        torch.autograd.grad(expected.square().sum(), [x_NCHW, *conv.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_gradient_of_a_pointwise_convolution_lies_in_memory_as_its_input() -> None:
    x_NCHW = random(3, 8, 5, 4)
    (gradient_NCHW,) = torch.autograd.grad(Pointwise(8, 1)(x_NCHW).sum(), x_NCHW)
    assert gradient_NCHW.stride() == x_NCHW.stride()


def test_standard_layers_give_the_same_and_are_put_back() -> None:
    model = torch.nn.Sequential(UpConvBlock(8, 12, 5, 4, groups=4), Pointwise(12, 1))
    x_NCHW = random(3, 8, 5, 4)
    expected = model(x_NCHW)
    with standard_layers(model):
        assert all(part.standard for part in model)
        torch.testing.assert_close(model(x_NCHW), expected, rtol=1e-5, atol=1e-5)
    assert not any(part.standard for part in model)


def test_batch_norm() -> None:
    x_NF = random(6, 4)
    layer, reference = BatchNorm(4), torch.nn.BatchNorm1d(4, eps=1e-3, momentum=0.01)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(1))
    reference.weight.data.copy_(layer.weight)
    assert_same(layer(x_NF), reference(x_NF), x_NF)
    torch.testing.assert_close(layer.mean, reference.running_mean)
    assert reference.running_var is not None
    # torch keeps a running average of the unbiased variance.
    torch.testing.assert_close(layer.variance, 0.99 + (reference.running_var - 0.99) * 5 / 6)
    layer.eval(), reference.eval()
    reference.running_var.copy_(layer.variance)
    assert_same(layer(x_NF), reference(x_NF), x_NF)


def test_batch_norm_of_a_single_event() -> None:
    torch.testing.assert_close(BatchNorm(3)(torch.ones(1, 3)), torch.zeros(1, 3))


def test_mixing_of_events_is_seen() -> None:
    assert mixes_events(torch.nn.Sequential(torch.nn.Linear(2, 2), BatchNorm(2)))
    assert not mixes_events(torch.nn.Sequential(ConvBlock(2, 2)))
