"""Directions and background quantiles of a trained model's scores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from darktrigger.config import StrictModel, validate
from darktrigger.files import read_json
from ml.registry import score
from ml.scores import Direction, latent_direction

CALIBRATION = "calibration.json"

#: Background fractions below the tabulated score values.
QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


class ScoreCalibration(StrictModel):
    """One score on background: its anomalous end, and its value at each background quantile."""

    direction: Direction
    quantiles: dict[str, float]


class Calibration(StrictModel):
    """``calibration.json``: all scores on the background validation events, unweighted."""

    events: int
    scores: dict[str, ScoreCalibration]


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable[Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Scores of all events of some batches, computed where the model is; shape (n,) each, on the CPU."""
    device = next(model.parameters()).device
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    functions = {name: score(name).function for name in parts}
    for batch_NCHW in batches:
        image_NCHW = batch_NCHW.to(device)
        output = model(image_NCHW)
        for name, part in parts.items():
            part.append(functions[name](image_NCHW, output).cpu())
    return {name: torch.cat(part) for name, part in parts.items()}


def activity(batches: Iterable[Tensor]) -> Tensor:
    """Sum of the pixels of each event of some batches, shape (n,)."""
    return torch.cat([image_NCHW.flatten(1).sum(1) for image_NCHW in batches])


def calibrate(scores: dict[str, Tensor], activity_N: Tensor) -> Calibration:
    """Calibrate scores of background events; their activity gives the latents a direction."""
    levels = torch.tensor(QUANTILES, dtype=torch.float64)
    calibrated = {}
    for name, score_N in scores.items():
        direction = score(name).direction or latent_direction(score_N, activity_N)
        values = torch.quantile(score_N.double(), levels).tolist()
        quantiles = {f"{level:g}": value for level, value in zip(QUANTILES, values, strict=True)}
        calibrated[name] = ScoreCalibration(direction=direction, quantiles=quantiles)
    return Calibration(events=len(activity_N), scores=calibrated)


def read_calibration(run_dir: Path) -> Calibration:
    """Read ``calibration.json``.

    Raises
    ------
    UnreadableFileError, ConfigError
        The training has not finished, or the file was tampered with.
    """
    path = run_dir / CALIBRATION
    return validate(Calibration, read_json(path), str(path))
