import doctest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from imaging.dense import fine
from imaging.image_file import read_image_file
from ml.batch_norm import Moments, SpatialBatchNorm, pool
from ml.convolutions import DownStage
from ml.energy_scores import MIN_OVERLAP_SHARE, inverse_dice_loss, inverse_e_t
from ml.models import convae
from ml.models.convae import ConvAE, ConvAEConfig, ConvAEOutput
from ml.module import accumulate_gradient
from ml.scores import SCORES
from ml.sparse_stem import lit_patches, sparse_stem
from ml.threads import thread_map

SMALL = ConvAEConfig(filters=(8, 6, 4, 4, 2))


def keras_state(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """State dict from the Keras weights of the fixture."""

    def numbered(name: str, i: int) -> str:
        return f"{name}_{i}" if i else name

    state: dict[str, NDArray[Any]] = {}
    for i in range(10):
        conv = numbered("conv2d", i) if i < 5 else numbered("conv2d_transpose", i - 5)
        stage = f"encoder.{i}" if i < 5 else f"decoder.{i - 5}"
        norm = numbered("batch_normalization", i)
        state |= {
            f"{stage}.conv.weight": arrays[f"{conv}/kernel"].transpose(3, 2, 0, 1),
            f"{stage}.conv.bias": arrays[f"{conv}/bias"],
            f"{stage}.norm.weight": arrays[f"{norm}/gamma"],
            f"{stage}.norm.bias": arrays[f"{norm}/beta"],
            f"{stage}.norm.running_mean": arrays[f"{norm}/moving_mean"],
            f"{stage}.norm.running_variance": arrays[f"{norm}/moving_variance"],
            f"{stage}.norm.steps": np.array(0),
        }
        if i < 9:
            state[f"{stage}.activation.slope"] = arrays[f"{numbered('p_re_lu', i)}/alpha"].transpose(2, 0, 1)
    return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in state.items()}


@pytest.fixture(scope="module")
def images(background: Path) -> Tensor:
    return torch.from_numpy(fine(read_image_file(background).images[np.arange(6)]))


def varied(model: ConvAE, seed: int = 0) -> ConvAE:
    """The model with slopes and norms away from where they start."""
    generator = torch.Generator().manual_seed(seed)
    for stage in model.stages:
        for parameter in (stage.bias_C, stage.norm.bias, *stage.activation.parameters()):
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return model


def of(reconstruction_NCHW: Tensor) -> ConvAEOutput:
    return ConvAEOutput(reconstruction_NCHW, torch.empty(0), ())


def test_parameter_count() -> None:
    assert sum(p.numel() for p in ConvAE(ConvAEConfig()).parameters()) == 3_574_065


def test_parity_convae(shared: Path) -> None:
    arrays = np.load(shared / "parity" / "convae_small_parity.npz")
    model = ConvAE(ConvAEConfig(e_t_scale=1.0), (3, 96, 144))
    model.load_state_dict(keras_state(arrays))
    image_NCHW = torch.from_numpy(arrays["input"]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        output = model.eval()(image_NCHW)
    np.testing.assert_allclose(output.z.permute(0, 2, 3, 1), arrays["z"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output.reconstruction.permute(0, 2, 3, 1), arrays["reco"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(inverse_dice_loss(image_NCHW, output), arrays["opp_dice"], rtol=1e-4)


def test_scale_is_undone(images: Tensor) -> None:
    """Input and reconstruction are in GeV: another unit inside does what scaling the events does."""
    torch.manual_seed(1)
    one, ten = (ConvAE(SMALL.model_copy(update={"e_t_scale": scale})).eval() for scale in (1.0, 10.0))
    ten.load_state_dict(one.state_dict())
    torch.testing.assert_close(ten(images).reconstruction, 10 * one(images / 10).reconstruction)


def test_sparse_stem_is_the_dense_one(images: Tensor) -> None:
    model = varied(ConvAE(SMALL))
    first, second, *_ = model.stages
    assert isinstance(first, DownStage)
    assert isinstance(second, DownStage)
    parameters = [*first.parameters(), second.conv.weight]
    parameters = [p for p in parameters if p is not first.bias_C]
    first_NCHW, dense_moments = first.train_forward(images)
    dense_NCHW = second.convolve(first_NCHW)
    sparse_NCHW, sparse_moments = sparse_stem(images, first, second)
    torch.testing.assert_close(sparse_NCHW, dense_NCHW, rtol=1e-4, atol=1e-4 * dense_NCHW.abs().max().item())
    for one, other in zip(sparse_moments, dense_moments, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    weight_NCHW = torch.randn(dense_NCHW.shape, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad((x * weight_NCHW).sum(), parameters) for x in (sparse_NCHW, dense_NCHW)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def test_few_patches_are_lit(images: Tensor) -> None:
    lit = lit_patches(images)
    assert len(lit.pixels) < 0.1 * len(images) * 96 * 120
    assert lit.pixels.sum().item() == pytest.approx(images.sum().item(), rel=1e-5)


def test_stem_of_empty_images() -> None:
    first, second, *_ = varied(ConvAE(SMALL)).stages
    assert isinstance(first, DownStage)
    assert isinstance(second, DownStage)
    empty_NCHW = torch.zeros(2, 3, 288, 360)
    sparse_NCHW, _ = sparse_stem(empty_NCHW, first, second)
    torch.testing.assert_close(sparse_NCHW, second.convolve(first.train_forward(empty_NCHW)[0]))


def test_inference_by_the_moments_of_the_batch_is_training(images: Tensor) -> None:
    """With the batch's own moments as running statistics, both passes are one function."""
    model = varied(ConvAE(SMALL))
    trained = model.train()(images)
    model.track([trained.moments], [len(images)])
    inferred = model.eval()(images)
    torch.testing.assert_close(inferred.z, trained.z, rtol=1e-3, atol=1e-3)
    scale = trained.reconstruction.abs().max().item()
    torch.testing.assert_close(inferred.reconstruction, trained.reconstruction, rtol=1e-3, atol=1e-4 * scale)


def test_moments_of_parts_pool_to_those_of_the_whole() -> None:
    x_NCHW = torch.randn(7, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 2
    parts = [Moments(part.mean((0, 2, 3)), part.var((0, 2, 3), correction=0)) for part in (x_NCHW[:4], x_NCHW[4:])]
    pooled = pool(parts, [4, 3])
    torch.testing.assert_close(pooled.mean, x_NCHW.mean((0, 2, 3)))
    torch.testing.assert_close(pooled.variance, x_NCHW.var((0, 2, 3), correction=0))


def test_running_statistics_average_evenly_then_forget() -> None:
    norm = SpatialBatchNorm(1)
    means = torch.arange(1.0, 251.0)
    for mean in means:
        norm.track(Moments(mean[None], mean[None] ** 2))
        if norm.steps <= 100:
            assert norm.running_mean.item() == pytest.approx((norm.steps.item() + 1) / 2, rel=1e-4)
    expected = means[:100].mean()
    for mean in means[100:]:
        expected = 0.99 * expected + 0.01 * mean
    assert norm.running_mean.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_threads_give_the_same_bits(dtype: torch.dtype, images: Tensor) -> None:
    results = []
    for each in ("one", "three"):
        torch.manual_seed(3)
        model = ConvAE(SMALL).train()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            if each == "one":
                accumulate_gradient(model, inverse_dice_loss, images.to_sparse(), 2)
            else:
                with thread_map(3) as threads:
                    accumulate_gradient(model, inverse_dice_loss, images.to_sparse(), 2, threads)
        results.append([p.grad for p in model.parameters() if p.grad is not None] + list(model.buffers()))
    assert len(results[0]) == len(results[1]) > 30
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert all(torch.isfinite(tensor).all() for tensor in results[0])


def test_inverse_dice_loss_is_equation_1(images: Tensor) -> None:
    reco_NCHW = images.roll(1, 3) + 0.1
    x, y = images.double(), reco_NCHW.double()
    expected = ((x**2).sum((1, 2, 3)) + (y**2).sum((1, 2, 3))) / (2 * (x * y).sum((1, 2, 3))) - 1
    torch.testing.assert_close(inverse_dice_loss(images, of(reco_NCHW)), expected.float(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(inverse_dice_loss(images, of(images)), torch.zeros(6), rtol=0, atol=1e-6)


def test_loss_without_overlap_is_finite_and_asks_for_overlap(images: Tensor) -> None:
    reco_NCHW = torch.zeros_like(images).requires_grad_()
    loss_N = inverse_dice_loss(images, of(reco_NCHW))
    torch.testing.assert_close(loss_N, torch.full((6,), 1 / MIN_OVERLAP_SHARE - 1))
    (gradient,) = torch.autograd.grad(loss_N.sum(), reco_NCHW)
    assert torch.isfinite(gradient).all()
    assert (gradient[images > 0] < 0).all()
    assert (gradient[images == 0] == 0).all()


def test_loss_is_smooth_where_its_tangent_begins() -> None:
    """Along the image itself, overlap s gives the loss of the equation, then its tangent."""
    image_NCHW = torch.full((1, 1, 1, 1), 4.0, dtype=torch.float64)

    def value_and_slope(share: float) -> tuple[float, float]:
        scale = torch.tensor(share, dtype=torch.float64, requires_grad=True)
        loss = inverse_dice_loss(image_NCHW, ConvAEOutput(image_NCHW * scale, torch.empty(0), ())).sum()
        return loss.item(), torch.autograd.grad(loss, scale)[0].item()

    below, above = (value_and_slope(MIN_OVERLAP_SHARE * (1 + sign * 1e-4)) for sign in (-1, 1))
    assert below == pytest.approx(above, rel=1e-3)


@pytest.mark.parametrize("name", convae.SCORES)
@pytest.mark.parametrize("n", [0, 2])
def test_scores_are_finite_for_empty_images_and_batches(name: str, n: int) -> None:
    empty_NCHW = torch.zeros(n, 3, 288, 360)
    score_N = SCORES[name].function(empty_NCHW, of(empty_NCHW))
    assert score_N.shape == (n,)
    assert torch.isfinite(score_N).all()


def test_inverse_e_t(images: Tensor) -> None:
    e_t_N = images.sum((1, 2, 3))
    torch.testing.assert_close(inverse_e_t(images, of(images)), 1 / e_t_N)
    torch.testing.assert_close(SCORES["pixel_sum"].function(images, of(images)), e_t_N)


def test_a_dead_reconstruction_leaves_no_nan(images: Tensor) -> None:
    """The last ReLU silenced, as large steps may do: loss and gradients stay finite."""
    model = ConvAE(SMALL).train()
    torch.nn.init.constant_(model.stages[-1].norm.bias, -1e4)
    loss = accumulate_gradient(model, inverse_dice_loss, images, 3)
    assert loss.item() == pytest.approx(1 / MIN_OVERLAP_SHARE - 1, rel=1e-3)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_docstring_example() -> None:
    result = doctest.testmod(convae)
    assert result.attempted
    assert not result.failed
