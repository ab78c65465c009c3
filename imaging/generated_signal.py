"""What ``generate`` left beside a Delphes file about the signal in it, for the labels of its events."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from darktrigger.errors import DarktriggerError
from imaging.generation_record import record_beside, setting_of
from imaging.sample import described

logger = logging.getLogger(__name__)


class GeneratedSignal(NamedTuple):
    """A signal that was generated.

    Parameters
    ----------
    process
        Its name.
    mass
        Of the mediator, GeV; 0 where the process has none.
    """

    process: str
    mass: float

    def __str__(self) -> str:
        return described(self.process, self.mass)


def sample_options(
    paths: Sequence[str], process: str | None, label: int | None, mass: float | None
) -> tuple[str | None, float]:
    """Process and mass of the events: those given or else, of files that were generated as one signal, that signal's.

    Parameters
    ----------
    paths
        Delphes files; those beside which ``generate`` left its ``FILE.json`` can be told.
    process, label, mass
        As the user gave them.

    Raises
    ------
    DarktriggerError
        Nothing is given that says how to label them, and the files are not all of the same signal.
    """
    # The first file of each signal, and of what is none.
    found = {_signal(path): path for path in reversed(paths)}
    signal = next(iter(found)) if len(found) == 1 else None
    if process is None and label is None:
        if len(found) > 1:
            told = "; ".join(f"{path} {signal or 'not as a signal'}" for signal, path in reversed(found.items()))
            raise DarktriggerError(
                f"files of different processes get one label, and were generated as: {told}; "
                f"take them apart, or say --process"
            )
        process = signal.process if signal else None
    if mass is None:
        mass = signal.mass if signal and signal.process == process else 0.0
    return process, mass


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
    signals = {path: signal.process for path in paths if (signal := _signal(path))}
    if signals:
        path, process = next(iter(signals.items()))
        others = f" and {len(signals) - 1} more" if len(signals) > 1 else ""
        logger.warning(
            "%s%s: generated as a signal, '%s', and labelled 0, background; --process, --label, --mass tell otherwise",
            path,
            others,
            process,
        )


def _signal(path: str) -> GeneratedSignal | None:
    """The signal that a file was generated as; None for background, and where nothing tells."""
    record = record_beside(path)
    if record.get("signal") is not True:
        return None
    return GeneratedSignal(str(record.get("process")), setting_of(record, "mass") or 0.0)
