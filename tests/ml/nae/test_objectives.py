from itertools import permutations

import pytest
import torch
from torch import Tensor

from ml.energy_scores import energy, energy_of
from ml.models.nae import NAE, NAEConfig
from ml.nae.config import NAETraining, PowerLaw, Wasserstein
from ml.nae.energetic import log_energy
from ml.nae.module import NormalizedTraining
from ml.nae.objectives import (
    Energies,
    LikelihoodObjective,
    PowerLawObjective,
    WassersteinObjective,
    objective_of,
    squared_distances,
)
from ml.nae.samples import Samples


@pytest.fixture(scope="module")
def model() -> NAE:
    network = NAE(NAEConfig(filters=2, units=4))
    network.reset_parameters(torch.Generator().manual_seed(1))
    return network


def images(n: int, seed: int) -> Tensor:
    return torch.rand(n, 1, 40, 40, generator=torch.Generator().manual_seed(seed)) / 1000


def samples(n: int, seed: int) -> Samples:
    latent = torch.nn.functional.normalize(torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)), dim=1)
    return Samples(images(n, seed), latent, torch.ones(n), torch.ones(n))


def test_likelihood_is_the_difference_of_the_energies(model: NAE) -> None:
    image, drawn = images(3, 1), samples(3, 2)
    found = LikelihoodObjective().compare(model, image, drawn)
    torch.testing.assert_close(found.loss, model.energy(image) - model.energy(drawn.image))
    torch.testing.assert_close(found.loss, found.positive - found.negative)


def test_likelihood_gradient_vanishes_where_data_and_samples_agree(model: NAE) -> None:
    image = images(3, 1)
    drawn = samples(3, 2)._replace(image=image)
    loss = LikelihoodObjective().compare(model, image, drawn).loss.mean()
    for gradient in torch.autograd.grad(loss, list(model.parameters()), allow_unused=True):
        if gradient is not None:
            assert gradient.abs().max() < 1e-9


def test_power_law_compares_logarithms(model: NAE) -> None:
    image, drawn = images(3, 1), samples(3, 2)
    found = PowerLawObjective().compare(model, image, drawn)
    torch.testing.assert_close(found.loss, (model.energy(image) / model.energy(drawn.image)).log())
    # An image rebuilt without error has no say, but a finite loss.
    assert log_energy(torch.zeros(1)).isfinite().all()


def test_chains_of_a_power_law_go_down_the_logarithm(model: NAE) -> None:
    config = NAETraining.model_validate({"pretrained": "x", "objective": {"kind": "power_law"}})
    assert (config.latent_chain.noise, config.latent_chain.clip, config.pixel_chain.noise) == (0.15, 10.0, 1e-4)
    point = samples(4, 3).latent
    torch.testing.assert_close(objective_of(config).slope(model)(point), model.latent_energy(point).log())
    own = config.model_validate({"pretrained": "x", "objective": {"kind": "power_law"}, "latent_chain": {"noise": 0.2}})
    assert (own.latent_chain.noise, own.latent_chain.clip) == (0.2, 10.0)
    assert NAETraining.model_validate(own.model_dump()) == own
    plain = NAETraining(pretrained="x")
    assert (plain.latent_chain.noise, plain.latent_chain.clip) == (0.01, 0.01)
    torch.testing.assert_close(objective_of(plain).slope(model)(point), model.latent_energy(point))


def test_assignment_is_optimal(model: NAE) -> None:
    image, drawn = images(5, 1), samples(5, 2)
    objective = WassersteinObjective(Wasserstein(), 50.0)
    order = objective.partners(image, drawn).tolist()
    cost = squared_distances(image, drawn.image)
    best = min(permutations(range(5)), key=lambda p: sum(float(cost[i, j]) for i, j in enumerate(p)))
    assert order == list(best)
    torch.testing.assert_close(cost[1, 2], energy_of(image[1:2], drawn.image[2:3])[0])


def test_distance_is_differentiated_through_decoder_and_steps(model: NAE) -> None:
    image, drawn = images(2, 1), samples(2, 2)
    objective = WassersteinObjective(Wasserstein(differentiated_steps=2, reconstruction=0.0), 50.0)
    loss = objective.compare(model, image, drawn).loss.sum()
    last = model.decoder[-2].get_parameter("bias")
    (gradient,) = torch.autograd.grad(loss, last)
    assert gradient.abs() > 0
    # The encoder matters to the steps alone.
    (through_steps,) = torch.autograd.grad(
        objective.compare(model, image, drawn).loss.sum(), model.encoder[-1].get_parameter("weight")
    )
    assert through_steps.abs().max() > 0
    moved = objective.moved(model, drawn)
    # Steps go down the energy.
    assert (model.energy(moved) < model.energy(drawn.image)).all()


def test_gradient_of_the_distance_is_that_of_finite_differences() -> None:
    network = NAE(NAEConfig(filters=2, units=4)).double()
    network.reset_parameters(torch.Generator().manual_seed(1))
    drawn = Samples(*(part.double() for part in samples(2, 2)))
    image = images(2, 1).double()
    objective = WassersteinObjective(Wasserstein(differentiated_steps=1, reconstruction=0.0), 50.0)
    bias = network.decoder[-2].get_parameter("bias")
    # What the chain did to its start is a constant of the objective, so the samples move with the decoder.
    offset = drawn.image - network.decode(drawn.latent).detach()

    def loss() -> Tensor:
        at = drawn._replace(image=network.decode(drawn.latent).detach() + offset)
        return objective.compare(network, image, at).loss.sum()

    (gradient,) = torch.autograd.grad(loss(), bias)
    step, values = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            bias.add_(sign * step)
        values.append(loss().item())
        with torch.no_grad():
            bias.sub_(sign * step)
    assert gradient.item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


def test_objective_is_chosen_by_its_kind() -> None:
    assert isinstance(objective_of(NAETraining(pretrained="x")), LikelihoodObjective)
    for kind, expected in (("wasserstein", WassersteinObjective), ("power_law", PowerLawObjective)):
        config = NAETraining.model_validate({"pretrained": "x", "objective": {"kind": kind}})
        assert isinstance(objective_of(config), expected)


def test_squares_in_units_of_the_initial_energy_turn_the_samples_energy_back() -> None:
    settings = {"positive_energy": 0.25, "negative_energy": 0.25, "unit": "initial"}
    config = NAETraining(pretrained="run", regularisation=settings)
    step = NormalizedTraining(NAE(NAEConfig(filters=2, units=4)), energy, config, energy_before=3e-6)
    negative = torch.tensor([1.0, 1.9, 2.1], dtype=torch.float64).mul(3e-6).requires_grad_()
    loss = step.regularised(Energies(-negative, torch.zeros(3), negative)).loss.sum()
    (slope,) = torch.autograd.grad(loss, negative)
    # Down to twice the initial energy the samples' is raised, beyond it is lowered.
    assert (slope < 0).tolist() == [True, True, False]
    power = config.model_copy(update={"objective": PowerLaw()})
    step = NormalizedTraining(step.model, energy, power, energy_before=3e-6)
    negative = torch.tensor([1.0, 1.4, 1.5], dtype=torch.float64).mul(3e-6).requires_grad_()
    loss = step.regularised(Energies(-negative.log(), torch.zeros(3), negative)).loss.sum()
    (slope,) = torch.autograd.grad(loss, negative)
    assert (slope < 0).tolist() == [True, True, False]
    plain = NormalizedTraining(step.model, energy, NAETraining(pretrained="run"), energy_before=3e-6)
    energies = Energies(torch.zeros(1), torch.tensor([2.0]), torch.tensor([3.0]))
    assert plain.regularised(energies).loss.item() == 13
