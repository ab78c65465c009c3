"""The mean of the weights along a training, which is what the training leaves."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ml.nae.module import NormalizedTraining
from ml.spectral import advance

_CURRENT, _AVERAGED = "current_weights", "averaged_steps"


class Averaging(Callback):
    """Averages a normalized autoencoder over its steps; checkpoints hold the mean where others look for the weights.

    Data and samples pull the weights to and fro, and the energy of images that neither is near goes up and down with
    them for as long as the learning rate lasts. Their mean does so far less. The chains and the optimiser know only the
    weights themselves.

    Step t, counted from 1, has a share proportional to about t^(``power`` - 1) of the mean (polynomial decay:
    O. Shamir and T. Zhang, arXiv:1212.1824): the last 1/``power`` of the training counts most, however long it is.

    Parameters
    ----------
    power
        At least 1; 1 is the plain mean.
    """

    def __init__(self, power: float) -> None:
        self.power = power
        self.average: AveragedModel | None = None

    def _moved(self, mean: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        return mean + self.power / (n_averaged + self.power) * (current - mean)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Start with the weights as they are, which then count for nothing."""
        assert isinstance(pl_module, NormalizedTraining)  # noqa: S101 (for the type checker)
        self.average = AveragedModel(pl_module.model, avg_fn=self._moved)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Where the network has been moved to."""
        self.mean.to(pl_module.device)

    @property
    def mean(self) -> AveragedModel:
        """The averaged network."""
        assert self.average is not None  # noqa: S101 (for the type checker)
        return self.average

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:  # noqa: ARG002
        """Take a step's weights into the mean."""
        self.mean.update_parameters(pl_module.model)
        # The mean has singular values of its own.
        advance(self.mean.module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """The mean as the weights, the weights beside it."""
        checkpoint[_CURRENT] = checkpoint["state_dict"]
        mean = {f"model.{name}": value for name, value in self.mean.module.state_dict().items()}
        checkpoint["state_dict"] = {**checkpoint["state_dict"], **mean}
        checkpoint[_AVERAGED] = int(self.mean.n_averaged)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Take both up again."""
        self.mean.module.load_state_dict(pl_module.model.state_dict())
        self.mean.n_averaged.fill_(checkpoint[_AVERAGED])
        pl_module.load_state_dict(checkpoint[_CURRENT])
