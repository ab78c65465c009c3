import pytest
import torch

from ml.spectral import (
    Slope,
    SpectralConv2d,
    SpectralConvTranspose2d,
    SpectralLinear,
    advance,
    hold,
    holding,
    release,
)


@pytest.mark.parametrize("layer", [SpectralLinear(7, 5), SpectralConv2d(3, 4), SpectralConvTranspose2d(3, 4)])
def test_largest_singular_value_becomes_one(layer: SpectralLinear | SpectralConv2d | SpectralConvTranspose2d) -> None:
    layer.reset_parameters(torch.Generator().manual_seed(0))
    for _ in range(200):
        advance(layer)
    values = torch.linalg.svdvals(layer.normalised().detach().flatten(1))
    assert values.max() == pytest.approx(1, rel=1e-4)


def test_transposed_convolution_is_torchs_own() -> None:
    layer = SpectralConvTranspose2d(3, 4)
    layer.reset_parameters(torch.Generator().manual_seed(0))
    x_NCHW = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(1))
    expected = torch.nn.functional.conv_transpose2d(x_NCHW, layer.normalised(), layer.bias, padding=1)
    torch.testing.assert_close(layer(x_NCHW), expected)
    with holding(layer):
        torch.testing.assert_close(layer(x_NCHW), expected)


def test_use_changes_nothing_and_held_weights_are_the_same() -> None:
    first = SpectralConv2d(1, 4)
    model = torch.nn.Sequential(first, Slope(), SpectralConv2d(4, 2))
    x_NCHW = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    free = model(x_NCHW)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    with holding(model):
        torch.testing.assert_close(model(x_NCHW), free)
        with torch.no_grad():
            first.weight.mul_(2)
        # Held is held, until the weights are read anew.
        torch.testing.assert_close(model(x_NCHW), free)
    assert first.held is None
    advance(model)
    assert not torch.equal(first.u, state["0.u"])


def test_gradient_passes_the_normalisation() -> None:
    layer = SpectralLinear(4, 3)
    for _ in range(100):
        advance(layer)
    # The normalised weight does not change with the weight's scale, so the gradient is orthogonal to the weight.
    (gradient,) = torch.autograd.grad(layer.effective.square().mul(torch.arange(12).view(3, 4)).sum(), layer.weight)
    assert abs((gradient * layer.weight).sum()) < 1e-4 * gradient.norm() * layer.weight.norm()
    hold(layer)
    assert not layer.effective.requires_grad
    release(layer)
    assert layer.effective.requires_grad
