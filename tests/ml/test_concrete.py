import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical

from ml.concrete import Concrete, draw_gumbel, mixture_log_density


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def torch_log_density(logits: Tensor, tau: Tensor, log_z: Tensor) -> Tensor:
    """Density of log z by torch, whose distribution has the categories last and one temperature."""
    return torch.stack(
        [
            ExpRelaxedCategorical(temperature, logits=row).log_prob(z)  # type: ignore[no-untyped-call]  # torch's
            for row, temperature, z in zip(logits, tau, log_z, strict=True)
        ]
    )


def test_log_density_is_that_of_torch() -> None:
    logits, tau = random(6, 5), torch.linspace(0.1, 3, 6)
    log_z = torch.log_softmax(random(6, 5, seed=1) / tau[:, None], 1)
    distribution = Concrete(logits[:, :, None, None], tau[:, None, None, None])
    found = distribution.log_density(log_z[:, :, None, None])[:, 0, 0]
    torch.testing.assert_close(found, torch_log_density(logits, tau, log_z), rtol=1e-4, atol=1e-4)


def test_samples_follow_their_density() -> None:
    # E_q[p / q] = 1 for densities p and q of one space, whatever p.
    n, categories = 40_000, 3
    q = Concrete(random(categories, 1, 1), torch.tensor(1.5).view(1, 1, 1))
    p = Concrete(random(categories, 1, 1, seed=1) / 2, torch.tensor(1.7).view(1, 1, 1))
    log_z = q.sample(draw_gumbel((n, categories, 1, 1), torch.Generator().manual_seed(2)))
    ratio = (p.log_density(log_z) - q.log_density(log_z)).exp()
    assert ratio.mean().item() == pytest.approx(1, abs=5 * ratio.std().item() / math.sqrt(n))
    torch.testing.assert_close(log_z.exp().sum(1), torch.ones(n, 1, 1))


def test_mixture_is_the_mean_of_its_components() -> None:
    logits, tau = random(2, 4, 3, 2), torch.tensor([0.3, 0.9]).view(2, 1, 1, 1)
    log_z = torch.log_softmax(random(5, 4, 3, 2, seed=1), 1)
    parts = [Concrete(logits[i], tau[i]).log_density(log_z) for i in range(2)]
    expected = torch.stack(parts).double().exp().mean(0).log().float()
    torch.testing.assert_close(mixture_log_density(Concrete(logits, tau), log_z), expected)


def test_gumbel_noise() -> None:
    noise = draw_gumbel((200_000,), torch.Generator().manual_seed(1))
    assert torch.isfinite(noise).all()
    assert noise.mean().item() == pytest.approx(np.euler_gamma, abs=0.015)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, rel=0.03)
