"""Mutations of plain data: what YAML and JSON files hold."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

#: Values that no setting expects. Numbers that could be meant, such as 10,000 workers, are left out.
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.5, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 2**63,
    -(2**63), 2**64, 10**400, "", " ", "0", "1", "nan", "null", "é\u202e\u0000", "../../escaped", "/etc/passwd",
    "a/b", "a\nb", ".", "..", "$x", "$\\frac{1}{$", "$\\undefined{x}$", "x" * 300, "x" * 5000, "%s%n{0}", "*", "[",
    "qcd", "suep", "none", "1e3", "~", [], [[]], {}, [None], [0], [1, 1], ["a", "a"], {"": ""},
    {"a": {"b": {"c": []}}}, [[1, 2], [3, 4]], [0.1, "x"], b"bytes",
)  # fmt: skip


def spoil(data: Any, rng: np.random.Generator, keys: tuple[str, ...] = ()) -> Any:
    """One to three changes at random places: values swapped, keys dropped, renamed, added or moved."""
    data = copy.deepcopy(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        data = _change(data, rng, keys)
    return data


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    places = [path]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        places += _places(value, (*path, key))
    return places


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def _change(data: Any, rng: np.random.Generator, keys: tuple[str, ...]) -> Any:
    places = _places(data)
    path = places[int(rng.integers(len(places)))]
    value = copy.deepcopy(STRANGE[int(rng.integers(len(STRANGE)))])
    if not path:
        if rng.random() < 0.2 or not isinstance(data, dict):
            return value
        data[str(rng.choice(keys)) if keys and rng.random() < 0.8 else "unknown"] = value
        return data
    parent, key = _at(data, path[:-1]), path[-1]
    which = int(rng.integers(6))
    if which == 0:
        del parent[key]
    elif which == 1 and isinstance(parent, dict):
        name = value if isinstance(value, str | int | float | bool | None) else "unknown"
        parent[name] = parent.pop(key)
    elif which == 2:
        parent[key] = copy.deepcopy(_at(data, places[int(rng.integers(len(places)))]))
    elif which == 3:
        parent[key] = [parent[key]]
    else:
        parent[key] = value
    return data
