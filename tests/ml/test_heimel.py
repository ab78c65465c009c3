from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.models.heimel import Heimel, HeimelConfig, TransposedConv2x
from ml.scores import sse


def names() -> dict[str, str]:
    paths = {"encoder/latents": "encoder.latents", "decoder/conv2d": "decoder.logits"}
    layers: tuple[str | None, ...] = ("conv1-0", "PReLU1-0", "conv2-0", "PReLU2-0", None, "conv1-1", "PReLU1-1")
    paths |= {f"encoder/{layer}": f"encoder.convolutions.{i}" for i, layer in enumerate(layers) if layer}
    layers = ("conv_t1-0", "PReLU1-0", "conv_2-0", "PReLU2-0", "conv_t1-1", "PReLU1-1", "conv_2-1", "PReLU2-1")
    paths |= {f"decoder/{layer}": f"decoder.convolutions.{i}" for i, layer in enumerate(layers)}
    for part in ("encoder", "decoder"):
        layers = ("dense-0", "PReLU-0", "dense-1", "PReLU-1")
        paths |= {f"{part}/{layer}": f"{part}.dense.{i}" for i, layer in enumerate(layers)}
    return paths


def test_parity_heimel(
    shared: Path,
    keras_state: Callable[[Mapping[str, NDArray[Any]], Mapping[str, str]], dict[str, Tensor]],
    assert_parity: Callable[[Any, Any], None],
) -> None:
    arrays = np.load(shared / "parity" / "heimel_parity.npz")
    model = Heimel(HeimelConfig()).eval()
    model.load_state_dict(keras_state(arrays, names()))
    image_NCHW = torch.from_numpy(arrays["input"]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        output = model(image_NCHW)
    assert_parity(output.z, arrays["z"])
    assert_parity(output.reconstruction.permute(0, 2, 3, 1), arrays["reco"])
    assert_parity(sse(image_NCHW, output).mean(), arrays["loss_mse"])


def test_parameter_count() -> None:
    model = Heimel(HeimelConfig())
    assert [sum(p.numel() for p in part.parameters()) for part in (model.encoder, model.decoder)] == [549_037, 44_966]


def test_transposed_convolution_doubles_the_image() -> None:
    # The transpose of the strided 'same' convolution: <conv(y), x> = <y, transposed(x)>.
    layer = TransposedConv2x(2, 3)
    assert layer.bias is not None
    torch.nn.init.zeros_(layer.bias)
    x_NCHW = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    y_NCHW = torch.randn(1, 3, 8, 10, generator=torch.Generator().manual_seed(1))
    down_NCHW = torch.nn.functional.conv2d(torch.nn.functional.pad(y_NCHW, (0, 1, 0, 1)), layer.weight, stride=2)
    torch.testing.assert_close((down_NCHW * x_NCHW).sum(), (y_NCHW * layer(x_NCHW)).sum())


def test_initialisation() -> None:
    model = Heimel(HeimelConfig())
    model.reset_parameters(torch.Generator().manual_seed(1))
    assert (model.encoder.get_parameter("dense.0.bias") == 0).all()
    assert (model.decoder.get_parameter("dense.0.bias") == -1).all()
    assert (model.decoder.get_parameter("convolutions.0.bias") == -1).all()
    weight = model.encoder.get_parameter("dense.0.weight")
    limit = (6 / weight.shape[1]) ** 0.5
    assert 0.98 * limit < weight.abs().max() <= limit
