"""Distance correlation against dcor, the original's figure, and finite differences."""

from pathlib import Path

import dcor
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.disco import distance_correlation, mean_distances, pairwise
from ml.discordance import discordant_moments


def points(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, generator=generator, dtype=torch.float64)
    return x, x.square() + 0.5 * torch.randn(n, generator=generator, dtype=torch.float64)


def test_parity_disco(shared: Path) -> None:
    arrays = np.load(shared / "parity" / "disco_parity.npz")
    a, b = torch.from_numpy(arrays["a"]), torch.from_numpy(arrays["b"])
    assert distance_correlation(a, b).item() == pytest.approx(arrays["dcor_correlation_sqr"].item(), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 70), seed=st.integers(0, 2**31 - 1), ties=st.booleans())
def test_same_as_dcor_with_and_without_ties(n: int, seed: int, ties: bool) -> None:
    x, y = points(n, seed)
    if ties:
        x, y = x.round(), y.round()
    expected = dcor.distance_correlation_sqr(x.numpy(), y.numpy())
    assert distance_correlation(x, y).item() == pytest.approx(float(expected), abs=1e-9)


def test_whole_numbered_weights_are_copies() -> None:
    x, y = points(40)
    weight = torch.arange(40) % 3
    copies = distance_correlation(x.repeat_interleave(weight), y.repeat_interleave(weight))
    torch.testing.assert_close(distance_correlation(x, y, weight), copies, rtol=1e-9, atol=1e-12)


def test_gradient_is_that_of_finite_differences() -> None:
    x, y = points(12)
    weight = torch.rand(12, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) + 0.5
    # The standardisation is a constant to the gradient, and the correlation does not depend on it.
    inputs = tuple(tensor.requires_grad_() for tensor in (x, y, weight))
    assert torch.autograd.gradcheck(distance_correlation, inputs)


def test_discordant_moments_by_hand() -> None:
    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 4.0, 6.0])
    assert discordant_moments(x, y, torch.tensor([[1.0], [10.0], [100.0]])).tolist() == [[10.0], [1.0], [0.0]]


def test_mean_distances_against_all_pairs() -> None:
    x, _ = points(30)
    weight = torch.full((30,), 1 / 30, dtype=torch.float64)
    torch.testing.assert_close(mean_distances(x, weight), (x[:, None] - x[None, :]).abs().mean(1))


def test_a_constant_is_independent_and_has_a_gradient() -> None:
    x, y = points(20)
    constant = torch.zeros_like(y, requires_grad=True)
    value = distance_correlation(x, constant)
    torch.autograd.backward(value)
    assert value.item() == 0
    assert constant.grad is not None
    assert constant.grad.isfinite().all()


def test_scale_and_shift_do_not_matter() -> None:
    x, y = points(50)
    value = distance_correlation(x, y)
    torch.testing.assert_close(distance_correlation(1e6 + 3 * x, -0.01 * y), value, rtol=1e-6, atol=0)


def test_pairwise_adds_up_and_is_zero_for_one() -> None:
    x, y = points(25)
    expected = 2 * distance_correlation(x, y) + distance_correlation(x, x)
    torch.testing.assert_close(pairwise(torch.stack([x, y, x], dim=1)), expected)
    assert pairwise(x[:, None]).item() == 0
