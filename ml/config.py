"""Configuration of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar, cast

from pydantic import create_model

from darktrigger.config import StrictModel, validate
from ml.family import Family
from ml.registry import family
from ml.training_config import TrainingConfig

__all__ = ["RunConfig", "TrainingConfig", "run_config"]

ModelConfig = TypeVar("ModelConfig", bound=StrictModel)


class RunConfig(StrictModel, Generic[ModelConfig]):
    """One training run: the model's own configuration and how to train it."""

    model: ModelConfig
    training: TrainingConfig = TrainingConfig()


def run_config(family_name: str, data: Mapping[str, Any] | None = None, source: str = "defaults") -> RunConfig[Any]:
    """Validate the configuration of a run; absent sections and keys take the family's defaults.

    Raises
    ------
    ConfigError
        No such family, or a key or value that does not fit; ``source`` says where it came from.
    """
    # The family is looked up first: which keys the sections may have, and their defaults, depend on it.
    sections: Any = {"model": {}, "training": {}, **(data or {})} if isinstance(data, Mapping | None) else data
    return validate(_schema(family(family_name)), sections, source)


@cache
def _schema(spec: Family) -> type[RunConfig[Any]]:
    base: Any = RunConfig.__class_getitem__(spec.config)
    # Required, since a family's training may have settings without a default.
    training: Any = (spec.training, ...)
    return cast("type[RunConfig[Any]]", create_model("RunConfig", __base__=base, training=training))
