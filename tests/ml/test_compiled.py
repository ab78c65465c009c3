"""The forms of layers that a compiler for an accelerator gets, beside those that run eagerly."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from darktrigger.errors import TrainingError
from ml import conditioning, layers, up_sampling
from ml.config import run_config
from ml.layers import ungrouped
from ml.models.codae import CoDAE, CoDAEConfig
from ml.module import Reconstruction, accumulate_gradient
from ml.registry import family
from ml.scores import bce
from ml.streams import torch_stream
from ml.training import train
from ml.training_config import TrainingConfig
from ml.up_sampling import doubled

SMALL = {"filters": [8, 8, 8, 8], "z_channels": 8}


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and layers take those forms here as well."""

    def patch() -> None:
        for module in (layers, up_sampling, conditioning):
            monkeypatch.setattr(module, "compiling", lambda _: True)

    return patch


def masks(n: int) -> Tensor:
    return (torch.rand(n, 1, 72, 58, generator=torch_stream(1, "masks")) < 0.03).float()


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_stream(1, "random"))


def loss_and_gradient(model: nn.Module, loss: Any, network: Any = None) -> list[Tensor]:
    model.zero_grad()
    value = accumulate_gradient(model, loss, masks(3), 3, network=network)
    return [value, *(parameter.grad for parameter in model.parameters() if parameter.grad is not None)]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_convolution_without_groups_does_the_same(groups: int) -> None:
    x_NCHW, weight = random(2, 8, 5, 4), random(12, 8 // groups, 3, 3)
    dense = ungrouped(weight, groups)
    assert dense.shape == (12, 8, 3, 3)
    torch.testing.assert_close(F.conv2d(x_NCHW, dense), F.conv2d(x_NCHW, weight, groups=groups))


def test_doubling_of_both_axes_is_bilinear_interpolation() -> None:
    x_NCHW = random(2, 3, 5, 4)
    expected = F.interpolate(x_NCHW, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled(doubled(x_NCHW, 2), 3), expected)


@pytest.mark.parametrize(
    ("name", "model"),
    [("codae", SMALL), ("codae", SMALL | {"conditioning": "affine"}), ("cae", SMALL), ("heimel", {})],
)
def test_both_forms_have_the_same_values_and_gradients(
    name: str, model: dict[str, Any], compiling: Callable[[], None]
) -> None:
    spec = family(name)
    network = spec.model(run_config(name, {"model": model}).model)
    network.reset_parameters(torch_stream(1, "weights"))
    eager = loss_and_gradient(network, spec.loss)
    compiling()
    for found, expected in zip(loss_and_gradient(network, spec.loss), eager, strict=True):
        torch.testing.assert_close(found, expected, rtol=0.02, atol=1e-3 * float(expected.abs().max()))


def test_in_bfloat16_the_dense_convolution_stands_in(compiling: Callable[[], None]) -> None:
    x_NCHW, weight = random(2, 8, 5, 4), random(12, 4, 3, 3)
    eager = layers.same_conv2d(x_NCHW, weight, groups=2)
    compiling()
    with torch.autocast("cpu", torch.bfloat16):
        found = layers.same_conv2d(x_NCHW, weight, groups=2)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), eager, rtol=0.03, atol=0.1)


def test_a_compiler_that_calls_itself_an_export_gets_its_norm_all_the_same(
    compiling: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    norm, x_NCHW = layers.InstanceNorm(3), random(2, 3, 5, 4)
    expected = norm(x_NCHW)
    compiling()
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    monkeypatch.setattr(F, "instance_norm", lambda *_, **__: pytest.fail("the operator of the export"))
    torch.testing.assert_close(norm(x_NCHW), expected)


@pytest.mark.slow
def test_a_compiler_takes_the_network_in_one_piece(compiling: Callable[[], None]) -> None:
    model = CoDAE(CoDAEConfig(**SMALL))
    model.reset_parameters(torch_stream(1, "weights"))
    eager = loss_and_gradient(model, bce)
    compiling()
    network = torch.compile(model.forward, dynamic=False, backend="aot_eager", fullgraph=True)
    for found, expected in zip(loss_and_gradient(model, bce, network), eager, strict=True):
        torch.testing.assert_close(found, expected, rtol=0.02, atol=1e-3 * float(expected.abs().max()))


def test_what_is_compiled_takes_whole_batches_only() -> None:
    module = Reconstruction(nn.Identity(), bce, TrainingConfig(batch_size=4, micro_batch=2, compile=True))
    assert module.network(torch.zeros(4, 1)) is None
    module.on_fit_start()
    assert module.network(torch.zeros(4, 1)) is None, "on a CPU nothing is compiled"
    module._compiled = nn.Identity()
    assert module.network(torch.zeros(4, 1)) is module._compiled
    assert module.network(torch.zeros(3, 1)) is None


def test_a_network_that_cannot_be_compiled_is_an_error_that_says_so(
    background: Path, small_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise TorchDynamoException("Failed to find C compiler. Please specify via CC environment variable.\nMore.")

    monkeypatch.setattr(Reconstruction, "network", lambda *_: fail)
    expected = r"training\.compile: the network cannot be compiled here \(Failed to find C compiler.*\); leave the key"
    with pytest.raises(TrainingError, match=expected):
        train("codae", [background], tmp_path / "run", small_config(compile=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.filterwarnings("default")
def test_compiled_training_follows_the_eager_one(
    background: Path, small_config: Callable[..., Any], tmp_path: Path
) -> None:
    losses = []
    for compiled in (False, True):
        run = tmp_path / str(compiled)
        train("codae", [background], run, small_config(compile=compiled, precision="bfloat16"))
        with (run / "metrics.csv").open() as stream:
            losses.append([float(row["train_loss"]) for row in csv.DictReader(stream)])
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
