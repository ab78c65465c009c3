"""The dense autoencoders of the double-autoencoder paper."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import OBJECTS
from imaging.objects.layout import MEMBERS, N_INPUTS, N_SLOTS
from ml.decorrelation import AnyObjective, DiscoPenalty
from ml.lepton_frame import lepton_frame
from ml.members import MembersOutput, SeveralScores
from ml.training_config import Count, DecorrelatedTraining

#: Score of a member: mean squared error.
SCORE = "mse"

#: Least deviation that inputs are divided by, over the largest of any slot: slots that are almost always empty, whose
#: deviations are far smaller, would otherwise make up all of the error.
LEAST_DEVIATION = 0.3


class ObjectScale(StrictModel):
    """What the inputs are divided by, so that they are of order 1.

    Parameters
    ----------
    pt, eta, phi
        GeV, and radians for phi.
    """

    pt: Annotated[float, Field(gt=0)] = 100.0
    eta: Annotated[float, Field(gt=0)] = 3.0
    phi: Annotated[float, Field(gt=0)] = math.pi


class DoubleAEConfig(SeveralScores):
    """Size of the autoencoders; the default is the paper's.

    Parameters
    ----------
    members
        Autoencoders, trained at once; a single one is the paper's comparison.
    units
        Of the encoder's hidden layers; the decoder mirrors them.
    latents
        Size of the bottleneck.
    scale
        Of the inputs: ``range`` brings each of the 57 to 0 to 1 in the training events, as the paper's code does
        (github.com/ViniciusMikuni/DoubleAE); ``deviation`` to mean 0 and standard deviation 1 there, or less for those
        that hardly vary, see :data:`LEAST_DEVIATION`; or what they are divided by.
    frame
        ``detector``: azimuths as they are measured, as in the paper; ``lepton``: from the leading lepton on, see
        :func:`ml.lepton_frame.lepton_frame`, so that no capacity is spent on the detector's symmetry.
    log_pt
        GeV; where given, momenta enter as log(1 + p_T / log_pt), so that the hardest jets do not make up the error of
        the tail, and a soft second lepton counts.
    """

    members: Count = 2
    units: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 128, 64, 32)
    latents: Count = 5
    scale: ObjectScale | Literal["range", "deviation"] = ObjectScale()
    frame: Literal["detector", "lepton"] = "detector"
    log_pt: Annotated[float, Field(gt=0)] | None = None

    def score_names(self) -> tuple[str, ...]:
        """``mse1``, ``mse2``, ..."""
        return tuple(f"{SCORE}{number}" for number in range(1, self.members + 1))

    def input_kind(self) -> str:
        """Objects."""
        return OBJECTS


class DoubleAETraining(DecorrelatedTraining):
    """As in the paper, section III: Adam, batches of 10,000, 1000 epochs, patience 10, lambda 100.

    With ``augmentation`` events are turned and mirrored at random, which the paper does not do: its 2 million
    events need it less.
    """

    epochs: Count = 1000
    batch_size: Count = 10_000
    micro_batch: Count | None = 2500
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    augmentation: bool = False
    objective: AnyObjective = DiscoPenalty()


class DenseAutoEncoder(nn.Module):
    """Ten dense layers without biases; ReLU between them, none at the bottleneck and the end."""

    def __init__(self, inputs: int, units: tuple[int, ...], latents: int) -> None:
        super().__init__()
        self.encoder = _dense(inputs, *units, latents)
        self.decoder = _dense(latents, *reversed(units), inputs)

    def forward(self, x_NK: Tensor) -> Tensor:
        """Rebuild inputs of shape (n, 57)."""
        rebuilt: Tensor = self.decoder(self.encoder(x_NK))
        return rebuilt


def _dense(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class DoubleAE(nn.Module):
    """Autoencoders of leptons, jets and missing E_T whose errors are trained to be independent.

    An event is anomalous where all of them rebuild it badly; those that one alone rebuilds badly tell how many of
    them are background. Takes objects as they are measured, GeV and radians; the scaling is part of the model.

    Reference: V. Mikuni, B. Nachman and D. Shih, Online-compatible unsupervised nonresonant anomaly detection,
    Phys. Rev. D 105 (2022) 055006.

    Parameters
    ----------
    config
        Number and size of the autoencoders.

    Examples
    --------
    >>> import torch
    >>> from ml.models.double_ae import DoubleAE, DoubleAEConfig
    >>> output = DoubleAE(DoubleAEConfig())(torch.zeros(4, 57))
    >>> tuple(output.score.shape)
    (4, 2)
    """

    def __init__(self, config: DoubleAEConfig) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            DenseAutoEncoder(N_INPUTS, config.units, config.latents) for _ in range(config.members)
        )
        self.learnt_scale = None if isinstance(config.scale, ObjectScale) else config.scale
        self.of_lepton = config.frame == "lepton"
        self.log_pt = config.log_pt
        scale = config.scale if isinstance(config.scale, ObjectScale) else ObjectScale(pt=1, eta=1, phi=1)
        scale_K = torch.tensor([scale.pt, scale.eta, scale.phi]).repeat(N_SLOTS)
        self.register_buffer("offset", torch.zeros(N_INPUTS), persistent=self.learnt_scale is not None)
        self.register_buffer("scale", scale_K, persistent=self.learnt_scale is not None)
        self.reset_parameters()

    offset: Tensor
    scale: Tensor

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Glorot-uniform weights, which are Keras' default."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)

    def learn_scale(self, batches: Iterable[Tensor]) -> None:
        """Scale by training events (n, 57), if the configuration says so; inputs that never vary become 0."""
        if self.learnt_scale is None:
            return
        measure = {"range": _low_and_range, "deviation": _mean_and_deviation}[self.learnt_scale]
        offset_K, scale_K = measure(map(self._prepared, batches))
        self.offset.copy_(offset_K)
        self.scale.copy_(torch.where(scale_K > 0, scale_K, 1.0))

    def _prepared(self, objects_NK: Tensor) -> Tensor:
        """In the frame of the configuration, momenta as it wants them; not yet scaled."""
        framed_NK = lepton_frame(objects_NK) if self.of_lepton else objects_NK
        if self.log_pt is None:
            return framed_NK
        pt_NS, eta_NS, phi_NS = framed_NK.view(-1, N_SLOTS, len(MEMBERS)).unbind(2)
        return torch.stack([torch.log1p(pt_NS / self.log_pt), eta_NS, phi_NS], dim=2).flatten(1)

    def forward(self, objects_NK: Tensor) -> MembersOutput:
        """Mean squared error of each autoencoder for objects (n, 57), GeV and radians."""
        scaled_NK = (self._prepared(objects_NK) - self.offset) / self.scale
        error_NM = torch.stack([(member(scaled_NK) - scaled_NK).square().mean(1) for member in self.members], dim=1)
        return MembersOutput(error_NM, error_NM.sum(1))


def _low_and_range(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    low, high = zip(*((batch_NK.amin(0), batch_NK.amax(0)) for batch_NK in batches), strict=True)
    low_K = torch.stack(low).amin(0)
    return low_K, torch.stack(high).amax(0) - low_K


def _mean_and_deviation(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    sums = [(len(batch_NK), batch_NK.double().sum(0), batch_NK.double().square().sum(0)) for batch_NK in batches]
    n, total, squares = zip(*sums, strict=True)
    mean_K = torch.stack(total).sum(0) / sum(n)
    variance_K = torch.stack(squares).sum(0) / sum(n) - mean_K.square()
    deviation_SM = variance_K.clamp(min=0).sqrt().view(N_SLOTS, -1)
    return mean_K, deviation_SM.maximum(LEAST_DEVIATION * deviation_SM.amax(0)).flatten()
