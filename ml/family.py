"""What training and export need to know of a model family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from darktrigger.config import StrictModel
from ml.inputs import ChoosesInput
from ml.members import SeveralScores
from ml.scores import Score
from ml.training_config import TrainingConfig


@dataclass(frozen=True)
class Family:
    """What training and export need to know of a model family.

    Parameters
    ----------
    config
        Its configuration model.
    model
        Its network (an ``nn.Module`` with ``reset_parameters(generator)``), built from a configuration.
    input_kind
        Kind of dense input, a key of :data:`imaging.dense.INPUT_SHAPES`; the default where the configuration
        chooses, see :meth:`kind`.
    loss
        Maps images (n, C, H, W) and the model's output to (n,); training minimises its mean. In
        supervised training it maps labels (n,) instead, 0 for background, and in distillation the
        teacher's scores (n,).
    scores
        Names in :data:`ml.scores.SCORES`, or of ``own_scores``; the default where the configuration chooses, see
        :meth:`score_names`.
    training
        Its training configuration, which holds its defaults and says on what events it trains.
    own_scores
        Scores that come with the family, by name.
    validated
        What of the output the validation SSIM compares with the image, where the highest says which epoch is
        best; None where the lowest validation loss does.
    reconstructs
        Whether the output has a ``reconstruction`` of the image.
    sums_channels
        Whether the model looks at nothing but the sum of the channels.
    extras
        Outputs, beside scores and reconstruction, that a file with the reconstruction has too.
    describe
        Further metadata of such a file, from the trained network and its run folder.
    """

    config: type[StrictModel]
    model: Callable[[Any], Any]
    input_kind: str
    loss: Callable[[Tensor, Any], Tensor]
    scores: tuple[str, ...]
    training: type[TrainingConfig] = TrainingConfig
    own_scores: Mapping[str, Score] = field(default_factory=dict, hash=False)
    validated: str | None = "reconstruction"
    reconstructs: bool = True
    sums_channels: bool = False
    extras: tuple[str, ...] = ()
    describe: Callable[[nn.Module, Path], dict[str, Any]] | None = None

    def kind(self, config: StrictModel) -> str:
        """Kind of dense input of the model of a configuration."""
        if isinstance(config, SeveralScores):
            return config.input_kind()
        return config.input if isinstance(config, ChoosesInput) else self.input_kind

    def score_names(self, config: StrictModel) -> tuple[str, ...]:
        """Scores of the model of a configuration."""
        return config.score_names() if isinstance(config, SeveralScores) else self.scores
