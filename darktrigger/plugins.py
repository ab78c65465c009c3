"""Additions that are found by themselves: files dropped into a package, and entry points of installed packages.

Only code that was put into or installed beside darktrigger is found; a configuration can name it, but not bring it.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib import metadata
from types import ModuleType
from typing import TypeVar

from darktrigger.errors import ConfigError

T = TypeVar("T")


def in_package(package: ModuleType, attribute: str, kind: type[T]) -> dict[str, T]:
    """What the modules of a package offer under an attribute, by the module's name with hyphens.

    Raises
    ------
    ConfigError
        The attribute of some module is not of that kind.
    """
    found: dict[str, T] = {}
    for entry in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(entry.name)
        if hasattr(module, attribute):
            name = entry.name.rpartition(".")[2].replace("_", "-")
            found[name] = _checked(getattr(module, attribute), kind, f"{entry.name}.{attribute}")
    return found


def installed(group: str, kind: type[T]) -> dict[str, T]:
    """What installed packages offer under a group of entry points, by the name of the entry point.

    Raises
    ------
    ConfigError
        An entry point cannot be loaded, or is not of that kind.
    """
    found: dict[str, T] = {}
    for entry in metadata.entry_points(group=group):
        source = f"entry point {entry.name} = {entry.value} of group {group}"
        try:
            offered = entry.load()
        # A plug-in may fail in whatever way.
        except Exception as error:
            raise ConfigError(f"{source}: cannot be loaded ({type(error).__name__}: {error})") from error
        found[entry.name] = _checked(offered, kind, source)
    return found


def joined(what: str, *sources: dict[str, T]) -> dict[str, T]:
    """All sources in one.

    Raises
    ------
    ConfigError
        Two sources have one name.
    """
    everything: dict[str, T] = {}
    for source in sources:
        for name in source:
            if name in everything:
                raise ConfigError(f"two {what} have the name '{name}'; rename yours")
        everything |= source
    return everything


def _checked(offered: object, kind: type[T], source: str) -> T:
    if not isinstance(offered, kind):
        raise ConfigError(f"{source}: expected an object of type {kind.__name__}, found {type(offered).__name__}")
    return offered
