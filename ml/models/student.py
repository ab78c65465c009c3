"""The student: one small encoder that gives at once what a teacher's score takes a whole network for."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from imaging.dense import INPUT_CHANNELS, INPUT_SHAPES
from ml.inputs import ChosenInput
from ml.training_config import Count

#: Scores that the student gives.
SCORES = ("student",)

#: Soft thresholds on the E_T of a coarse pixel where training starts: channel, centre and rise from 0 to 1, GeV.
THRESHOLDS = (
    ("trk", 0.125, 0.25),
    ("trk", 1.0, 1.0),
    ("trk", 2.0, 0.5),
    ("trk", 4.0, 2.0),
    ("ecal", 1.0, 1.0),
    ("ecal", 5.0, 5.0),
    ("hcal", 1.0, 1.0),
    ("hcal", 5.0, 5.0),
)

#: Unit in which E_T is summed, GeV: small enough for sums, large enough for squares in half precision.
_UNIT = 100.0

#: Logarithms of a typical background event's total and missing E_T, in that unit; they only centre the features.
_TYPICAL = (2.7, 0.4)


class StudentConfig(ChosenInput):
    """Size of the student.

    Parameters
    ----------
    input
        What it looks at; it need not be what its teacher looks at. The mask is cheaper to make and to read, and
        enough for a teacher that sees nothing else.
    patch
        Stride and side of the first convolution, coarse pixels.
    filters
        Channels of the convolutions.
    hidden
        Width of the two hidden layers behind the pooled features.
    """

    input: Literal["coarse mask", "coarse E_T"] = "coarse E_T"
    patch: Literal[2, 3, 4, 6] = 4
    filters: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)] = (16, 32)
    hidden: Count = 32


class StudentOutput(NamedTuple):
    """What the student computes for n events.

    Parameters
    ----------
    score
        Estimate of the teacher's score in units of its spread on background, shape (n,).
    location, scale
        Centre and spread of the teacher's score on background, in its own units.
    """

    score: Tensor
    location: Tensor
    scale: Tensor


def loss(target_N: Tensor, output: Any) -> Tensor:
    """Smooth l1 distance from the teacher's score, in units of its spread on background, shape (n,).

    ``target_N`` is in the teacher's own units. Beyond one spread the loss is linear: some scores have tails
    that squares would listen to alone.
    """
    standard_N = (target_N - output.location) / output.scale
    return F.smooth_l1_loss(output.score, standard_N, reduction="none")


def soft_thresholds() -> nn.Conv2d:
    """1 x 1 convolution that, clipped to [0, 1], tells which :data:`THRESHOLDS` a pixel passes."""
    levels = nn.Conv2d(len(INPUT_CHANNELS["coarse E_T"]), len(THRESHOLDS), 1)
    with torch.no_grad():
        levels.weight.zero_()
        for index, (channel, centre, rise) in enumerate(THRESHOLDS):
            levels.weight[index, INPUT_CHANNELS["coarse E_T"].index(channel)] = 1 / rise
            levels.bias[index] = 0.5 - centre / rise  # type: ignore[index]
    return levels


def harmonics() -> Tensor:
    """Weights of the rows in phi that give the sum and the two components of the transverse vector, shape (72, 3)."""
    n_phi = INPUT_SHAPES["coarse E_T"][1]
    phi_H = (torch.arange(n_phi) + 0.5) * (2 * math.pi / n_phi)
    return torch.stack([torch.ones(n_phi), phi_H.cos(), phi_H.sin()], dim=1)


class Student(nn.Module):
    """A few convolutions, each pooled to sums over the image, and a small dense network on their logarithms.

    Made for a run of one event at a time on one thread, where ONNX Runtime spends a microsecond or two on each
    node whatever it computes: about twenty nodes, a first convolution that does not overlap, no normalisation,
    no transposition. What is pooled are sums of non-negative activations, soft counts of patterns: they grow
    with the event, and their logarithms go on growing beyond what background has.

    From ``coarse E_T`` the convolutions see soft thresholds, which are trained, in place of GeV; and the
    logarithms of total and missing E_T are features of their own.

    Reference: ours. Distillation of an anomaly score on background alone.

    Parameters
    ----------
    config
        Input and sizes.

    Examples
    --------
    >>> import torch
    >>> from ml.models.student import Student, StudentConfig
    >>> output = Student(StudentConfig())(torch.ones(4, 3, 72, 58))
    >>> tuple(output.score.shape)
    (4,)
    """

    rows: Tensor
    location: Tensor
    scale: Tensor

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.sees_e_t = config.input == "coarse E_T"
        self.levels = soft_thresholds() if self.sees_e_t else None
        channels = (len(THRESHOLDS) if self.sees_e_t else 1, *config.filters)
        # The patches tile phi; in eta, where they need not, the margin is the same on either side.
        margin = (-INPUT_SHAPES[config.input][2] % config.patch) // 2
        self.first = nn.Conv2d(channels[0], channels[1], config.patch, config.patch, padding=(0, margin))
        self.others = nn.ModuleList(
            nn.Conv2d(before, after, 3, 2, padding=1) for before, after in pairwise(channels[1:])
        )
        features = sum(config.filters) + (2 if self.sees_e_t else 0)
        self.head = nn.Sequential(
            nn.Linear(features, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 1),
        )
        self.register_buffer("rows", harmonics() / _UNIT, persistent=False)
        self.register_buffer("location", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """He-uniform weights and zero biases; soft thresholds where :data:`THRESHOLDS` has them."""
        for module in (self.first, *self.others, *self.head):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.levels is not None:
            self.levels.load_state_dict(soft_thresholds().state_dict())

    def standardise(self, location: float, scale: float) -> None:
        """Take over centre and spread of the teacher's score on background."""
        self.location.fill_(location)
        self.scale.fill_(scale)

    def forward(self, image_NCHW: Tensor) -> StudentOutput:
        """Score of images of the configured input, (n, 1, 72, 58) or (n, 3, 72, 58) in GeV."""
        x_NCHW = image_NCHW if self.levels is None else self.levels(image_NCHW).clamp(0, 1)
        counts = []
        for convolution in (self.first, *self.others):
            x_NCHW = F.relu(convolution(x_NCHW))
            counts.append(x_NCHW.sum(dim=(2, 3)))
        features = [torch.log1p(torch.cat(counts, dim=1))]
        if self.sees_e_t:
            features += energy(image_NCHW, self.rows)
        score_N = self.head(torch.cat(features, dim=1))[:, 0]
        return StudentOutput(score_N, self.location, self.scale)


def energy(image_NCHW: Tensor, row_weight_HK: Tensor) -> list[Tensor]:
    """Centred logarithms of total and missing E_T, shape (n, 1) each; see :func:`harmonics`."""
    sums_NK = image_NCHW.sum(dim=(1, 3)) @ row_weight_HK
    total_N1 = torch.log1p(sums_NK[:, :1])
    missing_N1 = torch.log1p(sums_NK[:, 1:].square().sum(dim=1, keepdim=True).sqrt())
    return [total_N1 - _TYPICAL[0], missing_N1 - _TYPICAL[1]]
