"""The autoencoder that a normalized one starts from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from darktrigger.errors import TrainingError
from ml.models.nae import NAE
from ml.run_folder import load_model, read_record


def mean_energy(model: NAE, batches: Iterable[Tensor]) -> float:
    """Mean energy of images, shape (n, C, H, W) a batch."""
    with torch.no_grad():
        energy_N = torch.cat([model.energy(model.front(image_NCHW)) for image_NCHW in batches])
    return float(energy_N.mean())


def start_from(model: nn.Module, run_dir: Path) -> None:
    """Take over the best weights of a run.

    Raises
    ------
    TrainingError
        The run is of another family or size.
    InputFileError
        No finished epoch in ``run_dir``.
    """
    family, source = read_record(run_dir).family, load_model(run_dir)
    if not isinstance(source, NAE):
        raise TrainingError(f"training.pretrained: {run_dir} holds a {family}; expected a jet-ae or a nae")
    try:
        model.load_state_dict(source.state_dict())
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise TrainingError(f"training.pretrained: {run_dir} holds a network of another size ({reason})") from None
    ours: NAE = model  # type: ignore[assignment]
    if source.front.config != ours.front.config:
        raise TrainingError(
            f"training.pretrained: {run_dir} was trained with model.front {source.front.config}; "
            f"found {ours.front.config}"
        )
