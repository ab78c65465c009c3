"""Weights of an earlier run, that a training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from darktrigger.config import StrictModel
from darktrigger.errors import TrainingError
from ml.run_folder import changed, load_model, read_config, read_record


def require_same_network(config: StrictModel, run_dir: Path) -> None:
    """Check that a run's weights fit a network.

    Parameters
    ----------
    config
        Configuration of the network.
    run_dir
        Run of the same network, whatever it was trained as.

    Raises
    ------
    TrainingError
        The run has another network, or another configuration of it.
    UnreadableFileError, ConfigError
        The folder holds no run, or one that cannot be understood.
    """
    record = read_record(run_dir)
    found: Any = read_config(run_dir, record.family).model
    if type(found) is not type(config):
        raise TrainingError(f"training.pretrained: {run_dir} holds a {record.family}, another network")
    if changes := changed(found, config):
        what = "; ".join(f"model.{key} {old}, now {new}" for key, (old, new) in changes.items())
        raise TrainingError(f"training.pretrained: {run_dir} was trained with {what}")


def start_from(model: nn.Module, run_dir: Path) -> None:
    """Take over the best weights of a run of the same network.

    Raises
    ------
    UnreadableFileError, ModelFileError
        The folder holds no run, or one without a finished epoch.
    """
    model.load_state_dict(load_model(run_dir).state_dict())
