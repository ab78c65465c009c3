"""Says when events that were generated as a signal are to be labelled background."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from darktrigger.inputs import is_remote

logger = logging.getLogger(__name__)


def warn_of_signals(paths: Sequence[str], label: int) -> None:
    """Log a warning where background is made of files that ``generate`` wrote for a signal.

    Parameters
    ----------
    paths
        Delphes files; those beside which ``generate`` left its ``FILE.json`` can be told.
    label
        Of their events; 0 is background.
    """
    if label != 0:
        return
    signals = {path: process for path in paths if (process := _signal(path))}
    if signals:
        path, process = next(iter(signals.items()))
        others = f" and {len(signals) - 1} more" if len(signals) > 1 else ""
        logger.warning(
            "%s%s: generated as a signal, '%s', and labelled 0, background; --process, --label, --mass tell otherwise",
            path,
            others,
            process,
        )


def _signal(path: str) -> str | None:
    """Process of a file that was generated as a signal, else None."""
    beside = Path(f"{path}.json")
    if is_remote(path) or not beside.is_file():
        return None
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Somebody else's file.
        return None
    is_signal = isinstance(record, dict) and record.get("signal") is True
    return str(record.get("process")) if is_signal else None
