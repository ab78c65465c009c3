"""Configuration of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from darktrigger.config import StrictModel, validate
from imaging.split import EntrySplit
from ml.registry import family

Count = Annotated[int, Field(ge=1)]
ModelConfig = TypeVar("ModelConfig", bound=StrictModel)


class TrainingConfig(StrictModel):
    """How to train; optimiser settings are those of the CoDAE paper, section 4.7.

    Parameters
    ----------
    epochs
        Passes over the training events, at most; :func:`run_config` puts in the paper's number
        for the family where none is given.
    batch_size
        Events in a step of the optimiser.
    micro_batch
        Events that go through the network at once; their gradients add up to those of the
        batch. By default 8 on a CPU, where what the layers hand on then stays in the cache, and
        the whole batch elsewhere. A model that normalises over the batch takes it whole.
    learning_rate, weight_decay
        Of AdamW; the decay is multiplied by the learning rate.
    clip_norm
        Largest l2 norm of the gradient of each parameter tensor, one by one as Keras' ``clipnorm``.
    validation_fraction
        Share of the events that is set aside for model selection and calibration.
    patience
        Epochs without a better validation SSIM after which training stops.
    seed
        Of the initial weights, the split, the order of events, the augmentations and the
        model's noise.
    precision
        ``bfloat16`` autocast, ``float32``, or ``auto``: bfloat16 where the hardware computes in it.
    entries
        Which events of the image files to use, by their entry number.
    """

    epochs: Count = 30
    batch_size: Count = 128
    micro_batch: Count | None = None
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Count = 10
    seed: Annotated[int, Field(ge=0)] = 42
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    entries: EntrySplit = EntrySplit()


class RunConfig(StrictModel, Generic[ModelConfig]):
    """One training run: the model's own configuration and how to train it."""

    model: ModelConfig
    training: TrainingConfig = TrainingConfig()


def run_config(family_name: str, data: Mapping[str, Any] | None = None, source: str = "defaults") -> RunConfig[Any]:
    """Validate the configuration of a run; absent sections and keys take their defaults.

    Raises
    ------
    ConfigError
        No such family, or a key or value that does not fit; ``source`` says where it came from.
    """
    # The family is looked up first: which keys `model` may have depends on it.
    spec = family(family_name)
    schema: Any = RunConfig.__class_getitem__(spec.config)
    sections: Any = data
    if isinstance(data, Mapping | None):
        sections = {"model": {}, "training": {}, **(data or {})}
        if isinstance(sections["training"], Mapping):
            sections["training"] = {"epochs": spec.epochs, **sections["training"]}
    config: RunConfig[Any] = validate(schema, sections, source)
    return config
