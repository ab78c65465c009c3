"""The student's features of constructed images, and its shapes."""

import math

import pytest
import torch

from darktrigger.errors import ConfigError
from imaging.dense import INPUT_SHAPES
from ml.config import run_config
from ml.models.student import THRESHOLDS, Student, StudentConfig, StudentOutput, energy, harmonics, loss
from ml.registry import family

TEACHER = {"teacher": "t.onnx", "score": "bce"}


@pytest.mark.parametrize("patch", [2, 3, 4, 6])
@pytest.mark.parametrize("kind", ["coarse mask", "coarse E_T"])
def test_patches_tile_the_image(kind: str, patch: int) -> None:
    """Every pixel of the image reaches the score."""
    model = Student(StudentConfig(input=kind, patch=patch, filters=(4,), hidden=8))
    image_NCHW = torch.full((2, *INPUT_SHAPES[kind]), 0.1, requires_grad=True)
    assert isinstance(model.first.padding, tuple)
    padded = INPUT_SHAPES[kind][2] + 2 * model.first.padding[1]
    assert 72 % patch == padded % patch == 0
    output = model(image_NCHW)
    assert output.score.shape == (2,)
    # Filters of ones, that no activation closes.
    with torch.no_grad():
        model.first.weight.fill_(1.0)
    x_NCHW = image_NCHW if model.levels is None else model.levels(image_NCHW)
    (gradient,) = torch.autograd.grad(model.first(x_NCHW).sum(), image_NCHW)
    assert (gradient[:, 0] != 0).all()


def test_input_is_chosen_by_the_configuration() -> None:
    spec = family("student")
    for kind in ("coarse mask", "coarse E_T"):
        assert spec.kind(run_config("student", {"model": {"input": kind}, "training": TEACHER}).model) == kind
    assert spec.kind(StudentConfig()) == spec.input_kind
    assert family("codae").kind(run_config("codae").model) == "coarse mask"
    with pytest.raises(ConfigError, match=r"model\.input"):
        run_config("student", {"model": {"input": "fine"}, "training": TEACHER})


def test_a_teacher_and_its_score_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"training\.teacher: Field required(.|\n)*training\.score: Field required"):
        run_config("student")


def test_soft_thresholds_rise_around_their_centre() -> None:
    model = Student(StudentConfig())
    assert model.levels is not None
    for index, (channel, centre, rise) in enumerate(THRESHOLDS):
        image_NCHW = torch.zeros(4, 3, 1, 1)
        e_t = torch.tensor([centre - rise / 2, centre, centre + rise / 4, centre + 10 * rise])
        image_NCHW[:, ("trk", "ecal", "hcal").index(channel), 0, 0] = e_t
        level_N = model.levels(image_NCHW).clamp(0, 1)[:, index, 0, 0]
        torch.testing.assert_close(level_N, torch.tensor([0.0, 0.5, 0.75, 1.0]))


def test_an_empty_pixel_passes_no_threshold() -> None:
    levels = Student(StudentConfig()).levels
    assert levels is not None
    assert not levels(torch.zeros(1, 3, 2, 2)).clamp(0, 1).any()


def test_energy_of_two_deposits() -> None:
    image_NCHW = torch.zeros(2, 3, 72, 58)
    image_NCHW[:, 0, 3, 10], image_NCHW[0, 2, 39, 40], image_NCHW[1, 2, 21, 40] = 300.0, 300.0, 400.0
    total_N1, missing_N1 = energy(image_NCHW, harmonics() / 100)
    # Back to back, and at a right angle; in units of 100 GeV.
    torch.testing.assert_close(total_N1[:, 0] - total_N1[0, 0], torch.tensor([0.0, math.log(8 / 7)]))
    torch.testing.assert_close(missing_N1[:, 0] - missing_N1[0, 0], torch.tensor([0.0, math.log(6)]), atol=1e-4, rtol=0)


def test_loss_is_in_units_of_the_teachers_spread() -> None:
    output = StudentOutput(torch.tensor([0.0, 1.0, 3.0]), torch.tensor(10.0), torch.tensor(2.0))
    torch.testing.assert_close(loss(torch.tensor([10.0, 11.0, 10.0]), output), torch.tensor([0.0, 0.125, 2.5]))


def test_score_of_an_event_depends_on_nothing_else() -> None:
    model = Student(StudentConfig(filters=(4, 8), hidden=8)).eval()
    image_NCHW = torch.rand(5, 3, 72, 58, generator=torch.Generator().manual_seed(1)) * 3
    torch.testing.assert_close(model(image_NCHW).score[2:3], model(image_NCHW[2:3]).score)


def test_initial_weights_are_functions_of_the_seed() -> None:
    one, other = Student(StudentConfig()), Student(StudentConfig())
    for model in (one, other):
        model.reset_parameters(torch.Generator().manual_seed(3))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
