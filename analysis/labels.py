"""Whether there are background and a signal, which evaluations and estimates need."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from darktrigger.errors import AnalysisError
from imaging.paper_file import labels_by_name
from imaging.parquet_file import labels_of


def missing(purpose: str, labels: Collection[int], background: int = 0) -> AnalysisError:
    """What to raise where either is not among the labels found."""
    found = ", ".join(str(label) for label in sorted(labels)) or "none"
    return AnalysisError(f"{purpose} needs background (label {background}) and a signal; found labels: {found}")


def check_labels(purpose: str, paths: Iterable[str], background: int = 0) -> None:
    """Miss either before all events are scored, where the files tell.

    Raises
    ------
    AnalysisError
        The files hold background alone, or none.
    """
    labels: set[int] = set()
    for path in paths:
        known = labels_by_name(path) or labels_of(path)
        if known is None:
            return
        labels |= known
    if labels and (background not in labels or labels == {background}):
        raise missing(purpose, labels, background)
