"""What ``generate`` left beside a Delphes file: ``FILE.json``, how its events were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from darktrigger.inputs import is_remote


def record_beside(path: str) -> dict[str, Any]:
    """The record of a Delphes file; empty where there is none, or somebody else's file lies there."""
    beside = Path(f"{path}.json")
    if is_remote(path) or not beside.is_file():
        return {}
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def setting_of(record: dict[str, Any], name: str) -> float | None:
    """A setting of the process that is a number; None where the record does not tell."""
    settings = record.get("process_settings")
    value = settings.get(name) if isinstance(settings, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def generated_energy(path: str) -> float | None:
    """Centre-of-mass energy of the protons, GeV; None where nothing tells."""
    return setting_of(record_beside(path), "energy")
