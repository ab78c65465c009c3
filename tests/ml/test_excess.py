"""Counts of constructed images, and the model of their excess."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darktrigger.errors import ConfigError
from ml.config import run_config
from ml.counts import crowding, hardest_track, log_total_e_t, missing_e_t, soft_tracks
from ml.excess_scores import excess, excess_tracks
from ml.excess_scores import missing_e_t as missing_e_t_score
from ml.excess_scores import soft_tracks as soft_tracks_score
from ml.models.excess import Excess, ExcessConfig, ExcessOutput, loss

TRK, ECAL, HCAL = range(3)


def image(*pixels: tuple[int, int, int, float]) -> torch.Tensor:
    """One event with E_T at (channel, phi, eta)."""
    image_NCHW = torch.zeros(1, 3, 72, 58)
    for channel, phi, eta, e_t in pixels:
        image_NCHW[0, channel, phi, eta] = e_t
    return image_NCHW


def test_soft_tracks_count_tracker_pixels_above_the_threshold() -> None:
    event = image((TRK, 0, 0, 2.5), (TRK, 5, 7, 30.0), (TRK, 9, 9, 2.0), (HCAL, 1, 1, 50.0))
    assert soft_tracks(event, 2.0).item() == pytest.approx(math.log(3))


def test_hardest_track_looks_at_the_tracker_alone() -> None:
    assert hardest_track(image((TRK, 0, 0, 9.0), (TRK, 5, 7, 30.0), (ECAL, 9, 9, 80.0))).item() == pytest.approx(
        math.log(31)
    )


def test_total_e_t_takes_all_channels() -> None:
    assert log_total_e_t(image((TRK, 0, 0, 2.0), (ECAL, 1, 1, 3.0), (HCAL, 1, 1, 4.0))).item() == pytest.approx(
        math.log(10)
    )


def test_missing_e_t_of_two_deposits() -> None:
    balanced = image((TRK, 3, 10, 50.0), (HCAL, 39, 40, 50.0))
    assert missing_e_t(balanced).item() == pytest.approx(0.0, abs=1e-3)
    right_angle = image((TRK, 3, 10, 30.0), (HCAL, 21, 40, 40.0))
    assert missing_e_t(right_angle).item() == pytest.approx(math.log(51))


def test_crowding_is_higher_where_pixels_lie_together() -> None:
    together = image(*((TRK, phi, 3, 1.0) for phi in range(8)))
    apart = image(*((TRK, 9 * block, 3, 1.0) for block in range(8)))
    assert crowding(together, (9, 8)).item() == pytest.approx(math.log(9))
    assert crowding(apart, (9, 8)).item() == pytest.approx(math.log(3))
    # The outermost eta column on either side fills no block.
    assert crowding(image((TRK, 0, 0, 1.0), (TRK, 0, 57, 1.0)), (9, 8)).item() == 0.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), rows=st.integers(1, 71))
def test_features_do_not_depend_on_where_phi_begins(seed: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    event = torch.rand(1, 3, 72, 58, generator=generator) * (torch.rand(1, 3, 72, 58, generator=generator) > 0.95) * 10
    turned = event.roll(rows, dims=2)
    for feature in (log_total_e_t, missing_e_t, lambda x: soft_tracks(x, 2.0)):
        torch.testing.assert_close(feature(event), feature(turned), rtol=1e-4, atol=1e-3)


def test_only_more_is_an_excess() -> None:
    weight = torch.tensor([1.0, 1.0, 1.0, 1.5])
    feature = torch.tensor([[3.0, 3.0, 4.0, 5.0]] * 2)
    mean = feature + torch.tensor([[1.0], [-2.0]])
    output = ExcessOutput(feature, mean, torch.full_like(mean, math.log(2.0)), weight)
    torch.testing.assert_close(output.pull, torch.tensor([[-0.5] * 4, [1.0] * 4]))
    torch.testing.assert_close(excess(torch.empty(0), output), torch.tensor([0.0, 4.5]))
    torch.testing.assert_close(excess_tracks(torch.empty(0), output), torch.tensor([-1.0, 2.0]))
    torch.testing.assert_close(soft_tracks_score(torch.empty(0), output), torch.tensor([-0.5, 1.0]))
    torch.testing.assert_close(missing_e_t_score(torch.empty(0), output), torch.tensor([-0.5, 1.0]))


def test_density_learns_mean_and_width_of_background() -> None:
    torch.manual_seed(0)
    model = Excess(ExcessConfig())
    model.reset_parameters(torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    # Dense images of any kind: the density is of their counts.
    density = 0.01 + 0.04 * torch.rand(400, 1, 1, 1, generator=generator)
    images = (
        8
        * torch.rand(400, 3, 72, 58, generator=generator)
        * (torch.rand(400, 3, 72, 58, generator=generator) < density)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    with torch.no_grad():
        before = loss(images, model(images)).mean().item()
    for _ in range(300):
        optimizer.zero_grad()
        value = loss(images, model(images)).mean()
        torch.autograd.backward(value)
        optimizer.step()
    pull = model(images).pull
    assert value.item() < before - 2
    torch.testing.assert_close(pull.mean(0), torch.zeros(4), atol=0.15, rtol=0)
    torch.testing.assert_close(pull.std(0), torch.ones(4), atol=0.15, rtol=0)


@pytest.mark.parametrize("block", [[9, 0], [0, 8], [-1, 8], [73, 8], [9, 59]])
def test_blocks_that_hold_no_pixel_or_exceed_the_image(block: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"model\.block"):
        run_config("excess", {"model": {"block": block}})
