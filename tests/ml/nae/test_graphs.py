"""The copy of a network that chains meet on a GPU; its capture is torch's own business."""

import pytest
import torch
import torch.nn.functional as F

from ml.models.nae import NAE, NAEConfig
from ml.nae.graphs import GraphedEnergies
from ml.spectral import holding


@pytest.fixture
def graphed(monkeypatch: pytest.MonkeyPatch) -> tuple[NAE, GraphedEnergies]:
    if not torch.cuda.is_available():
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda function, _: function)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = NAE(NAEConfig(filters=2, units=8)).to(device).train()
    return model, GraphedEnergies(model, 5)


def test_energies_and_slopes_are_the_network_s_after_each_step(graphed: tuple[NAE, GraphedEnergies]) -> None:
    model, twin = graphed
    generator = torch.Generator().manual_seed(1)
    for _ in range(2):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator).to(parameter.device))
        twin.refresh()
        device = next(model.parameters()).device
        image_NCHW = torch.rand(5, 1, 40, 40, generator=generator).to(device)
        latent_NK = F.normalize(torch.randn(5, 3, generator=generator), dim=1).to(device)
        with holding(model):
            for name, point in (("energy", image_NCHW), ("latent_energy", latent_NK)):
                mine, its = (point.clone().requires_grad_() for _ in range(2))
                expected, found = getattr(model, name)(mine), getattr(twin, name)(its)
                torch.testing.assert_close(found, expected)
                slopes = [torch.autograd.grad(e.sum(), p)[0] for e, p in ((expected, mine), (found, its))]
                torch.testing.assert_close(slopes[1], slopes[0])
            torch.testing.assert_close(twin.decode(latent_NK), model.decode(latent_NK))


def test_results_do_not_share_memory(graphed: tuple[NAE, GraphedEnergies]) -> None:
    """A graph writes its output to the same place each time."""
    _, twin = graphed
    device = next(twin.twin.parameters()).device
    first = twin.energy(torch.zeros(5, 1, 40, 40, device=device, requires_grad=True))
    kept = first.detach().clone()
    second = twin.energy(torch.ones(5, 1, 40, 40, device=device, requires_grad=True))
    assert torch.equal(first.detach(), kept)
    assert not torch.equal(first.detach(), second.detach())


def test_training_leaves_the_copy_alone(graphed: tuple[NAE, GraphedEnergies]) -> None:
    model, twin = graphed
    before = twin.energy(torch.ones(5, 1, 40, 40, device=next(model.parameters()).device)).detach()
    assert not any(parameter.requires_grad for parameter in twin.twin.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    after = twin.energy(torch.ones(5, 1, 40, 40, device=next(model.parameters()).device)).detach()
    assert torch.equal(before, after)
