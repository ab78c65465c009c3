from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.concrete import Concrete, draw_gumbel, mixture_log_density
from ml.models.codvae import CoDVAE, CoDVAEConfig, CoDVAEOutput, loss
from ml.scores import SCORES, bce

SMALL = CoDVAEConfig(filters=(8, 8), groups=2, z_channels=4, draws=3, components=2, kl_weight=0.5)


class Fixture(NamedTuple):
    """Model with the fixture's weights, the fixture, its images, and what the model makes of them."""

    model: CoDVAE
    arrays: Mapping[str, NDArray[Any]]
    images: torch.Tensor
    output: CoDVAEOutput


def nchw(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.moveaxis(array, -1, -3).astype(np.float32))


def nhwc(tensor: Tensor) -> Tensor:
    return tensor.movedim(-3, -1)


@pytest.fixture(scope="module")
def codvae(
    shared: Path,
    keras_names: Callable[[str, str], dict[str, str]],
    keras_state: Callable[[Mapping[str, NDArray[Any]], Mapping[str, str]], dict[str, Tensor]],
) -> Fixture:
    arrays = np.load(shared / "parity" / "codvae_parity.npz")
    names = keras_names("energy_encoder", "mask_encoder")
    names |= {"energy_encoder/logits": "encoder.latents", "energy_encoder/temperature": "encoder.temperature"}
    model = CoDVAE(CoDVAEConfig()).eval()
    state = keras_state(arrays, names)
    state |= {
        "prior_logits": nchw(np.moveaxis(arrays["prior_logits"], 2, 0)),
        "prior_temperature": torch.from_numpy(arrays["prior_tau"]).view(-1, 1, 1, 1),
    }
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert set(missing) == {"noise", "prior_noise", "prior_component"}
    image_NCHW = nchw(arrays["input"])
    with torch.inference_mode():
        # The fixture has one draw an event.
        output = model(image_NCHW, nchw(arrays["gumbel"])[:, None])
    return Fixture(model, arrays, image_NCHW, output)


def test_parity_codvae_posterior(codvae: Fixture, assert_parity: Callable[[Any, Any], None]) -> None:
    arrays, output = codvae.arrays, codvae.output
    assert_parity(nhwc(output.posterior.logits[:, 0]), arrays["logits"])
    assert_parity(output.posterior.temperature[:, 0, 0], arrays["tau"])
    assert_parity(nhwc(output.log_z[:, 0].exp()), arrays["z_fixed"])
    assert_parity(output.z_m, arrays["zm"])


def test_parity_codvae_decoder(codvae: Fixture, assert_parity: Callable[[Any, Any], None]) -> None:
    arrays, output = codvae.arrays, codvae.output
    assert_parity(nhwc(output.logits), arrays["decoder_logits"])
    assert_parity(-bce(codvae.images, output), arrays["log_prob"])
    assert_parity(bce(codvae.images, output).mean(), arrays["reco_loss"])
    assert_parity(nhwc(output.mean), arrays["mean"])
    sure = np.abs(arrays["decoder_logits"]) > 1e-4
    np.testing.assert_array_equal(nhwc(output.reconstruction)[sure], arrays["mode"][sure])


def test_parity_codvae_densities(codvae: Fixture, assert_parity: Callable[[Any, Any], None]) -> None:
    arrays, model = codvae.arrays, codvae.model
    log_z_NCHW = nchw(arrays["z_density"]).log()
    # The fixture gives densities of z, we those of log z.
    jacobian_NHW = log_z_NCHW.sum(1)
    posterior = Concrete(nchw(arrays["logits"]), torch.from_numpy(arrays["tau"])[:, None])
    with torch.inference_mode():
        prior = Concrete(model.prior_logits, model.prior_temperature)
        assert_parity(posterior.log_density(log_z_NCHW) - jacobian_NHW, arrays["log_q"])
        assert_parity(mixture_log_density(prior, log_z_NCHW) - jacobian_NHW, arrays["log_p"])


def test_parity_codvae_divergence(codvae: Fixture, assert_parity: Callable[[Any, Any], None]) -> None:
    # One sample: equation 3 says the sum over the 5 x 4 places of log q - log p.
    arrays = codvae.arrays
    np.testing.assert_allclose(arrays["z_density"], arrays["z_fixed"], rtol=1e-6)
    assert_parity(codvae.output.kl_r.detach(), (arrays["log_q"] - arrays["log_p"]).sum((1, 2)))


def test_parameter_count() -> None:
    model = CoDVAE(CoDVAEConfig())
    parts = (model.encoder, model.mask_encoder, model.decoder)
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [612_289, 270_594, 763_841]
    assert model.prior_logits.numel() == 6_400


def test_default_weight_is_what_the_original_amounts_to() -> None:
    # Sum over 10 samples and 4 columns, mean over 5 rows, divided by the batch size, added twice,
    # beside the mean over 10 samples and the sum over 5 x 4 places.
    per_place = np.random.default_rng(1).normal(size=(128, 10, 5, 4))
    original = 2 * per_place.sum((1, 3)).mean() / 128
    ours = CoDVAEConfig().kl_weight * per_place.mean(1).sum((1, 2)).mean()
    assert ours == pytest.approx(original)


def images(n: int = 4) -> Tensor:
    return (torch.rand(n, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).float()


def small(seed: int = 1) -> CoDVAE:
    model = CoDVAE(SMALL)
    model.reset_parameters(torch.Generator().manual_seed(seed))
    return model


def test_loss_is_cross_entropy_and_weighted_divergence() -> None:
    output = small()(images())
    torch.testing.assert_close(loss(images(), output), bce(images(), output) + 0.5 * output.kl_r)
    gradients = torch.autograd.grad(output.kl_r.sum(), list(small().encoder.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_divergence_reaches_logits_temperature_and_prior() -> None:
    model = small()
    wanted = [model.encoder.latents.weight, model.encoder.temperature.weight, model.prior_logits]
    gradients = torch.autograd.grad(model(images()).kl_r.sum(), wanted)
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_divergences_vanish_where_posterior_and_prior_agree() -> None:
    model = CoDVAE(SMALL.model_copy(update={"components": 1}))
    torch.nn.init.zeros_(model.encoder.latents.weight)
    torch.nn.init.zeros_(model.encoder.temperature.weight)
    assert model.encoder.temperature.bias is not None
    torch.nn.init.zeros_(model.encoder.temperature.bias)
    model.prior_temperature.fill_(1 + np.log(2))
    output = model(images())
    torch.testing.assert_close(output.kl_r, torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(output.kl_f, torch.zeros(4), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["kl_r", "kl_f"])
def test_estimate_of_a_divergence(name: str) -> None:
    # Of two categories the densities are those of their log-odds t, to be integrated.
    model = CoDVAE(SMALL.model_copy(update={"draws": 20_000, "z_channels": 2, "filters": (8, 8, 8, 8)}))
    model.reset_parameters(torch.Generator().manual_seed(3))
    output = model(images(1))
    posterior, prior = output.posterior, output.prior
    t = torch.linspace(-60, 60, 24_001, dtype=torch.float64)
    log_z = torch.nn.functional.logsigmoid(torch.stack([t, -t], 1))[:, :, None, None]
    q = Concrete(*(tensor[0].double() for tensor in posterior))
    log_q = q.log_density(log_z)
    log_p = mixture_log_density(Concrete(*(tensor.double() for tensor in prior)), log_z)
    weight, difference = (log_q, log_q - log_p) if name == "kl_r" else (log_p, log_p - log_q)
    normalised = weight.exp().sum(0)
    torch.testing.assert_close(normalised * (t[1] - t[0]), torch.ones_like(normalised), rtol=1e-3, atol=0)
    exact = (weight.exp() * difference).sum(0).sum() * (t[1] - t[0])
    assert getattr(output, name).item() == pytest.approx(exact.item(), rel=0.02)


def test_without_noise_the_model_is_a_function_of_the_image() -> None:
    model = small()
    together, alone = model(images()), model(images()[2:3])
    for name in ("bce", "kl_r", "kl_f", "z1"):
        score = SCORES[name].function
        torch.testing.assert_close(score(images(), together)[2:3], score(images()[2:3], alone))
    torch.testing.assert_close(model.train()(images()).logits, together.logits)


def test_draws_for_inference_come_from_the_seed_and_are_saved() -> None:
    state, again, other = (small(seed).state_dict() for seed in (1, 1, 2))
    for name in ("noise", "prior_noise", "prior_component", "prior_temperature"):
        assert torch.equal(state[name], again[name])
        assert not torch.equal(state[name], other[name])
    assert ((state["prior_temperature"] > 0.1) & (state["prior_temperature"] < 1)).all()
    assert state["prior_component"].unique().tolist() == [0, 1]


def test_noise_of_training() -> None:
    noise = small().draw(5, torch.Generator().manual_seed(4))
    assert noise.shape == (5, 3, 4, 18, 15)
    torch.testing.assert_close(noise, draw_gumbel((5, 3, 4, 18, 15), torch.Generator().manual_seed(4)))


def test_reconstruction_is_the_mode() -> None:
    output = small()(images())
    assert torch.equal(output.reconstruction, (output.mean > 0.5).float())
    torch.testing.assert_close(SCORES["sae"].function(images(), output), SCORES["sse"].function(images(), output))


def test_initial_scale_of_the_posterior() -> None:
    def posterior(scale: float) -> Concrete:
        model = CoDVAE(SMALL.model_copy(update={"initial_scale": scale}))
        model.reset_parameters(torch.Generator().manual_seed(1))
        torch.nn.init.zeros_(model.encoder.temperature.weight)
        image_NCHW = (torch.rand(2, 1, 72, 58, generator=torch.Generator().manual_seed(2)) > 0.9).float()
        with torch.inference_mode():
            return model.encoder.posterior(image_NCHW)

    usual, scaled = posterior(1.0), posterior(3.0)
    torch.testing.assert_close(scaled.logits, 3 * usual.logits)
    torch.testing.assert_close(scaled.temperature, 3 * usual.temperature)
    assert usual.temperature.max().item() == pytest.approx(1 + np.log(2))
