from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Dirichlet, Normal, kl_divergence

from darktrigger.config import validate
from darktrigger.errors import ConfigError, TrainingError
from ml.config import TrainingConfig
from ml.models.dirichlet import (
    DirichletConfig,
    DirichletVAE,
    Gaussian,
    laplace_approximation,
    loss,
    pixel_divergence,
)
from ml.module import Reconstruction

NAMES = {
    "encoder/dense": "encoder.hidden",
    "encoder/batch_normalization": "encoder.norm",
    "encoder/dense_1": "encoder.mean",
    "encoder/dense_2": "encoder.log_variance",
    "decoder/dense_3": "decoder.modes",
}


def test_parity_dirichlet(
    shared: Path,
    keras_state: Callable[[Mapping[str, NDArray[Any]], Mapping[str, str]], dict[str, Tensor]],
    assert_parity: Callable[[Any, Any], None],
) -> None:
    arrays = np.load(shared / "parity" / "dirichlet_parity.npz")
    model = DirichletVAE(DirichletConfig())
    model.load_state_dict(keras_state(arrays, NAMES))
    # The original is fed as it is what its training normalises; the fixture's images are not normalised.
    image_NCHW = torch.from_numpy(arrays["input"]).view(-1, 1, 72, 58)
    model.double().eval()
    # In double precision like the fixture; the model's own casts to float32 leave 1e-7.
    with torch.inference_mode():
        hidden_NF = torch.nn.functional.selu(model.encoder.hidden(image_NCHW.flatten(1)))
        x_NF = model.encoder.norm(hidden_NF).double()
        posterior = Gaussian(model.encoder.mean(x_NF), model.encoder.log_variance(x_NF).clamp(-20, 2))
        density_NCHW = model.decoder(posterior.mean.softmax(1))
        prior = Gaussian(model.prior_mean, model.prior_log_variance)
    assert_parity(posterior.mean, arrays["mean"])
    assert_parity(posterior.log_variance, arrays["log_var"])
    assert_parity(posterior.mean.softmax(1), arrays["softmax_mean"])
    assert_parity(density_NCHW.permute(0, 2, 3, 1), arrays["reco"])
    assert_parity(prior.mean[None], arrays["prior_mean"])
    assert_parity(prior.log_variance.exp()[None], arrays["prior_var"])
    assert_parity(posterior.divergence(prior).mean(), arrays["latent_loss"])
    assert_parity(pixel_divergence(image_NCHW, density_NCHW).mean(), arrays["kl_loss"])
    assert DirichletConfig().kl_weight == arrays["alpha"]


def images(n: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(n, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).to(dtype)


def small() -> DirichletVAE:
    model = DirichletVAE(DirichletConfig(units=16))
    model.reset_parameters(torch.Generator().manual_seed(1))
    return model.eval()


def test_parameter_count() -> None:
    # The paper says 2M; the two running averages of each hidden unit are no parameters of torch.
    model = DirichletVAE(DirichletConfig())
    counts = [sum(p.numel() for p in part.parameters()) for part in (model.encoder, model.decoder)]
    assert counts == [2_143_238 - 2 * 512, 12_528]


def test_encoder_sees_normalised_images() -> None:
    model = small()
    once, scaled = model(images()), model(3 * images())
    torch.testing.assert_close(scaled.z_m, once.z_m)
    torch.testing.assert_close(scaled.reconstruction, 3 * once.reconstruction)
    torch.testing.assert_close(once.density.sum((1, 2, 3)), torch.ones(4))
    torch.testing.assert_close(once.reconstruction.sum((1, 2, 3)), images().sum((1, 2, 3)))


def test_divergences_are_those_of_torch() -> None:
    output = small()(images())
    q, p = (Normal(each.mean, (0.5 * each.log_variance).exp()) for each in (output.posterior, output.prior))
    torch.testing.assert_close(output.kl_r, kl_divergence(q, p).sum(1))
    torch.testing.assert_close(output.kl_f, kl_divergence(p, q).sum(1))


def test_loss() -> None:
    output = small()(images())
    image_NCHW = images() / images().sum((1, 2, 3), keepdim=True)
    # For a pixel x log x -> 0; the clipped ones add 4176 * 1e-7 * log at most.
    expected = torch.special.xlogy(image_NCHW, image_NCHW / output.density).sum((1, 2, 3)) + 0.1 * output.kl_r
    torch.testing.assert_close(loss(images(), output), expected, rtol=0, atol=0.005)


def test_prior_is_near_the_dirichlet_distribution() -> None:
    # Means of the log-ratios of a Dirichlet distribution, which the approximation keeps in order and sign.
    prior = laplace_approximation((1.0, 0.25, 0.1))
    sample = Dirichlet(torch.tensor([1.0, 0.25, 0.1], dtype=torch.float64)).sample((1000,))
    assert prior.mean.tolist() == sorted(prior.mean.tolist(), reverse=True)
    assert sample.mean(0).argmax() == prior.mean.argmax() == 0
    assert prior.mean.sum().item() == pytest.approx(0, abs=1e-6)


def test_batch_goes_through_whole() -> None:
    assert Reconstruction(small(), loss, TrainingConfig()).micro_batch == 128
    with pytest.raises(TrainingError, match=r"training\.micro_batch: the model normalises over the batch.*found 8"):
        Reconstruction(small(), loss, TrainingConfig(micro_batch=8))


def test_concentration_has_three_entries() -> None:
    with pytest.raises(ConfigError, match="concentration"):
        validate(DirichletConfig, {"concentration": [1.0, 0.25]}, "test")
