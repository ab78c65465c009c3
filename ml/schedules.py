"""The learning rate in the course of a training."""

from __future__ import annotations

import math

from ml.training_config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int, n_steps: int) -> float:
    """Learning rate of a step, a function of its number alone, so that a resumed training goes on with it.

    Parameters
    ----------
    config
        Training settings.
    step
        Steps done before.
    n_steps
        Steps of the whole training, if nothing ends it earlier.
    """
    rise = min(1.0, (step + 1) / config.warm_up) if config.warm_up else 1.0
    if config.schedule == "constant":
        return config.learning_rate * rise
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(step / n_steps, 1.0)))
