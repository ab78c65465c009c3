from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from darktrigger.errors import ConfigError
from ml.models import codae
from ml.models.codae import CoDAEOutput
from ml.scores import SCORES, latent_direction, select


def output_of(reco_NCHW: Tensor, z_m: Sequence[Sequence[float]] = ((0.0, 0.0),)) -> CoDAEOutput:
    return CoDAEOutput(torch.logit(reco_NCHW), torch.empty(len(reco_NCHW), 0), torch.tensor(z_m))


class Latents(NamedTuple):
    """Output of a model with more latents and with divergences."""

    z_m: torch.Tensor
    kl_r: torch.Tensor
    kl_f: torch.Tensor


OF_LATENTS = ("z3", "kl_r", "kl_f")


def test_formulas() -> None:
    image_NCHW = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    reco_NCHW = torch.tensor([0.9, 0.4, 0.2, 0.7]).view(1, 1, 2, 2)
    output = output_of(reco_NCHW, [[1.5, -2.0]])
    expected = {
        "bce": -np.log([0.9, 0.4, 0.8, 0.3]).sum(),
        "sse": 0.1**2 + 0.6**2 + 0.2**2 + 0.7**2,
        "sae": 0.1 + 0.6 + 0.2 + 0.7,
        "sae_mask": 2,
        "dice": (2 + 0.81 + 0.16 + 0.04 + 0.49) / (2 * 1.3),
        "pixel_sum": 2.2,
        "z1": 1.5,
        "z2": -2.0,
    }
    found = {name: SCORES[name].function(image_NCHW, output).item() for name in expected}
    assert found == pytest.approx(expected, rel=1e-5)


def test_scores_of_latents() -> None:
    image_NCHW = torch.zeros(1, 1, 2, 2)
    output = Latents(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([4.0]), torch.tensor([5.0]))
    assert [SCORES[name].function(image_NCHW, output).item() for name in OF_LATENTS] == [3, 4, 5]


@pytest.mark.parametrize("name", codae.SCORES)
@pytest.mark.parametrize("n", [0, 3])
def test_finite_for_empty_images_and_empty_batches(name: str, n: int) -> None:
    image_NCHW = torch.zeros(n, 1, 72, 58)
    output = CoDAEOutput(torch.full_like(image_NCHW, -200.0), torch.zeros(n, 64, 5, 4), torch.zeros(n, 2))
    score_N = SCORES[name].function(image_NCHW, output)
    assert score_N.shape == (n,)
    assert torch.isfinite(score_N).all()


def test_bce_of_sure_and_wrong_pixels_is_finite() -> None:
    image_NCHW = torch.ones(1, 1, 2, 2)
    output = CoDAEOutput(torch.full_like(image_NCHW, -200.0), torch.empty(0), torch.empty(0))
    assert SCORES["bce"].function(image_NCHW, output).item() == pytest.approx(800)


def test_latent_direction_follows_activity() -> None:
    activity_N = torch.tensor([10.0, 20.0, 40.0])
    assert latent_direction(torch.tensor([0.1, 0.2, 0.9]), activity_N) == "higher"
    assert latent_direction(torch.tensor([0.1, -0.2, -0.9]), activity_N) == "lower"


def test_select_refuses_unknown_scores() -> None:
    assert select(None, ("bce", "z1")) == ("bce", "z1")
    with pytest.raises(ConfigError, match="z9 asked for; expected some of bce, z1"):
        select(("z9",), ("bce", "z1"))
