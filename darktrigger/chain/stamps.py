"""Which stages are done: recognised by content and configuration, never by date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from darktrigger import __version__
from darktrigger.files import fingerprint, hash_of, read_json, write_json
from darktrigger.inputs import is_remote


class Stamp:
    """The record that a stage leaves beside its output.

    Parameters
    ----------
    path
        File of the record.
    settings
        Everything besides the inputs' content that decides the output.
    inputs
        Files that the stage reads.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], inputs: Iterable[str | Path]) -> None:
        self.path = path
        content = [str(file) if is_remote(file) else fingerprint(file) for file in inputs]
        self.key = hash_of({"version": __version__, "settings": dict(settings), "inputs": content})

    def started(self) -> bool:
        """Whether this very stage was begun before, finished or not."""
        return self._read().get("key") == self.key

    def done(self) -> bool:
        """Whether it was finished, and its outputs are as it left them."""
        record = self._read()
        outputs = record.get("outputs")
        return (
            record.get("key") == self.key
            and outputs is not None
            and all(Path(file).exists() and fingerprint(file) == print_ for file, print_ in outputs.items())
        )

    def start(self) -> None:
        """Say that the stage has begun."""
        write_json(self.path, {"key": self.key, "outputs": None})

    def finish(self, outputs: Iterable[Path]) -> None:
        """Say that the stage is finished and what it left."""
        write_json(self.path, {"key": self.key, "outputs": {str(file): fingerprint(file) for file in outputs}})

    def _read(self) -> dict[str, Any]:
        return dict(read_json(self.path)) if self.path.exists() else {}
