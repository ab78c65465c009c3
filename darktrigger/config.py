"""Typed configuration: YAML in, unknown keys refused, resolved form saved beside outputs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from darktrigger.errors import ConfigError
from darktrigger.files import write_text
from darktrigger.names import shortened

ConfigT = TypeVar("ConfigT", bound="StrictModel")

#: Values of the largest configuration: filesets of many thousand files fit. A few lines of aliases can stand for more
#: values than there is memory.
_LARGEST = 10**6

_LONGEST_REASON = 500


class StrictModel(BaseModel):
    """Base of every configuration: immutable, and an unknown key is an error.

    Each component declares its own subclass with its own fields, so that a setting
    which does not apply to a component cannot be given to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {name for field, info in cls.model_fields.items() for name in (field, info.alias) if name}
            for key in data:
                if key not in known:
                    raise ValueError(unknown_key_message(shortened(key).strip("'"), known))
        return data

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read and validate a YAML file; see :func:`load_config`."""
        return load_config(cls, path)

    def to_yaml(self, path: str | Path) -> None:
        """Write the resolved configuration, defaults included, atomically."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))


def unknown_key_message(key: str, known: set[str], one: str = "key", many: str = "keys") -> str:
    """Name the nearest valid key, or all of them where none is near; ``one`` and ``many`` are what keys are called."""
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"valid {many}: {', '.join(sorted(known))}"
    return f"unknown {one} '{key}'; {hint}"


def validate(model: type[ConfigT], data: Any, source: str) -> ConfigT:
    """Validate plain data against a configuration model.

    Raises
    ------
    ConfigError
        Every problem on a line of its own: the path to the key, what is wrong with it,
        and the offending value. ``source`` says where the data came from.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join([f"{source}:", *_problems(error)])) from None


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "top level"
        what = problem["msg"].removeprefix("Value error, ")
        value = "" if isinstance(problem["input"], Mapping) else f" (found {shortened(problem['input'])})"
        lines.append(f"  {where}: {what}{value}")
    return lines


def read_yaml(path: str | Path) -> Any:
    """Parse a YAML file safely.

    Raises
    ------
    ConfigError
        The file cannot be read or is not YAML.
    """
    try:
        with Path(path).open(encoding="utf-8") as stream:
            data = yaml.safe_load(stream)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    # Besides YAMLError: dates and numbers that cannot be, and nesting beyond what Python follows.
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error)[:_LONGEST_REASON]}") from None
    if _size(data, {}) > _LARGEST:
        raise ConfigError(f"{path}: holds more than {_LARGEST} values once its aliases are resolved, or itself")
    return data


def _size(data: Any, known: dict[int, float]) -> float:
    """Number of values when every alias stands for a copy; infinite where one holds itself."""
    if not isinstance(data, Mapping | list | tuple | set):
        return 1
    if id(data) not in known:
        known[id(data)] = math.inf
        values = [*data.keys(), *data.values()] if isinstance(data, Mapping) else data
        known[id(data)] = 1 + sum(_size(value, known) for value in values)
    return known[id(data)]


def load_config(model: type[ConfigT], path: str | Path | None) -> ConfigT:
    """Read ``path`` into ``model``; without a path, the model's defaults.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML, or does not validate.
    """
    if path is None:
        return validate(model, {}, "defaults")
    data = read_yaml(path)
    return validate(model, {} if data is None else data, str(path))
