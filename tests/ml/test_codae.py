from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from darktrigger.config import validate
from darktrigger.errors import ConfigError
from ml.models.codae import CoDAE, CoDAEConfig, CoDAEOutput
from ml.scores import SCORES
from ml.ssim import ssim


def outputs(model: CoDAE, arrays: Mapping[str, NDArray[Any]]) -> tuple[Tensor, CoDAEOutput]:
    image_NCHW = torch.from_numpy(arrays["input"].astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return image_NCHW, model(image_NCHW)


def nhwc(tensor_NCHW: Tensor) -> NDArray[Any]:
    return tensor_NCHW.permute(0, 2, 3, 1).numpy()


def test_parameter_count() -> None:
    model = CoDAE(CoDAEConfig())
    parts = (model.encoder, model.mask_encoder, model.decoder)
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [612_032, 270_594, 763_841]


def test_parity_codae(
    keras_codae: Callable[[str], tuple[CoDAE, Mapping[str, NDArray[Any]]]], assert_parity: Callable[[Any, Any], None]
) -> None:
    model, arrays = keras_codae("codae_parity.npz")
    image_NCHW, output = outputs(model, arrays)
    reco_NCHW = output.logits.sigmoid()
    score = {name: SCORES[name].function(image_NCHW, output) for name in ("bce", "sse", "dice")}
    assert_parity(nhwc(output.z), arrays["z"])
    assert_parity(output.z_m, arrays["zm"])
    assert_parity(nhwc(reco_NCHW), arrays["reco"])
    assert_parity(score["bce"], arrays["loss_bce_per_image"])
    assert_parity(score["bce"].mean(), arrays["loss_bce"])
    assert_parity(score["sse"].mean(), arrays["loss_mse"])
    assert_parity(score["dice"].sum(), arrays["loss_dice"])
    assert_parity(ssim(reco_NCHW, image_NCHW), arrays["ssim"])
    assert_parity(-10 * torch.log10(score["sse"] / image_NCHW[0].numel()), arrays["psnr"])


def test_parity_codae_trained(
    keras_codae: Callable[[str], tuple[CoDAE, Mapping[str, NDArray[Any]]]], assert_parity: Callable[[Any, Any], None]
) -> None:
    model, arrays = keras_codae("codae_trained_f16.npz")
    _, output = outputs(model, arrays)
    assert_parity(nhwc(output.z), arrays["z"])
    assert_parity(output.z_m, arrays["zm"])
    assert_parity(nhwc(output.logits.sigmoid()), arrays["reco"])


def test_initialisation() -> None:
    model = CoDAE(CoDAEConfig())
    biases = {name: p for name, p in model.named_parameters() if name.endswith("bias") and "norm" not in name}
    assert all((p == (-1 if name.startswith("decoder") else 0)).all() for name, p in biases.items())
    weight = model.encoder.get_parameter("stages.1.conv1.conv.weight")
    limit = (6 / (9 * weight.shape[1])) ** 0.5
    assert 0.98 * limit < weight.abs().max() <= limit


def test_groups_must_divide_filters() -> None:
    with pytest.raises(ConfigError, match="groups: 3 does not divide"):
        validate(CoDAEConfig, {"groups": 3}, "test")
    with pytest.raises(ConfigError, match="mask_groups: 5 does not divide"):
        validate(CoDAEConfig, {"mask_groups": 5}, "test")


def test_conditioning_is_one_of_four() -> None:
    with pytest.raises(ConfigError, match=r"conditioning: .*'scale', 'bias', 'concatenation' or 'affine'"):
        validate(CoDAEConfig, {"conditioning": "film"}, "test")
