"""Says when a trigger model is to be judged by events that it has learnt from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from analysis.trigger import Trigger
from darktrigger.files import fingerprint
from imaging.split import EntrySplit

logger = logging.getLogger(__name__)


def warn_of_training_events(
    triggers: Sequence[Trigger], paths: Sequence[str | Path], splits: Sequence[EntrySplit]
) -> None:
    """Log a warning for what each model learnt from these events: itself, its rarities or both.

    Parameters
    ----------
    triggers
        Models that may tell, in their metadata, of which files and entries they learnt.
    paths
        Files that can be read.
    splits
        Events that are used, background's and, where it trained on signal too, signal's.
    """
    lessons = [
        (trigger.path, what, record)
        for trigger in triggers
        for what, record in (
            *(("trained", each) for each in trainings(trigger.metadata.training)),
            ("learnt its rarities", getattr(trigger.metadata, "decorrelated", None)),
        )
    ]
    marks: dict[str, str] = {}
    for model, what, record in lessons:
        files, entries = _files_and_entries(record)
        # What was learnt from background alone is not seen in signal.
        judged = splits if _saw_signal(record) else splits[:1]
        if not files or not all(split.shares_entries(entries) for split in judged):
            continue
        marks = marks or {str(path): fingerprint(path) for path in paths}
        if seen := [path for path, mark in marks.items() if mark in files]:
            others = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
            logger.warning(
                "%s %s on events of %s%s that are used here (entries %s), which flatters it: "
                "choose others, such as by --background-entries",
                model,
                what,
                seen[0],
                others,
                entries,
            )


def trainings(record: Any) -> Iterator[Any]:
    """A model's training, then that of the weights which it started from, and so on; of whatever maker."""
    while record is not None:
        yield record
        record = record.get("pretrained") if isinstance(record, Mapping) else None


def _files_and_entries(record: Any) -> tuple[set[str], EntrySplit]:
    """Fingerprints, none where the metadata do not tell, and entries; of whatever maker."""
    if not isinstance(record, Mapping) or not isinstance(record.get("files"), Mapping):
        return set(), EntrySplit()
    config = record.get("config")
    entries = config.get("background_entries") if isinstance(config, Mapping) else record.get("entries")
    try:
        split = EntrySplit.model_validate(entries or {})
    except ValidationError:
        return set(), EntrySplit()
    return {str(mark) for mark in record["files"].values()}, split


def _saw_signal(record: Any) -> bool:
    labels = record.get("labels") if isinstance(record, Mapping) else None
    return isinstance(labels, Mapping) and any(str(label) != "0" for label in labels)
